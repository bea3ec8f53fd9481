"""`fewstep adapt`: from a folder of pictures a class to a classifier, and what to expect of it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from fewstep.commands.front import TRUST, reading, run, trusted
from fewstep.config.checks import Check, count
from fewstep.config.keys import Key, help_of
from fewstep.disk import lock
from fewstep.disk.files import CannotWrite, check_place, writing
from fewstep.disk.homes import expanded
from fewstep.disk.litter import is_litter
from fewstep.messages.complaint import complain
from fewstep.messages.errors import ConfigError, some
from fewstep.messages.printable import printable
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
    with _claimed(folder):
        return _fill(folder, values)


def _fill(folder: Path, values: dict[str, Any]) -> int:
    """Make the classifier and write it; what it took minutes to find out is told before that."""
    from fewstep.use import pictures
    from fewstep.use.about import ABOUT, SHEET, WEIGHTS
    from fewstep.use.fitting import fitted
    from fewstep.use.reading import reading_of
    from fewstep.use.sheet import draw

    began = time.monotonic()
    found = pictures.by_class(values["pictures"])
    classifier, lines = fitted(found, {**values, "trust": trusted(values)})
    expected = classifier.expected
    said = [_counted(found), *lines, *([str(expected)] if expected else [])]
    print(*said, f"{time.monotonic() - began:.1f} seconds", sep="\n", flush=True)
    _check_empty(folder)
    classifier.save(folder)
    files = f"{folder}: {ABOUT}, {WEIGHTS}"
    try:
        if expected:
            draw(folder / SHEET, found, expected, reading_of(values))
            files += f", {SHEET}"
    except (CannotWrite, OSError, ValueError) as error:  # a picture may be gone by now
        print(files, flush=True)
        return complain(f"{folder}: is saved, and whole but for {SHEET}: {error}", 1)
    print(files)
    return 0


def _counted(found: Mapping[str, Sequence[Any]]) -> str:
    """How many classes and pictures there are, and what the classes are called."""
    counts = sorted(map(len, found.values()))
    each = f"{counts[0]}" if counts[0] == counts[-1] else f"{counts[0]} to {counts[-1]}"
    pictures = "picture" if counts[-1] == 1 else "pictures"
    return f"{len(found)} classes of {each} {pictures}: {some([*map(printable, found)], 12)}"


def _folder(values: dict[str, Any]) -> Path:
    """Where the classifier goes; refused before anything is computed."""
    name = expanded(values["pictures"], "pictures").resolve().stem or "pictures"
    folder = Path("outputs", "classifiers", name, new_name())
    if values["classifier"]:
        folder = expanded(values["classifier"], "classifier")
    _check_empty(folder)
    check_place(folder, "classifier")
    return folder


def _check_empty(folder: Path) -> None:
    """Raises ConfigError where something is there; litter and a process's lock do not count."""
    there = folder.exists()
    if there and (not folder.is_dir() or not all(is_litter(p.name) for p in folder.iterdir())):
        raise ConfigError(
            f"classifier={folder}: is there already, and nothing of yours is overwritten. Name a "
            "folder that is not there, or remove it"
        )


@contextmanager
def _claimed(folder: Path) -> Iterator[None]:
    """The folder, empty and for this process alone: leaving out takes minutes, in which another
    adapt would find it as empty. What is not filled is not left.

    Raises:
        ConfigError: another process is at work in it, or has just filled it.
        CannotWrite: it cannot be made.
    """
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            try:
                stack.enter_context(lock.held(folder))
            except ConfigError as error:
                own = str(error).replace("as name=...", "as classifier=...")
                raise ConfigError(f"classifier={own}") from None
            stack.callback((folder / lock.NAME).unlink, missing_ok=True)
            _check_empty(folder)
            yield
    finally:
        for path in new:
            with suppress(OSError):  # it is filled
                path.rmdir()
