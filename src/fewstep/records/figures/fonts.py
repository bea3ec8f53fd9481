"""Characters that the font of the pictures lacks: another font of the system draws them.

Labels, names of classes and of datasets are in any script. Where no font has a character, a box
stands for it, and one line says so instead of one of matplotlib's for each place.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import matplotlib.pyplot as plt
from matplotlib.font_manager import FontEntry, FontProperties, findfont, fontManager, get_font


log = logging.getLogger("fewstep")

NO_TEXT = ("Last Resort", "STIXNonUnicode", "cm")
"""Beginnings of the names of fonts that come with matplotlib and say another character than they
show: boxes, and mathematics."""

_said: list[str] = []


@contextmanager
def drawing() -> Iterator[None]:
    """Within it fonts may be added, and what no font has is said once, by us."""
    with plt.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from")
        yield


def have(text: str) -> None:
    """See to it that what is drawn from here on, in this context, has the characters of a text."""
    if text.isascii():
        return
    families = plt.rcParams["font.family"]
    lacking = frozenset(text) - _all(tuple(families))
    if not lacking:
        return
    found, missing = _others(lacking)
    if found:
        plt.rcParams["font.family"] = [*families, *found]
    if missing:
        _say("".join(sorted(missing)))


def _say(missing: str) -> None:
    """Once, of all that is drawn."""
    if _said:
        return
    _said.append(missing)
    log.warning(
        "No font of this system has %s: pictures show a box in the place of such a character. "
        "Install one that does, for example Noto Sans CJK",
        " ".join(missing[:10]),
    )


@lru_cache(64)
def _all(families: tuple[str, ...]) -> frozenset[str]:
    """The characters that these fonts have."""
    files = (findfont(FontProperties(family=[family])) for family in families)
    return frozenset().union(*map(_characters, files))


@lru_cache(512)
def _characters(file: str) -> frozenset[str]:
    try:
        return frozenset(map(chr, get_font(file).get_charmap()))
    except (OSError, RuntimeError):  # a file that is gone, or no font
        return frozenset()


@lru_cache(256)
def _others(lacking: frozenset[str]) -> tuple[tuple[str, ...], frozenset[str]]:
    """Families that have some of the characters, the one with most first, and what none has."""
    files = {font.name: font.fname for font in fontManager.ttflist if _usable(font)}
    having = {name: lacking & _characters(file) for name, file in sorted(files.items())}
    found: list[str] = []
    while best := max(having, key=lambda name: len(having[name] & lacking), default=""):
        if not having[best] & lacking:
            break
        found.append(best)
        lacking -= having[best]
    return tuple(found), lacking


def _usable(font: FontEntry) -> bool:
    """Whether it is one of plain text: of another weight, matplotlib would say so each time."""
    plain = (font.style, font.weight) == ("normal", 400)
    return plain and not font.name.startswith(NO_TEXT)
