"""What is told to whoever has typed a command: our own warnings, without a line of our source."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from fewstep.data.ground import Ground
from fewstep.data.layouts import layouts
from fewstep.processes import console
from small_pictures import folder


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Iterator[pytest.CaptureFixture[str]]:
    """Inside, warnings are shown as in a command, all of them."""
    with warnings.catch_warnings(), console.notes():
        warnings.simplefilter("always")
        yield capsys


def test_a_warning_of_ours_is_a_note_and_told_once(told, tmp_path: Path) -> None:
    photos = folder(tmp_path / "photos", classes=2, each=1)
    (photos / "loose\x1b[2J.png").touch()
    for _ in range(2):
        layouts.find(photos)
    assert told.readouterr().err == (
        f"note: {photos}: 1 file beside the folders of its classes not read (loose\\x1b[2J.png): "
        "each folder is a class. Move it into one, or away\n"
    )


def test_a_warning_that_points_into_no_file_is_ours_as_well(told, tmp_path: Path) -> None:
    """That of a dataclass, whose caller is a function which Python has written."""
    ground = np.full((1, 20, 32), 2000.0)
    ground[0, 7, 9] = 1400.0
    np.save(tmp_path / "ground.npy", ground)
    Ground(file=str(tmp_path / "ground.npy"))
    err = told.readouterr().err
    assert err.startswith(f"note: dataset.file={tmp_path}/ground.npy: has 1400 to 2000 m/s")
    assert err.count("\n") == 1


def test_warnings_of_others_stay_as_they_are(capsys, monkeypatch) -> None:
    shown: list[tuple[str, str]] = []
    before = lambda message, _, file, *__: shown.append((str(message), Path(file).name))  # noqa: E731
    monkeypatch.setattr(warnings, "showwarning", before)
    with warnings.catch_warnings(), console.notes():
        warnings.simplefilter("always")
        warnings.warn("theirs", stacklevel=1)
        code = compile("from warnings import warn; warn('old', DeprecationWarning)", "x.py", "exec")
        exec(code, {"__name__": "fewstep.a.b"})  # of ours, and no word to a user
    assert shown == [("theirs", "test_notes.py"), ("old", "x.py")]
    assert capsys.readouterr().err == ""
    assert warnings.showwarning is before


@pytest.mark.slow
@pytest.mark.process
def test_a_command_tells_of_pictures_that_it_does_not_read(tmp_path: Path) -> None:
    (folder(tmp_path / "photos", classes=2, each=1) / "loose.png").touch()
    words = ["adapt", "pictures=photos", "init=glyphs", "steps=0", "evaluate=false"]
    done = subprocess.run(
        [sys.executable, "-P", "-m", "fewstep.cli", *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (
        0,
        "note: photos: 1 file beside the folders of its classes not read (loose.png): each folder "
        "is a class. Move it into one, or away\n",
    )
