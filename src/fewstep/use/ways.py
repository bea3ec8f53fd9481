"""A network for another number of classes than it was trained for."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from fewstep.core.memory import copied
from fewstep.core.types import Start
from fewstep.messages.errors import ConfigError


def for_ways(
    module: nn.Module, start: Start, trained: int, ways: int, head: str
) -> tuple[nn.Module, Start]:
    """The network with `ways` outputs, and where a task of so many classes starts.

    Columns that were trained are used again, the first ones where there are fewer; what is more
    than these starts at their mean, in the rule's memory as well. With `head` = `mean` all do.
    For as many ways as were trained, nothing changes.

    Args:
        module: the network, which stays as it is.
        start: its parameters and the inner rule's state.
        trained: its outputs.
        ways: the outputs to have.
        head: what the inner loop does with them (`fewstep.adapters.heads`).

    Raises:
        ConfigError: no layer is the network's head.
    """
    if ways == trained:
        return module, start
    made = copied(module)
    if (path := head_of(made, trained)) is None:
        if getattr(made, "ways", None) != trained:
            raise ConfigError(
                f"{type(module).__name__} was trained for {trained} classes and has no linear layer "
                f"of {trained} outputs, so that it cannot tell {ways}. Give {trained} classes"
            )
        made.ways = ways  # a head without weights
        return made, start
    layer = made.get_submodule(path)
    new = nn.Linear(layer.in_features, ways, layer.bias is not None)
    new = new.to(layer.weight.device, layer.weight.dtype)
    new.requires_grad_(layer.weight.requires_grad)
    owner, _, name = path.rpartition(".")
    setattr(made.get_submodule(owner), name, new)
    names = {f"{path}.{n}" for n, _ in layer.named_parameters()}
    for local, value in layer.named_parameters():
        new.get_parameter(local).data = _rows(value.detach(), ways, head)
    return made, Start(*(_resized(tree, names, ways, head) for tree in start))


def head_of(module: nn.Module, ways: int) -> str | None:
    """The path of the last linear layer, if it has that many outputs."""
    layers = [(path, la) for path, la in module.named_modules() if isinstance(la, nn.Linear)]
    return layers[-1][0] if layers and layers[-1][1].out_features == ways else None


def _resized(tree: Any, names: set[str], ways: int, head: str) -> Any:
    """A tree of tensors in which those of the head have other rows."""
    found = {}
    for name, value in tree.items():
        if isinstance(value, dict):
            found[name] = _resized(value, names, ways, head)
        else:
            own = any(name == n or name.endswith(f"/{n}") for n in names) and value.dim()
            found[name] = _rows(value, ways, head) if own else value
    return found


def _rows(value: Tensor, ways: int, head: str) -> Tensor:
    mean = value.mean(0, keepdim=True)
    kept = 0 if head == "mean" else min(ways, len(value))
    return torch.cat([value[:kept], mean.expand(ways - kept, *value.shape[1:])])
