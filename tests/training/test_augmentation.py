"""Each operation alone does what it says; together they are fast, seeded and never leak."""

import numpy as np
import pytest
from conftest import drawn_images, made_faces
from scipy.stats import norm

from mien import params
from mien.faces import Faces
from mien.params import Augment
from mien.training.augmentation import training_set, vary

OFF = {
    "copies": 0,
    "balance": "none",
    "each_epoch": True,
    "strength": 1,
    "flip": {"probability": 0},
    **{
        name: {"probability": 0, "range": [0, 0]}
        for name in ("brightness", "rotation", "shear", "shift", "zoom", "erase", "blur", "noise")
    },
}
PARAMS = params.load().augment


def only(**changes) -> Augment:
    """Return an Augment that applies just the named operations, always, in the given range."""
    operations = {
        name: {"probability": 1, "range": value} if isinstance(value, list) else value
        for name, value in changes.items()
    }
    return Augment.model_validate(OFF | operations)


def once(images: np.ndarray, seed: int = 0, **changes) -> np.ndarray:
    return vary(images, np.random.default_rng(seed), only(**changes))


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return drawn_images(200)[0]


def test_nothing_changes_when_no_operation_is_drawn(images):
    assert np.array_equal(once(images), images)


def test_flip_mirrors_left_and_right(images):
    assert np.array_equal(once(images, flip={"probability": 1}), np.flip(images, axis=2))


def test_shift_moves_right_and_down_by_the_fraction_of_the_side(images):
    moved = once(images, shift=[0.125, 0.125])
    assert np.array_equal(moved[:, 6:, 6:], images[:, :-6, :-6])


@pytest.mark.parametrize(
    ("operation", "full", "half"),
    [
        ("blur", 0.04, 0.02),
        ("brightness", 1.6, 1.3),
        ("erase", 0.4, 0.2),
        ("noise", 30, 15),
        ("rotation", 20, 10),
        ("shear", 0.4, 0.2),
        ("shift", 0.25, 0.125),
        ("zoom", 1.5, 1.25),
    ],
)
def test_half_the_strength_goes_half_as_far(images, operation, full, half):
    weak = once(images, strength=0.5, **{operation: [full, full]})
    assert np.array_equal(weak, once(images, **{operation: [half, half]}))
    assert np.array_equal(once(images, strength=0, **{operation: [full, full]}), images)


def test_shift_reflects_the_border(images):
    moved = once(images, shift=[0.125, 0.125])
    assert np.array_equal(moved[:, :6, 6:], moved[:, 12:6:-1, 6:])


def test_rotation_by_ninety_degrees_is_anticlockwise(images):
    assert np.array_equal(once(images, rotation=[90, 90]), np.rot90(images, axes=(1, 2)))


def test_zoom_by_two_doubles_the_centre():
    image = np.zeros((1, 48, 48), np.uint8)
    image[0, 20:28, 20:28] = 200
    assert (once(image, zoom=[2, 2]) > 100).sum() == pytest.approx(16 * 16, abs=8)


def test_shear_moves_rows_sideways_by_their_height():
    image = np.zeros((1, 49, 49), np.uint8)
    image[0, :, 24] = 255
    columns = once(image, shear=[0.25, 0.25])[0].argmax(axis=1)
    expected = 24 + 0.25 * (np.arange(49) - 24)
    assert np.abs(columns - expected).max() <= 1


def test_brightness_multiplies_and_stops_at_white(images):
    brighter = once(images, brightness=[1.5, 1.5]).astype(int)
    assert np.abs(brighter - np.minimum(images * 1.5, 255)).max() <= 0.5


def test_brightness_stays_within_its_range():
    grey = np.full((500, 8, 8), 100, np.uint8)
    factors = once(grey, brightness=[0.2, 2.0])[:, 0, 0] / 100
    assert 0.19 <= factors.min() < 0.3
    assert 1.9 < factors.max() <= 2.0


def test_shift_draws_x_and_y_apart_within_its_range():
    image = np.zeros((500, 49, 49), np.uint8)
    image[:, 24, 24] = 255
    flat = once(image, shift=[-0.2, 0.2]).reshape(500, -1).argmax(axis=1)
    rows, columns = np.divmod(flat, 49)
    for moved in (rows - 24, columns - 24):
        assert np.abs(moved).max() in (9, 10)
    assert abs(np.corrcoef(rows, columns)[0, 1]) < 0.2


def test_erase_fills_one_rectangle_of_the_drawn_area_with_noise():
    black = np.zeros((300, 48, 48), np.uint8)
    erased = once(black, erase=[0.1, 0.3])
    for image in erased:
        rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
        area = (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
        assert 0.09 < area / 48**2 < 0.32
        assert np.count_nonzero(image) > 0.9 * area
    assert abs(erased[erased > 0].mean() - 128) < 2


def test_erase_of_the_whole_area_covers_every_pixel():
    black = np.zeros((5, 48, 48), np.uint8)
    assert np.count_nonzero(once(black, erase=[1, 1])) > 0.98 * black.size


def test_blur_turns_an_edge_into_the_integral_of_a_gaussian():
    edge = np.zeros((1, 50, 50), np.uint8)
    edge[:, :, 25:] = 255
    blurred = once(edge, blur=[0.04, 0.04])[0].astype(float)
    expected = 255 * norm.cdf(np.arange(50) - 24.5, scale=0.04 * 50)
    assert np.abs(blurred - expected).max() < 3


def test_noise_has_the_drawn_deviation_and_no_trend():
    grey = np.full((50, 48, 48), 128, np.uint8)
    noise = once(grey, noise=[20, 20]).astype(float) - 128
    assert noise.std() == pytest.approx(20, rel=0.01)
    assert noise.mean() == pytest.approx(0, abs=0.2)


class Counted(np.random.Generator):
    """Counts how often numbers between 0 and 1 are drawn."""

    drawn = 0

    def random(self, *how, **more):
        self.drawn += 1
        return super().random(*how, **more)


@pytest.mark.parametrize("operation", ["brightness", "rotation", "shear", "zoom", "blur", "noise"])
def test_an_operation_that_is_off_draws_nothing(images, operation):
    """So that one operation more changes no older experiment."""
    off, on = (Counted(np.random.PCG64(0)) for _ in range(2))
    vary(images, off, only())
    vary(images, on, only(**{operation: [1, 1]}))
    assert on.drawn == off.drawn + 1


def test_probability_is_the_share_of_varied_images():
    images = drawn_images(2000, size=16)[0]
    augment = only(brightness={"probability": 0.3, "range": [1.2, 1.3]})
    varied = vary(images, np.random.default_rng(0), augment)
    assert (varied != images).any(axis=(1, 2)).mean() == pytest.approx(0.3, abs=0.04)


def test_operations_compose_into_one_resampling(images):
    """A turn and the turn back, drawn together as rotation and flip, lose no pixel."""
    both = once(images, flip={"probability": 1}, rotation=[180, 180])
    assert np.array_equal(both, images[:, ::-1])


def test_equal_seeds_vary_alike_and_others_differ(images):
    first, again, other = (vary(images, np.random.default_rng(s), PARAMS) for s in (1, 1, 2))
    assert np.array_equal(first, again)
    assert (first != other).any(axis=(1, 2)).mean() > 0.8


def test_the_given_images_are_not_written_to(images):
    before = images.copy()
    images.flags.writeable = False
    once(
        images, brightness=[2, 2], erase=[0.2, 0.3], rotation=[5, 5], blur=[0.1, 0.1], noise=[9, 9]
    )
    images.flags.writeable = True
    assert np.array_equal(images, before)


def uneven(counts: tuple[int, ...]) -> Faces:
    """Return faces with so many images of each class."""
    faces = made_faces(4 * max(counts))
    ranks = faces.index.groupby("label", observed=True).cumcount().to_numpy()
    return faces.take(ranks < np.array(counts)[faces.labels])


def test_copies_follow_the_originals_and_keep_their_name_and_group(faces):
    training = training_set(faces, only(copies=2, rotation=[-9, 9]), seed=0)
    assert len(training) == 3 * len(faces)
    assert np.array_equal(training.images[: len(faces)], faces.images)
    assert training.index["copy"].value_counts().to_dict() == {0: 64, 1: 64, 2: 64}
    for _, group in training.index.groupby("name"):
        assert group["copy"].tolist() == [0, 1, 2]
        assert group[["label", "group"]].drop_duplicates().shape[0] == 1
    assert training.classes == faces.classes
    assert (training.images[64:128] != training.images[128:]).any()


@pytest.mark.parametrize(
    ("balance", "copies", "expected"),
    [
        ("none", 0, [10, 7, 4, 10]),
        ("mirror", 0, [10, 10, 8, 10]),
        ("mirror", 1, [20, 20, 16, 20]),
    ],
)
def test_balance_fills_the_smaller_classes(balance, copies, expected):
    augment = only(copies=copies, balance=balance, shear=[-0.2, 0.2])
    training = training_set(uneven((10, 7, 4, 10)), augment, seed=0)
    assert np.bincount(training.labels).tolist() == expected
    assert not training.index.duplicated(["name", "copy"]).any()


def test_mirror_adds_each_mirrored_image_once():
    faces = uneven((10, 7, 4, 10))
    training = training_set(faces, only(balance="mirror"), seed=0)
    added = training.take(training.index["copy"].to_numpy() > 0)
    originals = dict(zip(faces.index["name"], faces.images, strict=True))
    assert added.index["name"].is_unique
    for name, image in zip(added.index["name"], added.images, strict=True):
        assert np.array_equal(image, originals[name][:, ::-1])


def test_training_set_is_seeded(faces):
    first, again, other = (training_set(faces, PARAMS, seed) for seed in (1, 1, 2))
    assert np.array_equal(first.images, again.images)
    assert first.index.equals(again.index)
    assert not np.array_equal(first.images, other.images)
