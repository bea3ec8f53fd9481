"""`fewstep cache`: one word, and nothing destructive is suggested to who has given another."""

from __future__ import annotations

from pathlib import Path

import pytest

from fewstep.commands import cache


KNOWS = "fewstep cache takes nothing, or one word: clear=NAME, clear=invalid or clear=all."
REFUSED = {
    "clear": f"clear: {KNOWS}",
    "clear=": f"clear=: {KNOWS}",
    "clear=all clear=invalid": f"clear=all clear=invalid: {KNOWS}",
    "clear=glyphs all": f"clear=glyphs all: {KNOWS}",
    "all": f"all: {KNOWS}",
    "cleer=invalid": f"cleer=invalid: {KNOWS} Did you mean clear?",
}


@pytest.mark.parametrize("words", REFUSED)
def test_it_takes_one_word(words: str, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("FEWSTEP_CACHE", str(tmp_path))
    assert cache.main(words.split()) == 2
    assert capsys.readouterr().err == f"fewstep: {REFUSED[words]}\n"
