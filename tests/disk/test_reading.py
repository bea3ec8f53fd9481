"""What the system refuses to read is told by its name; what has none stays an error."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from urllib.error import HTTPError

import pytest

from fewstep.disk.reading import reading
from fewstep.messages.errors import ConfigError


@pytest.mark.parametrize(
    ("number", "words", "told"),
    [
        (errno.EACCES, [], "a/b: Permission denied. Name another, or let it be read"),
        (errno.EACCES, ["seed=1", "init=a", "name=a/bc"], "init=a/b: Permission denied."),
        (errno.EACCES, ["dataset.root=.", "x=", "a/b"], "a/b: Permission denied."),
        (errno.EACCES, ["dataset.root=a", "init=a/b"], "init=a/b: Permission denied."),
        (errno.ENAMETOOLONG, ["to=a/b"], "to=a/b: File name too long: a file system takes names"),
    ],
)
def test_a_refusal_names_file_and_key(number: int, words: Sequence[str], told: str) -> None:
    with pytest.raises(ConfigError) as caught, reading(words):
        raise OSError(number, os.strerror(number), "a/b")
    assert str(caught.value).startswith(told)


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        HTTPError("http://there", 404, "Not Found", {}, None),  # pyright: ignore
        KeyError("a"),
    ],
)
def test_what_is_of_no_file_comes_as_it_is(error: Exception) -> None:
    with pytest.raises(type(error)), reading():
        raise error
