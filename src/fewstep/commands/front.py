"""What the front doors of commands without a configuration share."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fewstep.config.checks import Check
from fewstep.config.keys import Key, Keys, read
from fewstep.messages.complaint import complain
from fewstep.messages.errors import ConfigError


TRUST = Key("modules that what is stored may name: [mine,timm]", Check(str, optional=True))


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
    from fewstep.config.trust import text_of
    from fewstep.disk.files import CannotWrite
    from fewstep.disk.reading import reading
    from fewstep.processes.children import here_last

    here_last()  # where a network of one's own is looked for
    words = sys.argv[1:] if words is None else words
    try:
        with reading(words):
            return work(read(command, keys, words, many))
    except CannotWrite as error:
        return complain(error, status=1)
    except ConfigError as error:
        return complain(text_of(error, command, words))


def trusted(values: Mapping[str, Any]) -> list[str]:
    """The modules that the key `trust` names, as `mine,timm` or `[mine,timm]`.

    Raises:
        ConfigError: something else.
    """
    from fewstep.config.trust import check_trust

    modules = [name.strip() for name in (values["trust"] or "").strip("[]").split(",")]
    check_trust(found := {"trust": [name for name in modules if name]})
    return found["trust"]


def reading(keys: Keys) -> Keys:
    """The same keys and those by which pictures are read."""
    from fewstep.use.reading import READING

    return {**keys, **READING}
