"""The words every other module speaks: parameters, episodes, and what an episode looks like.

Shape legend, used in every docstring of the package:

    N  ways, the classes of a task          K  shots, support examples a class
    Q  queries, query examples a class      S  support examples of a task, N * K
    T  tasks of a meta-batch                k  inner steps
    B  examples of an inner minibatch       x  the shape of one input, e.g. C, H, W
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor


Params = dict[str, Tensor]
"""A network's trainable tensors by their name in the module."""

NOTHING: Params = {}
"""What nobody writes into."""

State = dict[str, Any]
"""What an inner rule remembers: a dictionary of tensors, or of dictionaries of tensors; may be
empty."""

Metrics = dict[str, Tensor]
"""Scalars to log, by name."""


class Start(NamedTuple):
    """Where a task starts: the initialization, and what the inner rule remembers."""

    params: Params
    """The network's, and below `inner/` what the rule learns."""
    state: State


class Examples(NamedTuple):
    """Some of a task's examples."""

    x: Tensor
    """[B, *x]."""
    y: Tensor
    """[B] or [B, 1]."""
    given: Params = NOTHING
    """What else the network takes and the objective may look at, by name."""


class Episode(NamedTuple):
    """One task's tensors. A `NamedTuple`, so that `torch.func` can map over a stack of them."""

    support_x: Tensor
    """[S, *x], what the inner loop adapts to."""
    support_y: Tensor
    """[S] class positions 0..N-1 (int64), or [S, 1] regression targets."""
    query_x: Tensor
    """[N*Q, *x], never seen by the inner loop."""
    query_y: Tensor
    """[N*Q] or [N*Q, 1]."""
    batches: Tensor
    """[k, B] int64, the support rows of each inner minibatch: no randomness is left in the loop."""
    key: Tensor = torch.zeros((), dtype=torch.int64)
    """[] int64, a number of the task's own: what is random inside a network hangs on it."""
    extras: Params = NOTHING
    """What the task brings besides, by name; the same names and shapes in all tasks of a split."""


@dataclass(frozen=True)
class EpisodeSpec:
    """How many of everything an episode holds, for all tasks of a run or a setting."""

    ways: int
    shots: int
    """Support examples a class."""
    queries: int
    """Query examples a class; 0 is valid (Reptile trains without a query set)."""
    steps: int
    """Rows of `Episode.batches`; 0 is valid (evaluation without adaptation)."""
    batch_size: int | None = None
    """Examples an inner minibatch; None is the whole support set, in order, at every step."""
    replacement: bool = False
    """False: one shuffled stream carried over reshuffles (paper code, reptile.py:236-248).
    True: every minibatch drawn on its own, without repeats inside it (reptile.py:232-235)."""
    varies: bool = False
    """Whether `ways` and `shots` are the most, and each task draws its own numbers of them."""


SPLITS = ("train", "val", "test")
"""The names of the parts of a dataset."""


class Split(Protocol):
    """One part (train, val or test) of a dataset, as a source of tasks."""

    name: str
    """`train`, `val` or `test`."""

    def to(self, device: torch.device | str, dtype: torch.dtype) -> Split:
        """The same split, whose episodes come on a device and in a precision."""
        ...

    def episode(self, spec: EpisodeSpec, seed: int, index: int) -> Episode:
        """Task `index`: a pure function of (seed, split, index) and of the spec."""
        ...

    def identity(self, spec: EpisodeSpec, seed: int, index: int) -> bytes:
        """What makes the task this task (class, support and query ids), for a fingerprint."""
        ...

    def check(self, spec: EpisodeSpec) -> None:
        """Raise `ValueError`, naming the class and the counts, if a spec cannot be filled."""
        ...
