"""export: the champion as an ONNX file without TensorFlow, smaller versions, and a card."""

import sys
from pathlib import Path

import numpy as np

from entry import run
from mien import faces, models
from mien.params import Params
from mien.project import ModelId, read_json, write_json

EXPORT, ENSEMBLE = Path("models/export"), ModelId("ensemble")


def main(params: Params) -> None:
    """Write the champion's files, its card, and the measurements of these."""
    # Whatever backend the members were trained with: all of them read the same weights.
    models.use_backend("tensorflow")
    from mien.export import champion

    validation = faces.load(Path("data/faces/validation"))
    evaluation = read_json(Path("metrics/evaluate.json"))
    name, together = evaluation["champion"], None
    members = [name]
    if name == ENSEMBLE.name:
        together = read_json(ENSEMBLE.model_folder / "record.json")["combination"]
        members = together["members"]
    folders = {member: ModelId.parse(member).model_folder for member in members}
    nets = {member: models.load(folder) for member, folder in folders.items()}
    records = {member: read_json(folder / "record.json") for member, folder in folders.items()}
    cross_fitted = np.load(ENSEMBLE.model_folder / "validation.npy")
    calibrated = champion.calibrate(nets, together, cross_fitted, validation, params.seed)
    test = evaluation["models"][name]
    made = champion.export(nets, records, calibrated, validation, test, params.seed)
    # Who reads real faces with the model is to know that it has seen none.
    drawn = not params.data.url and Path(params.data.source, "recipe.yaml").is_file()
    write_json(EXPORT / "card.json", made.card | {"drawn": drawn})
    for version, file in made.files.items():
        (EXPORT / f"{version}.onnx").write_bytes(file)
    if "error" in made.measured:
        print(f"export: no file for {name}: {made.measured['error']}", file=sys.stderr)
    write_json(Path("metrics/export.json"), {"champion": name, **made.measured})


if __name__ == "__main__":
    run(main)
