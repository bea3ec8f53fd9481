"""A place that nothing can be written to is refused before the work, by the key that gives it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from fewstep.commands import adapt, export, predict
from fewstep.disk.files import check_file
from fewstep.messages.errors import ConfigError


MADE = "classifier=made"


@pytest.mark.parametrize(
    ("main", "words", "key", "name"),
    [
        (adapt.main, ["pictures=photos"], "classifier", ""),
        (predict.main, [MADE, "pictures=photos"], "out", "/found.csv"),
        (export.main, [MADE], "to", "/model.pt2"),
    ],
)
@pytest.mark.parametrize(
    ("folder", "reason"),
    [
        ("/proc/nothing/sub", "/proc: No such file or directory"),
        ("file.txt/sub", "{here}/file.txt: Not a directory"),
    ],
)
def test_an_unwritable_place_is_refused_at_once(
    main: Callable, words: Sequence[str], key: str, name: str, folder: str, reason: str,
    tmp_path: Path, monkeypatch, capsys,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    Path("file.txt").write_text("mine")
    assert main([*words, f"{key}={folder}{name}"]) == 2
    assert capsys.readouterr().err == (
        f"fewstep: {key}={folder}{name}: cannot be written to ("
        f"{reason.format(here=tmp_path)}). Make room there, see to its permissions, or choose "
        f"another place with {key}=...\n"
    )


def test_a_file_may_go_where_a_folder_can_be_made(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("elsewhere")  # beside it, which is nothing to it
    check_file(tmp_path / "new.csv", "out")
    check_file(tmp_path / "new" / "one" / "new.csv", "out")
    assert [path.name for path in tmp_path.iterdir()] == ["link"]
    with pytest.raises(ConfigError, match="File name too long"):
        check_file(tmp_path / ("x" * 253), "out")  # with .part behind it
