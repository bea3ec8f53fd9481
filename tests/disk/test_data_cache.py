"""Cached arrays: never torn, safe with two processes, and clear about where they cannot go."""

from __future__ import annotations

import errno
import fcntl
import gzip
import json
import multiprocessing
import os
import zipfile
import zlib
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fewstep.cli import main
from fewstep.commands.completion import query
from fewstep.data.images import pictures
from fewstep.disk.cache import cache, entries
from fewstep.disk.cache.cache import Content, cache_dir, cached, fingerprint, folder_fingerprint


@pytest.fixture
def own_cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("FEWSTEP_CACHE", str(tmp_path / "own"))
    return tmp_path / "own"


def counted(log: Path) -> Content:
    """Five rows in two pieces; leaves a line in the log for each time it is built."""
    with log.open("a") as file:
        file.write("built\n")
    rows = np.arange(20, dtype=np.uint8).reshape(5, 4)
    return Content((5, 4), iter([rows[:2], rows[2:]]), {"names": ["a"]})


def open_in_process(log: Path, start) -> None:
    start.wait()
    array, about = cached("made_up", {"a": 1}, lambda: counted(log))
    assert array.sum() == 190
    assert about["names"] == ["a"]


def test_built_once_then_mapped(own_cache, tmp_path):
    log = tmp_path / "log"
    for _ in range(2):
        array, about = cached("made_up", {"a": 1}, lambda: counted(log))
        whole = [sha256(bytes(range(20))).hexdigest()]
        assert array.tolist() == np.arange(20).reshape(5, 4).tolist()
        assert about == {"names": ["a"], "counts": [5], "sha256": whole}
        assert isinstance(array, np.memmap)
    assert log.read_text() == "built\n"
    cached("made_up", {"a": 2}, lambda: counted(log))
    assert log.read_text() == "built\n" * 2


@pytest.mark.process
def test_two_processes_build_one_entry(own_cache, tmp_path):
    log = tmp_path / "log"
    context = multiprocessing.get_context("fork")
    start = context.Event()
    processes = [context.Process(target=open_in_process, args=(log, start)) for _ in range(2)]
    for process in processes:
        process.start()
    start.set()
    for process in processes:
        process.join(timeout=30)
    assert [process.exitcode for process in processes] == [0, 0]
    assert log.read_text() == "built\n"
    assert not list(own_cache.glob("*.part"))


def body(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    """A change of the last 20 bytes of an entry's array, with its times set back afterwards."""

    def apply(entry: Path) -> None:
        before = entry.stat()
        content = entry.read_bytes()
        entry.write_bytes(content[:-20] + change(content[-20:]))
        os.utime(entry, ns=(before.st_atime_ns, before.st_mtime_ns))

    return apply


def header(old: bytes, new: bytes) -> Callable[[Path], None]:
    return lambda entry: entry.write_bytes(entry.read_bytes().replace(old, new))


def card(**changed: object) -> Callable[[Path], None]:
    def apply(entry: Path) -> None:
        file = entry.with_suffix(".json")
        file.write_text(json.dumps({**json.loads(file.read_text()), **changed}))

    return apply


DAMAGE = {
    "cut short": lambda entry: os.truncate(entry, entry.stat().st_size - 3),
    "emptied": lambda entry: os.truncate(entry, 0),
    "zeroed": body(lambda content: bytes(20)),
    "one bit": body(lambda content: content[:-1] + bytes([content[-1] ^ 1])),
    "rows swapped": body(lambda content: content[4:8] + content[:4] + content[8:]),
    "another shape": header(b"(5, 4)", b"(4, 5)"),
    "another dtype": header(b"|u1", b"|b1"),
    "another order": header(b"False", b"True "),
    "no card": lambda entry: entry.with_suffix(".json").unlink(),
    "half a card": lambda entry: os.truncate(entry.with_suffix(".json"), 30),
    "no dictionary": lambda entry: entry.with_suffix(".json").write_text("[1]"),
    "an older card": lambda entry: entry.with_suffix(".json").write_text('{"names": ["a"]}'),
    "another format": card(format=1),
    "other checksums": card(sha256=["0" * 64], stamp=[]),
    "other counts": card(counts=[4], stamp=[]),
    "a text for the shape": card(shape="5x4"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_entry_is_built_again(own_cache, tmp_path, damage):
    log = tmp_path / "log"
    cached("made_up", {}, lambda: counted(log))
    (entry,) = own_cache.glob("*.npy")
    DAMAGE[damage](entry)
    for _ in range(2):
        array, about = cached("made_up", {}, lambda: counted(log))
        assert array.tolist() == np.arange(20).reshape(5, 4).tolist()
        assert about["names"] == ["a"]
    assert log.read_text() == "built\n" * 2


def test_an_entry_that_was_copied_is_checked_once_and_kept(own_cache, tmp_path, monkeypatch):
    log, checked = tmp_path / "log", []
    cached("made_up", {}, lambda: counted(log))
    (entry,) = own_cache.glob("*.npy")
    os.utime(entry, ns=(5, 7))
    real = entries.sums
    monkeypatch.setattr(entries, "sums", lambda *given: checked.append(1) or real(*given))
    for _ in range(3):
        assert cached("made_up", {}, lambda: counted(log))[0].sum() == 190
    assert (log.read_text(), checked) == ("built\n", [1])


@pytest.mark.parametrize("sizes", [[5], [1, 4], [2, 3], [3, 2], [1, 1, 1, 1, 1], [4, 1]])
def test_each_class_has_a_checksum_however_it_arrives(own_cache, sizes):
    rows = np.arange(20, dtype=np.uint8).reshape(5, 4)
    ends = np.cumsum(sizes)[:-1]
    _, about = cached("made_up", {}, lambda: Content((5, 4), np.split(rows, ends), counts=[2, 3]))
    parts = rows[:2].tobytes(), rows[2:].tobytes()
    assert about["sha256"] == [sha256(part).hexdigest() for part in parts]


@pytest.mark.parametrize("pieces", [[(4, 4)], [(5, 4), (1, 4)], [(5, 3)], [(5, 4, 1)]])
def test_rows_that_are_not_those_announced_make_no_entry(own_cache, pieces):
    made = [np.zeros(shape, np.uint8) for shape in pieces]
    with pytest.raises(RuntimeError, match="made_up-"):
        cached("made_up", {}, lambda: Content((5, 4), made))
    assert not list(own_cache.glob("*.npy"))


ODD = [
    "../x",
    "../../x",
    "a/b",
    "/x",
    "a\\b",
    "..",
    ".",
    ".hidden",
    "",
    "a\nb",
    "a\0b",
    "a\x1b[31mb",
]


@pytest.mark.parametrize("name", [*ODD, "x" * 300, "C:x"])
def test_no_name_leaves_the_cache(own_cache, tmp_path, name):
    with pytest.raises(ValueError, match=r"^dataset.name=.*: must be a plain name.*For example"):
        cached(name, {}, lambda: counted(tmp_path / "log"))
    assert not own_cache.exists()


def part(own_cache: Path, entry: str) -> Path:
    own_cache.mkdir(exist_ok=True)
    file = own_cache / f"{entry}.{'0' * 32}.part"
    file.write_bytes(b"half")
    return file


def test_a_build_clears_what_killed_builds_left(own_cache, tmp_path):
    gone = [
        part(own_cache, "other-0123456789abcdef.npy"),
        part(own_cache, "a.b-0123456789abcdef.json"),
    ]
    busy = part(own_cache, "busy-0123456789abcdef.npy")
    other = own_cache / "mine.part"
    other.touch()
    with (own_cache / "busy-0123456789abcdef.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        cached("made_up", {}, lambda: counted(tmp_path / "log"))
        assert busy.exists()
    assert not any(file.exists() for file in gone)
    assert other.exists()
    own = part(own_cache, next(own_cache.glob("made_up-*.npy")).name)
    next(own_cache.glob("made_up-*.npy")).unlink()
    cached("made_up", {}, lambda: counted(tmp_path / "log"))  # which holds its lock itself
    assert not own.exists()
    assert not busy.exists()


def test_a_lock_that_is_a_link_is_not_followed(own_cache, tmp_path):
    cached("made_up", {}, lambda: counted(tmp_path / "log"))
    (lock,) = own_cache.glob("*.lock")
    lock.unlink()
    lock.symlink_to(tmp_path / "elsewhere")
    next(own_cache.glob("*.npy")).unlink()
    with pytest.raises(OSError, match="cannot write the dataset cache"):
        cached("made_up", {}, lambda: counted(tmp_path / "log"))
    assert not (tmp_path / "elsewhere").exists()


def test_a_failing_build_leaves_nothing(own_cache):
    def pieces():
        yield np.zeros((2, 4), dtype=np.uint8)
        raise ValueError("the third image is not an image")

    with pytest.raises(ValueError, match="third image"):
        cached("made_up", {}, lambda: Content((5, 4), pieces()))
    assert not list(own_cache.glob("*.npy"))
    assert not list(own_cache.glob("*.part"))


def test_a_full_disk_is_named_with_the_fix(own_cache, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"made_up-\w+\.npy: No space left.*set FEWSTEP_CACHE to"):
        cached("made_up", {}, lambda: Content((1, 1), [np.zeros((1, 1), np.uint8)]))
    assert not list(own_cache.glob("*.part"))


def test_a_folder_that_cannot_be_made_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("FEWSTEP_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(OSError, match=r"file/cache/.*set FEWSTEP_CACHE to a folder"):
        cached("made_up", {}, lambda: Content((1, 1), [np.zeros((1, 1), np.uint8)]))


def test_where_the_cache_is(monkeypatch):
    monkeypatch.setenv("FEWSTEP_CACHE", "/a")
    monkeypatch.setenv("XDG_CACHE_HOME", "/b")
    assert cache_dir() == Path("/a")
    monkeypatch.delenv("FEWSTEP_CACHE")
    assert cache_dir() == Path("/b/fewstep")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_dir() == Path.home() / ".cache" / "fewstep"


def test_a_source_file_is_known_by_name_size_and_time_and_by_its_ends(tmp_path):
    path = tmp_path / "a.zip"

    def known(content: bytes) -> list:
        path.write_bytes(content)
        os.utime(path, ns=(5, 7))
        return fingerprint(path)

    assert known(b"123") == ["a.zip", 3, 7, zlib.crc32(b"123")]
    assert known(b"124") != known(b"123")
    long = bytes(20_000)
    for place in (0, 4095, len(long) - 4096, len(long) - 1):
        changed = bytearray(long)
        changed[place] = 1
        assert known(bytes(changed)) != known(long)
    assert known(bytes(5000)) == [*known(bytes(5000))[:3], zlib.crc32(bytes(5000))]


def test_other_images_of_the_same_names_sizes_and_times_are_read_anew(tmp_path):
    """As tar and reproducible builds set times, and as uncompressed formats have sizes."""
    found = []
    for root, order in (("a", (0, 80, 160)), ("b", (160, 80, 0))):
        for place, shade in enumerate(order):
            file = tmp_path / root / f"class{place}" / "0.bmp"
            file.parent.mkdir(parents=True)
            Image.new("L", (8, 8), shade).save(file)
            os.utime(file, (5, 5))
        classes = pictures.find_classes(tmp_path / root)
        found.append(pictures.load("same", classes, 8, 1, "nearest"))
    assert [int(x[0].max()) for x, *_ in found] == [0, 160]
    assert found[0][2] != found[1][2]


def zipped(path: Path, content: bytes, comment: bytes = b"") -> list:
    with zipfile.ZipFile(path, "w") as made:
        made.writestr(zipfile.ZipInfo("a.png"), content)
        made.comment = comment
    os.utime(path, ns=(5, 7))
    return fingerprint(path)


@pytest.mark.parametrize("comment", [b"", b"made on a Tuesday"])
def test_a_zip_file_is_known_by_its_members_too(tmp_path, comment):
    path = tmp_path / "a.zip"
    one, other, again = (zipped(path, content, comment) for content in (b"12", b"13", b"12"))
    assert one[:3] == other[:3]
    assert one == again != other


def test_of_a_wide_zip_file_the_directory_alone_is_read(tmp_path, monkeypatch):
    """As some programs write it whose archives need none: the end says that it says nothing."""
    lengths = []

    def read(file, start, length):
        lengths.append(length)
        file.seek(start)
        return file.read(length)

    monkeypatch.setattr(cache, "_read_at", read)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 0)
        zipped(tmp_path / "a.zip", b"1" * 10**6)
    content = bytearray((tmp_path / "a.zip").read_bytes())
    at = content.rfind(b"PK\5\6")
    content[at + 12 : at + 20] = b"\xff" * 8
    (tmp_path / "a.zip").write_bytes(content)
    lengths.clear()
    fingerprint(tmp_path / "a.zip")
    assert lengths[-1] < 1000


def test_a_gzip_file_is_known_by_its_contents_too(tmp_path):
    found = []
    for content in (b"12", b"13", b"12"):
        (tmp_path / "a.tar.gz").write_bytes(gzip.compress(content, mtime=0))
        os.utime(tmp_path / "a.tar.gz", ns=(5, 7))
        found.append(fingerprint(tmp_path / "a.tar.gz"))
    assert found[0] == found[2] != found[1]


CHANGES = {
    "renamed": lambda top: (top / "a" / "1").rename(top / "a" / "2"),
    "moved": lambda top: (top / "a" / "1").rename(top / "b" / "2"),
    "of another size": lambda top: (top / "a" / "1").write_bytes(b"four"),
    "older": lambda top: os.utime(top / "a" / "1", ns=(1, 1)),
    "added": lambda top: (top / "a" / "2").touch(),
    "gone": lambda top: (top / "a" / "1").unlink(),
    "behind a link": lambda top: (top / "linked" / "3").write_bytes(b"changed"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_folder_is_known_by_its_files(tmp_path, change):
    top, aside = tmp_path / "top", tmp_path / "aside"
    for folder in (top / "a", top / "b", aside):
        folder.mkdir(parents=True)
        (folder / "1").write_bytes(b"one")
        (folder / "3").write_bytes(b"three")
    (top / "linked").symlink_to(aside)
    (top / "a" / "up").symlink_to(top)
    before = folder_fingerprint(top)
    assert before == folder_fingerprint(top)
    CHANGES[change](top)
    assert before != folder_fingerprint(top)


@pytest.fixture
def entry(own_cache, tmp_path) -> Path:
    content = counted(tmp_path / "log")
    content.source = "/data/pictures"
    cached("made_up", {}, lambda: content)
    return next(own_cache.glob("*.npy"))


def test_the_command_lists_what_there_is(own_cache, entry, capsys):
    old = own_cache / "old-0123456789abcdef.npy"
    np.save(old, np.zeros(3, np.uint8))
    old.with_suffix(".json").write_text("{}")
    part(own_cache, "killed-0123456789abcdef.npy")
    (own_cache / "omniglot-py").mkdir()
    (own_cache / "omniglot-py" / "images.zip").write_bytes(bytes(1500))
    (own_cache / "somebody's.txt").touch()
    assert main(["cache"]) == 0
    *table, _, total = capsys.readouterr().out.splitlines()
    assert [" ".join(line.split()[:1] + line.split()[3:]) for line in table[1:]] == [
        "killed-0123456789abcdef now left over",
        f"{entry.stem} now valid /data/pictures",
        "old-0123456789abcdef now older version",
        "omniglot-py now download the official archive",
    ]
    assert total.startswith(f"{own_cache}: ")


@pytest.mark.parametrize(
    ("word", "left"),
    [
        ("clear=all", ["omniglot-py"]),
        ("clear=invalid", ["made_up", "omniglot-py"]),
        ("clear=made_up", ["old", "omniglot-py"]),
        ("clear=old-0123456789abcdef", ["made_up", "omniglot-py"]),
        ("clear=omniglot-py", ["made_up", "old"]),
    ],
)
def test_the_command_clears_what_is_named_and_nothing_else(own_cache, entry, capsys, word, left):
    old = own_cache / "old-0123456789abcdef.npy"
    np.save(old, np.zeros(3, np.uint8))
    (own_cache / "omniglot-py").mkdir()
    own_cache.joinpath("notes.txt").touch()
    assert main(["cache", word]) == 0
    assert capsys.readouterr().out.startswith("cleared ")
    assert (own_cache / "notes.txt").exists()
    there = {file.name.rpartition("-")[0] for file in own_cache.glob("*-????????????????.*")}
    there |= {"omniglot-py"} if (own_cache / "omniglot-py").exists() else set()
    assert sorted(there) == left
    assert np.load(entry)[0, 1] == 1 if "made_up" in left else not entry.exists()


def test_what_is_being_made_is_not_cleared(own_cache, entry, capsys):
    with entry.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert main(["cache", "clear=all"]) == 0
    assert capsys.readouterr().out == f"left {entry.stem}: a process is making it\n"
    assert entry.exists()


@pytest.mark.parametrize("word", ["clear", "clear=", "clean=all", "--clear", "clear=mad_up", "all"])
def test_words_that_the_command_does_not_take(own_cache, entry, capsys, word):
    assert main(["cache", word]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"fewstep: {word}: ")
    assert said.count("\n") == 1
    assert entry.exists()


def test_an_empty_cache_and_the_help(own_cache, capsys):
    assert main(["cache"]) == 0
    assert "nothing is cached" in capsys.readouterr().out
    assert main(["cache", "clear=all"]) == 0
    assert "nothing to clear" in capsys.readouterr().out
    assert main(["cache", "--help"]) == 0
    assert "clear=invalid" in capsys.readouterr().out
    assert not own_cache.exists()


def test_completion_of_the_command(entry):
    assert query("fewstep cache ", []) == ["clear="]
    assert query("fewstep cache clear=m", []) == ["clear=made_up ", f"clear={entry.stem} "]
