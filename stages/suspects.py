"""suspects: cross-validated networks search the train split for doubtful labels."""

import shutil
from pathlib import Path
from typing import Any

import pandas as pd

from entry import run
from mien import faces, models, tracking
from mien.params import Params
from mien.preparation import suspects
from mien.project import scratch, stage_inputs, write_json

REPORTS = Path("reports/suspects")


def main(params: Params) -> None:
    """Write the list of suspects, empty unless audit.labels asks for it."""
    labels = params.audit.labels
    found = pd.DataFrame(columns=suspects.COLUMNS)
    summary: dict[str, Any] = {"action": labels.action}
    if labels.action == "list":
        train, recipe = faces.load(Path("data/faces/train")), suspects.recipe(labels)
        models.use_backend(recipe.backend)
        from mien.training import folds

        checkpoints = scratch() / "suspects" / tracking.key(stage_inputs())
        judged = folds.judge(labels.arch, train, recipe, params.augment, params.seed, checkpoints)
        found = suspects.find(train, judged)
        summary |= suspects.summary(train, judged, found)
        shutil.rmtree(checkpoints)
    REPORTS.mkdir(parents=True, exist_ok=True)
    found.round(6).to_csv(REPORTS / "suspects.csv", index=False)
    write_json(Path("metrics/suspects.json"), summary)


if __name__ == "__main__":
    run(main)
