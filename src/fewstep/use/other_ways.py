"""A network for another number of classes than it was trained for."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from fewstep.adapters.gradient import InnerLoop
from fewstep.adapters.heads import last_linear
from fewstep.core.memory import copied
from fewstep.core.net import Net
from fewstep.core.types import Start
from fewstep.messages.errors import ConfigError


def for_ways(
    module: nn.Module, start: Start, trained: int, ways: int, inner: InnerLoop
) -> tuple[nn.Module, Start]:
    """The network with `ways` outputs, and where a task of so many classes starts.

    Columns that were trained are used again, the first ones where there are fewer; what is more
    than these starts at their mean, in the rule's memory and in what it learned of each of them as
    well. With the head `mean` all do. For as many ways as were trained, nothing changes.

    Args:
        module: the network, which stays as it is: what comes back is a copy.
        start: its parameters and the inner rule's state.
        trained: its outputs.
        ways: the outputs to have.
        inner: whose `head` says what becomes of them (`fewstep.adapters.heads`), and whose rule
            what it remembers and learns of such a network.

    Raises:
        ConfigError: no layer is the network's head.
    """
    made = copied(module)
    if ways == trained:
        return made, start
    with_outputs(made, ways)
    path = last_linear(module)[0]
    if head_of(module, trained) is None or path is None:
        if getattr(module, "ways", None) == trained:
            return made, start  # a head without weights
        raise ConfigError(
            f"{type(module).__name__} was trained for {trained} classes and has no linear layer of "
            f"{trained} outputs, so that it cannot tell {ways}. Give {trained} classes"
        )
    layer, new = module.get_submodule(path), made.get_submodule(path)
    for local, value in layer.named_parameters():
        resized = new.get_parameter(local)
        if resized.shape != value.shape:
            resized.data = _rows(value.detach(), ways, inner.head)
    params = Net(made).params()
    like = Start({**params, **inner.rule.learned(params)}, inner.rule.init(params))
    return made, Start(
        *(_resized(*both, ways, inner.head) for both in zip(start, like, strict=True))
    )


def with_outputs(module: nn.Module, ways: int) -> nn.Module:
    """The network, changed to have as many outputs, whose head has no values of its own.

    Raises:
        ConfigError: the head remembers something of each output, which others would not have.
    """
    layer, known = last_linear(module)[1], getattr(module, "ways", None)
    if isinstance(known, int):
        module.__dict__["ways"] = ways  # a plain attribute, no parameter and no module
    if isinstance(layer, nn.Linear) and (not isinstance(known, int) or known == layer.out_features):
        _resize(layer, ways)
    return module


def _resize(layer: nn.Linear, ways: int) -> None:
    """Give a layer, which stays of its class and keeps its hooks, other outputs."""
    before, layer.out_features = layer.out_features, ways
    for part in layer.modules() if ways != before else ():  # of a weight norm, say
        if kept := [n for n, b in part.named_buffers(recurse=False) if b.shape[:1] == (before,)]:
            raise ConfigError(
                f"{type(layer).__name__}: the head keeps {kept[0]} of its {before} outputs, so "
                f"that it cannot have {ways}. Give {before} classes"
            )
        for name, value in [*part.named_parameters(recurse=False)]:
            if value.shape[:1] == (before,):
                new = torch.zeros(ways, *value.shape[1:], dtype=value.dtype, device=value.device)
                part.register_parameter(name, nn.Parameter(new, value.requires_grad))


def head_of(module: nn.Module, ways: int) -> str | None:
    """The path of the last linear layer, if it has that many outputs."""
    path, layer = last_linear(module)
    return path if path is not None and layer.out_features == ways else None


def _resized(tree: Any, like: Any, ways: int, head: str) -> Any:
    """A tree of tensors in which those of the head have other rows: what has another shape for the
    new network. A rate for each step stays as it is, as many as there are."""
    found = {}
    for name, value in tree.items():
        own = like.get(name)
        if isinstance(value, dict):
            found[name] = _resized(value, own or {}, ways, head)
        else:
            same = own is None or own.shape == value.shape
            found[name] = value if same else _rows(value, ways, head)
    return found


def _rows(value: Tensor, ways: int, head: str) -> Tensor:
    mean = value.mean(0, keepdim=True)
    kept = 0 if head == "mean" else min(ways, len(value))
    return torch.cat([value[:kept], mean.expand(ways - kept, *value.shape[1:])])
