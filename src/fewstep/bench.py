"""`fewstep bench`: how fast is a configuration here, in which execution, and where does it go?

Takes the overrides of `fewstep train` and writes nothing. The ways of running are timed in turn,
round by round, so that a machine that others use as well slows all of them alike.
"""

from __future__ import annotations

import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from fewstep.checks import ConfigError


ROUNDS = 7
SECONDS_A_TURN = 0.5
OVERHEAD_ITERATIONS = 40
PRODUCT = 1024
"""Rows and columns of the matrices whose product is the machine's yardstick."""


def main(words: Sequence[str] | None = None) -> int:
    """Time the configuration that the overrides make; the exit status."""
    from fewstep.arguments import read
    from fewstep.compose import compose_config
    from fewstep.launch import complain, plain
    from fewstep.train import settle

    try:
        arguments = read("bench", sys.argv[1:] if words is None else words)
        if arguments.sweep or arguments.shows:
            raise ConfigError("fewstep bench times one configuration: give it key=value alone")
        config = plain(compose_config("train", arguments.overrides))
        settle(config)
        if config["trainer"]["devices"] > 1:
            raise ConfigError("trainer.devices: fewstep bench times one. Use trainer.devices=1")
    except ConfigError as error:
        return complain(error)
    print(report(measure(config)))
    return 0


def measure(config: dict[str, Any]) -> dict[str, Any]:
    """Median seconds of a meta-iteration in each execution, and what surrounds the inner loops."""
    import torch

    from fewstep import config as builders
    from fewstep.execution import CPU_THREADS, EXECUTIONS
    from fewstep.trainer import quiet_lightning

    quiet_lightning()
    dataset = builders.build_dataset(config["dataset"])
    tasks = builders.build_tasks(config, builders.open_splits(dataset, config))
    learner = builders.build_learner(config, dataset.task)
    gpu = torch.cuda.is_available() and config["trainer"]["accelerator"] != "cpu"
    device = torch.device("cuda" if gpu else "cpu")
    learner.to(device).place_state()
    split = tasks.splits["train"].to(device, next(learner.parameters()).dtype)
    episodes = [split.episode(tasks.train_spec, 0, i) for i in range(config["meta_batch"])]
    flops, params = _flops(learner, episodes[0]), learner.net.params()

    def direction(net: Any, episode: Any) -> Any:
        return learner.algorithm.direction(net, params, learner.state, episode, learner.task)

    turns: dict[str, Callable[[], Any]] = {"matrix product": lambda: _product(device)}
    for name, make in EXECUTIONS.items():
        execution = make(learner.module)
        turns[name] = lambda execution=execution: execution.map(direction, episodes)
    times = _in_turn(turns, device)
    return {
        "device": device.type,
        "threads": CPU_THREADS,
        "execution": learner.execution.name,
        "times": times,
        "tasks": len(episodes),
        "flops": flops * len(episodes),
        "peak_rate": 2 * PRODUCT**3 / times["matrix product"][1],
        "overhead": _overhead(learner, tasks, config),
        "memory": _peak_memory(device),
    }


def report(figures: dict[str, Any]) -> str:
    """The measurements as a table, with the best way of running and the overhead around it."""
    times, tasks = figures["times"], figures["tasks"]
    lines = [
        f"{figures['device']}, {figures['threads']} threads; medians of {ROUNDS} rounds in turn",
        f"matrix product {figures['peak_rate'] / 1e9:.0f} GFLOP/s (float32, {PRODUCT} x {PRODUCT})",
        "",
        "execution    ms a meta-iteration (quartiles)    tasks/s    share of the matrix product",
    ]
    modes = [name for name in times if name != "matrix product"]
    for name in modes:
        low, middle, high = times[name]
        share = figures["flops"] / middle / figures["peak_rate"]
        spread = f"{1e3 * middle:8.1f} ({1e3 * low:.1f} to {1e3 * high:.1f})"
        lines.append(f"{name:<12} {spread:<34} {tasks / middle:7.0f}    {100 * share:5.1f} %")
    best = min(modes, key=lambda name: times[name][1])
    lines += [
        "",
        f"fastest here: execution={best}",
        f"drawing tasks, the outer step, Lightning and logging: {100 * figures['overhead']:.1f} % "
        f"of a meta-iteration with execution={figures['execution']}",
        f"peak memory {figures['memory'] / 2**30:.2f} GiB",
    ]
    return "\n".join(lines)


def _in_turn(turns: dict[str, Callable[[], Any]], device: Any) -> dict[str, list[float]]:
    """Quartiles of the seconds of one call of each, measured A B C, A B C, ..."""
    calls = {}
    for name, turn in turns.items():
        turn()  # the first call also allocates
        calls[name] = max(1, round(SECONDS_A_TURN / _seconds(turn, 1, device)))
    rounds = [
        {name: _seconds(turn, calls[name], device) for name, turn in turns.items()}
        for _ in range(ROUNDS)
    ]
    return {name: statistics.quantiles([r[name] for r in rounds], n=4) for name in turns}


def _seconds(turn: Callable[[], Any], calls: int, device: Any) -> float:
    import torch

    start = time.perf_counter()
    for _ in range(calls):
        turn()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return (time.perf_counter() - start) / calls


class _Timed:
    """An execution that notes how long each call takes."""

    def __init__(self, execution: Any) -> None:
        self.execution, self.name = execution, execution.name
        self.calls: list[float] = []

    def map(self, function: Any, episodes: Any) -> Any:
        start = time.perf_counter()
        outcomes = self.execution.map(function, episodes)
        self.calls.append(time.perf_counter() - start)
        return outcomes


def _overhead(learner: Any, tasks: Any, config: dict[str, Any]) -> float:
    """The share of a real training's time that is not spent in its inner loops."""
    from fewstep.callbacks import WARM_UP
    from fewstep.training import fit

    learner._execution = timed = _Timed(learner.execution)
    learner.max_meta_iterations = iterations = WARM_UP + OVERHEAD_ITERATIONS
    quick = {**config, "max_meta_iterations": iterations, "resume": None}
    quick["eval"] = {**config["eval"], "val_every": None, "test_every": None}
    with tempfile.TemporaryDirectory() as folder:
        watch, _ = fit(learner, tasks, quick, Path(folder), "bench")
    counted = timed.calls[WARM_UP * len(timed.calls) // iterations :]
    return 1 - sum(counted) / watch.seconds


def _product(device: Any) -> Any:
    import torch

    from fewstep.execution import CPU_THREADS

    torch.set_num_threads(CPU_THREADS)
    a = torch.ones(PRODUCT, PRODUCT, device=device)
    return a @ a


def _flops(learner: Any, episode: Any) -> int:
    """Floating-point operations of one task's direction, in convolutions and matrix products."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        learner.algorithm.direction(
            learner.net, learner.net.params(), learner.state, episode, learner.task
        )
    return counter.get_total_flops()


def _peak_memory(device: Any) -> int:
    """Bytes: of the device where it is a GPU, else of this process."""
    if device.type == "cuda":
        import torch

        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    sys.exit(main())
