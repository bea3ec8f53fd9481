"""What a request of the page asks for, checked against the limits before anything is computed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from starlette.requests import Request

from fewstep.config.names import check_name
from fewstep.messages.errors import ConfigError
from fewstep.messages.printable import printable
from fewstep.use.page.drawings import Drawing


FEWEST_CLASSES, MOST_CLASSES = 2, 10
MOST_DRAWINGS = 5
"""Of one class."""
MOST_POINTS = 1000
"""Of one drawing."""
LONGEST_NAME = 24
"""Characters of a class's name."""
MOST_BYTES = 2 * 10**6
"""Of a request: room for all drawings at their limits."""
READ_ON = 64 * 10**6
"""Bytes of a larger one that are still taken off the line, so that the answer gets through."""


class Refused(Exception):
    """A request that is not answered; the text is all that the page needs to show."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True)
class Examples:
    """The classes as drawn, in the order of the page."""

    names: tuple[str, ...]
    drawings: tuple[tuple[Drawing, ...], ...]
    """Those of each class."""


async def content(request: Request) -> Mapping[str, Any]:
    """The JSON object that a request carries.

    Raises:
        Refused: it is too large, or no JSON object.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise Refused(415, "the content must be application/json")
    body, size = bytearray(), 0
    async for piece in request.stream():
        size += len(piece)
        body = body + piece if size <= MOST_BYTES else bytearray()
        if size > READ_ON:
            break
    if size > MOST_BYTES:
        raise Refused(413, f"more than {MOST_BYTES // 10**6} MB: draw less, or fewer strokes")
    try:
        found = json.loads(body, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise Refused(400, "this is no JSON") from None
    if not isinstance(found, dict):
        raise Refused(400, "must be a JSON object")
    return found


def examples(given: Mapping[str, Any]) -> Examples:
    """The classes of `{"classes": [{"name": ..., "drawings": [...]}, ...]}`.

    Raises:
        Refused: naming what is missing or beyond its limit.
    """
    classes = _listed(given.get("classes"), "classes", FEWEST_CLASSES, MOST_CLASSES)
    if not all(isinstance(one, dict) for one in classes):
        raise Refused(422, "classes: each must be an object with a name and drawings")
    names = tuple(_name(one.get("name")) for one in classes)
    if len({name.casefold() for name in names}) < len(names):
        raise Refused(422, "two classes have the same name: give one of them another")
    each = [
        _listed(one.get("drawings"), f"drawings of {name}", 1, MOST_DRAWINGS)
        for name, one in zip(names, classes, strict=True)
    ]
    return Examples(names, tuple(tuple(drawing(one) for one in drawings) for drawings in each))


def drawing(given: Any) -> Drawing:
    """A drawing `[[[x, y], ...], ...]`: strokes of points in the unit square.

    Raises:
        Refused: it is none, has no point or too many, or one outside.
    """
    strokes = _listed(given, "strokes of a drawing", 1, MOST_POINTS)
    points = sum(len(_listed(stroke, "points of a stroke", 1, MOST_POINTS)) for stroke in strokes)
    if points > MOST_POINTS:
        raise Refused(422, f"a drawing has {points} points: {MOST_POINTS} at most")
    return tuple(tuple(_point(point) for point in stroke) for stroke in strokes)


def _point(given: Any) -> tuple[float, float]:
    if isinstance(given, list) and len(given) == 2 and all(_share(value) for value in given):
        return float(given[0]), float(given[1])
    raise Refused(422, "a point must be [x, y], both from 0 to 1")


def _share(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1


def _name(given: Any) -> str:
    if not isinstance(given, str) or not given.strip() or len(given) > LONGEST_NAME:
        raise Refused(422, f"the name of a class must have 1 to {LONGEST_NAME} characters")
    try:
        check_name("name", given)
    except ConfigError:
        shown = printable(given)
        raise Refused(422, f"{shown}: is no name for a class, as no folder can have it") from None
    return given


def _listed(given: Any, what: str, fewest: int, most: int) -> list[Any]:
    if not isinstance(given, list):
        raise Refused(422, f"{what}: must be a list")
    if not fewest <= len(given) <= most:
        raise Refused(422, f"{what}: {fewest} to {most}, not {len(given)}")
    return given


def _no_number(_: str) -> NoReturn:
    raise ValueError("NaN and Infinity are no JSON")
