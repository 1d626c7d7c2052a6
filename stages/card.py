"""card: what a reader has to know before using the champion, as reports/model_card.md."""

import json
from pathlib import Path
from typing import Any

from entry import run
from mien.model_card import model_card
from mien.params import Params


def main(params: Params) -> None:
    """Write the model card from the pipeline's numbers."""
    text = model_card(
        _read("models/export/card.json"),
        audit=_read("metrics/audit.json"),
        evaluation=_read("metrics/evaluate.json"),
        robustness=_read("metrics/robustness.json"),
        export=_read("metrics/export.json"),
        suspects=_read("metrics/suspects.json"),
        policy=params.audit.policy,
        split=params.data.split,
        resplit=params.data.resplit,
        drawn=not params.data.url and Path(params.data.source, "recipe.yaml").is_file(),
        seed=params.seed,
    )
    Path("reports/model_card.md").write_text(text, encoding="utf-8")


def _read(path: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(Path(path).read_text())
    return content


if __name__ == "__main__":
    run(main)
