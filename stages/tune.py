"""Tune: a study of one architecture, then its best trial at full length against the start.

With `--worker` it only runs trials, of a study that many processes share.
"""

import argparse
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from entry import ROOT, SCRATCH, STAGE, inputs, run, write_json
from mien import faces, models, tracking
from mien.params import Params
from mien.plots import save
from mien.plots import tuning as charts
from trained import SECTIONS, TRAINING, VALIDATION, recorded, write_model

if TYPE_CHECKING:
    from mien.models.pretrained import Pretrained
    from mien.tuning.bench import Bench
    from mien.tuning.finals import Final
    from mien.tuning.space import Space

# They say when a study ends: with more of them the same study goes on.
BUDGET = ("tune.trials", "tune.minutes")


def main(params: Params) -> None:
    """Search for better params; write the model, its scores, the trials and their charts."""
    parser = argparse.ArgumentParser()
    parser.add_argument("arch")
    parser.add_argument("--worker", action="store_true")
    given = parser.parse_args()
    models.use_backend(params.train.backend, params.train.devices)
    from mien.tuning import report, search, space, study
    from mien.tuning.bench import evaluator
    from mien.tuning.finals import chosen, compared, finalists, finals

    searched, hashes = space.of(params, given.arch), inputs()
    bench = _bench(params, searched)
    name = f"{given.arch}-{_key(hashes, bench.pretrained)}"
    folder = SCRATCH / "tune" / name
    if params.tune.storage or params.tune.minutes:
        print(
            f"{STAGE}: a study that is shared or has a budget in minutes does not repeat itself",
            file=sys.stderr,
        )
    with study.opened(name, folder, params.tune.storage, params.tune.metric) as opened:
        evaluate = evaluator(bench, searched, params.tune)
        search.run(opened, searched, params.tune, params.seed, evaluate, folder)
        if given.worker:
            return
        done = finals(bench, finalists(opened.study, searched), folder / "final")
        summary = report.summary(opened.study) | compared(done, bench)
        trials = report.table(opened.study, searched)
        importances = report.importances(opened.study, searched, params.seed)
    final = chosen(done, params.tune.metric)
    told = "; ".join(f"{name} {each.score[params.tune.metric]:.4f}" for name, each in done.items())
    print(f"full length, {params.tune.metric}: {told}; the {final.name} it is", file=sys.stderr)
    _report(Path("reports/tune", given.arch), params.tune.metric, trials, importances)
    _write(params, given.arch, final, bench, hashes, summary)
    shutil.rmtree(folder / "final")


def _bench(params: Params, searched: "Space") -> "Bench":
    """Return the faces, and all else that the trainings have in common."""
    from mien.models import pretrained
    from mien.training import board, described
    from mien.tuning.bench import Bench

    training, validation = faces.load(TRAINING), faces.load(VALIDATION)
    start = pretrained.load(described(searched.recipe.model, training))
    events = SCRATCH / "tensorboard" / STAGE if params.tensorboard else None
    return Bench(
        training, validation, params.seed, start, lambda title: board(events and events / title)
    )


def _key(hashes: dict[str, Any], start: "Pretrained | None") -> str:
    """Return 16 digits that name the study, from all that shapes its trials."""
    shaping = {path: md5 for path, md5 in hashes.items() if not path.startswith("src/mien/plots")}
    values = {name: value for name, value in hashes["params.yaml"].items() if name not in BUDGET}
    return tracking.key([shaping | {"params.yaml": values}, start and start.sha256])[:16]


def _report(folder: Path, metric: str, trials: pd.DataFrame, importances: pd.DataFrame) -> None:
    """Write the tables of the study and its charts."""
    folder.mkdir(parents=True, exist_ok=True)
    trials.to_csv(folder / "trials.csv", index=False)
    importances.to_csv(folder / "importances.csv", index=False)
    save(charts.history_chart(trials, metric), folder / "history.png")
    save(charts.parallel_chart(trials, metric), folder / "parallel.png")
    save(charts.importances_chart(importances), folder / "importances.png")


def _write(
    params: Params,
    arch: str,
    final: "Final",
    bench: "Bench",
    hashes: dict[str, Any],
    summary: dict[str, Any],
) -> None:
    """Write the chosen model with its record and metrics, and show its epochs in MLflow."""
    from mien.training import described

    name, recipe = f"tune_{arch}", vars(final.recipe)
    sections = params.model_copy(update=recipe).model_dump(mode="json", include=SECTIONS)
    spec = described(final.recipe.model, bench.training)
    record = recorded(name, spec, bench.pretrained, sections, hashes)
    metrics = write_model(f"tune/{arch}", final.trained, bench.validation, record)
    metrics["tuning"] = summary | {"chosen": final.name, "metric": params.tune.metric}
    write_json(Path("metrics/tune", f"{arch}.json"), metrics)
    # Only now it is known which training is the model's.
    with tracking.live(STAGE, name, tracking.key(hashes), sections, ROOT) as watched:
        watched.log(final.trained.history)
        watched.finish(record, final.trained.seconds)


if __name__ == "__main__":
    run(main)
