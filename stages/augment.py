"""augment: the train split with augmented copies, optional class balancing, and a preview."""

from pathlib import Path

from entry import run
from mien import faces, figures
from mien.params import Params
from mien.training.augmentation import VARIATIONS, preview, training_set


def main(params: Params) -> None:
    """Write the training set and a contact sheet of augmented images."""
    train = faces.load(Path("data/faces/train"))
    faces.save(training_set(train, params.augment, params.seed), Path("data/training"))
    title = "Each row: an original, then variations as in training"
    sheet = figures.contact_sheet(
        *preview(train, params.augment, params.seed), VARIATIONS + 1, title
    )
    figures.save(sheet, Path("data/pictures/augment/variations.png"))


if __name__ == "__main__":
    run(main)
