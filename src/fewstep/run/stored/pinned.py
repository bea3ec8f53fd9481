"""What a run is known by (`..._sha256`), held against what lies there now."""

from __future__ import annotations

from typing import Any

from fewstep.messages.errors import ConfigError
from fewstep.messages.printable import printable


def check(given: str, found: str, key: str, wanted: Any, told: tuple[str, str, str]) -> None:
    """Refuse another digest than a run was told to be of.

    Args:
        given: what names it, as `init=glyphs`.
        found: its digest.
        key: that of the digest.
        wanted: its value; None where nobody has said.
        told: what is there instead, what the run is to be of, and what to give.

    Raises:
        ConfigError: naming both.
    """
    if wanted in (None, found):
        return
    other, run, those = told
    raise ConfigError(
        f"{given}: {other} (sha256 {found[:8]}) than {run} ({key}={printable(wanted)[:8]}...). "
        f"Give {those}, or leave {key} out"
    )


def check_named(given: str, key: str, wanted: Any, what: str) -> None:
    """Refuse the digest of something that nothing names.

    Raises:
        ConfigError: naming both.
    """
    if wanted:
        raise ConfigError(
            f"{key}={printable(wanted)}: tells {what}, and {given} names none. Give both, or leave "
            f"{key} out"
        )
