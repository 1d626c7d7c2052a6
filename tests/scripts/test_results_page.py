"""scripts/results_page.py: the repository's pages are fresh, and figures are those of the files."""

import csv
import json
import re
import shutil
from pathlib import Path

import pytest
from dvc.utils.serialize import load_yaml
from results_page import MARKED, OVERVIEW, PAGES, TABLES, Run, main

from mien.params import Params

ROOT = Path(__file__).parents[2]
ASKED = "<!-- results: {} -->\n<!-- /results -->\n"


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """Enter a folder with the repository's runs, and pages that ask for tables of them."""
    shutil.copytree(ROOT / "results", tmp_path / "results")
    (tmp_path / "docs").mkdir()
    best, models = ASKED.format("readme"), ASKED.format("fer2013_seven_classes")
    (tmp_path / "README.md").write_text(f"# Before\n\n{best}\nAfter.\n")
    (tmp_path / "docs/results.md").write_text(models)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["results_page.py"])
    return tmp_path


def checked(monkeypatch) -> None:
    monkeypatch.setattr("sys.argv", ["results_page.py", "--check"])
    main()


def rows(text: str) -> list[list[str]]:
    """Return the cells of the tables' rows, heads included."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def figures(cell: str) -> list[float]:
    return [float(number) for number in re.findall(r"\d\.\d{3}", cell)]


def test_the_repositorys_pages_are_fresh(monkeypatch):
    monkeypatch.chdir(ROOT)
    checked(monkeypatch)
    for page in PAGES:
        text = page.read_text()
        assert text.count("<!-- results: ") == len(MARKED.findall(text)) > 0


def test_tables_hold_the_figures_of_the_files(project):
    main()
    models = []
    for run in TABLES["fer2013_seven_classes"][1]:
        with (project / "results" / run / "results.csv").open() as file:
            found = list(csv.DictReader(file))
        # The ensemble of one network is that network.
        models += [row for row in found if len(found) > 2 or row["model"] != "ensemble"]
    head, *shown = rows((project / "docs/results.md").read_text())
    assert len(shown) == len(models)
    accuracy, test = (
        next(place for place, title in enumerate(head) if title.startswith(f"{split}, n"))
        for split in ("validation", "PublicTest")
    )
    assert head[accuracy].endswith(f", n {int(models[0]['validation_n']):,}")
    for row, model in zip(shown, models, strict=True):
        for place, name in (
            (accuracy, "validation_accuracy"),
            (head.index("macro-F1, validation"), "validation_macro_f1"),
            (test, "test_accuracy"),
        ):
            expected = [float(model[f"{name}{end}"]) for end in ("", "_low", "_high")]
            assert figures(row[place]) == pytest.approx(expected, abs=5e-4)
        assert float(row[head.index("parameters")].removesuffix(" M")) == pytest.approx(
            int(model["parameters"]) / 1e6, abs=5e-3
        )
    students = [row for row in shown if "student" in row[head.index("network")]]
    assert len(students) == sum(model["model"].startswith("distill_") for model in models)


def test_the_text_around_a_table_stays_and_links_lead_to_the_run(project):
    main()
    text = (project / "README.md").read_text()
    assert text.startswith("# Before\n\n<!-- results: readme -->\n| run |")
    assert text.endswith("|\n<!-- /results -->\n\nAfter.\n")
    for page in (project / "README.md", project / OVERVIEW):
        (place,) = set(re.findall(r"\[fer4\]\((\S+)\)", page.read_text()))
        assert (page.parent / place / "results.csv").is_file()


def test_the_overview_has_each_run_with_its_best_net_and_a_true_ensemble(project):
    main()
    _, *shown = rows((project / OVERVIEW).read_text())
    nets = {}
    for row in shown[next(i for i, row in enumerate(shown) if row[0] == "run") + 1 :]:
        nets.setdefault(row[0][1:].partition("]")[0], []).append(row[5])
    runs = {path.parent.name for path in (project / "results").glob("*/results.csv")}
    assert set(nets) == runs
    # An ensemble of one net is that net.
    assert nets["fer4"] == ["`mobilenet`, from `faces`"]
    assert nets["four_class_faces"] == ["`mobilenet`, from `faces`"]
    assert nets["four_class_zip_nine_nets"] == ["`resnet`, attention `se`", "ensemble"]
    for name in runs:
        run = Run.load(project / "results" / name)
        best = max(
            (row for row in run.models if row["model"] != "ensemble"),
            key=lambda row: float(row["validation_macro_f1"]),
        )
        assert run.best[0] == best


def test_a_page_that_is_not_fresh_is_named(project, monkeypatch):
    main()
    checked(monkeypatch)
    made = project / "results/fer4/provenance.json"
    told = json.loads(made.read_text())
    made.write_text(json.dumps(told | {"date": "2030-01-02"}))
    with pytest.raises(SystemExit, match=r"results/README\.md is not what results/ says"):
        checked(monkeypatch)


def test_a_table_or_run_that_there_is_not_is_one_line(project):
    (project / "README.md").write_text(ASKED.format("worst"))
    with pytest.raises(SystemExit, match=r"asks for 'worst', no table and no run in results/"):
        main()
    (project / "README.md").write_text(ASKED.format("readme"))
    shutil.rmtree(project / "results/fer7")
    with pytest.raises(SystemExit, match=r"asks for 'fer7', no table and no run in results/"):
        main()


@pytest.mark.parametrize("settings", sorted((ROOT / "results").glob("*/settings.yaml")))
def test_a_result_can_be_made_with_todays_params(settings):
    if "Only code as old as" in settings.read_text():
        return
    values = load_yaml(ROOT / "params.yaml")
    for key, value in load_yaml(settings).items():
        *sections, last = key.split(".")
        place = values
        for section in sections:
            place = place[section]
        assert last in place, key
        place[last] = value
    Params.model_validate(values)
