"""Archives and folders made to do harm: one line, and nothing beyond the archive is touched."""

import gzip
import io
import lzma
import os
import random
import stat
import struct
import tarfile
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from conftest import drawn_images, encoded, is_one_line, told_by_child
from hypothesis import given, settings
from hypothesis import strategies as st

from mien import sources
from mien.errors import SourceError
from mien.sources import archive

pytestmark = pytest.mark.usefixtures("walled")

FACE = encoded(drawn_images(1)[0][0])
OTHER = ("sad/0.png", FACE)
GIGABYTE = 2**30


def read(path: str | Path) -> dict[str, tuple[str, bytes]]:
    """Return the label and the bytes of each picture by its name."""
    with sources.opened(Path(path)) as source:
        return {item.name: (item.label, item.data) for item in source}


def refused(path: str | Path) -> str:
    with pytest.raises(SourceError) as caught:
        read(path)
    return is_one_line(caught.value)


def zipped(*members: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile("a.zip", "w", zipfile.ZIP_DEFLATED) as target:
        for name, data in members:
            target.writestr(name, data)
    return Path("a.zip")


def header(name: str = "happy/2.png", size: int = 0, kind: bytes = tarfile.REGTYPE) -> bytes:
    """Return a tar header with any size, below zero, too."""
    info = tarfile.TarInfo(name)
    info.type = kind
    made = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    made[124:136] = tarfile.itn(size, 12, tarfile.GNU_FORMAT)
    return summed(made)


def summed(made: bytearray) -> bytes:
    made[148:156] = b" " * 8
    made[148:156] = b"%06o\0 " % sum(made)
    return bytes(made)


def member(name: str, data: bytes, kind: bytes = tarfile.REGTYPE) -> bytes:
    return header(name, len(data), kind) + data + bytes(-len(data) % 512)


def pax(key: str, value: str) -> bytes:
    """Return an extended header that sets `key` of the next member."""
    body = f" {key}={value}\n".encode()
    length = len(body) + len(str(len(body) + len(str(len(body)))))
    return member("pax", f"{length}".encode() + body, tarfile.XHDTYPE)


def tar(*parts: bytes) -> Path:
    path = Path("a.tar")
    path.write_bytes(b"".join(parts) + bytes(1024))
    return path


GOOD = member("happy/1.png", FACE)
LONG, LONGLINK, SPARSE = tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.GNUTYPE_SPARSE


def sparse(size: int) -> bytes:
    """Return a member of 512 bytes that says it unfolds to `size`."""
    made = bytearray(header("happy/2.png", 512, SPARSE))
    made[386:410] = tarfile.itn(0, 12, 0) + tarfile.itn(512, 12, 0)
    made[483:495] = tarfile.itn(size, 12, tarfile.GNU_FORMAT)
    return summed(made) + bytes(512)


TARS = {
    **{f"a size of {size}": GOOD + header(size=size) for size in (-1, -512, -1024, -(10**9))},
    **{f"a size of {size}": GOOD + header(size=size) for size in (10 * GIGABYTE, 2**62)},
    **{
        f"a {what} of {size} bytes": header("x", size, kind) + GOOD
        for what, kind in {
            "long name": LONG,
            "long link": LONGLINK,
            "header": tarfile.XHDTYPE,
            "header for all": tarfile.XGLTYPE,
        }.items()
        for size in (-512, 10 * GIGABYTE)
    },
    "a sparse member of 10 GB": GOOD + sparse(10 * GIGABYTE),
    "a sparse member that goes back": GOOD + header(size=-512, kind=SPARSE) + bytes(512),
    "a header that sets a size below 0": pax("size", "-512") + GOOD,
    "a header that sets a size of 10 GB": pax("size", str(10 * GIGABYTE)) + GOOD,
    "a header that sets a sparse size below 0": pax("GNU.sparse.size", "-5") + GOOD,
    "a header that sets a real size below 0": pax("GNU.sparse.realsize", "-512") + GOOD,
    "a header that sets a name outside": pax("path", "../../happy/1.png") + GOOD,
    "a header that sets an absolute name": pax("path", "/happy/1.png") + GOOD,
    "a header of no length": member("p", b"0 path=x\n", tarfile.XHDTYPE) + GOOD,
    "a header longer than itself": member("p", b"9" * 30 + b" path=x\n", tarfile.XHDTYPE) + GOOD,
    "a long name that leads outside": member("x", b"../" * 50 + b"a.png\0", LONG) + GOOD,
    "a long name of 5,000 characters": member("x", b"happy/" + b"a" * 5000, LONG) + GOOD,
    "a link to outside and a file through it": header("happy", kind=tarfile.SYMTYPE) + GOOD,
    "a hard link to itself": GOOD + header("happy/1.png", kind=tarfile.LNKTYPE),
    "an unknown kind": header("happy/2.png", kind=b"Z") + GOOD,
    "a member of a multi-volume set": header("happy/2.png", kind=b"M") + GOOD,
    "a wrong sum": bytes([GOOD[0] ^ 1]) + GOOD[1:] + GOOD,
}


@pytest.mark.parametrize("kind", TARS)
def test_a_hostile_tar_is_one_line(kind):
    line = refused(tar(TARS[kind]))
    assert line.startswith("a.tar is ")


NAMES = {
    "another script": "喜び/happy/画像.png",
    "right to left": "سعيد/happy/صورة.png",
    "accents in two parts": "cafe\u0301/happy/1.png",
    "an emoji": "😀/happy/😀.png",
    "a line break in the file's name": "happy/a\nb.png",
    "an escape in the file's name": "happy/\x1b[2J.png",
    "a bell in the file's name": "happy/\a.png",
    "a turn in the file's name": "happy/\u202egnp.exe.png",
    "a name of 1,000 characters": f"happy/{'a' * 1000}.png",
    "quotes and commas": "happy/a\",b'.png",
    "a formula": "happy/=1+1.png",
    "an option": "-rf/happy/--help.png",
    "HTML": "happy/<script>alert(1)<_script>.png",
    "a device of Windows": "con/happy/nul.png",
    "spaces around": "happy/ 1 .png",
    "a class with a turn": "\u202ehappy/1.png",
    "a class with a hidden space": "\u200bhappy/1.png",
    "a pattern": "happy/*[a].png",
}


@pytest.mark.parametrize("kind", NAMES)
def test_strange_names_are_names(kind):
    found = read(zipped((NAMES[kind], FACE), OTHER))
    assert [data for _, data in found.values()] == [FACE, FACE]
    # In a line for people it is written out, whatever it holds.
    assert "\n" not in sources.examples(list(found))
    assert "\x1b" not in sources.examples(list(found))


REFUSED_NAMES = {
    "a class with a line break": ("ha\nppy/1.png", "is no known one"),
    "a class with a return": ("ha\rppy/1.png", "is no known one"),
    "a class with an escape": ("\x1b[31mhappy/1.png", "is no known one"),
    "a class of spaces": ("   /1.png", "is no known one"),
    "a class of 101 characters": (f"{'a' * 101}/1.png", "is no known one"),
    "a class of 4,000 characters": (f"{'a' * 4000}/1.png", "is no known one"),
    "a name of 60,000 characters": (f"happy/{'a' * 60_000}.png", "60,010 characters"),
    "a path of 20,000 folders": ("d/" * 20_000 + "1.png", "40,005 characters"),
    "a path outside of 60,000 characters": ("../" * 20_000 + "1.png", "60,005 characters"),
    "dots around": ("./../happy/1.png", "leads outside"),
    "a server's path": ("//server/share/happy/1.png", "leads outside"),
    "a path of Windows": ("\\\\server\\happy\\1.png", "leads outside"),
    "a drive's path": ("c:happy/1.png", "no portable path"),
}


@pytest.mark.parametrize("kind", REFUSED_NAMES)
def test_names_that_could_harm_are_one_line(kind):
    name, reason = REFUSED_NAMES[kind]
    assert reason in refused(zipped((name, FACE), OTHER))


def nested(depth: int) -> bytes:
    """Return a zip in so many zips; the innermost would write beyond its folder."""
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr("../../../escaped.png", bytes(10**7))
    for _ in range(depth):
        outer = io.BytesIO()
        with zipfile.ZipFile(outer, "w", zipfile.ZIP_DEFLATED) as target:
            target.writestr("happy/more.zip", inner.getvalue())
        inner = outer
    return inner.getvalue()


def packed(kind: str, inner: bytes) -> Path:
    members = (("happy/1.png", FACE), OTHER, ("happy/more.zip", inner))
    if kind == "zip":
        return zipped(*members)
    path = Path(f"a.{kind}")
    with tarfile.open(path, "w:gz" if kind == "tar.gz" else "w") as target:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            target.addfile(info, io.BytesIO(data))
    return path


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_archives_in_archives_are_looked_into_once(kind):
    with sources.opened(packed(kind, nested(5))) as source:
        assert [item.data for item in source] == [FACE, FACE]
        assert source.left_out == {"files of other kinds": ["happy/more.zip/happy/more.zip"]}
    assert "'../../../escaped.png' leads outside" in refused(packed(kind, nested(0)))


def changed(path: Path, magic: bytes, offset: int, layout: str, value: int) -> Path:
    data = bytearray(path.read_bytes())
    at = data.index(magic)
    while at >= 0:
        struct.pack_into(layout, data, at + offset, value)
        at = data.find(magic, at + 4)
    path.write_bytes(data)
    return path


LOCAL, CENTRAL, END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
ZIPS = {
    "a member of 4 GB by its header": (CENTRAL, 24, "<I", 2**32 - 2),
    "a member that begins after the end": (CENTRAL, 42, "<I", 2**31),
    "a list that begins after the end": (END, 16, "<I", 2**31),
    "a list longer than the file": (END, 12, "<I", 2**31),
    "more members than are there": (END, 8, "<H", 60_000),
    "another method": (CENTRAL, 10, "<H", 12),
    "a method that does not exist": (CENTRAL, 10, "<H", 77),
    "encryption": (CENTRAL, 8, "<H", 1),
    "patched data": (CENTRAL, 8, "<H", 0x20),
    "a device": (CENTRAL, 38, "<I", (stat.S_IFBLK | 0o666) << 16),
    "a link": (CENTRAL, 38, "<I", (stat.S_IFLNK | 0o777) << 16),
    "a pipe": (CENTRAL, 38, "<I", (stat.S_IFIFO | 0o666) << 16),
    "a wrong sum": (CENTRAL, 16, "<I", 12345),
    "a version to come": (CENTRAL, 6, "<H", 999),
    "a comment that is not there": (END, 20, "<H", 60_000),
}


@pytest.mark.parametrize("kind", ZIPS)
def test_a_hostile_zip_is_one_line(kind):
    path = changed(zipped(("happy/1.png", FACE), ("sad/2.png", FACE)), *ZIPS[kind])
    if kind in ("more members than are there", "a comment that is not there"):
        # The list itself counts: what it holds is read.
        assert len(read(path)) == 2
    else:
        assert refused(path).startswith("a.zip is ")


def test_members_that_share_their_bytes_count_each(monkeypatch):
    """The bomb of Fifield 2019: thousands of entries in the list, one body."""
    monkeypatch.setattr(archive, "FREE", 100_000)
    path = zipped(("happy/1.png", bytes(50_000)))
    data = path.read_bytes()
    start = data.index(CENTRAL)
    end = data.index(END)
    entry = data[start:end]
    entries = b"".join(entry.replace(b"happy/1.png", b"happy/%d.png" % row) for row in range(10))
    tail = bytearray(data[end:])
    struct.pack_into("<HHI", tail, 8, 10, 10, len(entries))
    path.write_bytes(data[:start] + entries + tail)
    assert "unpacks to" in refused(path)


FOLDERS = {
    "a file of 10 GB": lambda path: os.truncate(put(path), 10 * GIGABYTE),
    "a folder named as a picture": lambda path: path.mkdir(),
    "a pipe": os.mkfifo,
    "a link to a device": lambda path: path.symlink_to("/dev/zero"),
    "a link to nothing": lambda path: path.symlink_to("nowhere"),
    "a link to itself": lambda path: path.symlink_to(path.name),
}


def put(path: Path) -> Path:
    path.write_bytes(b"")
    return path


@pytest.mark.parametrize("kind", FOLDERS)
def test_what_is_no_file_of_a_bearable_size_is_left_alone_or_one_line(kind):
    Path("set/happy").mkdir(parents=True)
    Path("set/happy/1.png").write_bytes(FACE)
    Path("set/sad").mkdir()
    Path("set/sad/0.png").write_bytes(FACE)
    FOLDERS[kind](Path("set/happy/2.png"))
    if kind == "a file of 10 GB":
        assert "set/happy/2.png has more than 67,108,864 bytes" in refused("set")
    elif kind == "a link to itself":
        assert "2.png cannot be read: Too many levels of symbolic links" in refused("set")
    else:
        assert list(read("set")) == ["happy/1.png", "sad/0.png"]


@pytest.mark.parametrize("name", ["a\nb", "\x1b[31m", "喜び " * 20])
def test_a_source_with_a_strange_name_is_named_in_one_line(name):
    is_one_line_of = refused(name)
    assert "does not exist" in is_one_line_of


def make(kind: str) -> bytes:
    if kind == "zip":
        return zipped(*((f"happy/{row}.png", FACE[row:]) for row in range(4))).read_bytes()
    plain = b"".join(member(f"happy/{row}.png", FACE[row:]) for row in range(4)) + bytes(1024)
    if kind == "tar":
        return plain
    stream = io.BytesIO()
    with archive.COMPRESSIONS[kind.encode("latin-1")](stream, "w") as packed:
        packed.write(plain)
    return stream.getvalue()


@pytest.mark.parametrize("kind", ["zip", "tar", "\x1f\x8b", "BZh", "\xfd7zXZ\0"])
def test_a_changed_archive_is_read_or_refused(kind):
    """Bytes are changed, taken out or put in anywhere."""
    whole = make(kind)
    place = st.integers(0, len(whole)) | st.integers(0, 200) | st.integers(-300, -1)
    change = st.tuples(place, st.binary(max_size=6), st.integers(0, 12))

    @settings(max_examples=60, deadline=None, derandomize=True, database=None)
    @given(st.lists(change, min_size=1, max_size=4))
    def check(changes):
        data = bytearray(whole)
        for at, new, gone in changes:
            data[at : at + gone if at >= 0 else len(data) + at + gone] = new
        Path("a").write_bytes(data)
        try:
            read("a")
        except SourceError as error:
            is_one_line(error)

    check()


CHILD = """
import json, resource, sys
from pathlib import Path
from mien import sources
from mien.errors import SourceError

used = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
resource.setrlimit(resource.RLIMIT_AS, (2 * 2**30, 2 * 2**30))
told = {}
for path in sorted(Path("bombs").iterdir()):
    before = used()
    try:
        with sources.opened(path) as source:
            line = f"read {sum(len(item.data) for item in source):,}"
    except SourceError as error:
        line = str(error)
    told[path.name] = line, used() - before
print(json.dumps(told))
"""


def test_bombs_are_refused_in_little_memory():
    Path("bombs").mkdir()
    zeros = bytes(2**20)
    with zipfile.ZipFile("bombs/flat.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as target:
        for row in range(5):
            with target.open(f"happy/{row}.png", "w") as file:
                for _ in range(60):
                    file.write(zeros)
    for name, module in (("a.tar.gz", gzip), ("a.tar.xz", lzma)):
        # Parts packed apart may follow each other, in both forms.
        Path("bombs", name).write_bytes(
            module.compress(header("happy/1.png", 300 * 2**20)) + 300 * module.compress(zeros)
        )
    # A name of 250 MB, within what the archive may unpack to.
    Path("bombs/name.tar.gz").write_bytes(
        gzip.compress(header("x", 250 * 2**20, LONG)) + 250 * gzip.compress(zeros)
    )
    with Path("bombs/endless.csv").open("wb") as file:
        file.write(b"emotion,pixels\n3,1")
        file.truncate(10 * GIGABYTE)
    with Path("bombs/holes.zip").open("wb") as file:
        file.write(zipped(("happy/1.png", FACE)).read_bytes())
        file.truncate(10 * GIGABYTE)
    with Path("bombs/holes.tar").open("wb") as file:
        file.write(header("x", 9 * GIGABYTE, LONG))
        file.truncate(10 * GIGABYTE)
    with Path("bombs/holes.png").open("wb") as file:
        file.truncate(10 * GIGABYTE)
    told, _ = told_by_child(CHILD, Path.cwd())
    assert len(told) == len(list(Path("bombs").iterdir()))
    for name, (line, mebibytes) in told.items():
        assert line.startswith((f"bombs/{name}", name)), line
        assert "\n" not in line
        # The longest line of a table takes a few copies of 16 MiB.
        assert mebibytes < 150, (name, mebibytes)


def test_random_bytes_under_any_ending_are_one_line():
    rng = random.Random(5)
    for ending in (*archive.SUFFIXES, ".csv", ".png", ""):
        Path(f"a{ending}").write_bytes(rng.randbytes(3000))
        with suppress(SourceError):
            pytest.fail(f"{ending} was read: {list(read(f'a{ending}'))}")
        refused(f"a{ending}")
