"""What the charts of a study show, for few trials and for many."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from mien.evaluation import tuning
from mien.figures import save


def made_trials(count: int, metric: str = "macro_f1", seed: int = 0) -> pd.DataFrame:
    """Return trials as a study writes them; the start leaves `model.dropout` to the net."""
    rng = np.random.default_rng((seed, count))
    rate = np.exp(rng.uniform(np.log(2e-4), np.log(1e-2), count))
    value = 0.8 - 0.2 * (np.log10(rate) + 2.7) ** 2 + rng.normal(0, 0.03, count)
    state = np.where(rng.random(count) < 0.3, "pruned", "complete")
    state[0] = "complete"
    if count > 3:
        state[2] = "failed"
    dropout = rng.uniform(0, 0.5, count)
    dropout[0] = np.nan
    return pd.DataFrame(
        {
            "trial": np.arange(1, count + 1),
            "state": state,
            "value": np.where(state == "failed", np.nan, -value if metric == "log_loss" else value),
            "epochs": 4,
            "reason": "",
            "model.dropout": dropout,
            "train.batch_size": rng.choice([32, 64, 128], count),
            "train.learning_rate": rate,
            "train.optimizer": rng.choice(["adam", "sgd"], count),
        }
    )


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def of_label(figure: Figure, label: str) -> np.ndarray:
    """Return the points (x, y) of the line or of the markers with this label."""
    artists = [*figure.axes[0].lines, *figure.axes[0].collections]
    (artist,) = [artist for artist in artists if artist.get_label() == label]
    return np.array(artist.get_xydata() if hasattr(artist, "get_xydata") else artist.get_offsets())


@pytest.mark.parametrize("metric", ["macro_f1", "log_loss"])
def test_the_best_so_far_never_gets_worse_and_ends_at_the_best_complete_trial(metric):
    trials = made_trials(60, metric)
    complete = trials[trials["state"] == "complete"]["value"]
    # The best value of all is a pruned trial's, which did not finish.
    trials.loc[trials["state"] == "pruned", "value"] = 9.0 if metric == "macro_f1" else -9.0
    best = of_label(tuning.history_chart(trials, metric, "vgg"), "best so far")
    steps = np.diff(best[:, 1])
    assert (steps <= 0).all() if metric == "log_loss" else (steps >= 0).all()
    assert best[0, 1] == trials["value"][0]
    assert best[-1].tolist() == [60, complete.min() if metric == "log_loss" else complete.max()]


def test_each_trial_is_marked_by_its_state():
    trials = made_trials(60)
    figure = tuning.history_chart(trials, "macro_f1", "vgg")
    for state, label in (("complete",) * 2, ("pruned", "pruned, at its end"), ("failed",) * 2):
        expected = trials[trials["state"] == state]["trial"].tolist()
        assert expected
        assert of_label(figure, label)[:, 0].tolist() == expected
    assert of_label(figure, "start").tolist() == [[1, trials["value"][0]]]
    counts = trials["state"].value_counts()
    assert f"{counts['complete']} complete, {counts['pruned']} pruned, 1 failed" in (
        figure.axes[0].get_title()
    )


@pytest.mark.parametrize("metric", ["macro_f1", "log_loss"])
@pytest.mark.parametrize("count", [6, 200])
def test_a_line_for_each_trial_that_has_a_value_the_best_darkest_and_on_top(count, metric):
    trials = made_trials(count, metric)
    figure = tuning.parallel_chart(trials, metric, "vgg")
    drawn = [item for item in figure.axes[0].collections if item.get_label() != "pruned"]
    (complete,) = [item for item in drawn if len(item.get_segments()[0]) == 5]
    states = trials["state"].value_counts()
    assert len(complete.get_segments()) == states["complete"]
    (pruned,) = [item for item in figure.axes[0].collections if item.get_label() == "pruned"]
    assert len(pruned.get_segments()) == states["pruned"]
    ends = [segment[-1][1] for segment in complete.get_segments()]
    assert ends == sorted(ends, reverse=metric == "log_loss")
    assert of_label(figure, "best").tolist() == complete.get_segments()[-1].tolist()
    luminance = complete.get_colors()[:, :3].sum(axis=1)
    assert luminance[-1] == luminance.min()
    # The key of the colours names the values as they are, also those of a loss.
    key = figure.axes[1]
    assert tuning.METRICS[metric] in key.get_ylabel()
    best = trials.loc[trials["state"] == "complete", "value"].agg(
        "min" if metric == "log_loss" else "max"
    )
    assert abs(key.get_ylim()[1]) == pytest.approx(abs(best))


def test_values_even_in_their_logarithm_get_a_logarithmic_axis_and_others_not():
    trials = made_trials(60)
    heights = {}
    for name in ("train.learning_rate", "model.dropout"):
        only = trials[[*tuning.FIXED, name]].dropna(subset=[name, "value"])
        figure = tuning.parallel_chart(only, "macro_f1", "vgg")
        (lines,) = [
            item
            for item in figure.axes[0].collections
            if isinstance(item, LineCollection) and len(item.get_segments()) > 30
        ]
        heights[name] = np.sort([segment[0][1] for segment in lines.get_segments()])
        complete = np.sort(only[only["state"] == "complete"][name])
        scaled = np.log(complete) if name == "train.learning_rate" else complete
        assert np.corrcoef(heights[name], scaled)[0, 1] > 0.9999


def test_choices_are_ticks_by_name_and_an_empty_value_is_the_nets_own():
    shown = texts(tuning.parallel_chart(made_trials(30), "macro_f1", "vgg"))
    assert {"adam", "sgd", "32", "64", "128"} < set(shown)
    assert shown.count("its own") == 1
    assert "train.\nlearning_rate" in shown


def test_a_param_with_one_value_and_a_single_trial_are_drawn():
    trials = made_trials(1)
    shown = texts(tuning.parallel_chart(trials, "macro_f1", "vgg"))
    assert f"{trials['train.learning_rate'][0]:g}" in shown
    tuning.history_chart(trials, "macro_f1", "vgg")


def test_a_study_of_failures_says_that_no_trial_was_completed():
    trials = made_trials(3).assign(state="failed", value=np.nan)
    title = tuning.history_chart(trials, "macro_f1", "vgg").axes[0].get_title()
    assert title == "Tuning vgg\nno trial was completed (3 failed)"


def test_importances_are_bars_with_the_highest_on_top():
    table = pd.DataFrame({"param": ["a.low", "b.high", "c.none"], "importance": [0.2, 0.8, 0.0]})
    panel = tuning.importances_chart(table, "macro_f1", "vgg").axes[0]
    assert [label.get_text() for label in panel.get_yticklabels()] == ["b.high", "a.low", "c.none"]
    assert [bar.get_width() for bar in panel.patches] == [0.8, 0.2, 0.0]
    assert panel.yaxis_inverted()


def test_equal_studies_give_equal_bytes_and_others_do_not(tmp_path):
    for name, seed in (("one", 0), ("two", 0), ("other", 1)):
        trials = made_trials(20, seed=seed)
        save(tuning.history_chart(trials, "macro_f1", "vgg"), tmp_path / name / "history.png")
        save(tuning.parallel_chart(trials, "macro_f1", "vgg"), tmp_path / name / "parallel.png")
    for chart in ("history.png", "parallel.png"):
        one, two, other = (
            (tmp_path / name / chart).read_bytes() for name in ("one", "two", "other")
        )
        assert one == two != other
