"""Heat maps: what they say, where they lie on the face, how their files are called."""

import json
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from conftest import CLASSES, drawn_images
from drawn_photos import SIZE, model, photo, write
from onnx import numpy_helper
from PIL import Image

from mien import cli
from mien.crops import detection
from mien.errors import MienError
from mien.inference import explain
from mien.inference.classify import Classifier
from mien.inference.reader import Reader

HALF = SIZE // 2
SCALE = 0.05  # of drawn_photos.model, from grey levels to log odds


def quarter(code: int) -> tuple[slice, slice]:
    """Return the part of a face that is bright in the class `code` of `drawn_images`."""
    row, column = divmod(code, 2)
    return np.s_[row * HALF : (row + 1) * HALF, column * HALF : (column + 1) * HALF]


def model_with_maps() -> bytes:
    """Return a net that says what `drawn_photos.model` says, by class activation maps."""
    made = onnx.parser.parse_model(f"""
        <ir_version: 8, opset_import: ["" : 17]>
        mien (uint8[N, {SIZE}, {SIZE}] image) => (float[N, 4] probabilities, float[N, 4, 2, 2] maps)
        <int64[1] one = {{1}}>
        {{
            real = Cast <to = 1> (image)
            planes = Unsqueeze (real, one)
            quarters = AveragePool <kernel_shape = [{HALF}, {HALF}], strides = [{HALF}, {HALF}]>
                (planes)
            maps = Mul (quarters, weights)
            means = GlobalAveragePool (maps)
            flat = Flatten (means)
            probabilities = Softmax (flat)
        }}""")
    # The mean over four places, three of them empty, is to be the class's log odds.
    weights = 4 * SCALE * np.eye(4, dtype=np.float32).reshape(1, 4, 2, 2)
    made.graph.initializer.append(numpy_helper.from_array(weights, "weights"))
    onnx.helper.set_model_props(made, {"classes": json.dumps(CLASSES), "image_size": str(SIZE)})
    return made.SerializeToString()


@pytest.fixture(scope="module", params=["maps", "occlusion"])
def net(request):
    return Classifier(model_with_maps() if request.param == "maps" else model(), request.param)


def test_the_hottest_quarter_is_the_one_that_the_class_is_read_from(net):
    images, codes = drawn_images(70)  # more than a batch
    heat = net.explain(images, codes)
    assert (heat.dtype, heat.shape) == (np.float32, images.shape)
    sums = np.array([[one[quarter(code)].sum() for code in range(4)] for one in heat])
    assert np.array_equal(sums.argmax(axis=1), codes)


def test_another_class_has_another_map(net):
    image = drawn_images(4)[0][2]
    two, one = net.explain(np.stack([image, image]), [2, 1])
    assert two[quarter(2)].mean() > 2 * one[quarter(2)].mean()


def test_no_faces_give_no_maps(net):
    assert net.explain(np.empty((0, SIZE, SIZE), np.uint8), []).shape == (0, SIZE, SIZE)


def test_maps_of_the_graph_have_the_log_odds_as_their_means():
    net = Classifier(model_with_maps(), "maps")
    images, _ = drawn_images(8)
    one, other = net.explain(images, [0] * 8), net.explain(images, [3] * 8)
    probabilities = net(images)
    expected = np.log(probabilities[:, 0] / probabilities[:, 3])
    assert (one - other).mean((1, 2)) == pytest.approx(expected, abs=1e-3)


def test_occlusion_is_what_covering_the_place_costs():
    net = Classifier(model(), "tiny")
    image, code = np.full((SIZE, SIZE), 100, np.uint8), 3
    image[32:40, 28:36] = 250
    covered = image.copy()
    covered[32:40, 28:36] = round(image.mean())

    def log_odds(face):
        logits = SCALE * np.array([face[quarter(place)].mean() for place in range(4)])
        return logits[code] - np.log(np.exp(np.delete(logits, code)).sum())

    (heat,) = net.explain(image[None], [code])
    # The middle of the square lies between four pixels.
    cost = log_odds(image) - log_odds(covered)
    assert heat[35:37, 31:33].mean() == pytest.approx(cost, rel=0.3)
    hot = np.argwhere(heat > cost / 2)
    assert hot.mean(axis=0) == pytest.approx((35.5, 31.5), abs=0.1)


def test_the_overlay_shows_face_and_heat_where_they_are():
    face, heat = np.full((SIZE, SIZE), 100, np.uint8), np.zeros((SIZE, SIZE), np.float32)
    face[:HALF], heat[:, HALF:] = 200, 1
    picture = explain.overlay(face, heat, 96).astype(int)
    assert picture.shape == (96, 96, 3)
    redness = picture[..., 0] - picture[..., 2]
    assert redness[:, :44].max() < 0 < redness[:, 52:].min()
    assert (picture[:44].mean((1, 2)) - picture[52:].mean((1, 2))).min() == pytest.approx(50, abs=2)


def test_an_even_map_has_no_red_and_no_blue():
    even = np.full((SIZE, SIZE), 3, np.float32)
    picture = explain.overlay(np.zeros((SIZE, SIZE), np.uint8), even, 96).astype(int)
    assert np.ptp(picture) == 0


@pytest.fixture
def room(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("tiny.onnx").write_bytes(model_with_maps())
    return tmp_path


def predict(*arguments: str) -> None:
    cli.main(["predict", "--model", "tiny.onnx", *arguments])


def names(folder: str) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in Path(folder).rglob("*.png"))


def halves(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the face, grey, and its overlay, RGB, that a written heat map shows."""
    picture = np.asarray(Image.open(path))[explain.LINE :].astype(int)
    return picture[:, : explain.SIDE, 0], picture[:, explain.SIDE :]


def test_each_face_of_a_photo_lies_upright_beside_its_heat(room, capsys):
    scene = photo(400, 640, (40, 30, 160, 0), (330, 120, 240, 0))
    # As a camera held on its side writes it.
    exif = Image.Exif()
    exif[0x0112] = 6  # Orientation: to be turned clockwise by a quarter.
    Image.fromarray(np.rot90(scene)).save("two.jpg", exif=exif, quality=95)
    predict("two.jpg", "--explain", "heat")
    assert names("heat") == ["two.jpg-face1.png", "two.jpg-face2.png"]
    upright = Reader(Classifier(model(), "tiny"), detection.YuNet()).read(scene)
    for number, face in enumerate(upright, 1):
        shown, _ = halves(Path(f"heat/two.jpg-face{number}.png"))
        small = cv2.resize(shown.astype(np.uint8), (SIZE, SIZE), interpolation=cv2.INTER_AREA)
        assert np.abs(small.astype(int) - face.crop).mean() < 6


def test_the_heat_of_a_crop_is_that_of_its_answer(room, capsys):
    for number, image in enumerate(drawn_images(4)[0]):
        write(Path(f"crops/{number}.png"), image)
    predict("crops", "--no-detect", "--explain", "heat", "--abstain", "1")
    assert names("heat") == [f"{code}.png-face1.png" for code in range(4)]
    for code in range(4):
        _, heat = halves(Path(f"heat/{code}.png-face1.png"))
        redness = cv2.resize((heat[..., 0] - heat[..., 2]).astype(np.float32), (2, 2)).ravel()
        assert redness.argmax() == code


def test_of_a_video_each_face_of_each_frame_is_named_by_time_and_track(room, capsys):
    writer = cv2.VideoWriter("clip.mp4", cv2.VideoWriter.fourcc(*"mp4v"), 10, (640, 400))
    for _ in range(15):
        writer.write(photo(400, 640, (330, 120, 240, 0)))
    writer.release()
    predict("clip.mp4", "--every", "1", "--explain", "heat")
    assert names("heat") == ["clip.mp4-00000.000-face1.png", "clip.mp4-00001.000-face1.png"]


def test_files_of_one_name_in_one_or_several_folders_keep_their_own_maps(room, capsys):
    image = drawn_images(1)[0][0]
    for name in ("set/a/1.png", "set/a/1.jpg", "set/a/1.jpeg", "set/b/1.png"):
        write(Path(name), image)
    Path("set/b/2.png").write_bytes(b"<html>")
    with pytest.raises(SystemExit):
        predict("set", "set/a/../b/1.png", "--no-detect", "--explain", "out/heat")
    assert names("out") == [
        f"heat/{name}-face1.png" for name in ("a/1.jpeg", "a/1.jpg", "a/1.png", "b/1.png")
    ]


@pytest.mark.parametrize("old", ["1.png-face1.png", "clip.mp4-00001.500-face12.png"])
def test_a_heat_map_never_takes_the_place_of_a_photo(tmp_path, old):
    paths = [tmp_path / "1.png", tmp_path / "clip.mp4", tmp_path / old]
    with pytest.raises(MienError, match=rf"--explain .* would replace .*/{old}; choose another"):
        explain.targets(paths, tmp_path)
    assert explain.targets(paths, tmp_path / "heat")[paths[0]] == tmp_path / "heat/1.png"
