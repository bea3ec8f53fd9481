"""Files that are read whoever has put them there: plain ones alone, and never with a traceback."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fewstep.disk import plain
from fewstep.disk.plain import plain_json, plain_text, plain_yaml


READERS = (plain_text, plain_yaml, plain_json)


@pytest.mark.parametrize("reader", READERS)
def test_a_pipe_is_not_waited_for(reader, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path / "pipe", tmp_path, Path(os.devnull)):
        with pytest.raises(OSError, match="it is no plain file"):
            reader(place)


@pytest.mark.parametrize("reader", READERS)
def test_what_is_too_large_is_not_read(reader, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(plain, "MOST", 4)
    (tmp_path / "large").write_text("12345")
    with pytest.raises(OSError, match="it has more than 4 bytes"):
        reader(tmp_path / "large")


@pytest.mark.parametrize(
    "data", [b"\xef\xbb\xbfa: \xc2\xb1\r\n", b"a: \xc2\xb1\r", b"a: \xc2\xb1\n"]
)
def test_a_text_is_utf8_with_the_ends_of_any_system(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "own").write_bytes(data)
    (tmp_path / "link").symlink_to("own")  # which a user's files may be
    assert plain_text(tmp_path / "link") == "a: ±\n"
    assert plain_yaml(tmp_path / "own") == {"a": "±"}


@pytest.mark.parametrize(
    "text",
    [
        *("[" * 3000, "[" * 200_000, "- " * 200_000, "{a: " * 200_000),
        *("!!bool x", "!!timestamp x", "a: b: c", "[", "\t- 1", "!!python/object:os.system {}"),
    ],
    ids=range(10),
)
def test_what_is_no_yaml(text: str, tmp_path: Path) -> None:
    """Brackets a hundred thousand deep would end the process in libyaml."""
    (tmp_path / "file").write_text(text)
    with pytest.raises(ValueError, match=r"."):
        plain_yaml(tmp_path / "file")


@pytest.mark.parametrize("data", [b"[" * 3000, b"[" * 200_000, b"", b"\xff", b"{"], ids=range(5))
def test_what_is_no_json(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(data)
    with pytest.raises(ValueError, match=r"."):
        plain_json(tmp_path / "file")
