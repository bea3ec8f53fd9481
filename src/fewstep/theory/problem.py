"""A problem small enough to enumerate: a few sine waves, each in a few disjoint minibatches.

Expectations over tasks and over the order of minibatches are then finite sums, so whatever
differs from the paper's formulas is a higher order in the inner learning rate, and not noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fewstep.adapters.gradient import InnerLoop
from fewstep.algorithms import Algorithm
from fewstep.algorithms.fomaml import FOMAML
from fewstep.algorithms.maml import MAML
from fewstep.algorithms.reptile import Reptile
from fewstep.core.net import Net
from fewstep.core.objectives import Objective
from fewstep.core.problem import Problem
from fewstep.core.rules import SGD
from fewstep.core.types import Episode, EpisodeSpec, Params, Start
from fewstep.data.sine import Sine
from fewstep.models import SineMLP


ALGORITHMS = ("maml", "fomaml", "reptile")
KS = (2, 3, 4)
"""Minibatches that a direction is made of; the paper's k."""

TASKS, MINIBATCHES, POINTS = 6, 4, 5
HIDDEN = 4
"""Units a layer: 33 parameters, whose Hessians are cheap to hold."""

ONE_STEP = InnerLoop(SGD(lr=1.0), steps=1)
"""Whose objective, the mean over a minibatch, is that of every inner loop here."""


@dataclass(frozen=True)
class FiniteProblem:
    """Tasks of one network at one initialization, in float64."""

    net: Net
    params: Params
    """The initialization, phi_1 in the paper's section 5.1."""
    objective: Objective
    episodes: Sequence[Episode]
    """Their `batches` [M, B] are the disjoint minibatches of a task."""

    @property
    def problem(self) -> Problem:
        """What is learned in each task, with what."""
        return Problem(self.net, self.objective)

    def gradient(self, episode: Episode, minibatch: int, params: Params) -> Params:
        """L'_i at some parameters, differentiable when they are."""
        examples = self.problem.minibatch(episode, episode.batches[minibatch])
        return ONE_STEP.gradient(self.problem, params, examples)[1]

    def direction(self, algorithm: Algorithm, episode: Episode, order: Sequence[int]) -> Tensor:
        """What an algorithm hands the outer optimizer [P] after minibatches in some order.

        The last of them is the query of MAML and FOMAML, and Reptile's last step.
        """
        batches = episode.batches[list(order)]
        query_x, query_y = episode.support_x[batches[-1]], episode.support_y[batches[-1]]
        path = batches[: algorithm.batches]
        one = Episode(episode.support_x, episode.support_y, query_x, query_y, path)
        return flat(algorithm.direction(self.problem, Start(self.params, {}), one)[0])


def sine_problem(seed: int) -> FiniteProblem:
    """The first training waves of a seed, and a tanh network initialized from it."""
    torch.manual_seed(seed)
    net, data = Net(SineMLP(hidden=HIDDEN).double()), Sine()
    split = data.open()["train"].to("cpu", torch.float64)
    spec = EpisodeSpec(1, MINIBATCHES * POINTS, 0, MINIBATCHES, POINTS)
    episodes = [split.episode(spec, seed, index) for index in range(TASKS)]
    return FiniteProblem(net, net.params(), data.objective, episodes)


def algorithm(name: str, lr: float, k: int) -> Algorithm:
    """The shipped algorithm whose direction is made of k minibatches, plain SGD inside."""
    if name == "reptile":
        return Reptile(InnerLoop(SGD(lr), steps=k))
    make = {"maml": MAML, "fomaml": FOMAML}[name]
    return make(InnerLoop(SGD(lr), steps=k - 1))


def in_paper_units(name: str, lr: float, direction: Tensor) -> Tensor:
    """g_Reptile is the sum of gradients (phi - phi~) / lr (section 5.1); the others are gradients
    already."""
    return direction / lr if name == "reptile" else direction


def flat(params: Params) -> Tensor:
    """All entries in one vector [P]."""
    return torch.cat([p.reshape(-1) for p in params.values()])
