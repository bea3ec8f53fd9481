"""A `~` that leads to no home folder is refused in one line, wherever a path may be given."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fewstep import cli
from fewstep.disk.cache.cache import cache_dir
from fewstep.disk.homes import expanded
from fewstep.messages.errors import ConfigError


NOBODY = "~nobody-of-this-name/x"
TOLD = f"{NOBODY}: no home folder is known for ~nobody-of-this-name. Write the whole path"


def test_a_home_folder_takes_the_place_of_its_mark(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert expanded("~/x", "key") == tmp_path / "x"
    assert expanded("a~b", "key") == Path("a~b")


COMMANDS = {
    "status": "folder",
    "predict classifier=a pictures=b out=": "out",
    "export classifier=a to=": "to",
    "adapt pictures=": "pictures",
    "adapt pictures=a classifier=": "classifier",
    "train resume=": "resume",
    "evaluate checkpoint=": "checkpoint",
}


@pytest.mark.parametrize("words", COMMANDS)
def test_a_command_names_the_key(words: str, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    given = words.split() if words.endswith("=") else [*words.split(), ""]
    quoted = f"'{NOBODY}'" if words.startswith(("train", "evaluate")) else NOBODY
    assert cli.main([*given[:-1], f"{given[-1]}{quoted}"]) == 2
    assert capsys.readouterr().err == f"fewstep: {COMMANDS[words]}={TOLD}\n"


def test_the_cache_has_a_place_or_says_how_to_name_one(monkeypatch, capsys) -> None:
    monkeypatch.setenv("FEWSTEP_CACHE", NOBODY)
    assert cli.main(["cache"]) == 2
    assert capsys.readouterr().err == f"fewstep: FEWSTEP_CACHE={TOLD}\n"
    monkeypatch.delenv("FEWSTEP_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    with pytest.raises(ConfigError) as refusal:
        cache_dir()
    assert str(refusal.value) == (
        "HOME is not set, and no home folder is known. Set FEWSTEP_CACHE to a folder for the cache"
    )
