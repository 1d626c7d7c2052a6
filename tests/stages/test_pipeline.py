"""The whole pipeline through the real `dvc`, in clones of this tree with their own caches."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from dvc.utils.serialize import load_yaml
from small_clone import dvc, git, run, runs, with_its_cache


def read(folder: Path, path: str) -> dict:
    return json.loads((folder / path).read_text())


def test_repro_makes_what_dvc_yaml_names(project):
    for stage in load_yaml(project / "dvc.yaml")["stages"].values():
        for kind in ("outs", "metrics", "plots"):
            for out in stage.get(kind, []):
                name = out if isinstance(out, str) else next(iter(out))
                path = project / name.replace("${item.arch}", "two_conv")
                assert path.exists(), path


def test_counts_of_the_audit_add_up(project):
    audit = read(project, "metrics/audit.json")
    assert audit["images"] == 162
    assert audit["images"] == audit["kept"] + audit["dropped"]
    assert audit["unreadable"] == 1
    assert audit["exact_duplicates"]["across_splits"] == 1
    kept = sum(sum(classes.values()) for classes in audit["splits"].values())
    assert kept == audit["kept"]


def test_summary_is_the_champion_of_evaluate(project):
    evaluate = read(project, "metrics/evaluate.json")
    summary = read(project, "metrics/summary.json")
    champion = evaluate["models"][evaluate["champion"]]
    assert summary["champion"]["model"] == evaluate["champion"]
    assert list(evaluate["models"]) == ["distill_two_conv", "ensemble", "train", "tune_two_conv"]
    for key in ("accuracy", "macro_f1", "roc_auc", "ece"):
        assert summary["champion"][key] == champion[key]


def test_mlflow_shows_the_numbers_of_the_metrics_files(project):
    (train,) = runs(project, "train")
    evaluate = read(project, "metrics/evaluate.json")["models"]["train"]
    assert train.info.status == "FINISHED"
    assert train.data.params["model.arch"] == "simple_cnn"
    for key in ("accuracy", "macro_f1", "roc_auc"):
        assert train.data.metrics[f"test/{key}"] == evaluate[key]
    assert len(runs(project, "pipeline")) == 1
    (tuned,) = runs(project, "tune@two_conv")
    trials = runs(project, "trial")
    assert sorted(run.info.run_name for run in trials) == ["trial 1", "trial 2", "trial 3"]
    assert {run.data.tags["mlflow.parentRunId"] for run in trials} == {tuned.info.run_id}
    (student,) = runs(project, "distill@two_conv")
    assert student.data.params["model.width"] == "0.5"
    (together,) = runs(project, "ensemble")
    ensemble = read(project, "metrics/evaluate.json")["models"]["ensemble"]
    assert together.data.metrics["test/macro_f1"] == ensemble["macro_f1"]


def test_a_second_repro_changes_nothing(project):
    before = (project / "dvc.lock").read_bytes()
    printed = dvc(project, "repro")
    # Whether MLflow still holds the state is asked each time.
    assert [line for line in printed.splitlines() if line.startswith("Running")] == [
        "Running stage 'track':"
    ]
    assert (project / "dvc.lock").read_bytes() == before
    assert git(project, "status", "--porcelain") == ""


def test_an_architecture_more_is_tuned_alone_and_one_less_leaves_nothing(project):
    printed = dvc(project, "exp", "run", "-S", "tune.archs=[two_conv,leaky_cnn]", "ensemble")
    assert "Running stage 'tune@leaky_cnn'" in printed
    assert "Running stage 'tune@two_conv'" not in printed
    scores = read(project, "metrics/ensemble.json")["member_scores"]
    assert list(scores) == ["train", "tune_leaky_cnn", "tune_two_conv"]
    printed = dvc(project, "exp", "run", "-S", "tune.archs=[leaky_cnn]", "ensemble")
    assert "Running stage 'tune@" not in printed
    scores = read(project, "metrics/ensemble.json")["member_scores"]
    assert list(scores) == ["train", "tune_leaky_cnn"]
    places = (project / name / "tune" for name in ("metrics", "models", "reports"))
    assert not [path for place in places for path in place.glob("two_conv*")]
    git(project, "checkout", "-q", ".")
    git(project, "clean", "-fdq", "metrics", "reports")
    assert "Running stage 'tune@" not in dvc(project, "repro")
    assert git(project, "status", "--porcelain") == ""


def test_an_experiment_adds_one_run_and_the_way_back_none(project):
    first = {run.info.run_id for run in runs(project, "train")}
    dvc(project, "exp", "run", "-S", "model.arch=compact", "train")
    both = {run.info.run_id: run.data.params["model.arch"] for run in runs(project, "train")}
    assert sorted(both.values()) == ["compact", "simple_cnn"]
    printed = dvc(project, "exp", "run", "-S", "model.arch=simple_cnn", "train")
    assert "Running stage 'train'" not in printed
    assert {run.info.run_id for run in runs(project, "train")} == set(both) > first
    git(project, "checkout", "-q", ".")


def test_an_experiment_in_a_temporary_folder_logs_to_this_project(project):
    before = len(runs(project, "pipeline"))
    printed = dvc(project, "exp", "run", "--temp", "-S", "evaluate.tta=flip")
    assert "Running stage 'evaluate'" in printed
    assert "Running stage 'train'" not in printed
    assert len(runs(project, "pipeline")) == before + 1
    assert git(project, "status", "--porcelain") == ""


def test_a_fresh_clone_fills_a_store_of_its_own_from_the_cache(project, tmp_path):
    fresh = tmp_path / "fresh"
    with_its_cache(fresh, project)
    printed = dvc(fresh, "repro")
    assert "Running stage 'train'" not in printed
    assert len(runs(fresh, "train")) == 1
    assert len(runs(fresh, "pipeline")) == 1
    assert git(fresh, "status", "--porcelain") == ""


@pytest.fixture
def folder_remote(tmp_path) -> dict[str, str]:
    """Return the settings of a remote that is a folder."""
    return {"url": str(tmp_path / "remote")}


@pytest.fixture
def s3_remote() -> Iterator[dict[str, str]]:
    """Return the settings of a remote on a real S3-compatible server."""
    server = pytest.importorskip("moto.server", reason="no S3-compatible server")
    boto3 = pytest.importorskip("boto3", reason="no S3 client")
    pytest.importorskip("dvc_s3", reason="DVC without S3")
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    address = "http://{}:{}".format(*running.get_host_and_port())
    keys = {"access_key_id": "test", "secret_access_key": "test", "region": "us-east-1"}
    boto3.client(
        "s3",
        endpoint_url=address,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        region_name="us-east-1",
    ).create_bucket(Bucket="faces")
    yield {"url": "s3://faces/cache", "endpointurl": address, **keys}
    running.stop()


@pytest.mark.parametrize("remote", ["folder_remote", "s3_remote"])
def test_a_clone_computes_nothing_that_another_has_pushed(project, tmp_path, remote, request):
    git(tmp_path, "clone", "-q", str(project), "fresh")
    fresh = tmp_path / "fresh"
    settings = request.getfixturevalue(remote)
    lines = ["[core]", "remote = there", "['remote \"there\"']"]
    lines += [f"{key} = {value}" for key, value in settings.items()]
    (fresh / ".dvc/config.local").write_text("\n".join(lines))
    own = project / ".dvc/config.local"
    before = own.read_text()
    try:
        own.write_text("\n".join([before, *lines]))
        dvc(project, "push", "--run-cache")
    finally:
        own.write_text(before)
    dvc(fresh, "pull", "--run-cache")
    assert "Running stage" not in dvc(fresh, "repro", "export")
    # Without the lock, the run-cache alone knows what this stage gave.
    for lost in ("dvc.lock", "data/raw.parquet"):
        (fresh / lost).unlink()
    assert "Running stage" not in dvc(fresh, "repro", "ingest")
    assert (fresh / "data/raw.parquet").is_file()


def garbled(path: Path) -> Path:
    path.write_bytes(b"PK\x03\x04 and then nothing of a zip")
    return path


@pytest.fixture(scope="module")
def new(clone) -> Path:
    """A clone that has never run."""
    return clone("new")


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("train.epochs=0", "params.yaml: train.epochs"),
        ("model.arch=alexnet", "unknown architecture 'alexnet'"),
        ("data.source=absent.zip", "absent.zip"),
        (garbled, "broken.zip"),
    ],
)
def test_a_mistake_is_one_line_and_no_traceback(new, tmp_path, setting, said):
    if callable(setting):
        setting = f"data.source={setting(tmp_path / said)}"
    done = run(new, sys.executable, "-m", "dvc", "exp", "run", "-S", setting)
    git(new, "checkout", "-q", ".")
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if said in line]
    assert len(lines) == 1, done.stderr
