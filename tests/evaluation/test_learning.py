"""Learning curves show what the history says."""

import pandas as pd

from mien.evaluation.learning import learning_curves

HISTORY = pd.DataFrame(
    {
        "epoch": [1, 2, 3],
        "loss": [1.4, 1.1, 0.9],
        "val_loss": [1.3, 1.2, 1.25],
        "accuracy": [0.3, 0.4, 0.5],
        "val_accuracy": [0.35, 0.45, 0.44],
        "val_macro_f1": [0.2, 0.3, 0.29],
        "learning_rate": [0.001, 0.002, 0.001],
    }
)


def test_losses_and_scores_are_drawn_over_the_epochs_side_by_side():
    figure = learning_curves(HISTORY, "train (compact)")
    drawn = {
        line.get_label(): (line.get_xdata().tolist(), line.get_ydata().tolist(), place)
        for place, panel in enumerate(figure.axes)
        for line in panel.lines
    }
    epochs = [1, 2, 3]
    assert drawn == {
        "training": (epochs, HISTORY["loss"].tolist(), 0),
        "validation": (epochs, HISTORY["val_loss"].tolist(), 0),
        "training accuracy": (epochs, HISTORY["accuracy"].tolist(), 1),
        "validation accuracy": (epochs, HISTORY["val_accuracy"].tolist(), 1),
        "validation macro F1": (epochs, HISTORY["val_macro_f1"].tolist(), 1),
    }
    assert "train (compact)" in figure.get_suptitle()
