"""Learning curves."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

LOSSES = {"loss": "training", "val_loss": "validation"}
SCORES = {
    "accuracy": "training accuracy",
    "val_accuracy": "validation accuracy",
    "val_macro_f1": "validation macro F1",
}


def learning_curves(history: pd.DataFrame, model: str) -> Figure:
    """Return a chart of losses and scores over the epochs.

    Args:
        history: one row per epoch; see `mien.training.fitting.Trained`.
        model: name for the title.
    """
    figure = Figure(figsize=(10, 4), layout="constrained")
    figure.suptitle(f"Learning curves, {model}")
    losses, scores = figure.subplots(1, 2)
    for panel, curves in ((losses, LOSSES), (scores, SCORES)):
        for column, label in curves.items():
            panel.plot(history["epoch"], history[column], marker=".", label=label)
        panel.set_xlabel("epoch")
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
        panel.grid(alpha=0.3)
        panel.legend()
    losses.set_ylabel("cross-entropy (nats)\nlabels smoothed alike")
    # Training scores are on augmented, harder images, so they can be below validation.
    scores.set_ylabel("score (0 to 1)\ntraining: on augmented images")
    return figure
