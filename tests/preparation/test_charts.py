"""The audit's charts show the numbers that pandas counts."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.container import BarContainer
from matplotlib.figure import Figure

from mien.figures import colours
from mien.params import Policy
from mien.preparation import audit
from mien.preparation.charts import charts
from mien.preparation.splits import SPLITS
from preparation.made_tables import CLASSES, findings, mixed

DROP = Policy(**dict.fromkeys(Policy.model_fields, "drop"))


@pytest.fixture(scope="module")
def audited() -> tuple[pd.DataFrame, pd.DataFrame, pd.Series]:
    images = mixed()
    found = findings(images)
    return images, found, audit.reasons(images, found, DROP)


@pytest.fixture(scope="module")
def drawn(audited) -> dict[str, Figure]:
    return dict(charts(*audited, CLASSES))


def bars(figure: Figure) -> list[BarContainer]:
    (axes,) = figure.axes
    return [each for each in axes.containers if isinstance(each, BarContainer)]


def test_each_bar_is_the_number_of_kept_images_of_a_class_in_a_split(audited, drawn):
    images, _, reason = audited
    kept = images[reason == ""]
    for split, of in zip(SPLITS, bars(drawn["classes"]), strict=True):
        counts = kept.loc[kept["split"] == split, "label"].value_counts()
        assert [bar.get_height() for bar in of] == [counts.get(name, 0) for name in CLASSES]
    assert drawn["classes"].axes[0].get_title() == f"{len(kept)} images kept"


def test_the_bars_of_a_finding_are_stacked_by_split_and_end_at_its_total(audited, drawn):
    images, found, _ = audited
    ends = np.zeros(found.shape[1])
    for split, of in zip(SPLITS, bars(drawn["findings"]), strict=True):
        assert [bar.get_x() for bar in of] == ends.tolist()
        assert [bar.get_width() for bar in of] == found[images["split"] == split].sum().tolist()
        ends += [bar.get_width() for bar in of]
    totals = [text.get_text() for text in drawn["findings"].axes[0].texts]
    assert totals == [f" {count}" for count in found.sum()]


@pytest.mark.parametrize("measure", ["mean", "std", "sharpness"])
def test_a_measure_is_shown_for_each_class(drawn, measure):
    (axes,) = drawn[measure].axes
    assert [label.get_text() for label in axes.get_yticklabels()] == CLASSES
    assert (axes.get_xscale() == "log") == (measure == "sharpness")
    # Where all images of a class have the same value, there is no area.
    areas = [to_hex(each.get_facecolor()[0]).upper() for each in axes.collections]
    assert areas
    assert {*areas} <= {*colours(CLASSES).values()}


def test_blank_images_have_no_place_on_the_logarithmic_scale(audited):
    images, found, reason = audited
    images = images.assign(sharpness=np.where(np.arange(len(images)) % 2, 0.0, 500.0))
    (axes,) = dict(charts(images, found, reason, CLASSES))["sharpness"].axes
    assert axes.get_xlim()[0] > 10
