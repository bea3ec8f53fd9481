"""What a run computed otherwise than an experiment of ours: its whole hashed configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from fewstep.config.checks import flatten
from fewstep.messages.words import overridden
from fewstep.records.identity import NOT_HASHED, hashed
from fewstep.report.tables.table import Row


SAID = ("seed", "max_meta_iterations", "baselines", "eval", "dataset.split", "shots.shots")
"""What a result says itself, and what no figure of it rests on: seeds (with `eval.seed` the tasks),
what else was tested, and how often."""
PROPOSED = ("algorithm.meta_batch", "algorithm.train_shots", "algorithm.queries", "algorithm.eval")
"""What an algorithm's file proposes; what was taken is in `meta_batch`, `shots` and the result."""
BESIDE = ("label", "point")
"""What a run's record keeps beside its hashed configuration."""
ELSEWHERE = (*NOT_HASHED, "experiment", "dataset.root", "algorithm.checkpoint_steps", "hydra")
ELSEWHERE += tuple(f"trainer.{key}" for key in ("accelerator", "devices", "num_nodes", "strategy"))
"""What a command line says of where and how a run goes."""
LEFT_OUT = {"algorithm.inner.fixed": []}
"""What a hashed configuration leaves out at its default."""


@cache
def of_experiment(name: str) -> Mapping[str, Any]:
    """All that says what an experiment computes, by key."""
    from omegaconf import OmegaConf  # which only a report beside the paper needs, with Hydra

    from fewstep.config.compose import compose_config

    composed = compose_config("train", [f"experiment={name}"])
    config: Any = OmegaConf.to_container(composed, resolve=True)
    return LEFT_OUT | dict(flatten(hashed(config)))


def otherwise(experiment: str, row: Row) -> list[str]:
    """What the runs of a row did otherwise, by their configuration or by their command."""
    config = row.runs[0].config
    if not config:
        return _by_command(experiment, row.words)
    recipe = of_experiment(experiment)
    own = LEFT_OUT | dict(flatten(config))
    lines = []
    for name in {**recipe, **own}:
        wanted, found = (None if c.get(name) in ([], {}) else c.get(name) for c in (recipe, own))
        if found == wanted or _is_of(name, SAID + PROPOSED + BESIDE):
            continue
        known = name in own
        lines += [f"{name}={typed(own[name])}, not {typed(recipe.get(name))}"] if known else []
        lines += [] if known else [f"{name} is not recorded"]
    return lines


def _by_command(experiment: str, words: Sequence[str]) -> list[str]:
    """Of a result without its configuration: every override that changes what is computed."""
    if f"experiment={experiment}" not in words:
        return ["its recipe is not recorded"]
    keys = {word: overridden(word) for word in words if "=" in word}
    return [word for word, key in keys.items() if not _is_of(key, SAID + ELSEWHERE)]


def _is_of(name: str, keys: Sequence[str]) -> bool:
    return any(name == key or name.startswith(f"{key}.") for key in keys)


def typed(value: Any) -> str:
    """A value as it is typed on the command line."""
    if isinstance(value, (list, tuple)):
        return f"[{','.join(map(typed, value))}]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)
