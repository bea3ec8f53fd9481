"""A disk that fills as a run starts: Hydra's own files are named with the fix as ours are."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from fewstep.config.compose import compose_run
from fewstep.disk.files import CannotWrite
from fewstep.launch import through_hydra


def test_hydras_files(tmp_path: Path, monkeypatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("hydra.core.utils._save_config", full)
    composed = compose_run("train", [f"hydra.run.dir={tmp_path / 'run'}"])
    with pytest.raises(CannotWrite) as caught:
        through_hydra.run(composed, "train", lambda _: None)
    assert str(caught.value) == (
        f"{tmp_path / 'run'}: cannot be written (No space left on device). Make room there, or see "
        "to its permissions"
    )


def test_what_a_job_raises_comes_as_it_is(tmp_path: Path) -> None:
    def work(_: object) -> None:
        raise OSError("of the job")

    composed = compose_run("train", [f"hydra.run.dir={tmp_path / 'run'}"])
    with pytest.raises(OSError, match="of the job"):
        through_hydra.run(composed, "train", work)
