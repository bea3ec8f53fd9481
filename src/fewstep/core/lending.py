"""Whether a network goes by the parameters that it is lent for one call, and by no others.

A closure over a layer, a recomputation on the way back (activation checkpointing) or a list of
parameters go by the module's own, which are others by then: the gradient would be wrong, or zero.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from fewstep.core.memory import forgetting
from fewstep.core.net import Net
from fewstep.core.noise import noise
from fewstep.core.traits import Traits
from fewstep.core.types import Params
from fewstep.messages.errors import ConfigError


MOVED = 1.1
"""What parameters are multiplied by, to be others than the module's own."""
TOLERANCE = {torch.bfloat16: 0.1}
"""Of the largest entry of a gradient; else `EXACT`."""
EXACT = 1e-3


def check_lending(
    module: nn.Module, traits: Traits, x: Tensor, given: Mapping[str, Tensor]
) -> None:
    """Lend other parameters to a copy, set the same ones in the module, and compare gradients.

    The module is put back as it was.

    Raises:
        ConfigError: naming the parameter whose gradient differs.
    """
    lent = Net(module, traits=traits).replica()
    moved = {name: MOVED * p for name, p in lent.params().items()}
    leaves = {name: p.requires_grad_() for name, p in moved.items()}
    found = _gradient(lambda: lent(leaves, x, given), leaves)
    own = Net(module).parameters()
    taken = {name: given[name] for name in getattr(module, "takes", ())}
    kept = {n: p.detach().clone() for n, p in own.items()}
    with forgetting(module.modules()):
        try:
            _set(own, moved)
            expected = _gradient(lambda: _seeded(module, x, taken), own)
        finally:
            _set(own, kept)
    largest = max((float(g.abs().max()) for g in expected.values() if g.numel()), default=0.0)
    for name, grad in expected.items() if found else ():
        tolerance = TOLERANCE.get(grad.dtype, EXACT) * largest
        if not torch.allclose(found[name], grad, rtol=0, atol=tolerance, equal_nan=True):
            raise ConfigError(
                f"model: {type(module).__name__} does not go by the {name} that a task lends it, "
                "as with activation checkpointing, or a layer in a lambda or a closure. Call the "
                "layer as self.NAME in forward, without checkpointing"
            )


def _seeded(module: nn.Module, x: Tensor, taken: Mapping[str, Tensor]) -> Tensor:
    with noise(0, 1):  # as in the first forward pass of a task
        return module(x, **taken)


def _set(parameters: Mapping[str, Tensor], values: Mapping[str, Tensor]) -> None:
    for name, parameter in parameters.items():
        parameter.data.copy_(values[name].detach())  # which counts as no change, for it is put back


def _gradient(outputs: Callable[[], Tensor], parameters: Mapping[str, Tensor]) -> Params:
    """Of a weighted sum of the outputs; nothing where there is no such sum."""
    with torch.enable_grad():
        found = outputs()
        if not isinstance(found, Tensor) or not found.requires_grad:
            return {}
        weights = torch.linspace(0.5, 1.5, found.numel(), dtype=found.dtype, device=found.device)
        total = (found * weights.view_as(found)).sum()
        grads = torch.autograd.grad(total, [*parameters.values()], materialize_grads=True)
    return dict(zip(parameters, grads, strict=True))
