"""Contact sheets of faces, each with its path under data/pictures, which is not in Git."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mien import figures
from mien.evaluation import attention, model_charts, robustness
from mien.evaluation.evaluate import Evaluation
from mien.faces import Faces

# The sheet of suspects: maximum number of faces, and faces per row.
SUSPECTS, COLUMNS = 60, 10


def test_sheets(evaluation: Evaluation, test: Faces) -> Iterator[tuple[str, Figure]]:
    """Yield the sheets of test faces: mistakes, pairs, attention, corruptions."""
    for name, predicted in evaluation.probabilities.items():
        title = evaluation.labels[name]
        yield f"evaluate/{name}/mistakes", model_charts.mistakes_sheet(test, predicted, title)
        yield f"evaluate/{name}/pairs", model_charts.pairs_sheet(test, predicted, title)
    shown = evaluation.shown
    for name, maps in evaluation.attention.items():
        # Squeeze-and-excitation weights channels, (N, C), not positions.
        placed = {stage: weights for stage, weights in maps.items() if weights.ndim == 3}
        if placed:
            probabilities = evaluation.probabilities[name][shown]
            title = evaluation.labels[name]
            sheet = attention.attention_sheet(test.take(shown), probabilities, placed, title)
            yield f"evaluate/{name}/attention", sheet
    label = evaluation.labels[evaluation.champion]
    yield "evaluate/corruptions", robustness.sheet(evaluation.robustness, label)


def suspect_sheet(suspects: pd.DataFrame, train: Faces) -> Iterator[tuple[str, Figure]]:
    """Yield a sheet of the faces whose label is most probably wrong, if there are any.

    Args:
        suspects: reports/suspects/suspects.csv.
        train: the train split.
    """
    first = suspects.head(SUSPECTS)
    if not len(first):
        return
    captions = [f"{one.label}\n{one.suggested}?" for one in first.itertuples()]
    images = [np.asarray(train.images[row]) for row in first["row"]]
    title = "Doubtful labels: the label, and the prediction of networks not trained on the image"
    yield "evaluate/suspects", figures.contact_sheet(images, captions, COLUMNS, title)
