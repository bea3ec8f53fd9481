"""All parameters in one vector, so that an update is a few long operations and not many short.

A network of a few layers has some twenty small tensors; an Adam step on each of them costs more
in launching operations than in arithmetic.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from threading import Lock

import torch
from torch import Tensor

from fewstep.core.rules.trees import State
from fewstep.core.types import Params
from fewstep.programs.snapshot import Constant


_MAKING = Lock()

ALL = "all"
"""The only name in the packed form of parameters, gradients and states."""


class Layout(Constant):
    """Where each tensor lies in the vector, in its own memory order (channels-last stays so).

    One is made for all parameters of the same form.
    """

    def __init__(self, places: Sequence[tuple[str, torch.Size, tuple[int, ...]]]) -> None:
        """`places`: the name, shape and strides of each tensor."""
        self.names = tuple(name for name, _, _ in places)
        self.orders = [_memory_order(strides) for _, _, strides in places]
        self.places = []  # shape, strides and offset of each tensor in the vector
        end = 0
        for _, shape, strides in places:
            self.places.append((shape, strides, end))
            end += shape.numel()

    @staticmethod
    def of(params: Params) -> Layout:
        """The layout of these parameters."""
        with _MAKING:  # two threads would make two
            return _layout(tuple((name, p.shape, p.stride()) for name, p in params.items()))

    def pack(self, tensors: Sequence[Tensor]) -> Tensor:
        """A new vector [all entries] of tensors that come in the order of the parameters."""
        parts = [t.permute(o).reshape(-1) for t, o in zip(tensors, self.orders, strict=True)]
        return torch.cat(parts)

    def views(self, vector: Tensor) -> Params:
        """The tensors in a vector, by name; writing to either changes both."""
        vector = vector.detach()
        views = (vector.as_strided(*place) for place in self.places)
        return dict(zip(self.names, views, strict=True))

    def packed(self, tensors: Params) -> Params:
        """One new vector, under the name `ALL`, in place of one tensor for each parameter."""
        return {ALL: self.pack([tensors[name] for name in self.names])}

    def unpacked(self, packed: Params) -> Params:
        """The tensors again as `packed` found them."""
        return self.views(packed[ALL])

    def pack_state(self, state: State) -> State:
        """A rule's state with one vector in place of each dictionary of tensors; all new."""
        return {
            name: self.packed(value) if isinstance(value, dict) else value.clone()
            for name, value in state.items()
        }

    def unpack_state(self, state: State) -> State:
        """The state again as `pack_state` found it."""
        return {
            name: self.unpacked(value) if isinstance(value, dict) else value
            for name, value in state.items()
        }


@lru_cache
def _layout(places: tuple[tuple[str, torch.Size, tuple[int, ...]], ...]) -> Layout:
    return Layout(places)


def _memory_order(strides: tuple[int, ...]) -> list[int]:
    """Dimensions from the slowest to the fastest in memory."""
    return sorted(range(len(strides)), key=lambda d: (-strides[d], d))
