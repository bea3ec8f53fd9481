"""What the front doors of commands without a configuration share."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fewstep.config.checks import Check
from fewstep.config.keys import Key, Keys, read
from fewstep.messages.complaint import complain
from fewstep.messages.errors import ConfigError


TRUST = Key("a module that what is stored may name", Check(str, optional=True))


def run(
    command: str,
    keys: Keys,
    work: Callable[[dict[str, Any]], int],
    words: Sequence[str] | None,
    many: str | None = None,
) -> int:
    """Do a command's work with the values of its keys; the exit status, 2 where what is asked for
    cannot be, 1 where it could not be written.

    Args:
        command: its name.
        keys: those that it has.
        work: what it does with their values; the exit status.
        words: of the command line; None are those of this process.
        many: a key that takes several words.
    """
    from fewstep.disk.files import CannotWrite

    try:
        return work(read(command, keys, sys.argv[1:] if words is None else words, many))
    except CannotWrite as error:
        return complain(error, status=1)
    except ConfigError as error:
        return complain(error)
    except OSError as error:  # a name that no file can have, a folder that nobody may look into
        if error.filename is None:
            raise
        return complain(f"{error.filename}: {error.strerror}. Name another, or let it be read")


def trusted(values: Mapping[str, Any]) -> list[str]:
    """The modules that the key `trust` names."""
    return [values["trust"]] if values["trust"] else []


def reading(keys: Keys) -> Keys:
    """The same keys and those by which pictures are read."""
    from fewstep.use.reading import READING

    return {**keys, **READING}
