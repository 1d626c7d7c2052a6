"""The state of the pipeline in MLflow: its models' runs, its own run, the champion."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.data.meta_dataset import MetaDataset
from mlflow.entities import Dataset, DatasetInput, InputTag, Run

from mien import tracking
from mien.tracking import runs
from mien.tracking.champion import log_model, register
from mien.tracking.store import Store

# What metrics/train.json holds beside the scores.
FACTS = ("parameters", "multiply_adds", "epochs")


def log_state(
    store: Store, models: Sequence[tracking.Trained], evaluation: Mapping[str, Any]
) -> str:
    """Log what MLflow lacks; return in one line what was done."""
    runs.close_dead(store)
    members = {model.record["name"]: _model_run(store, model) for model in models}
    added = _pipeline_run(store, models, members, evaluation)
    champion = members[evaluation["champion"]]
    number = register(
        store,
        champion.info.run_id,
        champion.data.tags["mien.model"],
        champion.data.tags["mien.key"],
    )
    state = "new state of the pipeline" if added else "this state was there already"
    return f"{state}; the champion, {evaluation['champion']}, is version {number} of the model mien"


def _model_run(store: Store, model: tracking.Trained) -> Run:
    """Return the model's one finished run, with everything that people look for in it."""
    key = tracking.key(model.record)
    run = runs.find(store, "mien.key", key, "FINISHED")
    if run is None:
        title = runs.title(model.stage, model.record["spec"]["arch"])
        run = runs.begin(store, model.stage, model.inputs, title, model.record["name"])
        runs.log_params(store, run, model.record["params"])
        run = runs.finish(store, run, key)
    _complete(store, run, model)
    return store.client.get_run(run.info.run_id)


def _complete(store: Store, run: Run, model: tracking.Trained) -> None:
    identifier = run.info.run_id
    content = tracking.key([model.validation, model.test, _digests(model)])
    if run.data.tags.get("mien.content") == content:
        return
    spec = model.record["spec"]
    facts = {name: model.validation[name] for name in FACTS}
    facts |= {
        f"pretrained_{key}": value for key, value in model.record.get("pretrained", {}).items()
    }
    runs.log_params(store, run, {**facts, "arch": spec["arch"], "classes": spec["classes"]})
    known = runs.logged_epochs(store, run)
    runs.log_epochs(store, run, [row for row in model.history if int(row["epoch"]) not in known])
    runs.log_scores(store, run, _scores(model))
    store.client.log_inputs(identifier, _data(model.record["data"]))
    store.client.log_dict(identifier, dict(model.record), "record.json")
    store.client.log_dict(identifier, dict(model.validation), "metrics/validation.json")
    store.client.log_dict(identifier, dict(model.test), "metrics/test.json")
    for folder in model.reports:
        store.client.log_artifacts(identifier, str(folder), folder.as_posix())
    model_id = run.data.tags.get("mien.model") or log_model(store, run, model)
    tags = {f"mien.{path}": md5 for path, md5 in model.record["data"].items()}
    note = {"mlflow.note.content": _about(model, model_id)}
    # Last: a run that was interrupted before here is completed the next time.
    runs.set_tags(store, run, tags | note | {"mien.model": model_id, "mien.content": content})


def _pipeline_run(
    store: Store,
    models: Sequence[tracking.Trained],
    members: Mapping[str, Run],
    evaluation: Mapping[str, Any],
) -> bool:
    """Log the run of this state unless it is there; return whether it was missing.

    Args:
        store: where the runs lie.
        models: the models of this state.
        members: their finished runs, by the models' names.
        evaluation: content of metrics/evaluate.json.
    """
    key = tracking.pipeline_key(models, evaluation)
    if runs.find(store, "mien.key", key, "FINISHED") is not None:
        return False
    champion = next(model for model in models if model.record["name"] == evaluation["champion"])
    title = runs.title("pipeline", champion.record["spec"]["arch"])
    run = runs.begin(store, "pipeline", key, title, "pipeline")
    runs.log_scores(store, run, _scores(champion))
    named = {
        name: {"key": member.data.tags["mien.key"], "run_id": member.info.run_id}
        for name, member in members.items()
    }
    store.client.log_dict(run.info.run_id, named, "members.json")
    store.client.log_dict(run.info.run_id, dict(evaluation), "metrics/evaluate.json")
    tags = {f"mien.member.{name}": member["run_id"] for name, member in named.items()}
    note = {"mlflow.note.content": _table(store, models, members, evaluation["champion"])}
    runs.set_tags(store, run, tags | note | {"mien.champion": evaluation["champion"]})
    runs.finish(store, run, key)
    return True


def _scores(model: tracking.Trained) -> dict[str, float]:
    validation = {name: part for name, part in model.validation.items() if name not in FACTS}
    return runs.scores("validation", validation) | runs.scores("test", model.test)


def _data(digests: Mapping[str, str]) -> list[DatasetInput]:
    """Return the data sets as MLflow's inputs, by the hashes that DVC gave them."""
    sets = []
    for path, md5 in digests.items():
        context = "validation" if path.endswith("validation") else "training"
        source = CodeDatasetSource({"dvc": path})
        data = MetaDataset(source, name=path, digest=md5)  # type: ignore[abstract]
        entity = Dataset(**data.to_dict())
        sets.append(DatasetInput(entity, [InputTag("mlflow.data.context", context)]))
    return sets


def _digests(model: tracking.Trained) -> dict[str, str]:
    files = sorted(file for folder in model.reports for file in folder.rglob("*") if file.is_file())
    return {file.as_posix(): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def _about(model: tracking.Trained, model_id: str) -> str:
    """Return the description of a model's run, in Markdown."""
    spec = model.record["spec"]
    return (
        f"**{spec['arch']}**, {model.validation['parameters']:,} parameters, "
        f"{model.validation['multiply_adds']:,} multiply-adds an image; "
        f"reads {', '.join(spec['classes'])}.\n\n"
        f"Macro-F1 {_interval(model.validation, 'macro_f1')} on validation, "
        f"{_interval(model.test, 'macro_f1')} on test.\n\n"
        f'Load it: `mlflow.pyfunc.load_model("models:/{model_id}")`'
    )


def _table(
    store: Store, models: Sequence[tracking.Trained], members: Mapping[str, Run], champion: str
) -> str:
    """Return the description of a pipeline's run, in Markdown: a row for each model."""
    rows = [
        "| model | architecture | macro-F1 on validation | macro-F1 on test | accuracy on test |",
        "|---|---|---|---|---|",
    ]
    for model in models:
        name = model.record["name"]
        link = f"#/experiments/{store.experiment}/runs/{members[name].info.run_id}"
        cells = [
            f"[{name}]({link})" + (" (champion)" if name == champion else ""),
            model.record["spec"]["arch"],
            _interval(model.validation, "macro_f1"),
            _interval(model.test, "macro_f1"),
            _interval(model.test, "accuracy"),
        ]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows) + "\n\nIn brackets: 95 % bootstrap intervals."


def _interval(score: Mapping[str, Any], name: str) -> str:
    return f"{score[name]:.3f} ({score[f'{name}_low']:.3f} to {score[f'{name}_high']:.3f})"
