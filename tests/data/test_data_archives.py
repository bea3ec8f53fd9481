"""Archives as people and strangers have them: names, kinds, damage and bombs."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import pickle
import resource
import stat
import struct
import subprocess
import sys
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fewstep.data.images import pictures
from fewstep.data.images.decode import Reading


def png(shade: int) -> bytes:
    file = io.BytesIO()
    Image.new("L", (6, 6), shade).save(file, "PNG")
    return file.getvalue()


def load(root: Path, **limits) -> dict[str, list[int]]:
    """The shades of the images by class, as they are after everything."""
    found = pictures.find_classes(root)
    pixels, *_ = pictures.load("archive", found, 6, 1, "nearest", Reading(**limits))
    shades = iter(pixels[:, 0, 0, 0].tolist())
    return {name: [next(shades) for _ in files] for name, files in found.items()}


def info(name: str, **fields) -> zipfile.ZipInfo:
    """A member's header; a name in bytes is written as it is, without the flag of UTF-8."""
    made = zipfile.ZipInfo("x")
    made.filename = name
    for field, value in fields.items():
        setattr(made, field, value)
    return made


class Legacy(zipfile.ZipInfo):
    """A name in an encoding that the zip does not tell."""

    def __init__(self, name: bytes) -> None:
        super().__init__("x")
        self.raw, self.filename = name, name.decode("cp437")

    def _encodeFilenameFlags(self):
        return self.raw, self.flag_bits & ~0x800


def zipped(path: Path, members: list[tuple[str | bytes | zipfile.ZipInfo, bytes]]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            made = Legacy(name) if isinstance(name, bytes) else name
            archive.writestr(made if isinstance(made, zipfile.ZipInfo) else info(made), data)
    return path


def unicode_path(raw: bytes, name: str, of: bytes | None = None) -> zipfile.ZipInfo:
    """A name in an encoding not told, and again in UTF-8 in a field that goes with a name `of`."""
    made = Legacy(raw)
    body = struct.pack("<BL", 1, zlib.crc32(raw if of is None else of)) + name.encode()
    made.extra = struct.pack("<HH", 0x7075, len(body)) + body
    return made


LINK = (stat.S_IFLNK | 0o777) << 16
ONE, TWO = png(10), png(20)
TWO_CLASSES = {"cat": [10], "dog": [20]}
NAMES = {
    "plain": (["cat/1.png", "dog/2.png"], TWO_CLASSES),
    "backslashes": (["cat\\1.png", "dog\\2.png"], TWO_CLASSES),
    "backslashes below a top": (["top\\cat\\1.png", "top\\dog\\2.png"], TWO_CLASSES),
    "both slashes": (["top/cat\\1.png", "top/dog\\2.png"], TWO_CLASSES),
    "absolute": (["/home/me/cat/1.png", "/home/me/dog/2.png"], TWO_CLASSES),
    "drive": (["C:\\data\\cat\\1.png", "C:\\data\\dog\\2.png"], TWO_CLASSES),
    "drive and slashes": (["c:/cat/1.png", "c:/dog/2.png"], TWO_CLASSES),
    "network drive": (["\\\\nas\\cat\\1.png", "\\\\nas\\dog\\2.png"], TWO_CLASSES),
    "from one folder up": (["../cat/1.png", "../dog/2.png"], TWO_CLASSES),
    "dot": (["./cat/1.png", "./dog/2.png"], TWO_CLASSES),
    "dots inside": (["cat/./1.png", "cat/../dog//2.png"], TWO_CLASSES),
    "several tops": (["a/b/c/cat/1.png", "a/b/c/dog/2.png"], TWO_CLASSES),
    "colon": (["red: dark/1.png", "red: light/2.png"], {"red: dark": [10], "red: light": [20]}),
    "capitals": (["CAT/1.PNG", "cat/2.PNG"], {"CAT": [10], "cat": [20]}),
    "trailing space": (["cat /1.png", "cat/2.png"], {"cat ": [10], "cat": [20]}),
    "NUL": (["cat/1.png\0.exe", "dog/2.png"], TWO_CLASSES),
    "long": ([f"cat/{'x' * 9000}.png", "dog/2.png"], TWO_CLASSES),
    "accents in two ways": (["caf\u00e9/1.png", "cafe\u0301/2.png"], {"caf\u00e9": [20, 10]}),
    "UTF-8 unsaid": (["кот/1.png".encode(), "ёж/2.png".encode()], {"ёж": [20], "кот": [10]}),
    "cp437": (["caf\u00e9/1.png".encode("cp437"), b"dog/2.png"], {"caf\u00e9": [10], "dog": [20]}),
    "cp866": (
        ["кот/1.png".encode("cp866"), "пёс/2.png".encode("cp866")],
        {"пёс".encode("cp866").decode("cp437"): [20], "кот".encode("cp866").decode("cp437"): [10]},
    ),
    "cp866 and backslashes": (
        ["Собака\\1.png".encode("cp866"), b"dog\\2.png"],
        {"dog": [20], "Собака".encode("cp866").decode("cp437"): [10]},
    ),
    "Shift-JIS with a backslash in a letter": (
        ["表/1.png".encode("cp932"), "猫/表.png".encode("cp932")],
        {"ò_": [10], "猫".encode("cp932").decode("cp437"): [20]},
    ),
    "the name again in UTF-8": (
        [unicode_path("кот/1.png".encode("cp866"), "кот/1.png"), "dog/2.png"],
        {"dog": [20], "кот": [10]},
    ),
    "the name of another again": (
        [unicode_path(b"caf\x82/1.png", "evil/1.png", of=b"other"), b"dog/2.png"],
        {"caf\u00e9": [10], "dog": [20]},
    ),
}


@pytest.mark.parametrize(("names", "expected"), NAMES.values(), ids=NAMES)
def test_names_of_members(names, expected, tmp_path):
    members = list(zip(names, [ONE, TWO], strict=True))
    assert load(zipped(tmp_path / "a.zip", members)) == expected


EXTRAS = {
    "the same name twice: the last": (["cat/1.png"], png(99), {"cat": [99], "dog": [20]}),
    "the same file by another slash": (["cat\\1.png"], png(99), {"cat": [99], "dog": [20]}),
    "outside": (["../evil/1.png", "/abs/1.png", "C:\\x\\1.png", "cat/../../1.png"], ONE, {}),
    "litter": (["__MACOSX/cat/._1.png", "cat/Thumbs.db", "@eaDir/1.png/x.jpg"], b"?", {}),
    "folders": (["bird/", "fish\\", info("moth", external_attr=0x10)], b"", {}),
    "nothing": (["", "/", ".", "./", "//"], b"", {}),
    "links": ([info("cat/3.png", external_attr=LINK)], b"../../etc/passwd", {}),
    "beside the classes": (["README.md", "4.png"], ONE, {}),
}


@pytest.mark.parametrize(("names", "data", "expected"), EXTRAS.values(), ids=EXTRAS)
@pytest.mark.filterwarnings("ignore:.*members are left out")
def test_members_that_count_once_or_not_at_all(names, data, expected, tmp_path):
    members = [("cat/1.png", ONE), ("dog/2.png", TWO), *((name, data) for name in names)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("warnings.warn", lambda *_, **__: None)  # zipfile's, of a name given twice
        path = zipped(tmp_path / "a.zip", members)
    assert load(path) == (expected or TWO_CLASSES)


def test_what_is_left_out_is_said(tmp_path):
    path = zipped(tmp_path / "a.zip", [("cat/1.png", ONE), ("../up/1.png", ONE)])
    with pytest.warns(UserWarning, match=r"1 members are left out.*'\.\./up/1\.png'"):
        pictures.find_classes(path)


def tarred(path: Path, mode: str, members: list[tuple[tarfile.TarInfo, bytes]]) -> Path:
    with tarfile.open(path, mode) as archive:
        for header, data in members:
            header.size = len(data)
            archive.addfile(header, io.BytesIO(data))
    return path


def header(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, link
    return made


def images() -> list[tuple[tarfile.TarInfo, bytes]]:
    """Not in the order in which they are wanted."""
    return [(header("top/dog/2.png"), TWO), (header("top/cat/1.png"), ONE)]


@pytest.mark.parametrize("ending", ["tar", "tar.gz", "tgz", "tar.bz2", "tar.xz", "zip", "TAR.GZ"])
def test_tars_are_read_whatever_they_are_packed_with_or_called(ending, tmp_path):
    mode = {"tar": "w", "tar.bz2": "w:bz2", "tar.xz": "w:xz"}.get(ending, "w:gz")
    path = tarred(tmp_path / f"a.{ending}", mode, images())
    assert load(path) == TWO_CLASSES
    assert load(path) == TWO_CLASSES
    assert load(tmp_path) == TWO_CLASSES  # alone in a folder
    tarred(tmp_path / "bird.tar.gz", "w:gz", [(header("3.png"), png(30))])
    assert load(tmp_path)["bird"] == [30]  # one a class
    assert [p.name for p in tmp_path.iterdir() if p.suffix == ".png"] == []


@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_kinds_of_tars(format, tmp_path):
    long = f"dog/{'x' * 90}/{'y' * 90}.png"
    with tarfile.open(tmp_path / "a.tar", "w", format=format) as archive:
        for name, data in (("./cat/1.png", ONE), (long, TWO)):
            made = header(name)
            made.size = len(data)
            archive.addfile(made, io.BytesIO(data))
    assert load(tmp_path / "a.tar") == TWO_CLASSES


MEMBERS = {
    "link outside": ([(header("cat/3.png", tarfile.SYMTYPE, "/etc/passwd"), b"")], {}),
    "link inside": ([(header("cat/3.png", tarfile.SYMTYPE, "1.png"), b"")], {}),
    "second name": (
        [(header("top/cat/3.png", tarfile.LNKTYPE, "top/dog/2.png"), b"")],
        {"cat": [10, 20], "dog": [20]},
    ),
    "second name of nothing": ([(header("top/cat/3.png", tarfile.LNKTYPE, "/etc/x"), b"")], {}),
    "device": ([(header("top/cat/3.png", tarfile.CHRTYPE), b"")], {}),
    "pipe": ([(header("top/cat/3.png", tarfile.FIFOTYPE), b"")], {}),
    "twice": ([(header("top/cat/1.png"), png(99))], {"cat": [99], "dog": [20]}),
    "outside": ([(header("../../etc/1.png"), ONE), (header("/abs/1.png"), ONE)], {}),
    "litter": ([(header("top/@eaDir/1.png"), ONE), (header("top/cat/._1.png"), ONE)], {}),
}


@pytest.mark.parametrize("mode", ["w", "w:gz"])
@pytest.mark.parametrize(("more", "expected"), MEMBERS.values(), ids=MEMBERS)
@pytest.mark.filterwarnings("ignore:.*members are left out")
def test_members_of_tars(more, expected, mode, tmp_path):
    path = tarred(tmp_path / "a.tar", mode, [*images(), *more])
    assert load(path) == (expected or TWO_CLASSES)


def test_a_sparse_member_is_named(tmp_path):
    path = tarred(tmp_path / "a.tar", "w", [*images(), (header("top/cat/3.png"), ONE)])
    data = bytearray(path.read_bytes())
    at = data.index(b"top/cat/3.png")
    data[at + 156 : at + 157] = tarfile.GNUTYPE_SPARSE
    data[at + 148 : at + 156] = b" " * 8
    data[at + 148 : at + 156] = b"%06o\0 " % sum(data[at : at + 512])
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"cat/3\.png in .*a\.tar is stored as a sparse file"):
        load(path)


OTHERS = {
    "photos.rar": (b"Rar!\x1a\x07\x01\x00", "is a RAR archive"),
    "photos.7z": (b"7z\xbc\xaf\x27\x1c\x00\x04", "is a 7z archive"),
    "data.pkl": (pickle.dumps({"a": 1}), "is a Python pickle"),
    "one.png": (png(3), "is a PNG image"),
    "one.jpg": (b"\xff\xd8\xff\xe0", "is a JPEG image"),
    "data.h5": (b"\x89HDF\r\n\x1a\n", "is an HDF5 file"),
    "data.npy": (b"\x93NUMPY\x01\x00", "is a NumPy array"),
    "data.tar.zst": (b"\x28\xb5\x2f\xfd\x00", "is a Zstandard file"),
    "page.zip": (b"<!DOCTYPE html>\n<html>", "is a web page"),
    "lfs.zip": (b"version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer"),
    "list.csv": (b"filename,label\n1.png,cat\n", "is a text file"),
    "empty.zip": (b"", "is an empty file"),
    "zero.zip": (bytes(4096), "is nothing but zero bytes"),
    "noise.zip": (bytes(range(1, 256)) * 4, "is of no kind that is known"),
    "text.tar.gz": (gzip.compress(b"a text" * 99, mtime=0), "is a gzip file in which no whole tar"),
    "text.bz2": (bz2.compress(b"a text" * 99), "is a bzip2 file in which no whole tar"),
    "text.xz": (lzma.compress(b"a text" * 99), "is an xz file in which no whole tar"),
    "half.gz": (gzip.compress(bytes(9999), mtime=0)[:20], "is a gzip file in which no whole tar"),
    "half.zip": (b"PK\x03\x04" + bytes(99), "is damaged or not a whole zip file"),
    "part.zip": (b"PK\x07\x08" + bytes(99), "is a part of a split zip"),
}


@pytest.mark.parametrize(("name", "data", "message"), [(n, *o) for n, o in OTHERS.items()])
def test_what_is_no_archive_is_told_by_its_bytes(name, data, message, tmp_path):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ValueError, match=message) as error:
        pictures.find_classes(tmp_path / name)
    assert name in str(error.value)
    assert "delete" not in str(error.value)
    assert "\n" not in str(error.value)


def test_archives_whose_pixels_are_arrays_have_no_class(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.zeros(3))
    with pytest.raises(ValueError, match="no class in it"):
        pictures.find_classes(tmp_path / "a.npz")


def patched(path: Path, change: Callable[[bytearray], None]) -> Path:
    data = bytearray(path.read_bytes())
    change(data)
    path.write_bytes(data)
    return path


def test_a_member_with_a_wrong_checksum_is_named_and_all_of_them(tmp_path):
    members = [(f"cat/{i:02}.png", png(i)) for i in range(30)]
    path = zipped(tmp_path / "a.zip", members)
    with zipfile.ZipFile(path) as archive:
        offsets = [i.header_offset + 30 + len(i.filename) + 3 for i in archive.infolist()]

    def spoil(data: bytearray) -> None:
        for offset in offsets[5:]:
            data[offset] ^= 0xFF

    with pytest.raises(ValueError, match="25 of 30 files cannot be used") as error:
        load(patched(path, spoil))
    text = str(error.value)
    assert text.count(f".png in {path} is damaged") == 20
    assert "cat/05.png" in text
    assert "and 5 more" in text
    assert text.endswith("copy or fetch the zip again")


def test_an_encrypted_member_is_named(tmp_path):
    path = zipped(tmp_path / "a.zip", [("cat/1.png", ONE), ("dog/2.png", TWO)])

    def encrypt(data: bytearray) -> None:
        data[6] |= 1
        data[data.index(b"PK\x01\x02") + 8] |= 1

    with pytest.raises(ValueError, match=r"cat/1\.png in .*encrypted.*without a password$"):
        load(patched(path, encrypt))


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_every_way_of_packing(method, tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("cat/1.png", ONE + bytes(20_000))
        archive.writestr("dog/2.png", TWO)
    assert load(path) == TWO_CLASSES


def test_nested_archives_and_quines_are_no_images(tmp_path):
    inner = zipped(tmp_path / "inner.zip", [("cat/1.png", ONE)])
    path = zipped(tmp_path / "a.zip", [("cat/1.zip", inner.read_bytes()), ("dog/1.png", ONE)])
    with pytest.raises(ValueError, match=r"cat/1\.zip in .*it is a zip archive"):
        load(path)


def bomb(path: Path, size: int, declared: int | None = None, **fields) -> Path:
    """A zip file with a member of zeros; `declared`: the size that its headers give."""
    with zipfile.ZipFile(path, "w", fields.get("method", zipfile.ZIP_DEFLATED)) as archive:
        archive.writestr("dog/2.png", TWO)
        with archive.open("cat/1.png", "w", force_zip64=size > 2**31) as member:
            for _ in range(size >> 20):
                member.write(bytes(2**20))
    if declared is not None:
        with zipfile.ZipFile(path) as archive:
            old = archive.getinfo("cat/1.png").file_size

        def lie(data: bytearray) -> None:
            for mark in (b"PK\x01\x02", b"PK\x03\x04"):
                at = data.rindex(mark) + (24 if mark == b"PK\x01\x02" else 22)
                assert struct.unpack_from("<L", data, at) == (old,)
                struct.pack_into("<L", data, at, declared)

        patched(path, lie)
    return path


MEASURE = """
import resource, sys
from pathlib import Path
from fewstep.data.images import pictures
for path in sys.argv[1:]:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        pictures.load("x", pictures.find_classes(Path(path)), 6, 1, "nearest")
    except ValueError as error:
        print(error)
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def refused_within(*paths: Path) -> list[tuple[str, int]]:
    """What bombs are refused with, and by how many MB the memory's peak rises meanwhile."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, *map(str, paths)],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = iter(done.stdout.splitlines())
    return [(message, int(peak)) for message, peak in zip(lines, lines, strict=True)]


@pytest.mark.slow
@pytest.mark.process
def test_bombs_are_refused_without_memory(tmp_path):
    """By what is declared; where the declaration lies, by what comes out beyond it."""
    huge = bomb(tmp_path / "huge.zip", 2**20)

    def declare(data: bytearray) -> None:
        struct.pack_into("<L", data, data.rindex(b"PK\x01\x02") + 24, 0xFFFFFFFE)

    liar = bomb(tmp_path / "liar.zip", 2**27, declared=1000)
    packed = bomb(tmp_path / "packed.zip", 2**27, declared=1000, method=zipfile.ZIP_BZIP2)
    bits = zipped(tmp_path / "bits.zip", [("cat/1.png", one_bit(60_000)), ("dog/2.png", TWO)])
    found = refused_within(patched(huge, declare), liar, packed, bits)
    (said, lied, lied_too, drawn), peaks = zip(*found, strict=True)
    assert f"cat/1.png in {huge} has 4096 MB unpacked, more than dataset.max_file_mb=512" in said
    assert "allow dataset.max_file_mb=4096" in said
    assert f"cat/1.png in {liar} is damaged" in lied
    assert f"cat/1.png in {packed} is damaged" in lied_too
    assert "has 3600 megapixels, more than dataset.max_megapixels=128" in drawn
    assert "allow dataset.max_megapixels=3600" in drawn
    assert max(peaks) < 60


def one_bit(side: int) -> bytes:
    """The beginning of a PNG of one bit a pixel, which is all that a refusal needs."""
    body = b"IHDR" + struct.pack(">LLBBBBB", side, side, 1, 0, 0, 0, 0)
    data = b"IDAT" + zlib.compress(bytes(2**20))
    chunks = [
        struct.pack(">L", len(c) - 4) + c + struct.pack(">L", zlib.crc32(c)) for c in (body, data)
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.mark.process
@pytest.mark.slow
@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_six_gigabytes_in_six_megabytes(method, tmp_path):
    path = bomb(tmp_path / "a.zip", 6 * 2**30, method=method)
    assert path.stat().st_size < 7e6
    [(message, peak)] = refused_within(path)
    assert "has 6144 MB unpacked, more than dataset.max_file_mb=512" in message
    assert peak < 60


def test_the_limit_on_files_is_a_key(tmp_path):
    path = zipped(tmp_path / "a.zip", [("cat/1.png", ONE + bytes(2**20)), ("dog/2.png", TWO)])
    with pytest.raises(ValueError, match=r"has 2 MB unpacked, more than dataset\.max_file_mb=1"):
        load(path, max_file_mb=1)
    assert load(path, max_file_mb=2) == TWO_CLASSES
    large = tmp_path / "folder" / "cat" / "1.png"
    large.parent.mkdir(parents=True)
    large.write_bytes(ONE + bytes(2**20))
    with pytest.raises(ValueError, match=rf"{large} has 2 MB unpacked"):
        load(tmp_path / "folder", max_file_mb=1)


def test_members_that_overlap_are_refused(tmp_path):
    path = zipped(tmp_path / "a.zip", [("cat/1.png", ONE), ("dog/2.png", TWO)])

    def overlap(data: bytearray) -> None:
        struct.pack_into("<L", data, data.rindex(b"PK\x01\x02") + 42, 0)

    with pytest.raises(ValueError, match=r"a\.zip is damaged.*its members overlap"):
        load(patched(path, overlap))


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.XGLTYPE])
def test_a_tar_with_a_name_of_gigabytes(kind, tmp_path):
    made = header("long", kind)
    made.size = 6 * 2**30
    path = tmp_path / "a.tar"
    path.write_bytes(made.tobuf() + bytes(2**20))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ValueError, match=r"no whole tar can be read \(a name of 6442450944 bytes"):
        load(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60 * 1024


def test_a_tar_that_was_cut_short(tmp_path):
    path = tarred(tmp_path / "a.tar", "w", images())
    path.write_bytes(path.read_bytes()[:-10200])
    with pytest.raises(ValueError, match=r"a\.tar"):
        load(path)


def test_a_large_member_of_a_tar(tmp_path):
    more = [(header("top/cat/3.png"), ONE + bytes(2**20))]
    for mode in ("w", "w:gz"):
        path = tarred(tmp_path / "a.tar", mode, [*images(), *more])
        with pytest.raises(ValueError, match=r"3\.png in .* more than dataset\.max_file_mb=1"):
            load(path, max_file_mb=1)


def test_reading_from_threads_is_from_one_place_at_a_time(tmp_path):
    many = [(header(f"cat/{i}.png"), png(i)) for i in range(200)]
    for mode in ("w", "w:xz"):
        path = tarred(tmp_path / f"a{mode[2:]}.tar", mode, many)
        assert sorted(load(path)["cat"]) == list(range(200))


@pytest.mark.slow
@pytest.mark.alone
def test_a_million_members(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for i in range(1_000_000):
            archive.writestr(f"c{i % 100}/{i}.png", b"")
    start = time.perf_counter()
    found = pictures.find_classes(path)
    assert [len(files) for files in found.values()] == [10_000] * 100
    assert time.perf_counter() - start < 120


def test_a_name_that_is_marked_as_utf8_and_is_none(tmp_path):
    """PKZIP's bit 11 over a name of another encoding."""
    path = zipped(tmp_path / "a.zip", [("caf\u00e9/0.png", png(10))])
    path.write_bytes(path.read_bytes().replace("\u00e9".encode(), b"\x82\x82"))
    with pytest.raises(ValueError, match=r"a\.zip.*marked as UTF-8 and is none"):
        load(path)
