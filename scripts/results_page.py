"""Writes results/README.md, and the tables of results in README.md and docs/results.md.

`python scripts/results_page.py` writes them; with `--check` it only tells whether they are fresh.
A page asks for one of TABLES by two comments around it, `<!-- results: NAME -->` and
`<!-- /results -->`.
"""

import csv
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Of this checkout, whatever is installed.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from mien.project import ModelId

RESULTS = Path("results")
OVERVIEW = RESULTS / "README.md"
PAGES = (Path("README.md"), Path("docs/results.md"))
MARKED = re.compile(r"(<!-- results: (\w+) -->\n).*?(<!-- /results -->)", re.DOTALL)
BEGIN = """# Results on real data

Each folder holds a run of the whole pipeline on faces that are not part of this repository, with
the settings of its time: `provenance.json` names the commit that ran.

| file | what |
|---|---|
| `settings.yaml` | what differed from `params.yaml` |
| `provenance.json` | date, commit, params, hash of the source, processor |
| `results.csv` | a row for each model, the best on validation first |
| `probabilities.npz` | what each model says of each image, and the true classes |

In `results.csv`: scores on validation and test with 95 % intervals, on how many images, accuracy
without the images that an earlier split has a near-duplicate of (`unseen`), parameters,
multiply-adds (an ensemble's are its members' sum), seconds of training, and the p of McNemar's test
against the champion on test. In `probabilities.npz`, in half precision, `MODEL_SPLIT` for each
model and split, `SPLIT` and `classes`; `fer7-small` is older and has none. The four models that
come with the package have their model card, the audit and their charts besides. `ablation.csv`
lists shorter trials, one seed each.

`make results NAME=… SOURCE=/path/to/faces.zip` runs the pipeline with the params in
`NAME/settings.yaml` and writes the rest of that folder and this page. The workspace, `params.yaml`
and `dvc.lock` stay those of the sample. Killed or stopped, the same command goes on where it was.
All changes must be committed before, so that the results can name their commit. `KEEP=1` leaves the
experiment `results-NAME` to `dvc exp apply`, which brings its models. Without it they stay in DVC's
cache until `dvc gc`.

The best net of each run, and its ensemble where more than one net has a say in it. Everything is
chosen on validation. In brackets: 95 % intervals.

"""


@dataclass(frozen=True)
class Source:
    """A source of faces.

    Attributes:
        name: what it is called.
        splits: its splits in words.
        judged: the split that tells how good a model is.
        title: what that split is called.
    """

    name: str
    splits: str
    judged: str = "test"
    title: str = "test"


# By their SHA-256.
SOURCES = {
    "c1ed942d8e505ea440b95a226d85e3f44a9f399a58e5559b6848a36063ca19ee": Source(
        "FER2013", "PublicTest is test, a tenth of `train` validation", title="PublicTest"
    ),
    # Its 128 test images rank nothing.
    "bd90360d211e5aa24af1382cf101865d10bdae346a674dc737aeac56956200a4": Source(
        "four-class zip", "its own train, validation and test", "validation", "validation"
    ),
}


@dataclass(frozen=True)
class Run:
    """A run of the pipeline.

    Attributes:
        name: of its folder in results/.
        made: content of its `provenance.json`.
        models: rows of its `results.csv`, without an ensemble of one net, which is that net.
    """

    name: str
    made: dict[str, Any]
    models: list[dict[str, str]]

    @classmethod
    def load(cls, folder: Path) -> "Run":
        """Return the run whose files lie in `folder`."""
        with (folder / "results.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        nets = [row for row in rows if row["model"] != "ensemble"]
        alone = {row["multiply_adds"] for row in nets}
        kept = [row for row in rows if row in nets or row["multiply_adds"] not in alone]
        made = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))
        return cls(folder.name, made, kept)

    @property
    def best(self) -> list[dict[str, str]]:
        """The net that is best on validation, and the ensemble, if there is one."""
        found = {row["model"] == "ensemble": row for row in reversed(self.models)}
        return [found[kind] for kind in (False, True) if kind in found]

    @property
    def source(self) -> Source:
        """Where the faces come from."""
        digest = self.made["source"].get("sha256", self.made["source"]["md5"])
        return SOURCES.get(digest, Source(f"source {digest[:7]}", "as the source has them"))

    @property
    def data(self) -> str:
        """Where the faces come from, and how many classes were asked for."""
        classes = self.made["params"]["data"]["classes"]
        return f"{self.source.name}, {len(classes) or 'all'} classes"


@dataclass(frozen=True)
class Entry:
    """A row of a table: a model of a run."""

    run: Run
    row: dict[str, str]

    @property
    def net(self) -> str:
        """The model in words."""
        model, params = ModelId.parse(self.row["model"]), self.run.made["params"]
        if model.stage == "ensemble":
            return "ensemble"
        options = params["model"]
        if model.stage == "tune":
            # Until November 2026 studies took the options of `model`.
            options = params["tune"].get("model", options)
        width = (params["distill"] if model.stage == "distill" else options)["width"]
        attention, start = options["attention"], options.get("weights") or "none"
        parts = [
            f"`{self.row['arch']}`",
            f"from `{start}`" if start != "none" and model.stage != "distill" else "",
            f"width {width:g}" if width != 1 else "",
            f"attention `{attention}`" if attention else "",
            "student of the ensemble" if model.stage == "distill" else "",
        ]
        return ", ".join(filter(None, parts))

    @property
    def images(self) -> str:
        """Which images tell how good it is, and how many they are."""
        source = self.run.source
        return f"{source.title}, {int(self.row[f'{source.judged}_n']):,}"

    def accuracy(self, kind: str = "") -> str:
        """Return the accuracy on these with its interval; with `unseen_`, without duplicates."""
        return interval(self.row, f"{self.run.source.judged}_{kind}accuracy")

    @property
    def minutes(self) -> str:
        """How long its training took, empty for an ensemble."""
        seconds = self.row["training_seconds"]
        return f"{float(seconds) / 60:.0f}" if seconds else ""

    def millions(self, column: str, digits: int) -> str:
        """Return a count in millions."""
        return f"{int(self.row[column]) / 1e6:.{digits}f} M"


Column = tuple[str, list[str]]


def column(title: str, entries: Sequence[Entry], cell: Callable[[Entry], str]) -> Column:
    """Return a column of a table: its title and its cells."""
    return title, [cell(entry) for entry in entries]


def interval(row: dict[str, str], name: str) -> str:
    """Return a score with its interval."""
    value, low, high = (float(row[f"{name}{end}"]) for end in ("", "_low", "_high"))
    return f"{value:.3f} ({low:.3f} to {high:.3f})"


def score(title: str, entries: Sequence[Entry], name: str) -> Column:
    """Return the column of a score with its interval."""
    return column(title, entries, lambda entry: interval(entry.row, name))


def counted(title: str, entries: Sequence[Entry], name: str, count: str) -> Column:
    """Return the column of a score with its interval and the number of its images, `count`.

    The number stands in the title where it is the same for all.
    """
    title, cells = score(title, entries, name)
    numbers = [f", n {int(entry.row[count]):,}" for entry in entries]
    if len(set(numbers)) == 1:
        return f"{title}{numbers[0]}", cells
    return title, [cell + number for cell, number in zip(cells, numbers, strict=True)]


def costs(entries: Sequence[Entry]) -> list[Column]:
    """Return the columns that tell what a model is and what it costs."""
    return [
        column("network", entries, lambda entry: entry.net),
        column("parameters", entries, lambda entry: entry.millions("parameters", 2)),
        column("multiply-adds", entries, lambda entry: entry.millions("multiply_adds", 1)),
    ]


def unseen(entries: Sequence[Entry], split: str) -> list[Column]:
    """Return the column of the accuracy without near-duplicates, if there are any in the split."""
    if all(entry.row[f"{split}_unseen_n"] == entry.row[f"{split}_n"] for entry in entries):
        return []
    return [counted("of it unseen", entries, f"{split}_unseen_accuracy", f"{split}_unseen_n")]


def best(runs: Sequence[Run], link: Callable[[Run], str]) -> str:
    """Return a small table of each run's best models."""
    entries = [Entry(run, row) for run in runs for row in run.best]
    return markdown(
        [
            column("run", entries, lambda entry: link(entry.run)),
            column("data", entries, lambda entry: entry.run.data),
            column("network", entries, lambda entry: entry.net),
            column("multiply-adds", entries, lambda entry: entry.millions("multiply_adds", 1)),
            counted("accuracy, validation", entries, "validation_accuracy", "validation_n"),
            counted("accuracy, test", entries, "test_accuracy", "test_n"),
            *unseen(entries, "test"),
        ]
    )


def models(runs: Sequence[Run], link: Callable[[Run], str]) -> str:
    """Return a table of all models of the runs, with all scores of accuracy."""
    entries = [Entry(run, row) for run in runs for row in run.models]
    columns = [column("run", entries, lambda entry: link(entry.run))] if len(runs) > 1 else []
    columns += costs(entries)
    for split in dict.fromkeys(["validation", *(run.source.judged for run in runs)]):
        titles = {run.source.title for run in runs if run.source.judged == split}
        title = titles.pop() if len(titles) == 1 else split
        columns.append(counted(title, entries, f"{split}_accuracy", f"{split}_n"))
        columns += unseen(entries, split)
    columns += [
        score("macro-F1, validation", entries, "validation_macro_f1"),
        column("minutes", entries, lambda entry: entry.minutes),
    ]
    return markdown(columns)


def overview(runs: Sequence[Run], link: Callable[[Run], str]) -> str:
    """Return the table of all runs and their best models."""
    entries = [Entry(run, row) for run in runs for row in run.best]
    columns = [
        column("run", entries, lambda entry: link(entry.run)),
        column("date", entries, lambda entry: entry.run.made["date"]),
        column("data", entries, lambda entry: entry.run.data),
        column("splits", entries, lambda entry: entry.run.source.splits),
        column("seed", entries, lambda entry: str(entry.run.made["params"]["seed"])),
        *costs(entries),
    ]
    for split in ("validation", "test"):
        columns += [
            (f"{split}: n", [f"{int(entry.row[f'{split}_n']):,}" for entry in entries]),
            score("accuracy", entries, f"{split}_accuracy"),
            score("macro-F1", entries, f"{split}_macro_f1"),
        ]
    return markdown(columns)


def markdown(columns: Iterable[Column]) -> str:
    """Return the columns as a table."""
    titles, cells = zip(*columns, strict=True)
    rows = [titles, *zip(*cells, strict=True)]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|---" * len(titles) + "|", *lines[1:], ""])


# What a page may ask for: by name, the kind of table and its runs.
TABLES = {
    "readme": (
        best,
        (
            "fer7",
            "fer7-small",
            "fer4",
            "fer4-small",
            "four_class_faces",
            "four_class_zip_nine_nets",
        ),
    ),
    "shipped": (models, ("fer7", "fer7-small", "fer4", "fer4-small")),
    "fer2013_seven_classes": (
        models,
        (
            "fer2013_seven_classes_faces",
            "fer7",
            "fer7-small",
            "fer2013_seven_classes_two_nets",
            "fer7-64",
        ),
    ),
    "fer2013_four_classes": (
        models,
        (
            "fer4",
            "fer2013_four_classes_two_nets",
            "fer4-small",
            "fer2013_four_classes_64",
        ),
    ),
    "four_class_zip": (
        models,
        ("four_class_faces", "four_class_zip_nine_nets", "four_class_zip_wide_compact"),
    ),
}


def filled(page: Path, runs: dict[str, Run]) -> str:
    """Return the page's text with every table that it asks for.

    Raises:
        KeyError: it asks for a table or a run that there is not.
    """

    def table(found: re.Match[str]) -> str:
        begin, name, end = found.groups()
        kind, names = TABLES[name]
        return begin + kind([runs[one] for one in names], linked(page)) + end

    return MARKED.sub(table, page.read_text(encoding="utf-8"))


def linked(page: Path) -> Callable[[Run], str]:
    """Return what writes a run's name as a link to its folder, seen from `page`.

    The documentation's site has no such folders: there it is the name alone.
    """
    if page.parts[0] == "docs":
        return lambda run: f"`{run.name}`"
    return lambda run: (
        f"[{run.name}]({Path(os.path.relpath(RESULTS, page.parent), run.name).as_posix()})"
    )


def main() -> None:
    """Write the pages, or with `--check` compare them."""
    folders = sorted(path.parent for path in RESULTS.glob("*/results.csv"))
    runs = {folder.name: Run.load(folder) for folder in folders}
    try:
        pages = {page: filled(page, runs) for page in PAGES}
    except KeyError as error:
        sys.exit(f"results_page: a page asks for {error}, no table and no run in {RESULTS}/")
    pages[OVERVIEW] = BEGIN + overview([*runs.values()], linked(OVERVIEW))
    for page, text in pages.items():
        if sys.argv[1:] != ["--check"]:
            page.write_text(text, encoding="utf-8")
        elif not page.is_file() or page.read_text(encoding="utf-8") != text:
            sys.exit(f"results_page: {page} is not what {RESULTS}/ says; run `make docs`")


if __name__ == "__main__":
    main()
