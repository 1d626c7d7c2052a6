"""Combinations against brute force and scikit-learn, and what all methods share."""

import json
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, log_loss

from mien.ensembling.combination import (
    GREEDY_ROUNDS,
    METHODS,
    STRENGTHS,
    assign_folds,
    combine,
    cross_fit,
    fit,
)
from mien.errors import MienError


def made_members(
    count: int, classes: int, members: int, seed: int = 0, skill: float = 1.5
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return labels and members, each a little better than the last, alike in what is hard."""
    rng = np.random.default_rng((seed, count, classes))
    labels = rng.permutation(np.arange(count) % classes)
    hard = rng.normal(size=(count, classes))
    probabilities = {}
    for member in range(members):
        logits = hard + rng.normal(size=(count, classes))
        logits[np.arange(count), labels] += skill * (1 + member / 10)
        odds = np.exp(logits)
        probabilities[f"m{member}"] = odds / odds.sum(axis=1, keepdims=True)
    return labels, probabilities


def folded(labels: np.ndarray, seed: int = 1) -> np.ndarray:
    return assign_folds(labels, np.arange(len(labels)), seed)


def fitted(method: str, probabilities, labels) -> dict:
    return fit(method, probabilities, labels, folded(labels))


def macro_f1(labels, probabilities) -> float:
    return f1_score(labels, np.argmax(probabilities, axis=1), average="macro")


# Each method


def test_mean_is_the_mean_of_the_probabilities():
    labels, probabilities = made_members(60, 3, 3)
    combination = fitted("mean", probabilities, labels) | {"temperature": 1.0}
    np.testing.assert_allclose(
        combine(combination, probabilities),
        np.mean(list(probabilities.values()), axis=0),
        atol=1e-6,
    )


def weights(combination, name) -> float:
    """Return a member's weight; one that was left out has none."""
    return dict(zip(combination["members"], combination["weights"], strict=True)).get(name, 0)


@pytest.mark.parametrize("seed", range(3))
def test_weights_of_two_members_are_the_best_of_a_grid(seed):
    labels, probabilities = made_members(300, 4, 2, seed)
    first, second = (part[np.arange(300), labels] for part in probabilities.values())
    grid = np.linspace(0, 1, 2001)
    losses = [-np.log(share * first + (1 - share) * second).sum() for share in grid]
    combination = fitted("weighted", probabilities, labels)
    assert weights(combination, "m0") == pytest.approx(grid[np.argmin(losses)], abs=1e-3)
    assert sum(combination["weights"]) == pytest.approx(1, abs=2e-6)


def test_no_weights_drawn_at_random_are_better():
    labels, probabilities = made_members(200, 4, 6)
    true = np.stack([part[np.arange(200), labels] for part in probabilities.values()])

    def loss(shares) -> float:
        return -np.log(shares @ true).sum()

    combination = fitted("weighted", probabilities, labels)
    found = loss(np.array([weights(combination, name) for name in probabilities]))
    drawn = np.random.default_rng(0).dirichlet(np.full(6, 0.5), 300)
    assert found <= min(loss(shares) for shares in drawn)


def test_weight_of_a_useless_member_is_nothing():
    labels, probabilities = made_members(300, 4, 2)
    probabilities["noise"] = np.random.default_rng(0).dirichlet(np.ones(4), 300)
    assert weights(fitted("weighted", probabilities, labels), "noise") < 0.02


def test_vote_is_the_majority_and_the_mean_breaks_ties():
    labels, probabilities = made_members(400, 4, 4, skill=0.5)
    combined = combine(fitted("vote", probabilities, labels), probabilities)
    mean = np.mean(list(probabilities.values()), axis=0)
    ties = 0
    for row, taken in enumerate(combined.argmax(axis=1)):
        votes = Counter(int(part[row].argmax()) for part in probabilities.values())
        most = [code for code, count in votes.items() if count == max(votes.values())]
        assert taken == max(most, key=lambda code: mean[row, code])
        ties += len(most) > 1
    assert ties > 20


@pytest.mark.parametrize("seed", range(4))
def test_greedy_is_never_below_the_best_member_where_it_was_fitted(seed):
    labels, probabilities = made_members(150, 4, 5, seed, skill=0.7)
    combined = combine(fitted("greedy", probabilities, labels), probabilities)
    best = max(macro_f1(labels, part) for part in probabilities.values())
    assert macro_f1(labels, combined) >= best


def test_greedy_of_equal_macro_f1_takes_the_smaller_log_loss():
    labels = np.arange(40) % 4
    sure, unsure = 0.9 * np.eye(4)[labels] + 0.025, 0.4 * np.eye(4)[labels] + 0.15
    combination = fitted("greedy", {"unsure": unsure, "sure": sure}, labels)
    assert (combination["members"], combination["weights"]) == (["sure"], [1])


def test_greedy_adds_whatever_helps_most_and_keeps_the_best_sum():
    labels, probabilities = made_members(80, 3, 3, skill=0.7)
    parts = list(probabilities.values())
    chosen, sums = [], []
    for size in range(1, GREEDY_ROUNDS + 1):
        total = sum((parts[member] for member in chosen), np.zeros((80, 3)))
        merits = [
            (round(macro_f1(labels, total + part), 9), -log_loss(labels, (total + part) / size))
            for part in parts
        ]
        best = max(merits)
        chosen.append(merits.index(best))
        sums.append((best, chosen[:]))
    kept = max(sums, key=lambda pair: pair[0])[1]
    assert len(kept) > len(set(kept)) > 1
    combination = fitted("greedy", probabilities, labels)
    for member in range(3):
        share = kept.count(member) / len(kept)
        assert weights(combination, f"m{member}") == pytest.approx(share, abs=1e-6)


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_stacking_is_scikit_learns_regression_on_logarithms(monkeypatch, classes):
    monkeypatch.setattr("mien.ensembling.combination.STRENGTHS", (0.1,))
    labels, probabilities = made_members(200, classes, 3)
    new = made_members(50, classes, 3, seed=1)[1]
    combination = fitted("stacking", probabilities, labels) | {"temperature": 1.0}

    def logarithms(parts) -> np.ndarray:
        return np.log(np.concatenate(list(parts.values()), axis=1))

    model = LogisticRegression(C=0.1, tol=1e-9, max_iter=5000).fit(
        logarithms(probabilities), labels
    )
    np.testing.assert_allclose(
        combine(combination, new), model.predict_proba(logarithms(new)), atol=1e-5
    )
    assert np.shape(combination["coefficients"]) == (classes, 3 * classes)
    assert np.shape(combination["intercepts"]) == (classes,)


def test_stacking_takes_the_regularisation_that_is_best_out_of_fold(monkeypatch):
    best = []
    for count, members, skill in ((60, 5, 0.5), (300, 2, 2.0)):
        labels, probabilities = made_members(count, 4, members, skill=skill)
        folds = folded(labels)
        features = np.log(np.concatenate(list(probabilities.values()), axis=1))
        losses = {}
        for strength in STRENGTHS:
            outside = np.empty((count, 4))
            for fold in range(5):
                learn = folds != fold
                model = LogisticRegression(C=strength, max_iter=5000)
                model.fit(features[learn], labels[learn])
                outside[~learn] = model.predict_proba(features[~learn])
            losses[strength] = log_loss(labels, outside)
        best.append(min(losses, key=losses.__getitem__))
        found = fitted("stacking", probabilities, labels)
        with monkeypatch.context() as patch:
            patch.setattr("mien.ensembling.combination.STRENGTHS", (best[-1],))
            assert fitted("stacking", probabilities, labels) == found
    assert best[0] != best[1]


def test_stacking_expects_nothing_of_a_class_it_has_not_seen():
    labels, probabilities = made_members(60, 4, 2, skill=0.5)
    labels[labels == 3] = 0
    combined = combine(fitted("stacking", probabilities, labels), probabilities)
    assert combined[:, 3].max() < 1e-6


def test_stacking_unscrambles_a_member_that_mixes_up_the_classes():
    labels, probabilities = made_members(200, 4, 2)
    probabilities["m1"] = probabilities["m1"][:, [1, 2, 3, 0]]
    stacked, mean = (
        combine(fitted(method, probabilities, labels), probabilities)
        for method in ("stacking", "mean")
    )
    assert macro_f1(labels, stacked) > macro_f1(labels, probabilities["m0"])
    assert macro_f1(labels, mean) < macro_f1(labels, probabilities["m0"])


# Temperature


@pytest.mark.parametrize("factor", [0.5, 1.0, 2.5])
def test_temperature_recovers_how_overconfident_a_model_is(factor):
    rng = np.random.default_rng(3)
    probabilities = rng.dirichlet(np.ones(4), size=4000)
    labels = (probabilities.cumsum(axis=1) < rng.random((4000, 1))).sum(axis=1).clip(max=3)
    sharp = probabilities**factor / (probabilities**factor).sum(axis=1, keepdims=True)
    combination = fitted("mean", {"sharp": sharp}, labels)
    assert combination["temperature"] == pytest.approx(factor, rel=0.05)
    np.testing.assert_allclose(combine(combination, {"sharp": sharp}), probabilities, atol=0.03)


def test_temperature_stays_in_bounds_where_all_is_right():
    labels = np.arange(40) % 4
    probabilities = 0.9 * np.eye(4)[labels] + 0.025
    assert fitted("mean", {"m": probabilities}, labels)["temperature"] == pytest.approx(0.2, 1e-3)


# Cross-fitting


@pytest.mark.parametrize("method", METHODS)
def test_labels_of_a_fold_have_no_part_in_its_probabilities(method):
    labels, probabilities = made_members(120, 4, 3)
    folds = folded(labels)
    combined = cross_fit(method, probabilities, labels, folds)
    for fold in (0, 3):
        other = np.where(folds == fold, (labels + 1) % 4, labels)
        changed = cross_fit(method, probabilities, other, folds)
        np.testing.assert_array_equal(changed[folds == fold], combined[folds == fold])
        assert (changed[folds != fold] != combined[folds != fold]).any()


@pytest.mark.parametrize("method", ["greedy", "stacking"])
def test_random_members_score_at_chance_unless_scored_where_they_were_fitted(method):
    rng = np.random.default_rng(5)
    labels = rng.permutation(np.arange(400) % 4)
    probabilities = {f"m{member}": rng.dirichlet(np.ones(4), 400) for member in range(12)}
    folds = folded(labels)
    honest = cross_fit(method, probabilities, labels, folds)
    combination = fit(method, probabilities, labels, folds)
    flattered = combine(combination, probabilities)
    # Chance is 0.25, three standard errors 0.065.
    assert macro_f1(labels, honest) < 0.315 < macro_f1(labels, flattered)
    # Nobody who knows nothing does better than to say that all classes are alike; the
    # temperature sees to it that it is not much worse.
    assert np.log(4) - 0.01 < log_loss(labels, honest) < np.log(4) + 0.02


@pytest.mark.parametrize("method", METHODS)
def test_good_members_are_better_together(method):
    labels, probabilities = made_members(400, 4, 4, skill=1.2)
    crossed = cross_fit(method, probabilities, labels, folded(labels))
    best = max(macro_f1(labels, part) for part in probabilities.values())
    assert macro_f1(labels, crossed) > best


# What all methods share


@pytest.mark.parametrize("method", METHODS)
def test_read_from_json_a_combination_says_the_very_same(method):
    labels, probabilities = made_members(100, 4, 3)
    combination = fitted(method, probabilities, labels)
    read = json.loads(json.dumps(combination, allow_nan=False))
    combined = combine(combination, probabilities)
    np.testing.assert_array_equal(combine(read, probabilities), combined)
    numbers = [combination["temperature"], *np.ravel(combination.get("weights", []))]
    numbers += [*np.ravel(combination.get("coefficients", [])), *combination.get("intercepts", [])]
    assert numbers == [round(number, 6) for number in numbers]
    assert combined.dtype == np.float64
    np.testing.assert_allclose(combined.sum(axis=1), 1, atol=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_members_are_found_by_name(method):
    labels, probabilities = made_members(100, 4, 3)
    combination = fitted(method, probabilities, labels)
    turned = {"other": np.zeros((7, 2))} | dict(reversed(probabilities.items()))
    np.testing.assert_array_equal(combine(combination, turned), combine(combination, probabilities))


@pytest.mark.parametrize("method", METHODS)
def test_same_inputs_give_the_same_combination(method):
    labels, probabilities = made_members(100, 4, 3)
    assert fitted(method, probabilities, labels) == fitted(method, probabilities, labels)


@pytest.mark.parametrize("method", METHODS)
def test_a_member_alone_is_itself_with_a_temperature(method):
    labels, probabilities = made_members(100, 4, 1)
    combination = fitted(method, probabilities, labels)
    assert set(combination) == {"method", "members", "temperature"}
    softened = probabilities["m0"] ** (1 / combination["temperature"])
    np.testing.assert_allclose(
        combine(combination, probabilities),
        softened / softened.sum(axis=1, keepdims=True),
        atol=1e-6,
    )


@pytest.mark.parametrize("method", METHODS)
def test_certain_members_and_an_absent_class_leave_distributions(method):
    labels = np.arange(60) % 3
    certain = np.eye(4)[labels]
    wrong = np.eye(4)[(labels + (np.arange(60) < 6)) % 3]
    probabilities = {"certain": certain, "wrong": wrong}
    combined = cross_fit(method, probabilities, labels, folded(labels))
    assert np.isfinite(np.log(combined)).all()
    np.testing.assert_allclose(combined.sum(axis=1), 1)
    assert (combined.argmax(axis=1) == labels).mean() >= 0.9
    assert combined[:, 3].max() < 0.01


@pytest.mark.parametrize("method", METHODS)
def test_a_class_that_a_fold_lacks_is_borne(method):
    labels, probabilities = made_members(60, 4, 2)
    labels[labels == 3] = 0
    labels[0] = 3
    combined = cross_fit(method, probabilities, labels, folded(labels))
    np.testing.assert_allclose(combined.sum(axis=1), 1)


def test_to_combine_takes_numpy_alone():
    labels, probabilities = made_members(60, 3, 2)
    combination = fitted("stacking", probabilities, labels)
    code = (
        "import sys, json\n"
        "sys.modules.update(dict.fromkeys(('keras', 'pandas', 'scipy', 'sklearn')))\n"
        "import numpy as np\n"
        "from mien.ensembling.combination import combine\n"
        f"row = {{name: np.full((1, 3), 1 / 3) for name in ('m0', 'm1')}}\n"
        f"print(combine(json.loads('''{json.dumps(combination)}'''), row).sum())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(done.stdout) == pytest.approx(1)


# Folds


def test_folds_keep_groups_together_and_classes_in_proportion():
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 150, 400)
    labels = (groups % 4 == 0).astype(int)
    folds = assign_folds(labels, groups, 1)
    assert set(folds) == set(range(5))
    assert all(len(set(folds[groups == group])) == 1 for group in set(groups))
    shares = [labels[folds == fold].mean() for fold in range(5)]
    assert max(shares) - min(shares) < 0.05


def test_folds_are_those_of_the_seed():
    labels = np.arange(100) % 4
    np.testing.assert_array_equal(folded(labels, 1), folded(labels, 1))
    assert (folded(labels, 1) != folded(labels, 2)).any()


@pytest.mark.filterwarnings("error")
def test_few_images_have_fewer_folds():
    assert set(folded(np.array([0, 0, 0, 1, 2, 2]))) == {0, 1, 2}


def test_too_few_images_are_named():
    with pytest.raises(MienError, match=r"at least 3 validation images.*got at most 2 of any"):
        assign_folds(np.array([0, 0, 1, 0]), np.array([0, 1, 2, 1]), 1)
