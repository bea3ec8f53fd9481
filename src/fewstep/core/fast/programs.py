"""Functions of one task as programs, where there are programs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch.utils import _pytree as pytree

from fewstep.programs.library import Function, Programs


__all__ = ["Function", "Programs", "is_short", "program_for"]

STEPS = 5
"""Inner steps up to which a whole inner loop and its derivative are one program. To write one takes
a second or more for each step, which some hundred meta-iterations earn back."""


def is_short(steps: int) -> bool:
    """Whether so many inner steps are worth one program."""
    return steps <= STEPS


def program_for(net: Any, function: Function, fixed: tuple, args: tuple) -> Callable | None:
    """A program in place of `function(net, *fixed, ...)`. None where the net has none, and where an
    argument asks for gradients, for no derivative flows through a program."""
    if not net.programs or any(leaf.requires_grad for leaf in pytree.tree_leaves(args)):
        return None
    return net.programs.find(net, function, fixed, args)
