"""The command `mien predict`."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from mien.errors import MienError

# Slow imports are inside functions, so that `mien --help` answers at once.
if TYPE_CHECKING:
    from mien.inference.output import Record
    from mien.inference.reader import Reader, Reading

FORMATS = ("table", "json", "csv", "parquet")
EPILOG = """\
examples:
  mien predict photo.jpg
  mien predict holiday/ 'more/**/*.png' --output faces.csv
  mien predict crops/ --no-detect --model models/export
  mien predict clip.mp4 --every 0.25 --annotate drawn/ --chart clip.png
  mien predict --camera 0 --every 1

What is read is the expression that people would name, not what a person feels.
Exit code 2: done, but some files could not be read; 1: a mistake in the
command; 130: Ctrl-C."""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `predict` to the commands of `mien`."""
    parser = commands.add_parser(
        "predict",
        help="classify the expressions in photos or a video",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Find the faces in photos or a video and classify their expressions.",
        epilog=EPILOG,
    )
    take = parser.add_argument
    take("photos", nargs="*", metavar="PHOTO",
         help="photo, video, folder, pattern in quotes, or - for standard input")  # fmt: skip
    take("--camera", metavar="N|URL",
         help="instead read a camera, 0 the first one, or a stream, until Ctrl-C")  # fmt: skip
    take("--model", default="fer7", help="fer7, fer7-small, fer4, fer4-small, an .onnx file or the "
         "folder of model.onnx, or models:/NAME@ALIAS of MLflow (default: fer7)")  # fmt: skip
    finding = parser.add_mutually_exclusive_group()
    finding.add_argument("--no-detect", action="store_true", help="each photo is one cropped face")
    finding.add_argument("--detector", type=Path, metavar="FILE",
                         help="another .onnx file of YuNet than the package has")  # fmt: skip
    take("--abstain", type=float, default=0, metavar="P",
         help="answer `unsure` below this probability, 0 to 1")  # fmt: skip
    take("--format", choices=FORMATS, help="default: from the name of --output, else table")
    take("--output", type=Path, metavar="FILE", help="write to FILE instead of the terminal")
    take(
        "--annotate",
        type=Path,
        metavar="DIR",
        help="draw boxes and bars on copies in DIR, of a video as MP4",
    )
    take("--explain", type=Path, metavar="DIR",
         help="draw each face next to its heat map, in DIR")  # fmt: skip
    take("--every", type=float, default=0.5, metavar="SECONDS",
         help="time between the frames of a video or camera (default: 0.5)")  # fmt: skip
    take("--chart", type=Path, metavar="FILE", help="draw a video's expressions over time, PNG")
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> None:
    """Classify the photos and write the requested output.

    Raises:
        MienError: an option, the model, the detector or the names of the photos are wrong.
        SystemExit: with code 2, if a file could not be read.
    """
    form = _checked(given)
    if given.camera:
        _watch(given, form)
        return
    from mien.inference import annotate, explain, output, photos, video

    paths = photos.files(given.photos)
    videos = [path for path in paths if photos.is_video(path)]
    if given.chart and len(videos) != 1:
        raise MienError(f"--chart draws one video, got {len(videos)}; name one")
    copies = annotate.targets(paths, given.annotate) if given.annotate else {}
    heats = explain.targets(paths, given.explain) if given.explain else {}
    for path in filter(None, (given.output, given.chart)):
        # Checked now, not after hours of work.
        with output.writing(path):
            path.open("ab").close()
    reader = _reader(given)
    length = len(paths) - len(videos) + sum(video.count(path, given.every) for path in videos)
    records = []
    with annotate.Copies(copies, reader.classes, given.every) as drawn:
        for reading in _progress(_readings(reader, paths, given.every), length):
            if copies and reading.error is None:
                drawn.add(reading)
            if heats:
                explain.save(reading, reader, heats[reading.path])
            records.append(_noted(reading))
    data = output.rendered(records, reader.classes, form)
    if given.output:
        with output.writing(given.output):
            given.output.write_bytes(data)
    else:
        # As bytes, to write UTF-8 whatever the terminal's encoding.
        sys.stdout.buffer.write(data)
    if given.chart and (frames := [one for one in records if "time" in one]):
        from mien import figures
        from mien.inference import chart

        with output.writing(given.chart):
            figures.save(chart.timeline(frames, reader.classes, given.every), given.chart)
    if any("error" in one for one in records):
        sys.exit(2)


def _watch(given: argparse.Namespace, form: str) -> None:
    """Write what a camera shows, row by row, until it ends or is interrupted."""
    from mien.inference import output, video

    reader = _reader(given)
    with ExitStack() as stack:
        file: BinaryIO = sys.stdout.buffer
        if given.output:
            stack.enter_context(output.writing(given.output))
            file = stack.enter_context(given.output.open("wb"))
        stream = None
        for reading in video.watch(reader, given.camera, given.every):
            # Not before the first frame: a camera that is not there leaves no heading.
            stream = stream or output.Stream(file, reader.classes, form)
            stream.add(output.record(reading))


def _checked(given: argparse.Namespace) -> str:
    """Return the output format, after checking the options."""
    if bool(given.camera) == bool(given.photos):
        raise MienError(
            "expected PHOTO, a file or folder to read, or --camera, and not both; "
            "see `mien predict --help`"
        )
    if given.camera and (given.annotate or given.explain or given.chart):
        raise MienError("--annotate, --explain and --chart are for files, not for --camera")
    if not 0 <= given.abstain <= 1:
        raise MienError(f"--abstain: expected a probability from 0 to 1, got {given.abstain:g}")
    if not 0 < given.every < float("inf"):
        raise MienError(f"--every: expected seconds above 0, got {given.every:g}")
    ending = given.output.suffix[1:].lower() if given.output else ""
    form = given.format or (ending if ending in FORMATS else "table")
    if form == "parquet" and given.camera:
        raise MienError("--format parquet has no rows before the end; take csv for --camera")
    if form == "parquet" and not given.output:
        raise MienError("--format parquet is not for the terminal; name a file with --output")
    for needed, asked in (("pyarrow", form == "parquet"), ("matplotlib", given.chart)):
        if asked and importlib.util.find_spec(needed) is None:
            raise MienError(f"{needed} is not installed; run `pip install {needed}`")
    return form


def _reader(given: argparse.Namespace) -> Reader:
    from mien.crops import detection
    from mien.inference import models
    from mien.inference.models import DRAWN
    from mien.inference.reader import Reader

    model = models.load(given.model)
    if model.drawn:
        print(f"mien: {given.model}: {DRAWN}", file=sys.stderr)
    detector = None if given.no_detect else detection.YuNet(given.detector or detection.FILE)
    return Reader(model, detector, given.abstain)


def _readings(reader: Reader, paths: Sequence[Path], every: float) -> Iterator[Reading]:
    """Yield the readings of the files, in order."""
    from mien.inference import photos, video

    for moving, group in groupby(paths, photos.is_video):
        if moving:
            for path in group:
                yield from video.read(reader, path, every)
        else:
            yield from reader.read_files(list(group))


def _noted(reading: Reading) -> Record:
    """Return the reading as a record; print a failure at once."""
    from tqdm import tqdm

    from mien.inference.output import record

    told = record(reading)
    if reading.error is not None:
        # Not print, which would break the progress bar.
        tqdm.write(f"mien: {told['image']}: {reading.error}", sys.stderr)
    return told


def _progress(readings: Iterator[Reading], length: int) -> Iterator[Reading]:
    """Yield the readings, with a progress bar in a terminal."""
    from tqdm import tqdm

    yield from tqdm(readings, total=length, unit="photo", delay=1, disable=None, leave=False)
