"""The tasks of a run shared out over its ranks, and what they found brought together again.

A rank is one process of several that train together, each on a device of its own; a process that
is alone has all tasks and waits for nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed
from torch.utils import _pytree as pytree


Item = TypeVar("Item")


def place() -> tuple[int, int]:
    """`(rank, ranks)` of this process: `(0, 1)` where it is alone."""
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return 0, 1


def local_share(tasks: range) -> range:
    """This rank's share: every `ranks`-th task, so that no rank has two more than another."""
    rank, ranks = place()
    return tasks[rank::ranks]


def all_reduce(tree: Any) -> Any:
    """The sum over the ranks of a tree of tensors, which several ranks overwrite.

    One all-reduce of one vector. It has the device of the first tensor and the widest precision of
    all, so counters in the tree must be small enough for it; each sum comes back in the type and on
    the device of its own tensor.
    """
    if place() == (0, 1):
        return tree
    leaves, structure = pytree.tree_flatten(tree)
    widest = max((leaf.dtype for leaf in leaves if leaf.is_floating_point()), key=_digits)
    vector = torch.cat([leaf.to(leaves[0].device, widest).reshape(-1) for leaf in leaves])
    distributed.all_reduce(vector)
    parts = vector.split([leaf.numel() for leaf in leaves])
    # `copy_` keeps the memory order of the weights, channels-last.
    sums = [leaf.copy_(part.view(leaf.shape)) for leaf, part in zip(leaves, parts, strict=True)]
    return pytree.tree_unflatten(sums, structure)


def _digits(dtype: torch.dtype) -> float:
    return -torch.finfo(dtype).eps


def all_gather(outcomes: Sequence[Item]) -> list[Item]:
    """The outcomes of all ranks in task order, on the CPU, each giving those of its share."""
    _, ranks = place()
    if ranks == 1:
        return list(outcomes)
    shares: list[list[Item]] = [[] for _ in range(ranks)]
    distributed.all_gather_object(shares, pytree.tree_map_only(Tensor, Tensor.cpu, outcomes))
    whole: list[Any] = [None] * sum(map(len, shares))
    for rank, share in enumerate(shares):
        whole[rank::ranks] = share
    return whole


def leave() -> None:
    """Part from the other ranks, if there are any: threads that serve them must end first."""
    if place() != (0, 1):
        distributed.destroy_process_group()


def broadcast(content: Item) -> Item:
    """What rank zero has, on every rank: only its machine needs to have the run directory."""
    contents = [content]
    if place() != (0, 1):
        distributed.broadcast_object_list(contents)
    return contents[0]
