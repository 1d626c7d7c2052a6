"""augment: the train split, varied copies, mirrored images for the smaller classes, a preview."""

from pathlib import Path

from entry import run
from mien import faces, figures
from mien.params import Params
from mien.training.augmentation import VARIATIONS, preview, training_set


def main(params: Params) -> None:
    """Write the training set and a sheet of variations."""
    train = faces.load(Path("data/faces/train"))
    faces.save(training_set(train, params.augment, params.seed), Path("data/training"))
    title = "An original in each row, then variations as training draws them"
    sheet = figures.contact_sheet(
        *preview(train, params.augment, params.seed), VARIATIONS + 1, title
    )
    figures.save(sheet, Path("data/pictures/augment/variations.png"))


if __name__ == "__main__":
    run(main)
