"""What layers inside of a network answer, in one forward pass of a task."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from fewstep.core.net import Net
from fewstep.core.types import NOTHING, Params


def seen(
    net: Net, params: Params, x: Tensor, mark: str, given: Mapping[str, Tensor] = NOTHING
) -> list[Tensor]:
    """What the layers that have the attribute `mark` answer, each as it is called.

    Args:
        net: of one task.
        params: those that it is lent.
        x: inputs [B, *x].
        mark: the name of an attribute that such a layer has, and that is true.
        given: what the network takes besides.
    """
    found: list[Tensor] = []
    layers = [layer for layer in net.module.modules() if getattr(layer, mark, False)]
    handles = [la.register_forward_hook(lambda *call: found.append(call[2])) for la in layers]
    try:
        net(params, x, given)
    finally:
        for handle in handles:
            handle.remove()
    return found
