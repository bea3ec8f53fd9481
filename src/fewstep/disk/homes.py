"""Paths that begin with `~`, and the home folders that these stand for, where there are any."""

from __future__ import annotations

from pathlib import Path

from fewstep.messages.errors import ConfigError
from fewstep.messages.printable import printable


def expanded(path: str | Path, key: str) -> Path:
    """A path with the home folder in the place of its `~` or `~user`.

    Raises:
        ConfigError: nobody of that name is known here; under the `key` that gives the path.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise ConfigError(
            f"{key}={printable(path)}: no home folder is known for {printable(Path(path).parts[0])}"
            ". Write the whole path"
        ) from None


def home(fix: str) -> Path:
    """The user's home folder.

    Raises:
        ConfigError: there is none, as for a user that the system does not know; with the `fix`.
    """
    try:
        return Path.home()
    except RuntimeError:
        raise ConfigError(f"HOME is not set, and no home folder is known. {fix}") from None
