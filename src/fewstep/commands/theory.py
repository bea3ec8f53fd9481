"""`fewstep theory`: which parts to compute, with what, and where the results go."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fewstep.config.checks import Check, check_values, count
from fewstep.disk.files import CannotWrite, check_place
from fewstep.messages.complaint import complain
from fewstep.messages.errors import ConfigError, did_you_mean
from fewstep.records.places import check_output
from fewstep.records.run_folders import new_name
from fewstep.theory.parts import PARTS, WHERE_NAMED


KEYS = {
    "seed": count(0, 0),
    "out": Check(str, example="outputs/theory/mine", optional=True),
    "dataset": Check(str, choices=("glyphs", "omniglot"), example="omniglot"),
    "dataset.root": Check(str, example="DATA", optional=True),
    "max_meta_iterations": count(1, 100),
}
DEFAULTS = {
    "seed": 0,
    "out": None,
    "dataset": "glyphs",
    "dataset.root": None,
    "max_meta_iterations": 100,
}

OF = {"max_meta_iterations": ("alignment",)}
OF |= {key: ("alignment", "estimators") for key in ("dataset", "dataset.root")}
"""The parts that a key is of, where it is not of all."""

HELP = f"""\
fewstep theory [PART ...] [key=value ...]

Computes section 5 of the paper with the algorithms that train, in float64 on the CPU, and prints
what was found beside what the paper says. Writes theory.json, theory.md and pictures.

Parts (all but the last where none is named)
{chr(10).join(f"  {name:<14}{what}" for name, what in PARTS.items())}

Keys
  seed=0                    of the tasks and of the initialization
  out=FOLDER                default outputs/theory/DATE_TIME
  dataset=glyphs            glyphs or omniglot, for `alignment` and `estimators`, which train
  dataset.root=DATA         a folder that has Omniglot; without it, it is downloaded
  max_meta_iterations=100   of the two trainings of `alignment`

Examples
  fewstep theory
  fewstep theory slopes coefficients seed=1
  fewstep theory alignment dataset=omniglot dataset.root=DATA
"""


@dataclass(frozen=True)
class Request:
    """What a command line asks for."""

    parts: Sequence[str]
    """In the order of `PARTS`."""
    values: dict[str, Any]
    """One for each of `KEYS`."""
    command: str


def help_text() -> str:
    """What `fewstep theory --help` prints."""
    return HELP


def main(words: Sequence[str] | None = None) -> int:
    """Compute the parts that the words name; the exit status."""
    words = sys.argv[1:] if words is None else words
    try:
        request = read(words)
        folder = _folder(request.values["out"])
        _write(folder, _compute(request))
    except (ConfigError, CannotWrite) as error:
        return complain(error, status=2 if isinstance(error, ConfigError) else 1)
    return 0


def read(words: Sequence[str]) -> Request:
    """Sort and check the words.

    Raises:
        ConfigError: a part or a key that does not exist, or a value out of range.
    """
    parts, values, given = set(), dict(DEFAULTS), {}
    for word in words:
        key, equals, text = word.partition("=")
        if not equals:
            if word not in PARTS:
                hint = did_you_mean(word, PARTS)
                raise ConfigError(
                    f"{word}: there is no such part.{hint} Known are {', '.join(PARTS)}"
                )
            parts.add(word)
            continue
        if key not in KEYS:
            hint = did_you_mean(key, KEYS)
            raise ConfigError(f"{word}: there is no key {key}.{hint} Known are {', '.join(KEYS)}")
        if key in given:
            raise ConfigError(f"{word}: {key} is given twice. Leave one of them out")
        given[key] = word
        values[key] = int(text) if KEYS[key].kind is int and text.isdecimal() else text
    check_values(values, KEYS)
    alone = [name for name in PARTS if name not in WHERE_NAMED]
    chosen = [name for name in PARTS if name in (parts or alone)]
    _check_used(given, chosen)
    return Request(chosen, values, shlex.join(["fewstep", "theory", *words]))


def _check_used(given: Mapping[str, str], chosen: Sequence[str]) -> None:
    for key, word in given.items():
        of = OF.get(key, chosen)
        if not set(of) & set(chosen):
            raise ConfigError(
                f"{word}: is of {' and '.join(of)} alone, and {', '.join(chosen)} would be "
                f"computed without it. Leave it out, or add {of[0]}"
            )


def _folder(out: str | None) -> Path:
    """Where the results go, not made yet.

    Raises:
        ConfigError: a place that cannot be written to, or where something would be overwritten.
    """
    folder = Path(out or f"outputs/theory/{new_name()}")
    check_place(folder, "out")
    check_output(folder, "out=")
    return folder


def _compute(request: Request) -> dict[str, Any]:
    from fewstep.theory import study

    return study.compute(request.parts, request.values, request.command)


def _write(folder: Path, figures: dict[str, Any]) -> None:
    from fewstep.disk.files import filling
    from fewstep.records.results import write_json
    from fewstep.theory.figures import draw
    from fewstep.theory.tables import markdown

    table = markdown(figures)
    with filling(folder) as aside:
        write_json(aside / "theory.json", figures)
        (aside / "theory.md").write_text(table + "\n", encoding="utf-8")
        draw(aside, figures)
    print(f"{table}\n\n{folder}")
