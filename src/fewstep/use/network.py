"""An adapted network as a plain one: in evaluation mode, and each answer by itself."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from fewstep.core.channels import channels_last
from fewstep.core.frozen_norm import norms, statistics
from fewstep.core.memory import copied, forgetting, without_running_statistics
from fewstep.core.types import Params
from fewstep.messages.errors import ConfigError


OTHERS = (
    "its network answers by what stands beside an example, as F.batch_norm(training=True) does. "
    "Use layers such as nn.BatchNorm2d, whose statistics are kept"
)


class Fixed(nn.Module):
    """A network together with what it takes besides inputs."""

    def __init__(self, module: nn.Module, given: Mapping[str, Tensor]) -> None:
        """`given`: by name, for as long as it lives."""
        super().__init__()
        self.module = module
        self.names = tuple(given)
        for name, value in given.items():
            self.register_buffer(f"given_{name}", value.clone())

    def forward(self, x: Tensor) -> Tensor:
        """Logits [B, N] of inputs [B, *x]."""
        given = {name: self.get_buffer(f"given_{name}") for name in self.names}
        return self.module(like_parameters(x, self.module), **given)


def like_parameters(x: Tensor, module: nn.Module) -> Tensor:
    """Fractions in the precision of a network's parameters; whole numbers as they are."""
    if not x.is_floating_point():
        return x
    return x.to(next((p.dtype for p in module.parameters() if p.is_floating_point()), x.dtype))


def as_precise(module: nn.Module, tensors: Mapping[str, Tensor]) -> nn.Module:
    """The module, which is float64 where the tensors that it is to hold are, and float32 where
    they are: what was learned in doubles is not rounded, whatever the default dtype is."""
    for name, own in (*module.named_parameters(), *module.named_buffers()):
        kept = tensors.get(name)
        if kept is not None and {own.dtype, kept.dtype} == {torch.float32, torch.float64}:
            own.data = own.data.to(kept.dtype)
    return module


def frozen(module: nn.Module, params: Params, support_x: Tensor, given: Params) -> Fixed:
    """A copy of a network with adapted parameters, whose batch norms have the support set's
    statistics for good.

    Args:
        module: the network, which stays as it is.
        params: by name; what the inner rule learned is left aside.
        support_x: [S, *x].
        given: what the network takes, by name.

    Raises:
        ConfigError: a batch norm that a forward pass asks twice has no statistics of its own.
    """
    made = with_statistics(copied(module))
    places = dict(made.named_parameters())
    with torch.no_grad():
        for name in places.keys() & params.keys():
            places[name].copy_(params[name])
    fixed = Fixed(made, given).eval()
    seen: set[nn.Module] = set()

    def measure(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        if layer in seen:
            raise ConfigError(
                f"{type(module).__name__} asks one batch norm twice in a forward pass, so that its "
                "statistics cannot be kept. Give each place a layer of its own"
            )
        seen.add(layer)
        for buffer, value in zip(("running_mean", "running_var"), statistics(*inputs), strict=True):
            layer.get_buffer(buffer).copy_(value)

    measured = {*norms(made)}
    handles = [layer.register_forward_pre_hook(measure) for layer in measured]
    others = [layer for layer in made.modules() if layer not in measured]
    try:
        with torch.no_grad(), forgetting(others):
            fixed(support_x)
    finally:
        for handle in handles:
            handle.remove()
    return fixed.requires_grad_(False)


@torch.no_grad()
def hangs_on_others(fixed: Fixed, x: Tensor) -> bool:
    """Whether the answer to the first of some inputs [S, *x] is another one beside the next than
    beside itself, by more than rounding."""
    with forgetting(fixed.modules()):
        among = fixed(x[:8])[0].float()
        alone = fixed(x[:1].expand(2, *x.shape[1:]))[0].float()
    small = any(p.is_floating_point() and p.itemsize < 4 for p in fixed.parameters())
    most = (0.1 if small else 1e-3) * (1 + float(among.abs().max()))
    return float((among - alone).abs().max()) > most


def with_statistics(module: nn.Module) -> nn.Module:
    """The module, whose batch norms keep statistics, as yet none."""
    without_running_statistics(module)
    for layer in norms(module):
        layer.track_running_stats = True
        layer.register_buffer("num_batches_tracked", torch.tensor(0))
        for name, value in (("running_mean", 0.0), ("running_var", 1.0)):
            like = next(layer.parameters(), next(module.parameters(), None))
            kind = torch.get_default_dtype() if like is None else like.dtype
            layer.register_buffer(name, torch.full((layer.num_features,), value, dtype=kind))
    return channels_last(module)
