"""Augment: the train split without suspects, varied copies, what balances it, and a preview."""

from pathlib import Path

import numpy as np

from entry import run
from mien import faces, suspects
from mien.augment import training_set, vary
from mien.params import Augment, Params
from mien.plots import contact_sheet, save

SUSPECTS = Path("data/suspects")
TRAINING = Path("data/training")
PICTURES = Path("data/pictures/augment")
EXAMPLES, VARIATIONS = 10, 9


def main(params: Params) -> None:
    """Write the training set and a sheet of variations."""
    train = faces.load(Path("data/faces/train"))
    rows = np.load(SUSPECTS / "rows.npy")
    if params.audit.labels.action == "drop":
        train = suspects.drop(train, rows)
    elif params.audit.labels.action == "soften":
        train = suspects.soften(train, rows, np.load(SUSPECTS / "probabilities.npy"))
    training = training_set(train, params.augment, params.seed)
    faces.save(training, TRAINING)
    preview(train, params.augment, params.seed)


def preview(train: faces.Faces, augment: Augment, seed: int) -> None:
    """Write rows of a face and its variations, the classes in turn."""
    turn = train.index.groupby("label", observed=True).cumcount().to_numpy()
    rows = np.lexsort((train.labels, turn))[:EXAMPLES]
    rng = np.random.default_rng((seed, 1))
    pictures, captions = [], []
    for row in rows:
        image = np.asarray(train.images[row])
        varied = vary(np.repeat(image[None], VARIATIONS, axis=0), rng, augment)
        pictures += [image, *varied]
        captions += [train.index["label"].iloc[row], *[""] * VARIATIONS]
    title = "An original in each row, then variations as training draws them"
    save(contact_sheet(pictures, captions, VARIATIONS + 1, title), PICTURES / "variations.png")


if __name__ == "__main__":
    run(main)
