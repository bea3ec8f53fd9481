"""What is learned in a task, with what: a network and an objective."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from fewstep.core.net import Net
from fewstep.core.objectives import Objective, ask
from fewstep.core.types import Episode, Examples, Metrics, Params
from fewstep.messages.errors import ConfigError


@dataclass(frozen=True)
class Problem:
    """The same for all tasks of a run; the network is one task's at a time."""

    net: Net
    objective: Objective

    def given(self, episode: Episode) -> Params:
        """What a forward pass and the objective are given besides inputs and targets.

        Raises:
            ConfigError: the network takes what the task does not bring.
        """
        return given(self.net.module, episode)

    def support(self, episode: Episode) -> Examples:
        """All support examples."""
        return Examples(episode.support_x, episode.support_y, self.given(episode))

    def minibatch(self, episode: Episode, batch: Tensor) -> Examples:
        """Some of them: `batch` is a row of `episode.batches`."""
        x, y, given = self.support(episode)
        return Examples(x[batch], y[batch], given)

    def first(self, episode: Episode) -> Examples:
        """What is learned from first: a minibatch, or without inner steps the queries."""
        batches = episode.batches
        return self.minibatch(episode, batches[0]) if len(batches) else self.queries(episode)

    def queries(self, episode: Episode) -> Examples:
        """The query examples."""
        return Examples(episode.query_x, episode.query_y, self.given(episode))

    def metrics(self, outputs: Any, examples: Examples) -> Metrics:
        """Scalars for the log."""
        return ask(self.objective, "metrics", outputs, examples.y, examples.given)


def given(module: nn.Module, episode: Episode) -> Params:
    """The extras of a task, and what of it the module's `takes` asks for, by name.

    Raises:
        ConfigError: the module takes what the task does not bring.
    """
    known = {"support_x": episode.support_x, "support_y": episode.support_y, **episode.extras}
    takes = getattr(module, "takes", ())
    for name in takes:
        if name not in known:
            raise ConfigError(
                f"model: {type(module).__name__} takes {name}, which the tasks of this dataset do "
                f"not bring: they have {', '.join(known)}. Choose another model, or put it into "
                f"Episode.extras as {name}"
            )
    return {name: known[name] for name in takes} | episode.extras


FRESH = "fresh."
"""Begins the names of extras at which a task starts a parameter anew."""


def anew(params: Params, names: Collection[str], episode: Episode) -> Params:
    """The parameters, those of these names at what the task brings for them, if anything.

    Raises:
        ConfigError: it brings something for none of them, where there are some.
    """
    brought = {n.removeprefix(FRESH): v for n, v in episode.extras.items() if n.startswith(FRESH)}
    if names and (odd := [name for name in brought if name not in names]):
        raise ConfigError(
            f"algorithm.inner.reset: the tasks bring {FRESH}{odd[0]}, and start no such parameter "
            f"anew: these are {', '.join(names)}. Correct the name (of recall in dataset.fresh), "
            "or the list"
        )
    return {n: brought.get(n, p) if n in names else p for n, p in params.items()}
