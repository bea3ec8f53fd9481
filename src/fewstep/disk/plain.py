"""Small files of a run, read where they are plain ones, whoever has put them there.

A folder from elsewhere may have anything in the place of a file of ours: a pipe, at which a reader
would wait for ever, a text of any other program, brackets a thousand deep.
"""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fewstep.messages.errors import first_line


MOST = 2**30
"""Bytes of a file that is read as a whole."""

DEEPEST = 5000
"""Levels of YAML that libyaml is trusted with: where the stack ends, it takes the process along."""


def plain_text(file: Path) -> str:
    """The text of a file in UTF-8, with or without the mark that spreadsheets begin it with, and
    with the ends of lines of any system as `\\n`.

    Raises:
        OSError: it is not there, is no plain file or is too large.
        ValueError: it is no UTF-8.
    """
    with open(file, encoding="utf-8-sig", opener=_plain) as text:
        return text.read()


def plain_yaml(file: Path) -> Any:
    """What a YAML file says.

    Raises:
        OSError, ValueError: as `plain_text`, or it is no YAML.
    """
    return yaml_of(plain_text(file))


def yaml_of(text: str) -> Any:
    """What a YAML text says.

    Raises:
        ValueError: it is no YAML.
    """
    import yaml

    fast = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return yaml.load(text, fast if _levels(text) <= DEEPEST else yaml.SafeLoader)
    except Exception as error:  # besides its own, whatever `!!bool x` or a deep nest comes to
        raise ValueError(str(error) or type(error).__name__) from None


def plain_json(file: Path, constant: Callable[[str], Any] | None = None) -> Any:
    """What a JSON file says; `constant` makes a value of NaN and the infinities.

    Raises:
        OSError, ValueError: as `plain_text`, or it is no JSON.
    """
    try:
        return json.loads(plain_text(file), parse_constant=constant)
    except RecursionError as error:
        raise ValueError(first_line(error)) from None


def _levels(text: str) -> int:
    """As deep as a YAML text can be: a level takes a bracket, or a column of a line."""
    brackets = text.count("[") + text.count("{")
    return brackets + max(map(len, text.split("\n")))


def _plain(path: str, flags: int) -> int:
    """An `opener` of `open` that waits for no pipe, and follows links as a user's own are."""
    handle = os.open(path, flags | os.O_NONBLOCK)
    found = os.fstat(handle)
    if stat.S_ISREG(found.st_mode) and found.st_size <= MOST:
        return handle
    os.close(handle)
    if stat.S_ISREG(found.st_mode):
        raise OSError(errno.EFBIG, f"it has more than {MOST:,} bytes", path)
    raise OSError(errno.EINVAL, "it is no plain file", path)
