"""Archives: what could harm is refused in one line, what is sound is read in place."""

import gzip
import io
import random
import stat
import struct
import tarfile
import zipfile
from contextlib import ExitStack, suppress

import pytest

from mien.errors import SourceError
from mien.sources import archive


def listed(file):
    """Return the bytes of each file in the archive by its name."""
    with ExitStack() as stack:
        return {one.path: one.read() for one in archive.files(file, "", stack)}


def zipped(file, members, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(file, "w", method) as target:
        for name, data in members:
            target.writestr(name, data)
    return file


def tarred(file, members, mode="w"):
    with tarfile.open(file, mode) as target:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            target.addfile(info, io.BytesIO(data))
    return file


PACKERS = [
    ("a.zip", zipped),
    ("a.tar", tarred),
    ("a.tar.gz", lambda file, members: tarred(file, members, "w:gz")),
    ("a.tar.bz2", lambda file, members: tarred(file, members, "w:bz2")),
    ("a.tar.xz", lambda file, members: tarred(file, members, "w:xz")),
]
packed = pytest.mark.parametrize(("name", "pack"), PACKERS)
MEMBERS = [(f"happy/{row}.jpg", bytes([row]) * 2000) for row in range(5)]


@packed
def test_members_come_back_untouched_and_are_known_by_content(tmp_path, name, pack):
    file = pack(tmp_path / name, MEMBERS).rename(tmp_path / "nameless")
    assert archive.is_archive(file)
    assert listed(file) == dict(MEMBERS)


@packed
def test_a_stream_of_a_member_has_its_bytes_and_can_be_wound_back(tmp_path, name, pack):
    file = pack(tmp_path / name, [("labels.csv", b"path,label\n" * 1000)])
    with ExitStack() as stack:
        (found,) = archive.files(file, "", stack)
        with found.open() as stream:
            assert stream.read(4) == b"path"
            stream.seek(0)
            assert stream.read() == b"path,label\n" * 1000


@pytest.mark.parametrize(("inner", "pack_inner"), PACKERS)
@packed
def test_an_archive_in_an_archive_is_read_one_level_deep(tmp_path, name, pack, inner, pack_inner):
    deeper = zipped(tmp_path / "deeper.zip", [("sad/1.jpg", b"x")]).read_bytes()
    content = pack_inner(tmp_path / f"x{inner}", [*MEMBERS, ("deeper.zip", deeper)]).read_bytes()
    file = pack(tmp_path / name, [(f"more/{inner}", content), ("notes.txt", b"y")])
    expected = {f"more/{inner}/{path}": data for path, data in MEMBERS}
    expected |= {f"more/{inner}/deeper.zip": deeper, "notes.txt": b"y"}
    assert listed(file) == expected


def test_what_is_wrong_with_an_inner_archive_names_it_and_no_temporary_file(tmp_path):
    inner = zipped(tmp_path / "inner.zip", [("../happy/1.jpg", b"x")]).read_bytes()
    file = zipped(tmp_path / "a.zip", [("sets/inner.zip", inner)])
    with pytest.raises(SourceError, match=r"^sets/inner.zip is refused: member '../happy/1.jpg'"):
        listed(file)


@pytest.mark.parametrize("name", ["a.npz", "a.xlsx", "a.keras"])
def test_a_zip_of_another_kind_to_people_is_no_archive(tmp_path, name):
    assert not archive.is_archive(zipped(tmp_path / name, MEMBERS))


@packed
@pytest.mark.parametrize(
    ("member", "reason"),
    [
        ("../happy/1.jpg", "leads outside the archive"),
        ("happy/../../1.jpg", "leads outside the archive"),
        ("/happy/1.jpg", "leads outside the archive"),
        ("C:/happy/1.jpg", "is no portable path"),
        ("..\\1.jpg", "leads outside the archive"),
        ("happy\\..\\..\\1.jpg", "leads outside the archive"),
    ],
)
def test_a_name_that_leads_elsewhere_is_refused(tmp_path, name, pack, member, reason):
    file = pack(tmp_path / name, [*MEMBERS, (member, b"x")])
    with pytest.raises(SourceError, match=f"is refused: member .* {reason}") as caught:
        listed(file)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE]
)
def test_links_and_devices_in_a_tar_are_refused(tmp_path, kind):
    file = tmp_path / "a.tar"
    with tarfile.open(file, "w") as target:
        info = tarfile.TarInfo("happy/1.jpg")
        info.type, info.linkname = kind, "/etc/hostname"
        target.addfile(info)
    with pytest.raises(SourceError, match=r"'happy/1.jpg' is a link or a device"):
        listed(file)


def test_a_link_in_a_zip_is_refused(tmp_path):
    info = zipfile.ZipInfo("happy/1.jpg")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    file = zipped(tmp_path / "a.zip", [(info, "/etc/hostname")])
    with pytest.raises(SourceError, match=r"'happy/1.jpg' is a link or a device"):
        listed(file)


def test_an_encrypted_member_is_refused(tmp_path):
    file = zipped(tmp_path / "a.zip", MEMBERS[:1])
    data = bytearray(file.read_bytes())
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(magic) + offset] |= 1
    file.write_bytes(data)
    with pytest.raises(SourceError, match=r"'happy/0.jpg' is encrypted"):
        listed(file)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_every_method_of_a_zip_is_read(tmp_path, method):
    assert listed(zipped(tmp_path / "a.zip", MEMBERS, method)) == dict(MEMBERS)


def test_an_unknown_method_is_refused(tmp_path):
    file = zipped(tmp_path / "a.zip", MEMBERS[:1])
    data = bytearray(file.read_bytes())
    for magic, offset in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        data[data.index(magic) + offset] = 93  # Zstandard
    file.write_bytes(data)
    with pytest.raises(SourceError, match="packed by a method that is not read"):
        listed(file)


def test_lzma_may_not_ask_for_gigabytes_of_memory(tmp_path):
    file = zipped(tmp_path / "a.zip", MEMBERS[:1], zipfile.ZIP_LZMA)
    data = bytearray(file.read_bytes())
    # After the header of 30 bytes and the name: version, length of the properties, a byte, size.
    place = 30 + len(MEMBERS[0][0]) + 5
    data[place : place + 4] = struct.pack("<I", 2**32 - 1)
    file.write_bytes(data)
    with pytest.raises(SourceError, match="needs more than 67,108,864 bytes to be unpacked"):
        listed(file)


@packed
def test_a_huge_member_is_refused(tmp_path, monkeypatch, name, pack):
    monkeypatch.setattr(archive, "MEMBER", 1999)
    with pytest.raises(SourceError, match=r"has 2,000 bytes, more than the 1,999 allowed"):
        listed(pack(tmp_path / name, MEMBERS))


@packed
def test_more_bytes_than_allowed_in_all_are_refused(tmp_path, monkeypatch, name, pack):
    monkeypatch.setattr(archive, "TOTAL", 9_999)
    with pytest.raises(SourceError, match=r"is refused: it unpacks to .* 9,999 are allowed"):
        listed(pack(tmp_path / name, MEMBERS))


@pytest.mark.parametrize(("name", "pack"), [PACKERS[0], *PACKERS[2:]])
def test_a_bomb_is_refused_by_its_ratio(tmp_path, monkeypatch, name, pack):
    monkeypatch.setattr(archive, "FREE", 0)
    file = pack(tmp_path / name, [("happy/1.jpg", bytes(4_000_000))])
    with pytest.raises(SourceError, match=r"is refused: it unpacks to .* allowed for its size"):
        listed(file)


def test_a_member_that_holds_more_than_it_declares_is_refused(tmp_path):
    file = zipped(tmp_path / "a.zip", [("happy/1.jpg", b"x" * 5000)])
    data = bytearray(file.read_bytes())
    for magic, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<I", data, data.index(magic) + offset, 10)
    file.write_bytes(data)
    with pytest.raises(SourceError, match="is broken, cut short or no zip or tar"):
        listed(file)


@packed
@pytest.mark.parametrize("part", [0.3, 0.6, 0.95])
def test_an_archive_cut_short_is_refused(tmp_path, name, pack, part):
    rng = random.Random(0)
    file = pack(tmp_path / name, [(f"happy/{i}.jpg", rng.randbytes(9000)) for i in range(20)])
    data = file.read_bytes()
    file.write_bytes(data[: int(part * len(data))])
    with pytest.raises(SourceError, match="is broken, cut short or no zip or tar"):
        listed(file)


def test_a_damaged_header_in_a_tar_is_not_taken_for_its_end(tmp_path):
    file = tarred(tmp_path / "a.tar", MEMBERS)
    data = bytearray(file.read_bytes())
    data[data.index(b"happy/3.jpg")] ^= 1
    file.write_bytes(data)
    with pytest.raises(SourceError, match="the end of the archive is missing"):
        listed(file)


def test_a_compressed_file_that_is_no_tar_is_refused(tmp_path):
    file = tmp_path / "a.tar.gz"
    file.write_bytes(gzip.compress(b"no tar" * 200))
    with pytest.raises(SourceError, match="is broken, cut short or no zip or tar"):
        listed(file)


@packed
def test_damage_anywhere_ends_in_one_line_at_worst(tmp_path, name, pack):
    file = pack(tmp_path / name, MEMBERS)
    whole = file.read_bytes()
    rng = random.Random(1)
    for _ in range(60):
        data = bytearray(whole)
        for _ in range(3):
            data[rng.randrange(len(data))] = rng.randrange(256)
        file.write_bytes(data)
        # Any other exception fails the test.
        with suppress(SourceError):
            listed(file)
