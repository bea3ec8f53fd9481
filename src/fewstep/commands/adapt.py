"""`fewstep adapt`: from a folder of pictures a class to a classifier, and what to expect of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fewstep.commands.front import TRUST, reading, run, trusted
from fewstep.config.checks import Check, count
from fewstep.config.keys import Key, help_of
from fewstep.disk.files import check_place
from fewstep.disk.homes import expanded
from fewstep.messages.errors import ConfigError, some
from fewstep.records.run_folders import new_name


ABOUT = """\
fewstep adapt pictures=PHOTOS [key=value ...]   a classifier from a few pictures a class

PHOTOS is a folder, a zip or a tar with a folder a class. Writes classifier.json,
weights.safetensors and expected.png, which shows every picture with what it was told to be when it
was left out.
"""

EXAMPLES = """\
  fewstep adapt pictures=photos
  fewstep adapt pictures=drawings.zip init=omniglot classifier=drawings
  fewstep adapt pictures=photos init=outputs/runs/NAME/DATE steps=100
"""

HEADS = ("trained", "mean", "zeros", "prototypes", "logistic", "steps")
KEYS = {
    "pictures": Key("a folder, zip or tar with a folder a class", Check(str), needed=True),
    "init": Key(
        "omniglot, glyphs, a run directory, a .ckpt, timm:NAME, or auto: what is best here",
        Check(str, example="omniglot"),
        "auto",
        choices=("auto", "glyphs", "omniglot", "timm:"),
    ),
    "classifier": Key(
        "the folder to write; null is outputs/classifiers/NAME/DATE",
        Check(str, optional=True, example="classifiers/photos"),
    ),
    "steps": Key("inner steps; null is the initialization's own", count(0, 50, optional=True)),
    "batch_size": Key("examples an inner step; null is its own", count(1, 5, optional=True)),
    "head": Key(
        "where the last layer starts, or of timm:NAME how it is learned; null is its own",
        Check(str, choices=HEADS, optional=True, example="mean"),
        choices=HEADS,
    ),
    "seed": Key("of the order of the minibatches", count(0, 0), 0),
    "evaluate": Key(
        "leave pictures out to say what to expect",
        Check(bool, example=True),
        True,
        choices=("false",),
    ),
    "backbone.weights": Key(
        "a file with the weights of timm:NAME; null looks into timm's own cache",
        Check(str, optional=True, example="weights.safetensors"),
    ),
    "backbone.size": Key(
        "side of the squares that timm:NAME sees, in pixels; null is its own",
        Check(int, low=1, optional=True, example=160),
    ),
    "trust": TRUST,
}


def help_text() -> str:
    """What `fewstep adapt --help` prints."""
    return help_of(reading(KEYS), ABOUT, EXAMPLES)


def main(words: Sequence[str] | None = None) -> int:
    """Adapt to the pictures; the exit status."""
    return run("adapt", reading(KEYS), _adapt, words)


def _adapt(values: dict[str, Any]) -> int:
    folder = _folder(values)
    from fewstep.use import pictures
    from fewstep.use.fitting import fitted
    from fewstep.use.reading import reading_of
    from fewstep.use.sheet import draw

    began = time.monotonic()
    found = pictures.by_class(values["pictures"])
    classifier, lines = fitted(found, {**values, "trust": trusted(values)})
    expected = classifier.expected
    classifier.save(folder)
    if expected:
        draw(folder / "expected.png", found, expected, reading_of(values))
    counts = sorted(map(len, found.values()))
    each = f"{counts[0]}" if counts[0] == counts[-1] else f"{counts[0]} to {counts[-1]}"
    made = [f"{len(found)} classes of {each} pictures: {some([*found], 12)}", *lines]
    if expected:
        made.append(str(expected))
    written = "classifier.json, weights.safetensors" + (", expected.png" if expected else "")
    made.append(f"{time.monotonic() - began:.1f} seconds")
    made.append(f"{folder}: {written}")
    print(*made, sep="\n")
    return 0


def _folder(values: dict[str, Any]) -> Path:
    """Where the classifier goes; refused before anything is computed."""
    name = expanded(values["pictures"], "pictures").resolve().stem or "pictures"
    if given := values["classifier"]:
        folder = expanded(given, "classifier")
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise ConfigError(
                f"classifier={given}: is there already, and nothing of yours is overwritten. Name "
                "a folder that is not there, or remove it"
            )
    else:
        folder = Path("outputs", "classifiers", name, new_name())
    check_place(folder, "classifier")
    return folder
