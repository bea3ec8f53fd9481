"""Where a task starts the network's last linear layer."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from fewstep.core.class_means import class_means
from fewstep.core.problem import Problem
from fewstep.core.types import Episode, Params
from fewstep.messages.errors import ConfigError


def trained(problem: Problem, params: Params, episode: Episode) -> Params:
    """As the outer step has left it."""
    return {}


def zeros(problem: Problem, params: Params, episode: Episode) -> Params:
    """At 0: no class is likelier than another."""
    ways = _ways(problem, episode, params)
    return {name: p.new_zeros(ways, *p.shape[1:]) for name, p in _head(problem, params).items()}


def mean(problem: Problem, params: Params, episode: Episode) -> Params:
    """Every class at the mean of the trained ones: their order means nothing."""
    ways = _ways(problem, episode, params)
    return {name: _of_all(p, ways) for name, p in _head(problem, params).items()}


def prototypes(problem: Problem, params: Params, episode: Episode) -> Params:
    """A class at the mean c of its support features: w = 2c and b = -|c|^2, so that logits are
    minus squared distances but for what all classes share (Snell et al. 2017, eq. 8)."""
    head = _head(problem, params)
    features = _features(problem, params, episode)
    means = class_means(features, episode.support_y, _ways(problem, episode, params))
    made = {"weight": 2 * means, "bias": -means.square().sum(1)}
    return {name: made[name.rpartition(".")[2]] for name in head}


HEADS: dict[str, Callable[[Problem, Params, Episode], Params]] = {
    "trained": trained,
    "zeros": zeros,
    "mean": mean,
    "prototypes": prototypes,
}
"""What `algorithm.inner.head` knows: the parameters that a task starts elsewhere, by name."""


SAME_WAYS = "same_ways"
"""An attribute of a network all of whose tasks are of the ways that it was made for: they are not
counted, for a task of a dataset's own may lack one of its classes."""


def _of_all(rows: Tensor, ways: int) -> Tensor:
    return rows.mean(0, keepdim=True).expand(ways, *rows.shape[1:]).contiguous()


def _ways(problem: Problem, episode: Episode, params: Params) -> int:
    """The task's number of classes, whatever the network was made for; of stacked tasks, which are
    of one shape, and of a regression the network's outputs."""
    net, targets = problem.net, episode.support_y
    if net.functional or targets.is_floating_point() or getattr(net.module, SAME_WAYS, False):
        return len(next(iter(_head(problem, params).values())))
    return int(targets.max()) + 1


def _features(problem: Problem, params: Params, episode: Episode) -> Tensor:
    """What the last linear layer is given for each support example: [S, D]."""
    layer, seen = last_linear(problem.net.module)[1], []
    handle = layer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    try:
        problem.net(params, episode.support_x, problem.given(episode))
    finally:
        handle.remove()
    return seen[-1].flatten(1)


def last_linear(module: nn.Module) -> tuple[str | None, nn.Module]:
    """The last linear layer and its path; None and the network itself where there is none."""
    layers = [(path, la) for path, la in module.named_modules() if isinstance(la, nn.Linear)]
    return layers[-1] if layers else (None, module)


def check_called_last(problem: Problem, params: Params, episode: Episode) -> None:
    """Refuse a network whose last linear layer, as it was defined, is not the last that it calls.

    Raises:
        ConfigError: naming both.
    """
    net, called = problem.net, []
    layers = {la: path for path, la in net.module.named_modules() if isinstance(la, nn.Linear)}
    handles = [la.register_forward_hook(lambda la, *_: called.append(la)) for la in layers]
    try:
        with torch.no_grad(), net.answering():
            net(params, episode.support_x, problem.given(episode))
    finally:
        for handle in handles:
            handle.remove()
    path = last_linear(net.module)[0]
    if called and layers[called[-1]] != path:
        raise ConfigError(
            f"{type(net.module).__name__}: its last linear layer by definition is {path}, and the "
            f"last that it calls is {layers[called[-1]]}, so that its head is not clear. Define "
            "the head last in __init__"
        )


def _head(problem: Problem, params: Params) -> Params:
    """The last linear layer's parameters among these.

    Raises:
        ValueError: there is none.
    """
    module = problem.net.module
    path = last_linear(module)[0]
    names = [] if path is None else [f"{path}.{n}".lstrip(".") for n in ("weight", "bias")]
    found = {name: params[name] for name in names if name in params}
    if names and names[0] in found:  # with a weight that is made of others, the bias alone is none
        return found
    raise ValueError(
        f"algorithm.inner.head: {type(module).__name__} has no last linear layer whose own weight "
        "learns. Use algorithm.inner.head=trained"
    )
