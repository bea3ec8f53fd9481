"""Text from elsewhere, made fit to be shown: names of files, classes and runs may hold anything.

An escape sequence repaints a terminal, a bidirectional mark turns a line around, a line break
forges a second message, `=` begins a formula in a spreadsheet, `$` one in a picture.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any


HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
"""Unicode's categories of what controls, or is not to be seen at all."""

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What begins a formula in a cell of a spreadsheet."""
NO_FORMULA = re.compile(r"[-+=@]|[-+][0-9.]+")
"""What is none for all that: a sign by itself, and a number."""


def printable(value: Any) -> str:
    """A text in one line, in which whatever would not be seen as it is is spelled: `\\x1b`."""
    text = str(value)
    if text.isprintable():  # which nearly all are
        return text
    return "".join(c if _seen(c) else _spelled(c) for c in text)


def _seen(character: str) -> bool:
    return unicodedata.category(character) not in HIDDEN


def _spelled(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def cell(value: Any) -> Any:
    """A cell of a table for spreadsheets: a text is never a formula, a number stays a number."""
    if not isinstance(value, str):
        return value
    text = printable(value)
    formula = value.startswith(FORMULA) and not NO_FORMULA.fullmatch(value)
    return f"'{text}" if formula else text


def caption(value: Any) -> str:
    """A text for a picture: matplotlib takes `$` for mathematics, and hides what begins with _."""
    text = printable(value).replace("$", r"\$")
    return f" {text}" if text.startswith("_") else text
