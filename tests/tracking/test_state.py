"""What `track` leaves in a real MLflow store, read back through MLflow's client."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import mlflow
import pytest
from conftest import SRC
from made_state import (
    CLASSES,
    EPOCHS,
    HISTORY,
    PARAMS,
    client,
    curve,
    ensemble,
    evaluation,
    made,
    net_runs,
    project,
    runs,
    tuned,
    with_test,
)
from mlflow.entities import Run

from mien import tracking
from mien.errors import TrackingError
from mien.project import ModelId


@dataclass
class Shown:
    """A state of two nets that tests only read; they are in its project's folder."""

    root: Path
    nets: tuple[tracking.TrackedModel, tracking.TrackedModel]
    keys: list[str]

    @property
    def champion(self) -> Run:
        (run,) = runs(self.root, "train")
        return run

    @property
    def pipeline(self) -> Run:
        (run,) = runs(self.root, "pipeline")
        return run


@pytest.fixture(scope="module")
def tracked(tmp_path_factory) -> Shown:
    with pytest.MonkeyPatch.context() as patch:
        root = project(tmp_path_factory.mktemp("shown"), patch)
        patch.setenv("DVC_EXP_NAME", "puffy-daze")
        nets = made(), made("tune_small", b"two")
        pages = {"card": "# Card\n\nOf use.", "report": "<html></html>"}
        return Shown(root, nets, tracking.track(nets, evaluation(*nets), root, **pages))


@pytest.fixture
def shown(tracked, monkeypatch) -> Shown:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tracked.root)
    return tracked


@pytest.fixture
def root(tmp_path, monkeypatch) -> Path:
    return project(tmp_path, monkeypatch)


def names(root, run, path=None) -> set[str]:
    return {file.path for file in client(root).list_artifacts(run.info.run_id, path)}


def read(root, run, name) -> dict:
    return mlflow.artifacts.load_dict(f"{run.info.artifact_uri}/{name}")


def test_a_model_run_holds_what_people_look_for(shown):
    root, run, model = shown.root, shown.champion, shown.nets[0]
    assert (run.info.status, run.info.run_name) == (
        "FINISHED",
        "train: simple_cnn ×0.25, 3 epochs",
    )
    params = {
        "model.arch": "simple_cnn",
        "model.dropout": "null",
        "augment.rotation.range": "[-15, 15]",
        "train.learning_rate": "1e-05",
        "seed": "17",
        "parameters": "1000",
        "multiply_adds": "2000",
    }
    assert params.items() <= run.data.params.items()
    assert run.data.metrics["cost/parameters"] == 1000
    assert run.data.metrics["cost/multiply_adds"] == 2000
    assert run.data.metrics["validation/macro_f1"] == 0.625
    assert run.data.metrics["test/macro_f1"] == 0.5
    assert run.data.metrics["test/accuracy_low"] == 0.5
    assert run.data.metrics["test/f1_happy"] == 0.5
    assert run.data.metrics["test/f1_sad _very_"] == 0.5
    assert curve(root, run) == EPOCHS
    assert curve(root, run, "epoch/val_macro_f1") == {
        row["epoch"]: [row["val_macro_f1"]] for row in HISTORY
    }
    assert run.data.tags["mien.key"] == tracking.key(model.record)
    assert run.data.tags["mien.experiment"] == "puffy-daze"
    shown_tags = {tag for tag in run.data.tags if not tag.startswith("mlflow.")}
    assert shown_tags == {
        *("mien.stage", "mien.arch", "mien.key", "mien.inputs", "mien.experiment")
    }
    assert "0.500 (0.400 to 0.600) on test" in run.data.tags["mlflow.note.content"]
    digests = {data.dataset.name: data.dataset.digest for data in run.inputs.dataset_inputs}
    assert digests == dict(model.record["data"])
    assert read(root, run, "hashes.json")["data"] == model.record["data"]
    assert names(root, run) == {"hashes.json", "record.json", "metrics", "reports"}
    assert names(root, run, "reports/train") == {"reports/train/learning_curves.png"}


def test_artefacts_of_the_default_store_lie_in_the_project_wherever_it_is_called(
    root, tmp_path, monkeypatch
):
    passing = tmp_path / "passing"
    passing.mkdir()
    monkeypatch.chdir(passing)
    model = made()
    tracking.track([model], evaluation(model), root)
    assert {path.name for path in passing.iterdir()} == {"models", "reports"}
    assert list((root / "mlartifacts").rglob("model.weights.h5"))


def artefacts(root) -> dict[Path, int]:
    """Return the time at which each file was last written."""
    return {path: path.stat().st_mtime_ns for path in (root / "mlartifacts").rglob("*")}


def test_tracking_again_changes_nothing(root):
    model = made()
    first = tracking.track([model], evaluation(model), root)
    (before,) = runs(root, "train")
    files = artefacts(root)
    assert tracking.track([model], evaluation(model), root) == first
    (after,) = runs(root, "train")
    assert after.to_dictionary() == before.to_dictionary()
    assert artefacts(root) == files
    assert len(runs(root, "pipeline")) == 1
    assert curve(root, after, "test/macro_f1") == {0: [0.5]}


def test_another_model_adds_a_run_and_the_way_back_none(root):
    one, two = made(), made(weights=b"two")
    keys = [tracking.track([model], evaluation(model), root) for model in (one, two, one)]
    assert keys[0] == keys[2] != keys[1]
    assert {run.data.tags["mien.key"] for run in runs(root, "train")} == {
        tracking.key(one.record),
        tracking.key(two.record),
    }
    assert len(runs(root, "train")) == len(runs(root, "pipeline")) == 2


def test_the_alias_follows_the_champion_and_a_version_is_made_once(root):
    one, two = made(), made("tune_small", b"two")
    store = client(root)
    seen = []
    for champion in ("train", "tune_small", "train"):
        tracking.track([one, two], evaluation(one, two, champion=champion), root)
        version = store.get_model_version_by_alias("mien", "champion")
        seen.append((int(version.version), version.tags["mien.key"]))
    assert seen == [
        (1, tracking.key(one.record)),
        (2, tracking.key(two.record)),
        (1, tracking.key(one.record)),
    ]
    assert len(store.search_model_versions("name = 'mien'")) == 2


def test_the_pipeline_run_names_its_members(shown):
    root, pipeline, one = shown.root, shown.pipeline, shown.nets[0]
    members = {run.data.tags["mien.stage"]: run.info.run_id for run in net_runs(root)}
    named = read(root, pipeline, "members.json")
    assert pipeline.data.params["champion"] == "train"
    for name, identifier in members.items():
        assert named[name.replace("@", "_")]["run_id"] == identifier
        assert f"/runs/{identifier}" in pipeline.data.tags["mlflow.note.content"]
    assert pipeline.data.metrics["test/macro_f1"] == one.test["macro_f1"]


def test_the_pipeline_run_compares_its_models_with_the_champion(shown):
    rows = shown.pipeline.data.tags["mlflow.note.content"].splitlines()
    assert rows[2].startswith("| [train](")
    assert rows[2].endswith("| 0.750 (0.500 to 0.875) | | |")
    assert "| 0.625 (0.525 to 0.725) | 0.500 (0.400 to 0.600) |" in rows[3]
    assert rows[3].endswith("| -0.500 (-0.600 to -0.400) | 0.016 |")


def test_runs_are_found_by_stage_and_architecture(root):
    study, single = tuned(), made()
    tracking.track([single, study], evaluation(single, study), root)
    params = PARAMS | {"model": PARAMS["model"] | {"arch": "compact"}}
    with tracking.live(ModelId("tune", "compact"), "k", params, root):
        pass
    (run,) = runs(root, "tune@simple_cnn")
    assert run.info.run_name == "tune: simple_cnn ×0.25, 3 epochs"
    assert run.data.tags["mien.arch"] == "simple_cnn"
    (watched,) = runs(root, "tune@compact")
    assert watched.info.run_name == "tune: compact ×0.25, 3 epochs"
    assert watched.data.tags["mien.arch"] == "compact"
    found = client(root).search_runs(
        [run.info.experiment_id], "tags.`mien.arch` = 'simple_cnn' and tags.`mien.stage` != 'trial'"
    )
    assert {each.info.run_name for each in found} == {
        "train: simple_cnn ×0.25, 3 epochs",
        "tune: simple_cnn ×0.25, 3 epochs",
        "pipeline: simple_cnn",
    }


def test_an_ensemble_has_a_run_that_links_to_its_members(root):
    one, two = made(), made("tune_small", b"two")
    combined = ensemble(one, two)
    state = (one, two, combined)
    for _ in range(2):
        tracking.track(state, evaluation(*state, champion="ensemble"), root)
    (run,) = runs(root, "ensemble")
    assert (run.info.status, run.info.run_name) == ("FINISHED", "ensemble: weighted")
    named = read(root, run, "members.json")
    for member in net_runs(root):
        name, identifier = member.data.tags["mien.stage"].replace("@", "_"), member.info.run_id
        assert named[name] == {"run_id": identifier, "key": member.data.tags["mien.key"]}
        assert f"/runs/{identifier}" in run.data.tags["mlflow.note.content"]
    params = {
        "ensemble.method": "auto",
        "combination.method": "weighted",
        "combination.members": '["train", "tune_small"]',
        "combination.weights": "[0.25, 0.75]",
    }
    assert params.items() <= run.data.params.items()
    # Two nets of 1000 parameters.
    scores = {"validation/macro_f1": 0.875, "test/macro_f1": 0.75, "cost/parameters": 2000}
    assert scores.items() <= run.data.metrics.items()
    assert not [name for name in run.data.metrics if "leave" in name or "difference" in name]
    version = client(root).get_model_version_by_alias("mien", "champion")
    assert version.tags["mien.key"] == tracking.key(combined.record)


def test_a_member_that_leaves_keeps_its_runs(root):
    one, two, three = made(), made("tune_small", b"two"), made("tune_wide", b"three")
    old, new = (one, two, three, ensemble(one, two, three)), (one, two, ensemble(one, two))
    for state in (old, new):
        tracking.track(state, evaluation(*state), root)
    assert {run.data.tags["mien.stage"] for run in net_runs(root)} == {
        *("train", "tune@small", "tune@wide")
    }
    before, after = (read(root, run, "members.json").keys() for run in runs(root, "pipeline"))
    assert before == {"train", "tune_small", "tune_wide", "ensemble"}
    assert after == {"train", "tune_small", "ensemble"}
    assert len(runs(root, "ensemble")) == 2


def test_a_new_score_on_test_is_added_to_the_same_run(root):
    model = made()
    tracking.track([model], evaluation(model), root)
    again = with_test(model, 0.75)
    tracking.track([again], evaluation(again), root)
    (run,) = runs(root, "train")
    assert run.data.metrics["test/macro_f1"] == 0.75
    assert curve(root, run) == EPOCHS
    assert len(client(root).search_logged_models([run.info.experiment_id])) == 1
    assert len(run.inputs.dataset_inputs) == 2
    assert len(runs(root, "pipeline")) == 2


def test_the_run_of_an_interrupted_track_is_completed(root, monkeypatch):
    model = made()
    monkeypatch.setattr("mien.tracking.state.log_model", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        tracking.track([model], evaluation(model), root)
    monkeypatch.undo()
    monkeypatch.chdir(root)
    tracking.track([model], evaluation(model), root)
    (run,) = runs(root, "train")
    assert run.outputs.model_outputs
    assert curve(root, run) == EPOCHS
    assert curve(root, run, "test/macro_f1") == {0: [0.5]}


def test_git_commit_and_uncommitted_changes_are_tags(root):
    def git(*arguments: str) -> str:
        identity = ("-c", "user.name=test", "-c", "user.email=test@example.org")
        done = subprocess.run(
            ("git", *identity, *arguments), check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    git("init", "-q")
    (root / ".gitignore").write_text("/ml*\n/models\n")
    (root / "params.yaml").write_text("seed: 1\n")
    git("add", "-A")
    git("commit", "-qm", "first")
    (root / "metrics").mkdir()
    (root / "metrics" / "evaluate.json").write_text("{}")
    for weights in (b"one", b"two"):
        model = made(weights=weights)
        tracking.track([model], evaluation(model), root)
        (root / "params.yaml").write_text("seed: 2\n")
    clean, dirty = runs(root, "train")
    assert clean.data.tags["mlflow.source.git.commit"] == git("rev-parse", "HEAD")
    assert "mien.dirty" not in clean.data.tags
    assert dirty.data.tags["mien.dirty"] == "true"


def test_off_touches_no_store_and_returns_the_same_keys(shown, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MIEN_TRACKING", "off")
    assert tracking.track(shown.nets, evaluation(*shown.nets), tmp_path) == shown.keys
    assert not list(tmp_path.iterdir())
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "MIEN_TRACKING=off" in said


def test_off_does_not_import_mlflow(root):
    code = (
        "import sys; from pathlib import Path; from mien import tracking\n"
        "from mien.project import ModelId\n"
        "with tracking.live(ModelId('train'), 'k', {}, Path('.')) as run:\n"
        "    run.log([{'epoch': 1, 'loss': 1.0}]); run.finish({}, 1.5)\n"
        "assert 'mlflow' not in sys.modules"
    )
    env = {"MIEN_TRACKING": "off", "PATH": "", "PYTHONPATH": str(SRC)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert not (root / "mlartifacts").exists()


def test_a_wrong_switch_is_named(root, monkeypatch):
    monkeypatch.setenv("MIEN_TRACKING", "0")
    with pytest.raises(TrackingError, match="must be on or off, got '0'"):
        tracking.track([], {}, root)


def test_a_store_that_cannot_be_opened_is_one_line(root, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{root}/missing/folder/mlflow.db")
    (root / "missing").write_text("a file where a folder is needed")
    model = made()
    with pytest.raises(TrackingError, match="MIEN_TRACKING=off") as caught:
        tracking.track([model], evaluation(model), root)
    assert "\n" not in str(caught.value)


def test_a_logged_model_is_pinned_and_holds_no_pickle(shown):
    run = shown.champion
    (output,) = run.outputs.model_outputs
    logged = client(shown.root).get_logged_model(output.model_id)
    folder = Path(mlflow.artifacts.download_artifacts(logged.artifact_location))
    assert not [*folder.rglob("*.pkl"), *folder.rglob("*.pyc")]
    requirements = (folder / "requirements.txt").read_text().split()
    assert {"keras", "numpy", "tensorflow"} <= {line.partition("==")[0] for line in requirements}
    assert all("==" in line for line in requirements)
    info = mlflow.models.get_model_info(str(folder))
    assert info.signature.inputs.inputs[0].shape == (-1, 48, 48)
    assert info.signature.outputs.input_names() == CLASSES
    example = mlflow.models.Model.load(str(folder)).load_input_example(str(folder))
    assert (example.shape, example.dtype) == ((1, 48, 48), "uint8")


def test_a_models_page_shows_the_scores_of_its_run(shown):
    run = shown.champion
    (output,) = run.outputs.model_outputs
    linked = client(shown.root).get_logged_model(output.model_id).metrics
    names = {"validation/macro_f1", "test/macro_f1", "cost/parameters"}
    for metric in linked:
        names -= {metric.key}
        assert metric.value == run.data.metrics[metric.key]
        assert metric.run_id == run.info.run_id
        # The link is no second point of the run's own curve.
        assert curve(shown.root, run, metric.key) == {0: [metric.value]}
    assert not names
    (version,) = client(shown.root).search_model_versions("name = 'mien'")
    assert version.run_id == run.info.run_id


def test_experiment_and_registered_model_are_described(shown):
    store = client(shown.root)
    experiment = store.get_experiment_by_name("mien")
    assert "`cost/`" in experiment.tags["mlflow.note.content"]
    assert "`champion`" in store.get_registered_model("mien").description
    store.set_experiment_tag(experiment.experiment_id, "mlflow.note.content", "Ours.")
    tracking.track(shown.nets, evaluation(*shown.nets), shown.root)
    again = store.get_experiment(experiment.experiment_id)
    assert again.tags["mlflow.note.content"] == "Ours."


def test_the_pipelines_run_holds_the_pages_that_tell_of_the_state(shown):
    assert {"model_card.md", "report.html"} <= names(shown.root, shown.pipeline)
    uri = f"{shown.pipeline.info.artifact_uri}/model_card.md"
    assert mlflow.artifacts.load_text(uri) == "# Card\n\nOf use."


def test_a_versions_notes_are_its_card(shown):
    (version,) = client(shown.root).search_model_versions("name = 'mien'")
    assert version.description.endswith("# Card\n\nOf use.")
