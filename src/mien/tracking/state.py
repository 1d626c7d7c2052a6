"""The state of the pipeline in MLflow: its models' runs, its own run, the champion."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.data.meta_dataset import MetaDataset
from mlflow.entities import Dataset, DatasetInput, InputTag, Run

from mien import tracking
from mien.tracking import notes, runs
from mien.tracking.champion import log_model, register
from mien.tracking.store import Store
from mien.tracking.trials import log_trials

COSTS = ("parameters", "multiply_adds")
# Parts of a combination that are short enough for a param.
COMBINATION = ("method", "members", "temperature", "weights")
# Of a complete run: what it shows, as one hash.
SHOWN = "hashes.json"


def log_state(
    store: Store,
    models: Sequence[tracking.TrackedModel],
    evaluation: Mapping[str, Any],
    exported: Path | None,
    pages: Mapping[str, str],
    alias: str,
) -> str:
    """Log what MLflow lacks, put the alias on the best model; return in one line what was done."""
    runs.close_dead(store)
    members: dict[str, Run] = {}
    for model in models:
        members[model.record["name"]] = _model_run(store, model, members)
    added = _pipeline_run(store, models, members, evaluation, pages)
    champion = members[evaluation["champion"]]
    model = next(each for each in models if each.id.name == evaluation["champion"])
    moved = register(store, champion, model, exported, pages["model_card.md"], alias)
    state = "new state of the pipeline" if added else "this state was there already"
    return f"{state}; {moved}" + ("" if exported else "; as Keras, for ONNX cannot represent it")


def _model_run(store: Store, model: tracking.TrackedModel, logged: Mapping[str, Run]) -> Run:
    """Return the model's finished run, created and completed if needed.

    Args:
        store: the store.
        model: the model.
        logged: finished runs by model name, including those of an ensemble's members.
    """
    key = tracking.key(model.record)
    run = runs.find(store, "mien.key", key, "FINISHED")
    if run is None:
        arch = model.record["spec"]["arch"]
        combination, params = _combination(model), model.record["params"]
        title = model.id.run_name(combination["method"] if combination else runs.kind(params))
        run = runs.begin(store, title, stage=model.id.dvc_stage, arch=arch, inputs=model.inputs)
        run = runs.finish(store, run, key)
    names = [member.record["name"] for member in model.members]
    _complete(store, run, model, {name: logged[name] for name in names})
    return store.client.get_run(run.info.run_id)


def _complete(
    store: Store, run: Run, model: tracking.TrackedModel, members: Mapping[str, Run]
) -> None:
    identifier, record = run.info.run_id, model.record
    linked = _linked(members)
    content = tracking.key(
        [model.validation, model.test, _digests(model), list(model.trials), linked]
    )
    if runs.artifact(store, run, SHOWN).get("content") == content:
        return
    runs.log_params(store, run, {**record["params"], **_facts(model)})
    known = runs.logged_epochs(store, run)
    runs.log_epochs(store, run, [row for row in model.history if int(row["epoch"]) not in known])
    runs.log_scores(store, run, _scores(model))
    store.client.log_inputs(identifier, _data(record["data"]))
    store.client.log_dict(identifier, dict(record), "record.json")
    store.client.log_dict(identifier, dict(model.validation), "metrics/validation.json")
    store.client.log_dict(identifier, dict(model.test), "metrics/test.json")
    for folder in model.reports:
        store.client.log_artifacts(identifier, str(folder), folder.as_posix())
    log_trials(store, run, model)
    if linked:
        store.client.log_dict(identifier, linked, "members.json")
    model_id = log_model(store, run, model)
    runs.log_headlines(store, run, model_id)
    note = notes.about_model(model, model_id, members)
    runs.set_tags(store, run, {"mlflow.note.content": note})
    # Last: a run that was interrupted before this is completed the next time.
    hashes = {"content": content, "data": record["data"], "weights": record.get("weights_sha256")}
    store.client.log_dict(identifier, hashes, SHOWN)


def _pipeline_run(
    store: Store,
    models: Sequence[tracking.TrackedModel],
    members: Mapping[str, Run],
    evaluation: Mapping[str, Any],
    pages: Mapping[str, str],
) -> bool:
    """Log the run of this state unless it exists; return whether it was missing.

    Args:
        store: the store.
        models: the models of this state.
        members: their finished runs, by name.
        evaluation: content of metrics/evaluate.json.
        pages: text files about the state, by name; empty ones are omitted.
    """
    key = tracking.pipeline_key(models, evaluation)
    if runs.find(store, "mien.key", key, "FINISHED") is not None:
        return False
    champion = next(model for model in models if model.record["name"] == evaluation["champion"])
    arch = champion.record["spec"]["arch"]
    title = f"pipeline: {arch}"
    run = runs.begin(store, title, stage="pipeline", arch=arch, inputs=key)
    runs.log_params(store, run, {"champion": evaluation["champion"]})
    runs.log_scores(store, run, _scores(champion))
    store.client.log_dict(run.info.run_id, _linked(members), "members.json")
    store.client.log_dict(run.info.run_id, dict(evaluation), "metrics/evaluate.json")
    for file, text in pages.items():
        if text:
            store.client.log_text(run.info.run_id, text, file)
    note = notes.about_pipeline(models, members, evaluation)
    runs.set_tags(store, run, {"mlflow.note.content": note})
    runs.finish(store, run, key)
    return True


def _linked(members: Mapping[str, Run]) -> dict[str, Any]:
    """Return key and id of the members' runs by name, for `members.json`."""
    return {
        name: {"key": member.data.tags["mien.key"], "run_id": member.info.run_id}
        for name, member in members.items()
    }


def _combination(model: tracking.TrackedModel) -> Mapping[str, Any]:
    """Return the combination of an ensemble; empty for a single network."""
    return model.record.get("combination", {})


def _facts(model: tracking.TrackedModel) -> dict[str, Any]:
    """Return the params of a run that are not from params.yaml."""
    combination = _combination(model)
    facts = {name: model.validation[name] for name in COSTS if name in model.validation}
    facts |= {
        f"pretrained_{name}": value for name, value in model.record.get("pretrained", {}).items()
    }
    facts |= {
        f"combination.{name}": combination[name] for name in COMBINATION if name in combination
    }
    return {**facts, "classes": model.record["spec"]["classes"]}


def _scores(model: tracking.TrackedModel) -> dict[str, float]:
    # Other entries, about tuning or members, are in the description and the artefacts.
    shown = (*model.test, "folds")
    validation = {name: part for name, part in model.validation.items() if name in shown}
    nets = [each.validation for each in model.members or (model,)]
    # An ensemble costs what its members cost together.
    costs = {f"cost/{name}": float(sum(net[name] for net in nets)) for name in COSTS}
    return runs.scores("validation", validation) | runs.scores("test", model.test) | costs


def _data(digests: Mapping[str, str]) -> list[DatasetInput]:
    """Return the data sets as MLflow inputs, identified by DVC's hashes."""
    sets = []
    for path, md5 in digests.items():
        context = "validation" if path.endswith("validation") else "training"
        source = CodeDatasetSource({"dvc": path})
        data = MetaDataset(source, name=path, digest=md5)  # type: ignore[abstract]
        entity = Dataset(**data.to_dict())
        sets.append(DatasetInput(entity, [InputTag("mlflow.data.context", context)]))
    return sets


def _digests(model: tracking.TrackedModel) -> dict[str, str]:
    files = sorted(file for folder in model.reports for file in folder.rglob("*") if file.is_file())
    return {file.as_posix(): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
