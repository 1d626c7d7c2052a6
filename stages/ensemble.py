"""ensemble: what the models say together, fitted on validation and scored out of fold."""

import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from entry import STAGE, inputs, members, places, run, write_json
from mien import ensemble_scores, ensembles, faces, metrics
from mien.errors import MienError, ParamError
from mien.params import Params
from mien.plots import ensembles as charts
from mien.plots import save

VALIDATION = Path("data/faces/validation")
MODEL, REPORTS = Path("models/ensemble"), Path("reports/ensemble")
MEMBERS = [
    "name",
    "arch",
    "macro_f1",
    "macro_f1_low",
    "macro_f1_high",
    "accuracy",
    "weight",
    "leave_one_out",
]


def main(params: Params) -> None:
    """Judge every method; write the combination by the one asked for or by the best."""
    named = members(params)
    remove_stale(set(places(params).values()))
    validation = faces.load(VALIDATION)
    records, models = {}, {}
    for name, place in named.items():
        records[name], models[name] = read(Path("models", place), validation)
    names, same_as = choose(params.ensemble.members, records)
    used = {name: models[name] for name in names}
    labels, groups = validation.labels, validation.index["group"].to_numpy()
    folds = ensembles.assign_folds(labels, groups, params.seed)
    crossed, methods = ensemble_scores.judge(used, validation, folds)
    method = params.ensemble.method
    if method == "auto":
        method = methods["macro_f1"].idxmax()
    combination = ensembles.fit(method, used, labels, folds)
    record = {
        "name": "ensemble",
        "spec": {
            "arch": "ensemble",
            "classes": list(validation.classes),
            "image_size": validation.images.shape[1],
        },
        "combination": combination,
        "members": {name: records[name]["weights_sha256"] for name in combination["members"]},
        "params": params.model_dump(mode="json", include={"ensemble", "seed"}),
        "data": {str(VALIDATION): inputs()[str(VALIDATION)]},
    }
    score = metrics.score_faces(validation, crossed[method], params.seed)
    content = {
        **score,
        "method": combination["method"],
        "members": combination["members"],
        "same_as": same_as,
        "temperature": combination["temperature"],
        "candidates": methods["macro_f1"].to_dict(),
        "leave_one_out": ensemble_scores.leave_one_out(
            method, used, validation, folds, score["macro_f1"]
        ),
        "disagreement": ensemble_scores.disagreement(used),
        **ensemble_scores.against_models(crossed[method], models, records, validation, params.seed),
    }
    write_json(MODEL / "record.json", record)
    np.save(MODEL / "validation.npy", crossed[method])
    write_json(Path("metrics/ensemble.json"), content)
    report(content, methods, combination)


def remove_stale(kept: set[str]) -> None:
    """Remove what models that left tune.archs or distill.archs left behind, but no `.gitkeep`.

    DVC leaves the outs of a stage that is gone, and later stages depend on the folders.
    """
    stale = []
    for stage in ("tune", "distill"):
        found = [*Path("models", stage).glob("*/"), *Path("reports", stage).glob("*/")]
        found += Path("metrics", stage).glob("*.json")
        stale += sorted(path for path in found if f"{stage}/{path.stem}" not in kept)
    for path in stale:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    if stale:
        removed = ", ".join(path.as_posix() for path in stale)
        print(f"{STAGE}: removed {removed}: no longer in params.yaml's archs", file=sys.stderr)


def read(folder: Path, validation: faces.Faces) -> tuple[dict[str, Any], np.ndarray]:
    """Return a model's record and its probabilities on validation, shape (N, C).

    Raises:
        MienError: the model was measured on other images or knows other classes.
    """
    record = json.loads((folder / "record.json").read_text(encoding="utf-8"))
    probabilities = np.load(folder / "validation.npy")
    known, expected = record["spec"]["classes"], list(validation.classes)
    if known != expected or len(probabilities) != len(validation):
        raise MienError(
            f"{folder} must be measured on the {len(validation)} images of {VALIDATION}, of "
            f"{', '.join(expected)}, got {len(probabilities)} images of {', '.join(known)}; "
            "run `dvc repro`"
        )
    return record, probabilities


def choose(
    wanted: Sequence[str], records: Mapping[str, Mapping[str, Any]]
) -> tuple[list[str], dict[str, str]]:
    """Return the members, and each of those asked for that is the same net as an earlier one.

    Raises:
        ParamError: a name is no model's.
    """
    unknown = [name for name in wanted if name not in records]
    if unknown:
        raise ParamError(
            f"ensemble.members: {unknown[0]} is no model, one of {', '.join(records)}; "
            "change it, or add its architecture to tune.archs"
        )
    first: dict[str, str] = {}
    same_as = {}
    for name, record in records.items():
        if not wanted or name in wanted:
            earlier = first.setdefault(record["weights_sha256"], name)
            if earlier != name:
                same_as[name] = earlier
    return list(first.values()), same_as


def report(
    content: Mapping[str, Any], methods: pd.DataFrame, combination: Mapping[str, Any]
) -> None:
    """Write the tables and the charts."""
    names = list(content["disagreement"])
    weights = dict(zip(content["members"], combination.get("weights", ()), strict=False))
    rows = [
        {
            "name": name,
            **score,
            "weight": weights.get(name),
            "leave_one_out": content["leave_one_out"].get(name),
        }
        for name, score in content["member_scores"].items()
    ]
    members = pd.DataFrame(rows, columns=MEMBERS).astype({"leave_one_out": float})
    shares = pd.DataFrame(content["disagreement"], names, names)
    REPORTS.mkdir(parents=True, exist_ok=True)
    members.to_csv(REPORTS / "members.csv", index=False)
    shares.rename_axis("member").to_csv(REPORTS / "disagreement.csv")
    methods.to_csv(REPORTS / "methods.csv")
    save(charts.members_chart(members, content), REPORTS / "members.png")
    if len(names) > 1:
        save(charts.disagreement_chart(shares), REPORTS / "disagreement.png")


if __name__ == "__main__":
    run(main)
