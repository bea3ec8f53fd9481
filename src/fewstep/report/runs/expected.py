"""What a results.json must say before a report relies on it, whoever wrote it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from fewstep.disk.plain import plain_json
from fewstep.messages.errors import ConfigError
from fewstep.messages.printable import printable
from fewstep.records.outcome import SCHEMA
from fewstep.records.sizes import SIZES


SHOWN = 60
"""Characters of a bad value that are shown."""
ROUNDING = 1e-6


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _measured(value: Any) -> bool:
    """Null where a run diverged."""
    return value is None or (_number(value) and math.isfinite(value))


def _counted(value: Any) -> bool:
    return _whole(value) and value >= 0


def _some(value: Any) -> bool:
    return _whole(value) and value >= 1


def _width(value: Any) -> bool:
    return _measured(value) and (value is None or value >= 0)


def _share(value: Any) -> bool:
    """An accuracy; a mean of floats may end a rounding above 1."""
    return _measured(value) and (value is None or -ROUNDING <= value <= 1 + ROUNDING)


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _inside(value: Any) -> bool:
    """A path that stays in the run directory."""
    return _text(value) and not Path(value).is_absolute() and ".." not in Path(value).parts


Check = Callable[[Any], bool]

NOUNS: dict[Check, str] = {
    _whole: "a whole number",
    _counted: "a whole number of at least 0",
    _some: "a whole number of at least 1",
    _measured: "a number or null",
    _width: "a number of at least 0 or null",
    _share: "a number from 0 to 1 or null",
    _text: "a text",
    _inside: "a path in the run directory",
}

FIGURES: dict[str, Check] = {
    "acc": _share,
    "loss": _measured,
    **dict.fromkeys(("acc_ci95", "loss_ci95"), _width),
}
RUN: dict[str, Check] = {
    "seed": _whole,
    "meta_iterations": _counted,
    "name": _text,
    "algorithm": _text,
    "dataset": _text,
}
ENTRY: dict[str, Check] = {
    **dict.fromkeys(("protocol", "init"), _text),
    **dict.fromkeys(("ways", "tasks"), _some),
    **dict.fromkeys(("shots", "steps"), _counted),
}
"""What is needed."""

COUNTED = ("tasks_seen", "gradients_taken", "examples_seen", "hessian_products", "peak_bytes")

MAY: dict[str, Check] = {
    **dict.fromkeys(("label", "command", "git_commit", "device", "recipe_hash"), _text),
    **dict.fromkeys(
        ("dataset_split", "config_hash", "split", "checkpoint", "unit", "interval"), _text
    ),
    "episodes_sha256": _text,
    "eval_seed": _whole,
    **dict.fromkeys(("queries", "batch_size", "shift", *COUNTED), _counted),
    **FIGURES,
    **dict.fromkeys(("train_seconds", "tasks_per_second"), _width),
    "per_task_file": _inside,
}
"""What may be null or missing, of a run or of one of its results."""


def read_results(file: Path) -> dict[str, Any]:
    """The contents of a results.json.

    Raises:
        ConfigError: naming the file, the entry, what it must be and the way out.
    """
    if not file.is_file():
        raise ConfigError(f"{file}: is no plain file. Name run directories or sweeps")
    try:
        # What is not a finite number is null, as we write it.
        content = plain_json(file, lambda _: None)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{file}: cannot be read as results ({printable(error)}). Leave it out, or run it again"
        ) from None
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        found = content.get("schema") if isinstance(content, dict) else None
        raise ConfigError(
            f"{file}: schema={_short(found)}: is not a results.json that this version can read "
            f"(schema {SCHEMA})"
        )
    if complaint := next(_complaints(content), None):
        raise ConfigError(f"{file}: {complaint}. Leave this file out, or run that again")
    return content


def _complaints(content: Mapping[str, Any]) -> Iterator[str]:
    results = content.get("results")
    if not isinstance(results, list) or not results:
        yield f"results={_short(results)}: must be a list of at least one result"
        return
    yield from _wrong(content, RUN)
    if not isinstance(content.get("config", {}), Mapping):
        yield f"config={_short(content['config'])}: must be a configuration"
    for place, entry in enumerate(results):
        if not isinstance(entry, Mapping):
            yield f"results[{place}]={_short(entry)}: must be a result"
            return
        yield from _wrong(entry, ENTRY, f"results[{place}].")
        figure = next((name for name in ("acc", "loss") if name in entry), None)
        if figure is None:
            yield f"results[{place}]: must have acc or loss"
        yield from _wrong_curve(entry.get("curve"), figure, f"results[{place}].curve")
        for size in SIZES:
            yield from _wrong_groups(entry.get(f"by_{size}"), size, figure, f"results[{place}]")


def _wrong(node: Mapping[str, Any], needed: Mapping[str, Check], prefix: str = "") -> Iterator[str]:
    for name, check in needed.items():
        if name not in node:
            yield f"{prefix}{name} is missing"
        elif not check(node[name]):
            yield f"{prefix}{name}={_short(node[name])}: must be {NOUNS[check]}"
    for name, check in MAY.items():
        if node.get(name) is not None and not check(node[name]):
            yield f"{prefix}{name}={_short(node[name])}: must be {NOUNS[check]}"


def _wrong_curve(curve: Any, figure: str | None, key: str) -> Iterator[str]:
    """Steps and figures of one length, the steps numbers and the figures numbers or null."""
    if curve is None:
        return
    steps = curve.get("steps") if isinstance(curve, Mapping) else None
    if not isinstance(steps, list) or not all(map(_counted, steps)):
        yield f"{key}: must have steps, a list of whole numbers"
        return
    for name in (figure or "loss", f"{figure or 'loss'}_ci95"):
        values, check = curve.get(name), FIGURES[name]
        if not (isinstance(values, list) and len(values) == len(steps) and all(map(check, values))):
            yield f"{key}.{name}: must have {NOUNS[check]} for each of its steps"


def _wrong_groups(groups: Any, size: str, figure: str | None, where: str) -> Iterator[str]:
    """What tasks of each size found: whole numbers, and figures that are numbers or null."""
    if groups is None:
        return
    if not isinstance(groups, list) or not all(isinstance(group, Mapping) for group in groups):
        yield f"{where}.by_{size}={_short(groups)}: must be a list of groups of tasks"
        return
    figures = {name: check for name, check in FIGURES.items() if name.startswith(f"{figure}")}
    needed = {size: _counted, "tasks": _some, **figures}
    for place, group in enumerate(groups):
        yield from _wrong(group, needed, f"{where}.by_{size}[{place}].")


def _short(value: Any) -> str:
    shown = printable(value)
    return shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}..."
