"""The audit's sheets show the right faces under the right captions."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from mien.preparation.sheets import CAPTION, COLUMNS, MEMBERS, ROWS, sheets
from preparation.made_tables import CLASSES, findings, table


def images_of(count: int) -> np.ndarray:
    """Return images whose grey level is their row."""
    return np.full((count, 8, 8), 1, np.uint8) * np.arange(count, dtype=np.uint8)[:, None, None]


def drawn(images: pd.DataFrame, reason: list[str] | None = None) -> dict[str, Figure]:
    reasons = pd.Series(reason or [""] * len(images))
    squares = images_of(len(images))
    return dict(sheets(images, squares, findings(images), reasons, CLASSES))


def shown(figure: Figure) -> list[tuple[int, str]]:
    """Return the grey level, so the row, and the caption of each picture."""
    (axes,) = figure.axes
    captions = [text.get_text() for text in axes.texts[1:]]
    levels = [int(np.asarray(image.get_array()).max()) for image in axes.images]
    return [one for one in zip(levels, captions, strict=True) if one[1]]


def test_samples_are_spread_evenly_over_what_is_kept_of_each_class():
    count = 2 * COLUMNS + 10
    label = ["happy"] * (2 * COLUMNS) + ["sad"] * 10
    found = shown(drawn(table(count, label=label))["samples"])
    assert [caption for _, caption in found] == ["happy"] * COLUMNS + ["sad"] * 10
    rows = [row for row, _ in found]
    assert rows[0] == 0
    assert rows[COLUMNS - 1] == 2 * COLUMNS - 1
    assert set(np.diff(rows[:COLUMNS])) <= {2, 3}
    assert rows[COLUMNS:] == list(range(2 * COLUMNS, count))


def test_what_is_dropped_is_no_sample():
    found = shown(drawn(table(6), ["", "blank", "", "dark", "", ""])["samples"])
    assert [row for row, _ in found] == [0, 2, 4, 5]


def test_the_mean_of_each_class_and_split_is_told_with_its_count():
    images = table(5, label=["happy", "sad", "happy", "sad", "sad"], split=["train"] * 4 + ["test"])
    captions = [caption for _, caption in shown(drawn(images)["mean_faces"])]
    assert captions == ["happy\ntrain: 2", "sad\ntrain: 2", "sad\ntest: 1"]


def test_a_mean_goes_from_black_to_white():
    # Two images whose halves are 10 and 20, 30 and 60: their means 20 and 40.
    squares = np.repeat(np.array([[10, 20], [30, 60]], np.uint8), 4, axis=1)[:, None, :]
    squares = np.repeat(squares, 8, axis=1)
    images = table(2)
    sheet = dict(sheets(images, squares, findings(images), pd.Series([""] * 2), CLASSES))
    mean = np.asarray(sheet["mean_faces"].axes[0].images[0].get_array())
    assert mean[:, :4].max() == 0
    assert mean[:, 4:].min() == 255


def test_the_worst_of_a_finding_come_first_and_are_bounded():
    count = COLUMNS * ROWS
    mean = np.linspace(29, 1, count)
    found = shown(drawn(table(count, mean=mean))["dark"])
    assert [row for row, _ in found] == list(range(count - 1, count // 2 - 1, -1))
    assert found[0][1] == f"happy 1\n{count - 1}.png"


def test_a_blank_image_does_not_hide_the_dark_ones():
    images = table(3, mean=[5.0, 10.0, 20.0], std=[0.0, 50.0, 50.0])
    figures = drawn(images)
    assert [row for row, _ in shown(figures["dark"])] == [1, 2]
    assert [row for row, _ in shown(figures["blank"])] == [0]


def test_of_duplicates_the_groups_across_splits_are_shown_if_there_are_any():
    images = table(
        7,
        content=["a", "a", "b", "b", "c", "d", "d"],
        group=[0, 0, 1, 1, 2, 3, 3],
        split=["train", "train", "train", "test", "train", "validation", "train"],
    )
    found = shown(drawn(images)["exact_duplicates"])
    # In a group by split, then by name.
    assert [row for row, _ in found] == [3, 2, 6, 5]
    assert found[0][1] == "happy, test\n3.png"
    alone = table(3, content=["a", "a", "b"], group=[0, 0, 1])
    assert [row for row, _ in shown(drawn(alone)["exact_duplicates"])] == [0, 1]


def test_large_groups_are_cut_and_many_groups_sampled():
    groups, each = ROWS + 5, MEMBERS + 3
    content = np.repeat([chr(97 + number) for number in range(groups)], each)
    images = table(groups * each, content=content, group=np.repeat(np.arange(groups), each))
    found = shown(drawn(images)["exact_duplicates"])
    shown_groups = [row // each for row, _ in found]
    assert len(found) == ROWS * MEMBERS
    assert len(set(shown_groups)) == ROWS
    assert (min(shown_groups), max(shown_groups)) == (0, groups - 1)


@pytest.mark.parametrize("name", ["short.png", "a/very/long/way/to/the/picture.png"])
def test_a_long_name_keeps_its_end(name):
    caption = shown(drawn(table(1, name=[name], mean=[5.0]))["dark"])[0][1].splitlines()[1]
    assert len(caption) <= CAPTION
    assert name.endswith(caption.removeprefix("…"))


def test_a_finding_without_images_has_no_sheet():
    assert set(drawn(table(3))) == {"samples", "mean_faces"}
