"""tune ARCH: a study of one architecture; its best trial and the start, both trained in full.

With `--worker` it only runs trials of a study that several processes share.
"""

import argparse
import shutil

from entry import run
from mien import faces, models, tracking
from mien.params import Params
from mien.project import ModelId, root, scratch, stage_inputs, write_json
from mien.training.tensorboard import tensorboard
from written import DATA, TRAINING, VALIDATION, write_model


def main(params: Params) -> None:
    """Search for better params; write the model, its scores and the table of trials."""
    parser = argparse.ArgumentParser()
    parser.add_argument("arch")
    parser.add_argument("--worker", action="store_true")
    given = parser.parse_args()
    model, hashes = ModelId("tune", given.arch), stage_inputs()
    models.use_backend(params.train.backend, params.train.devices)
    from mien.tuning import space, study, trainer, tuning

    searched, events = space.of(params, given.arch), scratch() / "tensorboard" / model.dvc_stage
    trains = trainer.trainer(
        params.seed,
        searched,
        faces.load(TRAINING),
        faces.load(VALIDATION),
        lambda title: tensorboard(events / title if params.tensorboard else None),
    )
    key = study.key(hashes, trains.pretrained)
    folder = scratch() / "tune" / f"{given.arch}-{key}"
    with study.opened(given.arch, key, folder, params.tune) as opened:
        tuning.run_trials(opened, searched, trains, params, folder)
        if given.worker:
            return
        tuned = tuning.conclude(opened, searched, trains, params, folder / "final")
    record = trains.record(model.name, params, tuned.best.settings, {p: hashes[p] for p in DATA})
    metrics = write_model(model, tuned.best.trained, trains.validation, record)
    write_json(model.metrics_file, metrics | {"tuning": tuned.summary})
    tuned.trials.to_csv(model.report_folder / "trials.csv", index=False)
    tuned.importances.to_csv(model.report_folder / "importances.csv", index=False)
    # Only now it is known which training gave the model.
    seconds, inputs = tuned.best.trained.seconds, tracking.key(hashes)
    with tracking.live(model, inputs, record["params"], root(), lasted=seconds) as live:
        live.log(tuned.best.trained.history)
        live.finish(record, seconds)
    shutil.rmtree(folder / "final")


if __name__ == "__main__":
    run(main)
