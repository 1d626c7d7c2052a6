"""The model card says what the pipeline's numbers say, whatever classes and data are."""

import functools
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import CLASSES
from sklearn.metrics import confusion_matrix

from mien import metrics, params
from mien.evaluation.corruptions import CORRUPTIONS
from mien.report import model_card

ROOT = Path(__file__).resolve().parents[2]
SEVEN = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
SECTIONS = (
    "Model details",
    "Intended use",
    "Data",
    "Evaluation",
    "Limits",
    "Fairness",
    "Law: the EU's AI Act, Regulation (EU) 2024/1689",
    "Reproduce",
)


@functools.cache
def score(classes: tuple[str, ...], seed: int, right: float = 3.0) -> dict[str, Any]:
    """Return the score of a made-up model, the better the greater `right`."""
    rng = np.random.default_rng(seed)
    labels = np.arange(240) % len(classes)
    odds = rng.normal(size=(240, len(classes))) + right * np.eye(len(classes))[labels]
    odds = np.exp(odds)
    return metrics.score(labels, odds / odds.sum(axis=1, keepdims=True), classes, 1)


def numbers(classes: tuple[str, ...] = CLASSES, members: int = 2, **made: Any) -> dict[str, Any]:
    """Return the numbers that the card tells of, by their names."""
    test, validation = made.get("test") or score(classes, 1), score(classes, 2)
    champion = "ensemble" if members > 1 else "net0"
    net = {"arch": "compact", "parameters": 1234, "multiply_adds": 5e6, "weights_sha256": "ab" * 32}
    card = {
        "arch": "ensemble" if members > 1 else "compact",
        "classes": list(classes),
        "image_size": 48,
        "parameters": 1234 * members,
        "multiply_adds": 5e6 * members,
        "members": {f"net{row}": net for row in range(members)},
        "method": "stacking" if members > 1 else "mean",
        "temperature": 0.8125,
        "metrics": {"validation": validation, "test": test},
        "data": {"data/training": "cd" * 16},
        "params_sha256": "ef" * 32,
        "drawn": True,
    }
    rows = [{"corruption": "clean", "severity": 0, "level": None, **test}]
    for place, (name, corruption) in enumerate(CORRUPTIONS.items()):
        for severity, level in enumerate(corruption.levels, 1):
            row = {"corruption": name, "severity": severity, "level": level}
            rows.append(row | score(classes, 10 + place, 2.5 - 0.5 * severity))
    robustness = {"champion": champion, "images": rows, "mean_macro_f1": 0.4321}
    audit = json.loads((ROOT / "metrics/audit.json").read_text())
    for split in audit["splits"]:
        audit["splits"][split] = {name: 20 + 10 * code for code, name in enumerate(classes)}
    versions = {
        "model": {"bytes": 2_340_000, "agreement": 1.0, "kept": True},
        "model_int8": {"bytes": 600_000, "agreement": 0.95, "kept": False},
    }
    return {
        "card": card,
        "audit": audit,
        "evaluation": {
            "champion": champion,
            "models": {champion: test, "other": score(classes, 3)},
            "tta": "none",
        },
        "robustness": robustness,
        "export": {"difference": 1e-06, "versions": versions},
        "suspects": {"action": "none"},
        "groups": {},
    }


def written(
    contents: dict[str, Any], *, drawn: bool = True, resplit: bool = False, **policy: str
) -> str:
    """Return the card of these numbers, with changes of audit.policy."""
    given = params.load(ROOT / "params.yaml")
    return model_card.model_card(
        **contents,
        policy=given.audit.policy.model_copy(update=policy),
        split=given.data.split,
        resplit=resplit,
        drawn=drawn,
        seed=given.seed,
    )


def tables(text: str) -> dict[str, list[list[str]]]:
    """Return the rows of each table, by the first cell of its head."""
    found = {}
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        head, line, *rows = [
            [cell.strip() for cell in row.strip("|").split("|")] for row in block.splitlines()
        ]
        assert set("".join(line)) == {"-"}
        assert {len(row) for row in (line, *rows)} == {len(head)}
        found[head[0]] = rows
    return found


def figures(cell: str) -> list[float]:
    return [float(number) for number in re.findall(r"\d+(?:\.\d+)?", cell)]


def near(*expected: float) -> Any:
    return pytest.approx(expected, abs=5.1e-4)


def with_ends(given: dict[str, Any], name: str) -> Any:
    return near(*(given[f"{name}{end}"] for end in ("", "_low", "_high")))


def wilson(hits: int, count: int) -> tuple[float, float]:
    share, z = hits / count, 1.959964
    middle = share + z**2 / (2 * count)
    half = z * (share * (1 - share) / count + z**2 / (4 * count**2)) ** 0.5
    return tuple((middle + sign * half) / (1 + z**2 / count) for sign in (-1, 1))


@pytest.mark.parametrize("members", [1, 3])
@pytest.mark.parametrize("classes", [CLASSES, SEVEN])
def test_every_figure_is_that_of_the_metrics(classes, members):
    contents = numbers(classes, members)
    found = tables(written(contents))
    validation, test = (contents["card"]["metrics"][split] for split in ("validation", "test"))
    keys = {"macro-F1": "macro_f1", "accuracy": "accuracy", "ROC-AUC": "roc_auc"}
    assert [row[0] for row in found["measure"]] == list(keys)
    for name, *cells in found["measure"]:
        for cell, given in zip(cells, (validation, test), strict=True):
            assert figures(cell) == with_ends(given, keys[name])
    calibrated, tested = found["split"]
    for row, given in ((calibrated, validation), (tested, test)):
        assert figures(" ".join(row[1:])) == near(given["ece"], given["brier"], given["log_loss"])
    assert ("before the temperature" in tested[0]) == (members == 1)
    for row in found["corruption"]:
        name = row[0].split(":")[0]
        for cell, given in zip(row[1:], corrupted(contents, name), strict=True):
            level, *rest = figures(cell)
            assert level == given["level"]
            assert rest == with_ends(given, "macro_f1")
    assert [row[0].split(":")[0] for row in found["corruption"]] == list(CORRUPTIONS)
    assert len(found["net"]) == members


def corrupted(contents: dict[str, Any], name: str) -> list[dict[str, Any]]:
    rows = contents["robustness"]["images"]
    return [row for row in rows if row["corruption"] == name]


def test_each_class_has_wilsons_intervals():
    contents = numbers()
    test = contents["evaluation"]["models"]["ensemble"]
    confusion = np.array(test["confusion"])
    rows = tables(written(contents))["class, on test"]
    assert [row[0] for row in rows] == list(CLASSES)
    for code, (name, images, f1, recall, precision, area) in enumerate(rows):
        hits, true, taken = confusion[code, code], confusion[code].sum(), confusion[:, code].sum()
        about = test["per_class"][name]
        assert int(images) == true == about["support"]
        assert figures(recall) == near(about["recall"], *wilson(hits, true))
        assert figures(precision) == near(about["precision"], *wilson(hits, taken))
        jaccard = wilson(hits, true + taken - hits)
        assert figures(f1) == near(about["f1"], *(2 * end / (1 + end) for end in jaccard))
        assert float(area) == pytest.approx(about["roc_auc"], abs=5.1e-4)


def test_f1s_interval_is_about_that_of_a_bootstrap():
    contents = numbers()
    confusion = np.array(contents["evaluation"]["models"]["ensemble"]["confusion"])
    shares = confusion.ravel() / confusion.sum()
    draws = np.random.default_rng(1).multinomial(confusion.sum(), shares, 4000).reshape(-1, 4, 4)
    hits = np.diagonal(draws, axis1=1, axis2=2)
    f1 = 2 * hits / (draws.sum(axis=1) + draws.sum(axis=2))
    rows = tables(written(contents))["class, on test"]
    for row, column in zip(rows, f1.T, strict=True):
        assert figures(row[2])[1:] == pytest.approx(np.percentile(column, [2.5, 97.5]), abs=0.02)


def test_the_audits_counts_are_told():
    contents = numbers()
    audit = contents["audit"]
    # Of whole photos, in which faces are sought.
    audit["no_face"] = audit["dropped_by"]["no_face"] = 2
    audit["dropped"] += 2
    text = written(contents)
    assert f"{audit['images']:,} images were found, {audit['dropped']} dropped" in text
    told = {row[0].replace(" ", "_"): row for row in tables(text)["fault"]}
    assert sum(int(row[2]) for row in told.values()) == audit["dropped"]
    assert int(told["blurred"][1]) == audit["blurred"]
    assert int(told["near_duplicates"][1]) == audit["near_duplicates"]["images"]
    assert {row[3] for name, row in told.items() if name in ("blurred", "colour")} == {"keep"}
    assert told["no_face"][1:] == ["2", "2", "always drop"]
    for split, *counts in tables(text)["kept"]:
        expected = list(audit["splits"][split].values())
        assert [int(count) for count in counts] == [*expected, sum(expected)]


def test_sections_are_there_in_their_order_and_lines_are_short():
    text = written(numbers(SEVEN))
    assert tuple(re.findall(r"^## (.*)$", text, re.MULTILINE)) == SECTIONS
    prose = [line for line in text.splitlines() if not line.startswith("|")]
    assert max(map(len, prose)) <= 100
    assert "\n\n\n" not in text
    # No line of a paragraph begins as a list, a heading or a table by chance.
    assert not re.search(r"^\w.*\n(\+|#|\||\d+\.|[*-]) ", text, re.MULTILINE)
    for article in ("Art. 5(1)(f)", "Art. 50(3)", "Annex III"):
        assert article in " ".join(text.split())


def test_words_stay_whole_at_the_end_of_a_line():
    # A hyphen would fit.
    assert model_card._filled(f"{'x' * 93}\nmacro-F1") == f"{'x' * 93}\nmacro-F1\n"


def test_duplicates_that_were_kept_are_a_warning():
    contents = numbers()
    assert "its scores are too good" not in " ".join(written(contents).split())
    kept = " ".join(written(contents, near_duplicates="keep").split())
    assert kept.count("its scores are too good") == kept.count("One copy of each was kept") == 1
    for kind in ("exact_duplicates", "near_duplicates"):
        contents["audit"][kind]["across_splits"] = 0
    text = written(contents, near_duplicates="keep")
    assert "No duplicates were found in more than one split." in text
    assert "its scores are too good" not in " ".join(text.split())


def test_drawn_faces_are_called_so_and_pictures_are_not():
    contents = numbers()
    assert "drawn by a program" in written(contents)
    text = written(contents, drawn=False)
    assert "drawn" not in text
    assert "Goodfellow" in text


def test_a_source_of_more_classes_and_new_splits_is_told():
    contents = numbers()
    contents["audit"]["other_classes"] = {"disgust": 547, "fear": 5121}
    contents["evaluation"]["tta"] = "flip"
    text = " ".join(written(contents, resplit=True).split())
    assert "the images of disgust (547), fear (5121)." in text
    assert "The source's splits were ignored" in text
    assert "`evaluate.tta: flip`" in text


def test_what_was_done_about_labels_and_duplicates_is_told():
    unseen = score(CLASSES, 7)
    contents = numbers(members=1, test=score(CLASSES, 1) | {"unseen": unseen})
    contents["suspects"] = {"action": "list", "images": 998, "suspects": 31}
    contents["audit"]["votes"] = {"images": 900, "agree": 700, "none": 9}
    evaluation = contents["evaluation"]
    evaluation |= {
        "champion": "distill_compact",
        "models": {"distill_compact": evaluation["models"]["net0"]},
    }
    text = " ".join(written(contents).split())
    assert "doubted the labels of 31 of the 998 train images" in text
    assert "which were kept." in text
    assert "for 700 of 900 images" in text
    assert "One net, a student of the ensemble, calibrated" in text
    honest = re.search(
        rf"On the {unseen['n']} test images without .*?: (.*?, accuracy .*?\))", text
    )
    told = figures(honest[1].replace("macro-F1", ""))
    expected = [
        unseen[f"{name}{end}"] for name in ("macro_f1", "accuracy") for end in ("", "_low", "_high")
    ]
    assert told == near(*expected)
    plain = " ".join(written(numbers()).split())
    assert not any(word in plain for word in ("doubted", "FER+", "student", "test images without"))


def test_the_three_most_frequent_confusions_are_named():
    test = score(SEVEN, 1, right=1.5)
    text = " ".join(written(numbers(SEVEN, test=test)).split())
    confusion = np.array(test["confusion"])
    off = confusion - np.diag(np.diag(confusion))
    told = re.findall(r"- (\w+) taken for (\w+): (\d+) of (\d+) \((\d+) %\); (.*?)\. ", text)
    assert [int(count) for _, _, count, *_ in told] == sorted(off.ravel())[:-4:-1]
    for true, taken, count, total, percent, _ in told:
        row, column = SEVEN.index(true), SEVEN.index(taken)
        assert (int(count), int(total)) == (off[row, column], confusion[row].sum())
        assert int(percent) == pytest.approx(100 * int(count) / int(total), abs=0.5)


def confused(true: str, taken: str) -> str:
    """Return whom it costs what if the one is taken for the other, ten times of ten."""
    counts = confusion_matrix([0] * 10 + [1] * 10, [1] * 20).tolist()
    (one,) = model_card._confusions({"classes": [true, taken], "confusion": counts})
    assert (one["true"], one["taken"], one["count"]) == (true, taken, 10)
    return one["cost"]


def test_what_a_confusion_costs_depends_on_what_is_taken_for_what():
    assert "goes without help" in confused("sad", "neutral")
    assert "suspicion" in confused("neutral", "angry")
    assert confused("happy", "neutral") != confused("neutral", "happy")
    assert "depends on the use" in confused("bored", "happy")
    kinds = set(model_card.KINDS.values())
    pairs = {(one, other) for one in kinds for other in kinds} - {("rest", "rest")}
    assert {(one, other) for one, costs in model_card.COSTS.items() for other in costs} == pairs


def test_a_model_without_mistakes_or_file_has_a_card_too():
    contents = numbers(members=1, test=score(CLASSES, 1, right=50))
    contents["export"] = {"champion": "net0", "error": "ONNX knows no Erfc"}
    text = written(contents)
    assert "No test face was taken for another class." in text
    assert "There is no ONNX file (ONNX knows no Erfc)." in text
    assert text.startswith("# Model card: compact\n")
    assert "One net, calibrated" in text


def test_a_class_without_test_images_has_no_roc_auc():
    labels = np.arange(60) % 3
    probabilities = np.full((60, 4), 0.1) + 0.6 * np.eye(4)[labels]
    contents = numbers(test=metrics.score(labels, probabilities, CLASSES, 1))
    row = tables(written(contents))["class, on test"][3]
    assert row == ["surprise", "0", *["0.000 (0.000 to 1.000)"] * 3, "n/a"]


def test_scores_by_group_and_the_largest_gap_are_told():
    contents = numbers()
    champion = contents["evaluation"]["champion"]
    groups = {
        "man": score(CLASSES, 4) | {"n": 40},
        "woman": score(CLASSES, 5) | {"n": 60},
    }
    gap = {"difference": 0.1, "difference_low": -0.06, "difference_high": 0.27}
    told = {"groups": groups, "gap": gap | {"best": "woman", "worst": "man"}}
    text = written(contents | {"groups": {"gender": {champion: told}}})
    assert [row[:2] for row in tables(text)["gender"]] == [["man", "40"], ["woman", "60"]]
    assert "The largest gap by gender: woman over man by 0.100 (-0.060 to 0.270)." in text
    assert "has no labels of age" not in text
