"""`mien report` on the state of this repository, and on one with names that HTML would read."""

import base64
import html
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from made_project import ROOT, run

from mien import cli
from mien.report import page, states


class Reader(HTMLParser):
    """Collects a page's text by tag, and everything it would load."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.cells: list[str] = []
        self.loaded: list[str] = []
        self.tags: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loaded += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag == "td":
            self.cells.append("")

    def handle_data(self, data: str) -> None:
        if self.cells:
            self.cells[-1] += data


@pytest.fixture(scope="module")
def committed(tmp_path_factory) -> Path:
    """Return the folder of what Git holds of this state, committed."""
    folder = tmp_path_factory.mktemp("committed")
    for part in (*states.PARTS, "dvc.yaml"):
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        copy(ROOT / part, folder / part)
    run(folder, "git", "init", "-q", "-b", "main")
    run(folder, "dvc", "init", "-q")
    run(folder, "git", "add", "-A")
    run(folder, "git", "commit", "-qm", "state")
    return folder


@pytest.fixture
def project(committed, tmp_path, monkeypatch) -> Path:
    """Enter a copy of the project."""
    shutil.copytree(committed, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


def report(*arguments: str) -> str:
    cli.main(["report", *arguments])
    return Path("report.html").read_text()


def test_the_page_stands_alone_and_is_small(project):
    text = report()
    reader = Reader(text)
    assert reader.loaded
    assert all(place.startswith(("data:image/png;base64,", "#")) for place in reader.loaded)
    assert not {"script", "link", "iframe"} & set(reader.tags)
    assert "url(" not in text
    assert len(text.encode()) < 5_000_000


def test_every_model_stands_with_its_figures(project):
    reader = Reader(report())
    board = pd.read_csv("reports/evaluate/leaderboard.csv")
    text = " ".join(" ".join(reader.cells).split())
    for row in board.to_dict("records"):
        numbers = [f"{row[f'test_macro_f1{end}']:.3f}" for end in ("", "_low", "_high")]
        assert "{} {} to {}".format(*numbers) in text
    audit = json.loads(Path("metrics/audit.json").read_text())
    at = reader.cells.index("near duplicates")
    dropped = audit["dropped_by"]["near_duplicates"]
    assert reader.cells[at + 1] == str(audit["near_duplicates"]["images"])
    assert reader.cells[at + 2].strip().startswith(str(dropped))


def test_the_origin_the_size_and_the_cost_are_named(project):
    board = pd.read_csv("reports/evaluate/leaderboard.csv")
    costs = {"parameters": 288_812, "multiply_adds": 18_668_032}
    board.assign(**costs).to_csv("reports/evaluate/leaderboard.csv", index=False)
    for chart in Path("reports/evaluate").glob("*/importances.png"):
        chart.unlink()
    head = run(project, "git", "rev-parse", "--short", "HEAD").strip()
    text = " ".join(html.unescape(re.sub("<[^>]+>", " ", report())).split())
    assert "Data: sample , " in text
    assert f"commit {head} of {run(project, 'git', 'log', '-1', '--format=%cs').strip()}" in text
    assert "and later changes" in text
    assert "18.7 M multiply-adds; 288,812 parameters" in text
    versions = json.loads(Path("metrics/export.json").read_text())["versions"]
    for name, version in versions.items():
        assert (f"{name}.onnx: {version['bytes']:,} bytes" in text) == version["kept"]
    for study in Path("metrics/tune").glob("*.json"):
        complete = json.loads(study.read_text())["tuning"]["complete"]
        assert f"{study.stem} ({complete})" in text


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ({"source": "/home/someone/archive (1).zip", "url": None}, "archive (1).zip"),
        ({"source": "x", "url": "https://user:pass@host.org/a/b.zip?key=1"}, "host.org/b.zip"),
        ({}, "not named"),
    ],
)
def test_a_source_is_named_without_its_folder_and_secrets(data, name):
    assert page.source(data) == name


def test_pictures_of_faces_are_left_out(project):
    pictures = {base64.b64decode(content) for content in re.findall(r"base64,([^\"]+)", report())}
    assert Path("reports/evaluate/leaderboard.png").read_bytes() in pictures
    assert Path("reports/audit/classes.png").read_bytes() in pictures
    for mean in ("mean", "std"):
        assert Path(f"reports/audit/{mean}.png").read_bytes() not in pictures


def test_every_chart_that_evaluate_draws_is_in_the_page(project):
    """Of the models, of the ensemble, of the studies: wherever they lie below its folder."""
    name = next(Path("metrics/tune").glob("*.json")).stem
    studies = [f"tune_{name}/{chart}" for chart in ("trials", "trial_params", "importances")]
    for number, chart in enumerate((*studies, "ensemble/members", "ensemble/disagreement")):
        Path(f"reports/evaluate/{chart}.png").write_bytes(bytes([number] * 8))
    pictures = {base64.b64decode(content) for content in re.findall(r"base64,([^\"]+)", report())}
    drawn = {path.read_bytes() for path in Path("reports/evaluate").rglob("*.png")}
    assert drawn <= pictures


def test_charts_beyond_the_limit_are_named_not_held(project):
    whole = len(report())
    Path("reports/evaluate/train/roc.png").write_bytes(bytes(4_000_000))
    text = report()
    assert len(text) < whole
    assert "Left out, so that this page stays small: reports/evaluate/train/roc.png" in text


def test_it_tells_what_changed_since_a_revision(project):
    evaluation = json.loads(Path("metrics/evaluate.json").read_text())
    evaluation["models"]["train"]["accuracy"] = 0.125
    Path("metrics/evaluate.json").write_text(json.dumps(evaluation))
    cells = Reader(report("--rev", "main")).cells
    assert any(cell.startswith("0.125 (") for cell in cells)
    assert not any(cell.startswith("0.125 (") for cell in Reader(report()).cells)


def test_names_of_classes_stay_text(project):
    evaluation = json.loads(Path("metrics/evaluate.json").read_text())
    for model in evaluation["models"].values():
        model["per_class"]["<script>alert(1)</script>"] = model["per_class"].pop("happy")
    Path("metrics/evaluate.json").write_text(json.dumps(evaluation))
    reader = Reader(report())
    assert "script" not in reader.tags
    assert "<script>alert(1)</script>" in reader.cells


def test_mistakes_are_one_line(project):
    with pytest.raises(SystemExit, match=r"^mien: Git knows no revision nothing; "):
        cli.main(["report", "--rev", "nothing"])
    Path("dvc.yaml").unlink()
    with pytest.raises(SystemExit, match=r"^mien: there is no dvc\.yaml here; run this in the pro"):
        cli.main(["report"])
