"""What a row's training cost, so that a comparison says whether it was one of equals."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fewstep.records import words
from fewstep.report.runs.gather import Run
from fewstep.report.tables.table import Row


COUNTS = ("tasks_seen", "gradients_taken", "examples_seen")
"""As results.json names them; files that are older have the first alone."""

ASKS_QUERIES = {"MAML", "Binomial", "FOMAML"}
"""Algorithms of ours whose training takes one gradient more, of the queries."""
WITHOUT_QUERIES = {"Reptile", "Joint", "Combination"}

COSTS = ("hessian_products", "tasks_per_second", "peak_bytes")
"""What else a training says that it cost: of a first-order one no products."""

SPENT = (*COUNTS, "train_seconds", *COSTS)

OURS = "fewstep."


def work(row: Row) -> dict[str, float | None]:
    """What a row's training was given and what it cost, on average over its runs; None where a
    file does not say."""
    every = [_of_run(run, row["init"]) for run in row.runs]
    return {name: _mean([one.get(name) for one in every]) for name in SPENT}


def _mean(values: Sequence[Any]) -> float | None:
    return None if None in values else statistics.fmean(values)


def _of_run(run: Run, init: str) -> Mapping[str, Any]:
    if init in ("random", "start"):  # nothing was trained
        return dict.fromkeys((*COUNTS, "train_seconds"), 0) | {"hessian_products": 0}
    said = run.content
    tasks = said.get("tasks_seen") or None
    if init == "trained":
        older = dict(zip(COUNTS[1:], counted(run.config, tasks), strict=True))
        own = {name: said[name] for name in SPENT[1:] if said.get(name) is not None}
        if not own.get("train_seconds"):  # older files say 0 where nothing was counted
            own.pop("train_seconds", None)
        return {"tasks_seen": tasks, **older, **own}
    # A baseline that was trained beside: the same tasks and inner loop, but for its own algorithm.
    node = (run.config.get("baselines") or {}).get(init)
    if not isinstance(node, Mapping) or not tasks:
        return {}
    algorithm = {**(run.config.get("algorithm") or {}), "_target_": node.get("_target_")}
    counts = counted({**run.config, "algorithm": algorithm}, tasks)
    return {"tasks_seen": tasks, **dict(zip(COUNTS[1:], counts, strict=True))}


def counted(config: Mapping[str, Any], tasks: int | None) -> tuple[int | None, int | None]:
    """Gradients and examples of so many tasks, worked out from a configuration; None for what is
    not in it, and for an algorithm of somebody's own."""
    try:
        algorithm, shots, inner = config["algorithm"], config["shots"], config["algorithm"]["inner"]
        target = str(algorithm["_target_"])
        steps = int(inner["steps"])
        ways, support, asked = (int(shots[name]) for name in ("ways", "train_shots", "queries"))
        minibatch = int(inner.get("batch_size") or ways * support)
        queries = ways * int(config["dataset"].get("points") or asked)
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError):
        return None, None
    name = target.rpartition(".")[2]
    if not tasks or not target.startswith(OURS) or name not in ASKS_QUERIES | WITHOUT_QUERIES:
        return None, None
    if name in WITHOUT_QUERIES:
        return tasks * steps, tasks * steps * minibatch
    tail = queries if algorithm.get("tail", "separate") == "separate" else minibatch
    return tasks * (steps + 1), tasks * (steps * minibatch + tail)


def differences(table: Iterable[Row]) -> str:
    """Where rows that one would compare differ in what they were given: one line, empty where
    there are no two of them."""
    groups: dict[Any, list[Row]] = {}
    for row in table:
        if row["init"] == "trained":
            groups.setdefault(tuple(row[name] for name in SETTING), []).append(row)
    compared = [group for group in groups.values() if len(group) > 1]
    if not compared:
        return ""
    apart = [[t for name, of in GIVEN.items() if (t := _differ(name, of, g))] for g in compared]
    if not any(apart):
        given = {n: [of(row) for group in compared for row in group] for n, of in GIVEN.items()}
        known = [n for n, values in given.items() if None not in values and any(values)]
        return f"Compared rows are equal in {', '.join(known)}."
    shared = [text for text in apart[0] if all(text in texts for texts in apart)]
    whose: dict[str, list[Row]] = {}
    for group, texts in zip(compared, apart, strict=True):
        own = ", ".join(text for text in texts if text not in shared)
        whose.setdefault(own, []).append(group[0])
    several = len({row["dataset"] for group in compared for row in group}) > 1
    told = [f"{_settings(rows, several)} in {own}" for own, rows in whose.items() if own]
    return f"Compared rows differ in: {'; '.join(filter(None, [', '.join(shared), *told]))}."


def _settings(rows: Sequence[Row], several: bool) -> str:
    """Those of a group, with the dataset where there are several."""
    told = (f"{words.dataset(r['dataset'])}, " * several + r.setting for r in rows)
    return " and ".join(dict.fromkeys(told))


def _differ(name: str, of: Any, group: Sequence[Row]) -> str:
    """`tasks seen (10,000 to 64,000)` where the rows of a group differ in it."""
    values = sorted({value for row in group if (value := of(row)) is not None}, key=_order)
    if len(values) < 2:
        return ""
    first, *_, last = (f"{v:,.0f}" if isinstance(v, (int, float)) else str(v) for v in values)
    return f"{name} {first} and {last}" if len(values) == 2 else f"{name} ({first} to {last})"


def _order(value: Any) -> tuple[bool, Any]:
    return isinstance(value, str), value


def _key(*path: str) -> Any:
    def of(row: Row) -> Any:
        node: Any = row.runs[0].config
        for name in path:
            node = node.get(name) if isinstance(node, Mapping) else None
        return node if isinstance(node, (int, str)) else None

    return of


SETTING = ("dataset", "dataset_split", "data_sha256", "split", "ways", "shots", "varies")
"""What rows share that one would compare."""

GIVEN = {
    "tasks seen": lambda row: work(row)["tasks_seen"],
    "inner gradients": lambda row: work(row)["gradients_taken"],
    "examples seen": lambda row: work(row)["examples_seen"],
    "tasks a meta-batch": _key("meta_batch"),
    "training shots": _key("shots", "train_shots"),
    "test steps": lambda row: row["steps"],
    "shifts of test pictures": lambda row: row["shift"],
    "test tasks": lambda row: row["tasks"],
    "tested checkpoint": lambda row: row["checkpoint"],
}
"""What compared rows may have been given more or less of."""
