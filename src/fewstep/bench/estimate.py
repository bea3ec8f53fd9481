"""What a meta-iteration will take of memory, from two small ones; too much is refused."""

from __future__ import annotations

import math
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from torch import Tensor
from torch.utils import _pytree as pytree

from fewstep.bench.memory import tensor_peak
from fewstep.bench.subject import Subject
from fewstep.config.room import size
from fewstep.execution.base import CPU_THREADS
from fewstep.messages.errors import ConfigError
from fewstep.run.experiment import Recipe


PROBE = 2
"""Inner steps of the smaller measurement at least; the other takes one more. The first step is
unlike the others: its parameters are not its own."""


@dataclass(frozen=True)
class Need:
    """Bytes that the tasks of a meta-iteration take."""

    inner_loop: int
    """Of one task, at its peak."""
    a_step: int
    """Of that, what each inner step adds; 0 where it is first order."""
    kept: int
    """Of each task of the meta-batch until the outer step: its episode and what it hands back."""
    a_row: int
    """Of that, what each inner step adds: the rows of its minibatch."""
    tasks: int
    """The meta-batch."""

    def at_once(self, execution: str) -> int:
        """Tasks whose inner loops run side by side."""
        together = {"serial": 1, "threads": CPU_THREADS}
        return min(self.tasks, together.get(execution, self.tasks))

    def of(self, execution: str) -> int:
        """In one execution. `vmap` holds the episodes twice, one by one and stacked."""
        copies = 2 if execution == "vmap" else 1
        return self.at_once(execution) * self.inner_loop + copies * self.tasks * self.kept


def estimate(subject: Subject) -> Need:
    """Measure one task at two small numbers of inner steps, and extend the line through them.

    With `algorithm.checkpoint_steps`, a task holds the graph of one segment, and the parameters
    and the rule's state that every segment starts from.
    """
    recipe = subject.experiment.recipe
    probe, more = _probes(recipe)
    (small, episode, ends), (larger, longer, _) = (_probe(subject, n) for n in (probe, more))
    a_step, a_row = larger - small, longer - episode
    steps, segment = recipe.inner_steps, recipe.checkpoint_steps or recipe.inner_steps
    starts = math.ceil(steps / segment) if segment < steps else 0
    start = _bytes((subject.learner.params(), subject.learner.state))
    return Need(
        inner_loop=small + (segment - probe) * a_step + starts * start,
        a_step=a_step,
        kept=episode + (steps - probe) * a_row + ends,
        a_row=a_row,
        tasks=subject.meta_batch,
    )


def refuse(need: Need, executions: Iterable[str], chosen: str, free: int, recipe: Recipe) -> None:
    """Refuse what does not fit in the execution that was chosen.

    Raises:
        ConfigError: naming the keys, what is needed, what is free and the ways out.
    """
    if need.of(chosen) <= free:
        return
    steps, keys = recipe.inner_steps, ["meta_batch"]
    segment = math.isqrt(steps)
    ways_out = [f"execution={name}" for name in executions if need.of(name) <= free]
    grows, whole = need.a_step > 0, recipe.can_checkpoint and recipe.checkpoint_steps is None
    if grows and whole and need.at_once(chosen) * segment * need.a_step < free and segment < steps:
        ways_out.append(f"algorithm.checkpoint_steps={segment}")
    if grows or steps * need.a_row > need.kept / 2:
        keys.append("algorithm.inner.steps")
    if need.inner_loop > need.kept:
        keys.append("algorithm.inner.batch_size")
    found = ", ".join([f"meta_batch={need.tasks}", f"algorithm.inner.steps={steps}"])
    a_step = f" ({size(need.a_step)} for each inner step whose graph is held)" if grows else ""
    raise ConfigError(
        f"{found}: execution={chosen} needs about {size(need.of(chosen))} of memory and "
        f"{size(free)} are free: inner loops of {size(need.inner_loop)}{a_step}, "
        f"{need.at_once(chosen)} at a time, and {need.tasks} tasks of {size(need.kept)}. "
        f"{_fix(ways_out, keys)}"
    )


def _fix(ways_out: list[str], keys: list[str]) -> str:
    lower = f"lower {' or '.join(keys)}"
    return f"Use {' or '.join([*ways_out, lower])}" if ways_out else f"L{lower[1:]}"


def _probes(recipe: Recipe) -> tuple[int, int]:
    """The first number of inner steps that the algorithm takes, with one more; its own twice where
    it takes no other, as a combination with a weight for each."""
    for steps in range(PROBE, max(PROBE, recipe.inner_steps) + 1):
        with suppress(ConfigError):
            for probe in (steps, steps + 1):
                recipe.again(probe, None)
            return steps, steps + 1
    return recipe.inner_steps, recipe.inner_steps


def _probe(subject: Subject, steps: int) -> tuple[int, int, int]:
    """Bytes of one task of so many inner steps: at its peak, its episode, what it hands back."""
    learner, outcome = subject.learner, []
    algorithm, spec = subject.with_steps(steps)
    episode = subject.split.episode(spec, subject.experiment.seed, 0)

    def direction() -> None:
        outcome.append(algorithm.direction(learner.problem, learner.start(), episode))

    return tensor_peak(direction, subject.device), _bytes(episode), _bytes(outcome)


def _bytes(tree: object) -> int:
    tensors = (leaf for leaf in pytree.tree_leaves(tree) if isinstance(leaf, Tensor))
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)
