"""What cannot fit into this machine's memory, whatever the data: refused with the numbers.

The counts are lower bounds of what a run holds at once, so that nothing is refused that could run;
`fewstep bench` measures what a configuration really takes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fewstep.config import room
from fewstep.config.room import size
from fewstep.messages.errors import ConfigError


Config = Mapping[str, Any]

INDEX = 8
"""Bytes of one index into the support set."""
FIGURES = 800
"""Bytes of what is kept of one measured task."""
NAME = 80
"""Bytes of what is kept of one class, its name above all."""
CHUNK = 32
"""Tasks that are measured side by side."""
RENDERED = 1024
"""Drawings that are made at once, about; a byte a pixel."""


@dataclass(frozen=True)
class Need:
    """Memory that grows with one key."""

    key: str
    value: int
    bytes: int
    what: str
    power: int = 1
    """Of the value, with which the bytes grow."""

    def fits(self, free: int) -> int:
        """The largest value, about, for which that much is enough."""
        return int(self.value * (free / self.bytes) ** (1 / self.power))


def check_capacity(config: Config, training: bool = True) -> None:
    """Refuse a value with which a run, or with `training=False` a test, cannot fit.

    Raises:
        ConfigError: naming the key, what is needed, what is free and the largest value that fits.
    """
    free = room.of_machine()
    for need in (*_of_dataset(config), *_of_test(config), *(_of_training(config, training))):
        if need.bytes > free and need.bytes > room.of_gpu(config["trainer"]["accelerator"]):
            raise ConfigError(
                f"{need.key}={need.value}: {need.what} would take {size(need.bytes)} of memory, "
                f"and {size(free)} are free. Use {need.key}={need.fits(free)} or less"
            )


def _of_training(config: Config, training: bool) -> Iterator[Need]:
    if not training:
        return
    shots, inner, test = config["shots"], config["algorithm"]["inner"], config["eval"]
    tasks = -(-config["meta_batch"] // config["trainer"]["num_nodes"])
    ways = shots.get("train_ways")
    support = _examples(config, shots["train_shots"], ways)
    batch_size, steps = inner.get("batch_size"), inner.get("steps", 0)
    batch = batch_size or support
    indices, one = tasks * steps * batch * INDEX, _input(config)
    episodes = tasks * (support + _examples(config, shots["queries"], ways)) * one
    yield Need("meta_batch", config["meta_batch"], episodes, "the tasks of a meta-batch")
    if batch_size:
        yield Need("algorithm.inner.batch_size", batch, batch * one, "a minibatch")
    largest = max(
        ("algorithm.inner.steps", steps, 5),
        ("algorithm.inner.batch_size", batch_size or 0, 10),
        ("meta_batch", config["meta_batch"], 5),
        key=lambda entry: entry[1] / entry[2],  # against what is usual
    )
    yield Need(*largest[:2], indices, "the indices of all minibatches")
    for name in ("val", "test"):
        if test[f"{name}_every"]:
            tasks = test[f"{name}_tasks"]
            yield Need(f"eval.{name}_tasks", tasks, tasks * FIGURES, "the figures of the tasks")


def _of_test(config: Config) -> Iterator[Need]:
    test, one = config["eval"], _input(config)
    tasks = test["tasks"]
    yield Need("eval.tasks", tasks, tasks * FIGURES, "the figures of the tasks")
    together, copies = min(CHUNK, tasks), (2 * test.get("shift", 0) + 1) ** 2
    for place, setting in enumerate(test["settings"]):
        keys = {n: _key(test, place, n) for n in ("steps", "batch_size")}
        ways = setting.get("ways")
        batch = setting["batch_size"] or _examples(config, setting["shots"], ways)
        if setting["batch_size"]:
            yield Need(keys["batch_size"], batch, copies * batch * one, "a minibatch")
        tasks = together + copies - 1  # one of which has those of its copies
        rows = tasks * setting["steps"] * batch
        yield Need(keys["steps"], setting["steps"], rows * INDEX, "the indices of all minibatches")
    if "points" not in config["dataset"]:  # a wave is measured on its whole grid, whatever is asked
        queries = together * _examples(config, test["queries"]) * one
        yield Need("eval.queries", test["queries"], queries, "the queries of the tasks")


def _of_dataset(config: Config) -> Iterator[Need]:
    side, channels = _count(config, "size", 0), _count(config, "channels", 1)
    classes, drawings = _count(config, "classes", 0), _count(config, "drawings", 0)
    yield Need("dataset.classes", classes, classes * NAME, "the names of the classes")
    at_once = min(classes * drawings, max(drawings, RENDERED - drawings)) or 1
    images = at_once * channels * side**2
    if drawings / 20 > (side / 28) ** 2:  # against what is usual
        yield Need("dataset.drawings", drawings, images, "the drawings of one class")
    yield Need("dataset.size", side, images, "the images that are made at once", 2)
    points = _count(config, "points", 0)
    yield Need("dataset.points", points, points * 4 * INDEX, "the grid of a wave")


def _key(test: Config, place: int, name: str) -> str:
    shared = test["settings"][place][name] == test[name]
    return f"eval.{name}" if shared else f"eval.settings[{place}].{name}"


def _count(config: Config, name: str, default: int) -> int:
    """A number of a dataset of ours; one of a user's own may call something else so."""
    dataset = config["dataset"]
    value, ours = dataset.get(name), str(dataset.get("_target_", "fewstep.")).startswith("fewstep.")
    return value if ours and type(value) is int and value > 0 else default


def _input(config: Config) -> int:
    """Bytes of one input."""
    each = 8 if str(config["trainer"]["precision"]) == "64" else 4
    return each * _count(config, "channels", 1) * _count(config, "size", 1) ** 2


def _examples(config: Config, each: int, ways: int | None = None) -> int:
    """Of a task with so many a class, no more than there are: that is for the data to refuse."""
    asked: int = ways or config["shots"]["ways"]
    there = _count(config, "points", _count(config, "drawings", each))
    return min(asked, _count(config, "classes", asked)) * min(each, there)
