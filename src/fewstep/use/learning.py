"""The inner loop on a user's own examples."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from fewstep.adapters.gradient import InnerLoop
from fewstep.adapters.heads import check_called_last
from fewstep.adapters.meta_test import curve_steps, predict
from fewstep.core.memory import copied
from fewstep.core.net import Net
from fewstep.core.objectives import Classification, Objective, are_shares
from fewstep.core.problem import Problem
from fewstep.core.traits import Traits, traits_of
from fewstep.core.types import NOTHING, Episode, EpisodeSpec, Params, Start
from fewstep.data.sampler import Draws
from fewstep.execution.choice import make_execution
from fewstep.messages.errors import first_line
from fewstep.use.network import OTHERS, Fixed, frozen, hangs_on_others, like_parameters
from fewstep.use.other_ways import for_ways
from fewstep.use.threads import one_thread
from fewstep.use.way import Curve


SIDE_BY_SIDE = 8
"""Tasks that are learned between two steps of a progress bar."""


class Unfit(Exception):
    """Examples that a network does not take, or does not learn from; its text says why."""


@dataclass(frozen=True)
class Learner:
    """How an initialization learns a task: everything but the task."""

    module: nn.Module
    start: Start
    inner: InnerLoop
    objective: Objective
    ways: int
    """Outputs of the module."""
    steps: int
    batch_size: int | None
    """Examples an inner step; None is all of them."""
    seed: int = 0
    """Of the order of the minibatches."""

    def examples_a_step(self, ways: int) -> int | None:
        """Of tasks of so many classes: of more than it was trained for, at least one of each."""
        if self.batch_size is None or ways <= self.ways:
            return self.batch_size
        return max(self.batch_size, ways)

    def learn(self, x: Tensor, y: Tensor, ways: int) -> tuple[Fixed, Curve]:
        """The network of a task, and its adaptation curve `(inner step, mean loss)`.

        Args:
            x: [S, *x], inputs.
            y: [S] int64, classes 0..ways-1.
            ways: how many classes there are, whether or not each has an example.

        Raises:
            ConfigError: the network takes what there is not.
            Unfit: it takes another kind of input, or the inner loop diverges.
        """
        with torch.inference_mode(False), torch.enable_grad(), one_thread():
            x = like_parameters(x, self.module).clone()  # of inference mode, it has no gradients
            episode = self._episode(x, y, ways)
            if ways != self.ways or self.inner.head != "trained":
                self._check_head(episode)
            module, start = self.network_for(ways)
            net = Net(module)
            problem = Problem(net, self.objective)
            given = {name: problem.given(episode)[name] for name in net.takes}
            net.traits = _traits(module, x, given)
            problem = replace(problem, net=net.begin(episode))
            params, curve = self._followed(problem, start, episode, ways)
            _check_finite(params, curve)
            # What the task's own network remembers is part of what it has learned.
            fixed = frozen(problem.net.module, params, x, given)
            if net.traits.plain and hangs_on_others(fixed, x):
                raise Unfit(OTHERS)
            return fixed, curve

    def _check_head(self, episode: Episode) -> None:
        """The layer that is to have other rows is the one that answers."""
        problem = Problem(Net(copied(self.module)), self.objective)
        try:
            check_called_last(problem, self.start.params, episode)
        except RuntimeError:  # of the inputs, which is told where the network is tried
            return

    def _check_outputs(self, outputs: Any, needed: tuple[int, int]) -> None:
        """The network answers with a number a class, where it learns classes."""
        if not isinstance(self.objective, Classification):
            return
        if not isinstance(outputs, Tensor) or outputs.shape != needed:
            kind = type(outputs).__name__
            gives = f"[n, {outputs.shape[-1]}]" if isinstance(outputs, Tensor) else f"a {kind}"
            raise Unfit(
                f"its network answers with {gives}, where logits [n, {needed[1]}] are needed. Give "
                "the network's own number of outputs as `ways`, and one that returns logits alone"
            )
        if are_shares(self.objective, outputs):
            raise Unfit("its network answers with probabilities. Give one without its softmax")

    def _followed(
        self, problem: Problem, start: Start, episode: Episode, ways: int
    ) -> tuple[Params, Curve]:
        """The inner loop, with the loss along it."""
        curve, done, here = [], 0, self.inner.start(problem, start, episode)
        for step in curve_steps(self.steps):
            here = self.inner.go_on(problem, here, episode, slice(done, step)).start
            done, params = step, self.inner.finish(here)
            with torch.no_grad():
                outputs = predict(problem, params, episode, "support")
                self._check_outputs(outputs, (len(episode.query_x), ways))
                loss = problem.metrics(outputs, problem.queries(episode))["loss"]
            curve.append((step, float(loss)))
        return params, curve

    def left_out(
        self, x: Tensor, y: Tensor, ways: int, parts: Sequence[Tensor]
    ) -> Iterator[Tensor]:
        """For each part of the examples, what a network that learned the others says to it:
        logits [len(part), ways], in the order of the parts.

        Args:
            x: [S, *x], inputs.
            y: [S] int64, classes 0..ways-1.
            ways: how many classes there are.
            parts: places of the examples to leave out together.
        """
        module, start = self.network_for(ways)
        x = like_parameters(x, module).clone()  # as in `learn`
        episodes = [self._episode(x, y, ways, part) for part in parts]
        with one_thread():
            run = make_execution("auto", module, x.device, episodes[0])
            for first in range(0, len(episodes), SIDE_BY_SIDE):
                some = episodes[first : first + SIDE_BY_SIDE]
                yield from run.map(self._answers, (start,), some)

    def _answers(self, net: Net, start: Start, episode: Episode) -> Tensor:
        problem = Problem(net.begin(episode), self.objective)
        end = self.inner.adapt(problem, start, episode)
        with torch.no_grad():
            return predict(problem, self.inner.finish(end.start), episode, "support")

    def network_for(self, ways: int) -> tuple[nn.Module, Start]:
        """A network for so many classes, and where it starts."""
        return for_ways(self.module, self.start, self.ways, ways, self.inner)

    def _episode(self, x: Tensor, y: Tensor, ways: int, left_out: Tensor | None = None) -> Episode:
        """A task of these examples, with those that are left out as its queries, or else all."""
        rest = torch.ones(len(x), dtype=torch.bool)
        if left_out is not None:
            rest[left_out] = False
        asked = slice(None) if left_out is None else left_out
        draws = Draws(self.seed, "adapt", 0)
        spec = EpisodeSpec(1, int(rest.sum()), 0, self.steps, self.examples_a_step(ways))
        batches, key = torch.from_numpy(draws.batches(spec)), torch.from_numpy(draws.key())
        return Episode(x[rest], y[rest], x[asked], y[asked], batches, key, NOTHING)


def _traits(module: nn.Module, x: Tensor, given: Mapping[str, Tensor]) -> Traits:
    """What the network does besides computing, found with the examples."""
    try:
        return traits_of(module, [x], given)
    except (RuntimeError, IndexError, TypeError) as error:  # what it says of other inputs
        shape = "x".join(map(str, x.shape[1:]))
        raise Unfit(
            f"its network does not take examples of {shape} ({first_line(error)[:120]}). Give them "
            "in the shape that it was trained on"
        ) from None


def _check_finite(params: Params, curve: Curve) -> None:
    """Refuse what an inner loop that blew up has left.

    Raises:
        Unfit: naming the inner step.
    """
    lost = next((step for step, loss in curve if not math.isfinite(loss)), None)
    if lost is None and not all(torch.isfinite(p).all() for p in params.values()):
        lost = curve[-1][0]
    if lost is not None:
        raise Unfit(
            f"its inner loop diverges: at step {lost} the loss or a weight is not finite. Use "
            "fewer steps or a lower inner rate, or look at what the network answers"
        )
