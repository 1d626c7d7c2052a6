"""RAF-DB, in its authors' form and as folders of codes.

Its list `list_patition_label.txt` has a line `train_00001.jpg 5` for each picture of
`aligned/train_00001_aligned.jpg` or `original/train_00001.jpg`; public copies have folders 1 to 7
of the aligned pictures. Codes: Li et al. 2017, Reliable Crowdsourcing and Deep Locality-Preserving
Learning for Expression Recognition in the Wild, CVPR; http://www.whdld.cn/RAF-DB.
"""

import re

from mien.sources.files import Files, SourceFile
from mien.sources.items import Entry, Reading

NAME = "RAF-DB"
CODES = {"1": "surprise", "2": "fear", "3": "disgust", "4": "happy", "5": "sad", "6": "angry"}
CODES |= {"7": "neutral"}
LIST = "list_patition_label.txt"
PICTURE = re.compile(r"(train|test)_\d+(_aligned)?\.\w+", re.I)


def recognises(files: Files) -> bool:
    """Tell whether there is its list, or folders 1 to 7 of pictures with its names."""
    return bool(files.named(LIST)) or bool(_in_folders(files))


def read(files: Files) -> Reading:
    """Return its pictures, the aligned ones where there are both."""
    reading = Reading()
    pictures = [file for file in files.pictures if PICTURE.fullmatch(file.name)]
    lists = files.named(LIST)
    labels = _listed(lists[0]) if lists else {}
    aligned = {_stem(file) for file in pictures if "_aligned" in file.name.lower()}
    for file in pictures:
        code = labels.get(_stem(file)) if lists else file.folders[-1]
        reading.taken.append(file.path)
        if code not in CODES:
            reading.left_out["pictures without a label in RAF-DB's list"].append(file.path)
        elif _stem(file) in aligned and "_aligned" not in file.name.lower():
            reading.left_out["pictures of which there is an aligned copy"].append(file.path)
        else:
            split = file.name.split("_")[0].lower()
            entry = Entry(file.path, CODES[code], split, file.read, "RAF-DB")
            reading.entries.append(entry)
    tables = files.named("train_labels.csv", "test_labels.csv")
    reading.taken += [file.path for file in (*lists, *tables)]
    if tables:
        names = [file.path for file in tables]
        reading.left_out["tables that say what the folders say"] += names
    return reading


def _in_folders(files: Files) -> list[SourceFile]:
    return [
        file
        for file in files.pictures
        if file.folders and file.folders[-1] in CODES and PICTURE.fullmatch(file.name)
    ]


def _stem(file: SourceFile) -> str:
    return re.sub("_aligned$", "", file.stem.lower())


def _listed(file: SourceFile) -> dict[str, str]:
    with file.open() as stream:
        lines = stream.read().decode("utf-8", "replace").splitlines()
    pairs = (line.split() for line in lines)
    return {pair[0].rpartition(".")[0].lower(): pair[1] for pair in pairs if len(pair) == 2}
