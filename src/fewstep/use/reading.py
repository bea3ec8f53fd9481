"""The keys by which a command reads pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fewstep.config.checks import Check
from fewstep.config.keys import Key
from fewstep.data.images.decode import USUAL, Reading


READING = {
    "white": Key(
        "what is white in files of more than 8 bits",
        Check(float, above=0, optional=True, example=4095),
    ),
    "max_megapixels": Key(
        "the most pixels of a picture, in millions",
        Check(float, above=0, example=128),
        USUAL.max_megapixels,
    ),
    "max_file_mb": Key(
        "the most a file may take, in MB", Check(float, above=0, example=512), USUAL.max_file_mb
    ),
}


def reading_of(values: Mapping[str, Any]) -> Reading:
    """How pictures are read, of a command's keys."""
    return Reading(**{name: values[name] for name in READING})
