"""Cached arrays: never torn, safe with two processes, and clear about where they cannot go."""

from __future__ import annotations

import errno
import multiprocessing
import os
from pathlib import Path

import numpy as np
import pytest

from fewstep.data.cache import Content, cache_dir, cached, fingerprint


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
    assert about == {"names": ["a"]}


def test_built_once_then_mapped(own_cache, tmp_path):
    log = tmp_path / "log"
    for _ in range(2):
        array, about = cached("made_up", {"a": 1}, lambda: counted(log))
        assert array.tolist() == np.arange(20).reshape(5, 4).tolist()
        assert about == {"names": ["a"]}
        assert isinstance(array, np.memmap)
    assert log.read_text() == "built\n"
    cached("made_up", {"a": 2}, lambda: counted(log))
    assert log.read_text() == "built\n" * 2


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


def test_a_damaged_entry_is_built_again(own_cache, tmp_path):
    log = tmp_path / "log"
    cached("made_up", {}, lambda: counted(log))
    (entry,) = own_cache.glob("*.npy")
    os.truncate(entry, entry.stat().st_size - 3)
    array, _ = cached("made_up", {}, lambda: counted(log))
    assert array.sum() == 190


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
    with pytest.raises(OSError, match=r"made_up-\w+\.json: No space left.*set FEWSTEP_CACHE to"):
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


def test_a_source_file_is_known_by_name_size_and_time(tmp_path):
    path = tmp_path / "a.zip"
    path.write_bytes(b"123")
    os.utime(path, ns=(5, 7))
    assert fingerprint(path) == ["a.zip", 3, 7]
