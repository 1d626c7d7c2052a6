"""Each chart has its place, and is drawn from the rows of its own model."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from conftest import CLASSES, made_faces, made_predictions
from made_models import COMBINATION, HISTORY, IDS

from mien import metrics
from mien.ensembling.combination import combine
from mien.evaluation import charts, sheets
from mien.evaluation.evaluate import model_tables
from mien.evaluation.leaderboard import leaderboard

LABELS, _ = made_predictions(60, 1.0)
SAID = {name: made_predictions(60, skill)[1] for skill, name in enumerate(IDS, 1)}
SAID["ensemble"] = combine(COMBINATION, SAID)
FACES = made_faces(60)


@pytest.fixture(scope="module")
def evaluation() -> SimpleNamespace:
    """Return what an evaluation of made answers has that is drawn."""
    index = FACES.index.assign(label=pd.Categorical.from_codes(LABELS, categories=[*CLASSES]))
    test = type(FACES)(FACES.images, index)
    scores = {
        name: {"arch": "vgg", **metrics.score(LABELS, said, CLASSES, 1)}
        for name, said in SAID.items()
    }
    levels = {"corruption": ["clean", "blur", "noise"], "severity": [0, 1, 1], "level": [0, 1, 2]}
    ends = [f"{name}{end}" for name in ("accuracy", "macro_f1") for end in ("", "_low", "_high")]
    compared = {name: {"mcnemar_p": 0.5} for name in SAID if name != "train"}
    histories = pd.concat(dict.fromkeys(IDS, HISTORY), names=["model"]).reset_index("model")
    return SimpleNamespace(
        test=test,
        labels={name: f"{name}!" for name in SAID},
        probabilities=SAID,
        scores=scores,
        champion="train",
        tables={
            **model_tables(test, SAID, scores),
            "learning_curves": histories,
            "leaderboard": leaderboard(scores, scores, compared, dict.fromkeys(SAID, (10, 20))),
            "robustness": pd.DataFrame(levels).assign(**dict.fromkeys(ends, 0.5)),
        },
        groups={},
        robustness=SimpleNamespace(images=[FACES.images[0]], captions=["clean"], columns=1),
        shown=np.arange(4),
        attention={
            "train": {"attention_1": np.ones((4, 3, 3)), "attention_2": np.ones((4, 8))},
            "tune_two_conv": {"attention_1": np.ones((4, 8))},
        },
    )


def test_every_model_has_its_charts_and_all_models_three_together(evaluation):
    drawn = dict(charts.model_figures(evaluation))
    own = ("confusion", "pr", "reliability", "roc")
    expected = {f"{name}/{chart}" for name in SAID for chart in own}
    expected |= {f"{name}/learning_curves" for name in IDS}
    assert set(drawn) == expected | {"cost", "leaderboard", "robustness"}
    for name, score in evaluation.scores.items():
        texts = [text.get_text() for text in drawn[f"{name}/confusion"].axes[0].texts]
        counts = [int(text.split("\n")[1]) for text in texts]
        assert counts == np.ravel(score["confusion"]).tolist()
        panel = drawn[f"{name}/roc"].axes[0]
        curve = evaluation.tables["roc"].query("model == @name and `class` == 'happy'")
        drawn_curves = [line.get_ydata().tolist() for line in panel.lines]
        assert curve["tpr"].tolist() in drawn_curves


def test_an_ensemble_of_one_has_no_pairs_to_differ():
    table = pd.DataFrame(
        {
            "name": ["train"],
            "arch": ["vgg"],
            "macro_f1": [0.5],
            "macro_f1_low": [0.4],
            "macro_f1_high": [0.6],
            "leave_one_out": [np.nan],
        }
    )
    scores = {
        **{f"macro_f1{end}": 0.5 for end in ("", "_low", "_high")},
        **{"members": ["train"], "best_member": "train", "method": "mean", "same_as": {}},
        "difference": {f"macro_f1_difference{end}": 0.0 for end in ("", "_low", "_high")},
    }
    one = pd.DataFrame({"member": ["train"], "train": [0.0]})
    two = pd.DataFrame({"member": ["a", "b"], "a": [0.0, 0.2], "b": [0.2, 0.0]})
    names = [[*dict(charts.ensemble_figures(table, pairs, scores))] for pairs in (one, two)]
    assert names == [["ensemble/members"], ["ensemble/members", "ensemble/disagreement"]]


def test_a_study_has_three_charts():
    trials = pd.DataFrame(
        {
            "trial": [1, 2],
            "state": ["complete", "complete"],
            "value": [0.5, 0.6],
            "epochs": [4, 4],
            "reason": ["", ""],
            "model.width": [1.0, 0.5],
        }
    )
    importances = pd.DataFrame({"param": ["model.width"], "importance": [1.0]})
    drawn = dict(charts.study_figures("tune_vgg", trials, importances, "accuracy"))
    places = ("trials", "trial_params", "importances")
    assert list(drawn) == [f"tune_vgg/{place}" for place in places]
    assert "accuracy" in drawn["tune_vgg/trials"].axes[0].get_ylabel()
    (bar,) = drawn["tune_vgg/importances"].axes[0].patches
    assert bar.get_width() == 1
    assert all("vgg" in figure.axes[0].get_title() for figure in drawn.values())
    # Without a value there is nothing to draw.
    few = dict(charts.study_figures("tune_vgg", trials, importances.head(0), "accuracy"))
    assert list(few) == ["tune_vgg/trials", "tune_vgg/trial_params"]
    none = trials.assign(state="failed", value=np.nan)
    failed = dict(charts.study_figures("tune_vgg", none, importances.head(0), "accuracy"))
    assert list(failed) == ["tune_vgg/trials"]


def test_sheets_lie_apart_and_only_attention_with_places_is_shown(evaluation):
    drawn = dict(sheets.test_sheets(evaluation, evaluation.test))
    expected = {f"evaluate/{name}/{sheet}" for name in SAID for sheet in ("mistakes", "pairs")}
    assert set(drawn) == expected | {"evaluate/train/attention", "evaluate/corruptions"}
    # Each of the four faces with its one map of places.
    assert len(drawn["evaluate/train/attention"].axes[0].images) == 8


def test_suspects_are_shown_with_the_label_in_doubt_and_none_make_no_sheet():
    columns = {"row": [7, 2], "label": ["happy", "sad"], "suggested": ["sad", "neutral"]}
    suspects = pd.DataFrame(columns)
    ((place, sheet),) = sheets.suspect_sheet(suspects, FACES)
    assert place == "evaluate/suspects"
    shown = [np.asarray(image.get_array()) for image in sheet.axes[0].images]
    np.testing.assert_array_equal(shown, FACES.images[[7, 2]])
    captions = [text.get_text() for text in sheet.axes[0].texts][1:]
    assert captions == ["happy\nsad?", "sad\nneutral?"]
    assert not list(sheets.suspect_sheet(suspects.head(0), FACES))
