"""Reading what a user has named, where the system may refuse the name or the file."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from fewstep.messages.errors import ConfigError


LIMIT = "a file system takes names of some 255 bytes and paths of some 4000. Choose a shorter one"


@contextmanager
def reading(words: Sequence[str] = ()) -> Iterator[None]:
    """Name the file where the system alone says what is wrong: a name that no file can have, a
    folder that nobody may look into. An error that names none comes as it is.

    Args:
        words: of the command line, one of which may be the key that has named it.

    Raises:
        ConfigError: naming the path, the reason and the fix.
    """
    try:
        yield
    except OSError as error:
        if error.filename is None or error.strerror is None:  # as of a network
            raise
        too_long = error.errno == errno.ENAMETOOLONG
        fix = f": {LIMIT}" if too_long else ". Name another, or let it be read"
        shown = f"{_key(words, str(error.filename))}{error.filename}"
        raise ConfigError(f"{shown}: {error.strerror}{fix}") from error


def _key(words: Sequence[str], name: str) -> str:
    """`key=` of the word that a file's name begins with; nothing where there is none."""
    found = {value: key for key, _, value in (word.partition("=") for word in words)}
    begun = [v for v in found if Path(v).parts and Path(name).is_relative_to(v)]
    return f"{found[max(begun, key=len)]}=" if begun else ""
