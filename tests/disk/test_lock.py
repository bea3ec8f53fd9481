"""A lock that cannot be made is a file that cannot be written, with its name and the fix."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from fewstep.disk import lock
from fewstep.disk.files import CannotWrite


def test_a_full_disk_is_named_with_the_lock(tmp_path: Path, monkeypatch) -> None:
    def full(path: str, flags: int) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)

    monkeypatch.setattr(lock, "plain_file", full)
    with pytest.raises(CannotWrite) as caught, lock.held(tmp_path):
        pass
    assert str(caught.value) == (
        f"{tmp_path / '.lock'}: cannot be written (No space left on device). Make room there, or "
        "see to its permissions"
    )
    monkeypatch.undo()
    with lock.held(tmp_path):  # which the failure has let go of
        assert lock.in_use(tmp_path)


def test_a_folder_that_is_read_only_is_named(tmp_path: Path, monkeypatch) -> None:
    def read_only(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    with lock.held(tmp_path):
        pass
    monkeypatch.setattr(lock.FileLock, "acquire", read_only)
    with pytest.raises(CannotWrite, match=r"\.lock: cannot be written \(Read-only file system\)"):
        lock.check_free(tmp_path)


def test_what_fails_inside_comes_out_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="of the work"), lock.held(tmp_path):
        raise OSError("of the work")
