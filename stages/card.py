"""card: the champion's model card, reports/model_card.md."""

from pathlib import Path

from entry import run
from mien.params import Params
from mien.project import read_json
from mien.report.model_card import model_card


def main(params: Params) -> None:
    """Write the model card from the pipeline's numbers."""
    exported = read_json(Path("models/export/card.json"))
    text = model_card(
        exported,
        audit=read_json(Path("metrics/audit.json")),
        evaluation=read_json(Path("metrics/evaluate.json")),
        robustness=read_json(Path("metrics/robustness.json")),
        export=read_json(Path("metrics/export.json")),
        suspects=read_json(Path("metrics/suspects.json")),
        groups=read_json(Path("metrics/groups.json")),
        policy=params.audit.policy,
        split=params.data.split,
        resplit=params.data.resplit,
        drawn=exported["drawn"],
        seed=params.seed,
    )
    Path("reports/model_card.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    run(main)
