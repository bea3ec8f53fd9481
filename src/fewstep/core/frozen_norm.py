"""Batch norm by the statistics of some examples alone, whoever is normalized beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


@contextmanager
def normalized_by(module: nn.Module, examples: int, of: int) -> Iterator[None]:
    """Inside, a batch norm takes its mean and variance from the first `examples` of a batch of
    `of`; from a batch of another size, such as the support set that a head takes, as a whole.

    So the outputs of these are what they are alone, and those of the others do not depend on one
    another. The module is in evaluation mode.
    """
    handles = []
    for layer in norms(module):
        handles += [
            layer.register_forward_pre_hook(_take(examples, of)),
            layer.register_forward_hook(_give_back, always_call=True),
        ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def learned_by(module: nn.Module, examples: int, of: int) -> Iterator[None]:
    """The same of a module in training mode, and differentiable by these statistics too, which
    PyTorch's own are not once they are given to a batch norm."""
    layers = norms(module)
    for layer in layers:
        layer.__dict__["forward"] = _forward(layer, examples, of)
    try:
        yield
    finally:
        for layer in layers:
            del layer.__dict__["forward"]


def norms(module: nn.Module) -> list[_BatchNorm]:
    """The layers that normalize over a batch."""
    return [layer for layer in module.modules() if isinstance(layer, _BatchNorm)]


def statistics(layer_input: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of each channel, as batch norm takes them of [B, C, ...]: [C], [C]."""
    over = [d for d in range(layer_input.dim()) if d != 1]
    variance, mean = torch.var_mean(layer_input, over, correction=0)
    return mean, variance


def _first(layer_input: Tensor, examples: int, of: int) -> Tensor:
    rows = len(layer_input)  # a network may normalize several of each example
    return layer_input[: rows if rows % of else rows * examples // of]


def _take(examples: int, of: int) -> Any:
    def take(layer: _BatchNorm, inputs: tuple[Tensor, ...]) -> None:
        found = statistics(_first(inputs[0], examples, of))
        layer._buffers.update(zip(("running_mean", "running_var"), found, strict=True))

    return take


def _give_back(layer: _BatchNorm, *_: Any) -> None:
    layer._buffers.update(running_mean=None, running_var=None)


def _forward(layer: _BatchNorm, examples: int, of: int) -> Callable[[Tensor], Tensor]:
    own = layer.forward

    def forward(layer_input: Tensor) -> Tensor:
        if len(layer_input) % of:
            return own(layer_input)
        mean, variance = statistics(_first(layer_input, examples, of))
        scale = (variance + layer.eps).rsqrt()
        if layer.weight is not None:
            scale = scale * layer.weight
        shift = -mean * scale
        if layer.bias is not None:
            shift = shift + layer.bias
        channels = (-1,) + (1,) * (layer_input.dim() - 2)  # of [B, C, ...]
        return layer_input * scale.view(channels) + shift.view(channels)

    return forward
