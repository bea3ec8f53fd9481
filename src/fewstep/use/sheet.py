"""The pictures with what each was told to be when it was left out, as one picture."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from fewstep.data.images.decode import USUAL, Reading, limited, opened
from fewstep.data.images.decoding import Picture, bytes_of, opened_archives
from fewstep.disk.files import replacing
from fewstep.messages.printable import printable
from fewstep.use.expected import Expected


SIDE, GAP, LINE = 96, 10, 18
"""Pixels of a picture's side, between pictures, and of a line of text."""
WIDTH, HEIGHT = 10, 20
"""Pictures of a class, and classes, that are shown at the most."""
RIGHT, WRONG, INK, FAINT = "#0b6e4f", "#c8553d", "#222222", "#7d8597"


def draw(
    file: Path,
    found: Mapping[str, Sequence[Picture]],
    expected: Expected,
    reading: Reading = USUAL,
) -> None:
    """Write a sheet: a row a class, under each picture what it was told to be, wrong ones marked.

    Args:
        file: to write.
        found: the pictures of each class.
        expected: what each was told to be.
        reading: how they were read.

    Raises:
        CannotWrite: naming the path, the reason and the fix.
    """
    columns = min(WIDTH, max(map(len, found.values())))
    rows = list(found.items())[:HEIGHT]
    cell, tall = SIDE + GAP, SIDE + GAP + LINE
    head = [(expected.headline, _font(14)), (expected.basis, _font(12))]
    width = max(130 + columns * cell, *(math.ceil(font.getlength(text)) for text, font in head))
    size = (2 * GAP + width, 2 * GAP + 3 * LINE + len(rows) * tall)
    sheet = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(sheet)
    for line, (text, font) in enumerate(head):
        pen.text((GAP, GAP + line * LINE), text, INK, font)
    place = 0
    with limited(reading), opened_archives([p for s in found.values() for p in s]) as archives:
        for row, (name, pictures) in enumerate(rows):
            top = GAP + 3 * LINE + row * tall
            pen.text((GAP, top + SIDE // 2), _short(name, 18), INK, _font(13))
            if len(pictures) > columns:
                more = f"and {len(pictures) - columns} more"
                pen.text((GAP, top + SIDE // 2 + LINE), more, FAINT, _font(11))
            for column, picture in enumerate(pictures[:columns]):
                corner = (GAP + 130 + column * cell, top)
                data = bytes_of(picture, archives, reading.max_bytes)
                answer = expected.answers[place + column]
                _put(sheet, pen, corner, opened(data, str(picture), reading), (name, answer))
            place += len(pictures)
    with replacing(file) as aside:
        sheet.save(aside, "PNG")


def _put(
    sheet: Image.Image,
    pen: ImageDraw.ImageDraw,
    corner: tuple[int, int],
    image: Image.Image,
    names: tuple[str, Any],
) -> None:
    """One picture, framed and told by (its class, what it was told to be)."""
    x, y = corner
    image = image.convert("RGB")
    image.thumbnail((SIDE, SIDE))
    sheet.paste(image, (x + (SIDE - image.width) // 2, y + (SIDE - image.height) // 2))
    name, answer = names
    if answer is None:
        pen.text((x, y + SIDE + 2), "not left out", FAINT, _font(11))
        return
    good = answer == name
    pen.rectangle(
        (x - 2, y - 2, x + SIDE + 1, y + SIDE + 1), outline=RIGHT if good else WRONG, width=2
    )
    text = _short(str(answer), 14) if good else f"not {_short(str(answer), 10)}"
    pen.text((x, y + SIDE + 2), text, RIGHT if good else WRONG, _font(11))


def _font(size: int) -> Any:
    return ImageFont.load_default(size)


def _short(text: str, most: int) -> str:
    text = printable(text)
    return text if len(text) <= most else f"{text[: most - 1]}…"
