"""What a results.json must say before a report relies on it, whoever wrote it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fewstep.disk.plain import plain_json
from fewstep.messages.errors import ConfigError
from fewstep.messages.printable import printable
from fewstep.records.outcome import SCHEMA
from fewstep.records.sizes import SIZES
from fewstep.report.runs import kinds


SHOWN = 60
"""Characters of a bad value that are shown."""

FIGURES: dict[str, kinds.Check] = {
    "acc": kinds.share,
    "loss": kinds.measured,
    **dict.fromkeys(("acc_ci95", "loss_ci95"), kinds.width),
}
RUN: dict[str, kinds.Check] = {
    "seed": kinds.whole,
    "meta_iterations": kinds.counted,
    "name": kinds.text,
    "algorithm": kinds.text,
    "dataset": kinds.text,
}
ENTRY: dict[str, kinds.Check] = {
    "protocol": kinds.protocol,
    "init": kinds.text,
    **dict.fromkeys(("ways", "tasks"), kinds.some),
    **dict.fromkeys(("shots", "steps"), kinds.counted),
}
"""What is needed."""

COUNTED = ("tasks_seen", "gradients_taken", "examples_seen", "hessian_products", "peak_bytes")

MAY: dict[str, kinds.Check] = {
    **dict.fromkeys(("label", "command", "git_commit", "device", "recipe_hash"), kinds.text),
    **dict.fromkeys(
        ("dataset_split", "config_hash", "split", "checkpoint", "unit", "interval"), kinds.text
    ),
    **dict.fromkeys(("episodes_sha256", "data_sha256", "classes_sha256"), kinds.text),
    "trained_on": kinds.node,
    "eval_seed": kinds.whole,
    **dict.fromkeys(("queries", "batch_size", "shift", *COUNTED), kinds.counted),
    **FIGURES,
    **dict.fromkeys(("train_seconds", "tasks_per_second"), kinds.width),
    "per_task_file": kinds.inside,
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
    if not isinstance(config := content.get("config", {}), Mapping):
        yield f"config={_short(config)}: must be a configuration"
    elif not kinds.whole(seed := config.get("seed", 0)):
        yield f"config.seed={_short(seed)}: must be {kinds.NOUNS[kinds.whole]}"
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


def _wrong(
    node: Mapping[str, Any], needed: Mapping[str, kinds.Check], prefix: str = ""
) -> Iterator[str]:
    for name, check in needed.items():
        if name not in node:
            yield f"{prefix}{name} is missing"
        elif not check(node[name]):
            yield f"{prefix}{name}={_short(node[name])}: must be {kinds.NOUNS[check]}"
    for name, check in MAY.items():
        if node.get(name) is not None and not check(node[name]):
            yield f"{prefix}{name}={_short(node[name])}: must be {kinds.NOUNS[check]}"


def _wrong_curve(curve: Any, figure: str | None, key: str) -> Iterator[str]:
    """Steps and figures of one length, the steps numbers and the figures numbers or null."""
    if curve is None:
        return
    steps = curve.get("steps") if isinstance(curve, Mapping) else None
    if not isinstance(steps, list) or not all(map(kinds.counted, steps)):
        yield f"{key}: must have steps, a list of whole numbers"
        return
    for name in (figure or "loss", f"{figure or 'loss'}_ci95"):
        values, check = curve.get(name), FIGURES[name]
        if not (isinstance(values, list) and len(values) == len(steps) and all(map(check, values))):
            yield f"{key}.{name}: must have {kinds.NOUNS[check]} for each of its steps"


def _wrong_groups(groups: Any, size: str, figure: str | None, where: str) -> Iterator[str]:
    """What tasks of each size found: whole numbers, and figures that are numbers or null."""
    if groups is None:
        return
    if not isinstance(groups, list) or not all(isinstance(group, Mapping) for group in groups):
        yield f"{where}.by_{size}={_short(groups)}: must be a list of groups of tasks"
        return
    figures = {name: check for name, check in FIGURES.items() if name.startswith(f"{figure}")}
    needed = {size: kinds.counted, "tasks": kinds.some, **figures}
    for place, group in enumerate(groups):
        yield from _wrong(group, needed, f"{where}.by_{size}[{place}].")


def _short(value: Any) -> str:
    shown = printable(value)
    return shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}..."
