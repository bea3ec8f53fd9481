"""Whether what a checkpoint counts, in its several places, is one training's.

A training that goes on takes its tasks by one of these numbers, its rates by another and its end by
a third: where they disagree, it would end early or train on tasks again, and say nothing of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from fewstep.messages.errors import ConfigError
from fewstep.messages.printable import printable
from fewstep.run.checks.resumable import check_history, check_resumable
from fewstep.run.experiment import Experiment
from fewstep.run.learner import MetaLearner
from fewstep.run.stored import checkpoint
from fewstep.run.stored.checkpoint_contents import ANOTHER, are_scalars, not_finite


Content = Mapping[str, Any]

OURS = "torch.optim"
"""Whose optimizers count their steps, and change nothing of their groups but the rate."""


def check_resumed(experiment: Experiment, path: Path, alone: bool) -> None:
    """Refuse a checkpoint that this very training cannot go on from.

    Args:
        experiment: the training, before its data.
        path: of the checkpoint.
        alone: whether it is no job of a sweep. One that has diverged goes on to its end there, for
            a search is to learn of it; whoever resumes a single run can do better.

    Raises:
        ConfigError: what is amiss, and what to do instead.
    """
    content, learner = checkpoint.read(path, "resume"), experiment.learner
    checkpoint.match(learner, content, path, "resume")
    checkpoint.same_recipe(experiment, content, path)
    check_resumable(learner, content, path)
    check_counted(learner, content, path)
    if alone:
        check_sound(learner, content, path)
    check_history(path)


def check_counted(learner: MetaLearner, content: Content, path: Path) -> None:
    """Refuse a checkpoint whose counts, or whose outer optimizer, are not of its own training.

    Its parts can be restored, each by itself.

    Raises:
        ConfigError: naming the entry, what it is and what it must be.
    """
    if complaint := next(_complaints(learner, content), None):
        raise ConfigError(f"resume={path}: {printable(complaint)}. {ANOTHER}")


def _complaints(learner: MetaLearner, content: Content) -> Iterator[str]:
    ours = content["fewstep"]
    done, average = ours["meta_iteration"], ours.get("average") or {}
    for name, found in _counts(content):
        if type(found) is not int or found != done:
            yield f"{name}={found!r}: must be fewstep.meta_iteration, which is {done}"
    if (steps := average.get("steps", done)) > done:
        yield f"fewstep.average.steps={steps}: must be at most fewstep.meta_iteration={done}"
    if type(content["epoch"]) is not int or content["epoch"] < 0:
        yield f"epoch={content['epoch']!r}: must be a whole number of at least 0"
    yield from _of_callbacks(content["callbacks"], done)
    recent = ours.get("recent", [])
    names = {tuple(figures) for figures in recent}
    if len(recent) > done or len(names) > 1 or (names and "loss" not in names.pop()):
        yield f"fewstep.recent must be the loss and the like of at most {done} meta-iterations"
    optimizer = learner.configure_optimizers()[0][0]
    if type(optimizer).__module__.startswith(OURS):
        yield from _of_optimizer(optimizer, content["optimizer_states"][0], done)


def _counts(content: Content) -> Iterator[tuple[str, Any]]:
    """Where it is said how many outer steps were taken, beside `fewstep.meta_iteration`."""
    yield "global_step", content["global_step"]
    steps = "epoch_loop.manual_optimization.optim_step_progress"
    yield f"loops.fit_loop.{steps}", content["loops"]["fit_loop"][steps]["total"]["completed"]
    yield "lr_schedulers.last_epoch", content["lr_schedulers"][0].get("last_epoch")


def _of_callbacks(callbacks: Content, done: int) -> Iterator[str]:
    best, warm = callbacks.get("Checkpoints", {}), callbacks["Stopwatch"]["meta_iterations"]
    if not are_scalars(best):
        yield f"callbacks.Checkpoints={best}: must be the figures of a meta-validation"
    elif not 0 <= best.get("meta_iteration", 0) <= done:
        yield (
            f"callbacks.Checkpoints.meta_iteration={best['meta_iteration']}: must be at most "
            f"fewstep.meta_iteration={done}"
        )
    most = (callbacks.get("Peak") or {}).get("bytes")  # null until it is measured
    if most is not None and (type(most) is not int or most < 0):
        yield f"callbacks.Peak.bytes={most!r}: must be a whole number of at least 0 or null"
    if warm > done:
        yield (
            f"callbacks.Stopwatch.meta_iterations={warm}: must be at most "
            f"fewstep.meta_iteration={done}"
        )


def _of_optimizer(optimizer: torch.optim.Optimizer, stored: Content, done: int) -> Iterator[str]:
    """What an optimizer of torch would do otherwise than that of the configuration."""
    groups = zip(optimizer.param_groups, stored["param_groups"], strict=True)
    for place, (own, theirs) in enumerate(groups):
        for name in own.keys() & theirs.keys() - {"lr", "params"}:
            if not _same(own[name], theirs[name]):
                yield (
                    f"optimizer_states.param_groups[{place}].{name}={theirs[name]}: must be "
                    f"{own[name]}, as algorithm.outer has it"
                )
    steps = [float(entry["step"]) for entry in stored["state"].values() if "step" in entry]
    if steps and max(steps) != done:  # fewer, of a parameter that was frozen for a while
        yield (
            f"optimizer_states.step={max(steps):g}: must be fewstep.meta_iteration, which is {done}"
        )


def _same(one: Any, other: Any) -> bool:
    """Numbers as they are, and sequences of them in whatever form a file has them."""
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return list(one) == list(other)
    return one == other


def check_sound(learner: MetaLearner, content: Content, path: Path) -> None:
    """Refuse to train on from what is no number: hours would go by, and nothing be learned.

    A training that has reached its end goes on: what meta-validation chose of it can be tested.

    Raises:
        ConfigError: naming a tensor that is not finite.
    """
    name = not_finite(content)
    if type(learner.configure_optimizers()[0][0]).__module__.startswith(OURS):
        entries = content["optimizer_states"][0]["state"].values()
        name = name or next(
            (f"optimizer_states.{n}" for e in entries for n in e if _odd(e[n])), None
        )
    left = learner.max_meta_iterations - content["fewstep"]["meta_iteration"]
    if not name or left <= 0:
        return
    best = path.with_name("best.ckpt")
    tested = f"Test what meta-validation chose with fewstep evaluate checkpoint={best}, or train"
    raise ConfigError(
        f"resume={path}: {printable(name)} has values that are not finite: this training has "
        f"diverged, and the {left} meta-iterations that are left would learn nothing. "
        f"{tested if best.exists() else 'Train'} it again with a lower algorithm.inner.lr or "
        "algorithm.outer.lr"
    )


def _odd(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and not bool(value.isfinite().all())
