"""The inner loop on a user's own examples."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from fewstep.adapters.gradient import InnerLoop
from fewstep.adapters.meta_test import curve_steps, predict
from fewstep.core.net import Net
from fewstep.core.objectives import Objective
from fewstep.core.problem import Problem
from fewstep.core.traits import traits_of
from fewstep.core.types import NOTHING, Episode, EpisodeSpec, Start
from fewstep.data.sampler import Draws
from fewstep.use.network import Fixed, frozen
from fewstep.use.ways import for_ways


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
    """Examples an inner step; of more classes than it was trained for, at least one of each."""
    seed: int = 0
    """Of the order of the minibatches."""

    def learn(self, x: Tensor, y: Tensor, ways: int) -> tuple[Fixed, list[tuple[int, float]]]:
        """The network of a task, and its adaptation curve `(inner step, mean loss)`.

        Args:
            x: [S, *x], inputs.
            y: [S] int64, classes 0..ways-1.
            ways: how many classes there are, whether or not each has an example.

        Raises:
            ConfigError: the network takes what there is not, or another kind of input.
        """
        return self._learned(x, y, ways, curve_steps(self.steps))

    def learn_quickly(self, x: Tensor, y: Tensor, ways: int) -> Fixed:
        """The same without the curve."""
        return self._learned(x, y, ways, (self.steps,))[0]

    def _learned(
        self, x: Tensor, y: Tensor, ways: int, points: tuple[int, ...]
    ) -> tuple[Fixed, list[tuple[int, float]]]:
        module, start = for_ways(self.module, self.start, self.ways, ways, self.inner.head)
        episode = self._episode(x, y, ways)
        net = Net(module)
        problem = Problem(net, self.objective)
        given = {name: problem.given(episode)[name] for name in net.takes}
        net.traits = traits_of(module, [x], given)
        problem = replace(problem, net=net.begin(episode))
        curve, done, here = [], 0, self.inner.start(problem, start, episode)
        params = self.inner.finish(here)
        for step in points:
            here = self.inner.go_on(problem, here, episode, slice(done, step)).start
            done, params = step, self.inner.finish(here)
            if len(points) > 1:
                with torch.no_grad():
                    outputs = predict(problem, params, episode, "support")
                    loss = problem.metrics(outputs, problem.queries(episode))["loss"]
                curve.append((step, float(loss)))
        return frozen(module, params, x, given), curve

    def _episode(self, x: Tensor, y: Tensor, ways: int) -> Episode:
        each = self.batch_size
        if each is not None and ways > self.ways:
            each = max(each, ways)
        draws = Draws(self.seed, "adapt", 0)
        spec = EpisodeSpec(1, len(x), 0, self.steps, each)
        batches, key = torch.from_numpy(draws.batches(spec)), torch.from_numpy(draws.key())
        return Episode(x, y, x, y, batches, key, NOTHING)
