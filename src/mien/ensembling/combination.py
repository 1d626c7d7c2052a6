"""Combinations of models: fitted on validation, scored out of fold, stored as JSON.

A combination is a dict that can be written as JSON: `method`, `members` (names, in order),
`temperature`, and `weights` (for `weighted` and `greedy`, one per member, none of them 0) or
`coefficients`, shape (C, M * C), and `intercepts`, shape (C,) (for `stacking`). Its numbers are
rounded before they are used, so a combination read from JSON gives exactly the same probabilities.

Applying one needs NumPy only; what only fitting needs is imported where it is used.
"""

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from mien.errors import MienError

# In order of preference: among equally good ones the first is chosen.
METHODS = ("mean", "weighted", "vote", "greedy", "stacking")
FOLDS = 5
# Probabilities are clipped to this minimum, because their logarithm is needed.
EPSILON = 1e-7
DIGITS = 6
# Limits, because a few easy images that are all right would make every probability 0 or 1.
TEMPERATURES = (0.2, 5.0)
GREEDY_ROUNDS = 20
# Inverse regularisation strengths, from strong to weak regularisation.
STRENGTHS = (0.01, 0.1, 1.0)
# Log-odds of a class without images when stacking was fitted.
UNSEEN = -20.0


def combine(combination: Mapping[str, Any], probabilities: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the combined probabilities of the members.

    `mean` averages the probabilities, `weighted` and `greedy` with weights. `vote` counts each
    member's most probable class; one more vote is split in proportion to the mean probabilities,
    which breaks ties and changes no majority. `stacking` is multinomial logistic regression on the
    log-probabilities. The logarithm of the result is divided by the temperature (Guo et al., On
    Calibration of Modern Neural Networks, ICML 2017) and goes through a softmax.

    Args:
        combination: result of `fit`, or read from JSON.
        probabilities: probabilities of each member, by name: float, shape (N, C). Further models
            are ignored.

    Returns:
        float64, shape (N, C), rows sum to one.
    """
    parts = _stack({name: probabilities[name] for name in combination["members"]})
    return _softmax(_log_odds(combination, parts) / combination["temperature"])


def fit(
    method: str, probabilities: Mapping[str, np.ndarray], labels: np.ndarray, folds: np.ndarray
) -> dict[str, Any]:
    """Return the combination of the members by `method`, fitted on these images.

    `mean` and `vote` only fit the temperature, which minimises the log-loss. `weighted` minimises
    the log-loss over weights that are at least 0 and sum to one. `greedy` repeatedly adds the
    member that improves macro-F1 most and keeps the best of the sums (Caruana et al., Ensemble
    Selection from Libraries of Models, ICML 2004). `stacking` uses the regularisation and the
    temperature that minimise the log-loss out of fold.

    Args:
        method: one of METHODS; a single member is always combined by `mean`.
        probabilities: probabilities of each member, by name: float, shape (N, C).
        labels: int, shape (N,), true class codes in [0, C).
        folds: int, shape (N,), from `assign_folds`, with at least two different values.

    Returns:
        The combination; see this module.
    """
    if len(probabilities) == 1:
        method = "mean"
    parts = _stack(probabilities)
    fitted: dict[str, Any] = {"method": method, "members": list(probabilities)}
    if method in ("weighted", "greedy"):
        weights = np.round((_weights if method == "weighted" else _greedy)(parts, labels), DIGITS)
        # A model without weight need not be stored, loaded or served.
        parts, used = parts[weights > 0], np.flatnonzero(weights)
        fitted["members"] = [fitted["members"][row] for row in used]
        fitted["weights"] = weights[used].tolist()
    if method == "stacking":
        coefficients, intercepts, log_odds = _stacking(parts, labels, folds)
        fitted |= {"coefficients": _rounded(coefficients), "intercepts": _rounded(intercepts)}
    else:
        log_odds = _log_odds(fitted, parts)
    fitted["temperature"] = _rounded(_temperature(log_odds, labels))
    return fitted


def cross_fit(
    method: str, probabilities: Mapping[str, np.ndarray], labels: np.ndarray, folds: np.ndarray
) -> np.ndarray:
    """Return probabilities for each fold from a combination fitted on the other folds.

    Their scores are unbiased: no image is used to fit the combination by which it is scored,
    including the temperature. Choosing the best of several methods by such a score still makes it
    slightly optimistic. The arguments are those of `fit`, with at least three different folds.

    Returns:
        float64, shape (N, C), rows sum to one.
    """
    combined = np.empty(np.shape(next(iter(probabilities.values()))))
    for fold in np.unique(folds):
        learn, measure = folds != fold, folds == fold
        learnt = {name: part[learn] for name, part in probabilities.items()}
        measured = {name: part[measure] for name, part in probabilities.items()}
        fitted = fit(method, learnt, labels[learn], folds[learn])
        combined[measure] = combine(fitted, measured)
    return combined


def assign_folds(labels: np.ndarray, groups: np.ndarray, seed: int) -> np.ndarray:
    """Return each image's fold, 0 to 4: stratified by class, a group in one fold.

    Args:
        labels: int, shape (N,), true class codes.
        groups: int, shape (N,), equal for duplicates of one another.
        seed: seed of the shuffling.

    Returns:
        int, shape (N,); fewer folds than five if no class has five groups.

    Raises:
        MienError: no class has at least three groups.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    most = max(len(np.unique(groups[labels == code])) for code in np.unique(labels))
    if most < 3:
        raise MienError(
            "an ensemble is fitted on at least 3 validation images of a class that are no "
            f"duplicates of one another, got at most {most} of any; add images to that split"
        )
    splitter = StratifiedGroupKFold(min(FOLDS, most), shuffle=True, random_state=seed)
    folds = np.empty(len(labels), int)
    with warnings.catch_warnings():
        # A class with fewer images than folds is missing in some, which all methods can handle.
        warnings.filterwarnings("ignore", "The least populated class")
        for fold, (_, rows) in enumerate(splitter.split(labels, labels, groups)):
            folds[rows] = fold
    return folds


def _stack(probabilities: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the members' probabilities, float64, shape (M, N, C), none below EPSILON."""
    return np.clip(np.stack(list(probabilities.values())).astype(np.float64), EPSILON, 1)


def _log_odds(combination: Mapping[str, Any], parts: np.ndarray) -> np.ndarray:
    """Return the combined log-odds before the temperature, shape (N, C)."""
    method = combination["method"]
    if method == "stacking":
        coefficients = np.array(combination["coefficients"])
        return _features(parts) @ coefficients.T + np.array(combination["intercepts"])
    if method in ("weighted", "greedy"):
        return np.log(np.tensordot(combination["weights"], parts, axes=1))
    mean = parts.mean(axis=0)
    if method == "vote":
        votes = np.eye(parts.shape[2])[parts.argmax(axis=2)].sum(axis=0)
        return np.log(votes + mean)
    return np.log(mean)


def _features(parts: np.ndarray) -> np.ndarray:
    """Return the logarithms, shape (N, M * C), member by member."""
    return np.log(parts).transpose(1, 0, 2).reshape(parts.shape[1], -1)


def _softmax(log_odds: np.ndarray) -> np.ndarray:
    odds = np.exp(log_odds - log_odds.max(axis=-1, keepdims=True))
    return odds / odds.sum(axis=-1, keepdims=True)


def _log_loss(probabilities: np.ndarray, labels: np.ndarray) -> float:
    return float(-np.log(probabilities[np.arange(len(labels)), labels]).mean())


def _rounded(numbers: np.ndarray | float) -> Any:
    """Return the numbers as they are written to JSON."""
    return np.round(numbers, DIGITS).tolist()


def _temperature(log_odds: np.ndarray, labels: np.ndarray) -> float:
    """Return the temperature in TEMPERATURES that minimises the log-loss."""
    from scipy.optimize import minimize_scalar

    found = minimize_scalar(
        lambda logarithm: _log_loss(_softmax(log_odds / np.exp(logarithm)), labels),
        bounds=np.log(TEMPERATURES),
        method="bounded",
        options={"xatol": 1e-7},
    )
    return float(np.exp(found.x))


def _weights(parts: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the weights, at least 0 with sum 1, whose mean minimises the log-loss."""
    from scipy.optimize import minimize

    # The loss is convex in the weights and only depends on the true class's probability.
    true = parts[:, np.arange(len(labels)), labels].T

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        mixed = true @ weights
        return -np.log(mixed).mean(), -(true / mixed[:, None]).mean(axis=0)

    count = len(parts)
    found = minimize(
        loss,
        np.full(count, 1 / count),
        jac=True,
        method="SLSQP",
        bounds=[(0, 1)] * count,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": np.ones_like},
        options={"ftol": 1e-10, "maxiter": 500},
    )
    weights = np.clip(found.x, 0, 1)
    return weights / weights.sum()


def _greedy(parts: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return each member's share of the best sum; ties in macro-F1 are broken by log-loss."""
    total = np.zeros(parts.shape[1:])
    counts = np.zeros(len(parts), int)
    best, kept = (-np.inf, -np.inf), counts
    for size in range(1, GREEDY_ROUNDS + 1):
        merits = [_merit((total + part) / size, labels) for part in parts]
        chosen = max(range(len(parts)), key=merits.__getitem__)
        total += parts[chosen]
        counts[chosen] += 1
        if merits[chosen] > best:
            best, kept = merits[chosen], counts.copy()
    return kept / kept.sum()


def _merit(probabilities: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Return the macro-F1 and the negative log-loss."""
    from mien.metrics import macro_f1

    classes = probabilities.shape[1]
    cells = labels * classes + probabilities.argmax(axis=1)
    confusion = np.bincount(cells, minlength=classes**2).reshape(classes, classes)
    # Rounded, so that a difference in the last bit is a tie.
    return round(float(macro_f1(confusion)), 12), -_log_loss(probabilities, labels)


def _stacking(
    parts: np.ndarray, labels: np.ndarray, folds: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return coefficients, intercepts, and the log-odds out of fold, shape (N, C).

    A temperature fitted on the same images as the coefficients would undo the regularisation.
    """
    features, classes = _features(parts), parts.shape[2]
    outside = np.empty((len(STRENGTHS), len(labels), classes))
    for fold in np.unique(folds):
        learn, measure = folds != fold, folds == fold
        for row, strength in enumerate(STRENGTHS):
            coefficients, intercepts = _regression(
                features[learn], labels[learn], classes, strength
            )
            outside[row, measure] = features[measure] @ coefficients.T + intercepts
    losses = [_log_loss(_softmax(log_odds), labels) for log_odds in outside]
    best = int(np.argmin(losses))
    return *_regression(features, labels, classes, STRENGTHS[best]), outside[best]


def _regression(
    features: np.ndarray, labels: np.ndarray, classes: int, strength: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return coefficients (C, F) and intercepts (C,) of the multinomial logistic regression."""
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    seen = np.unique(labels)
    coefficients = np.zeros((classes, features.shape[1]))
    intercepts = np.full(classes, UNSEEN)
    intercepts[seen] = 0
    if len(seen) > 1:
        model = LogisticRegression(C=strength, solver="newton-cholesky", tol=1e-7, max_iter=100)
        # Small matrices: on busy cores BLAS's threads wait for each other far longer than they
        # compute, and their number would affect the last bits.
        with threadpool_limits(1):
            model.fit(features, labels)
        # For two classes scikit-learn only has the log-odds of the second.
        halves = np.array([[-0.5], [0.5]]) if len(seen) == 2 else np.eye(len(seen))
        coefficients[seen] = halves @ model.coef_
        intercepts[seen] = halves @ model.intercept_
    return coefficients, intercepts
