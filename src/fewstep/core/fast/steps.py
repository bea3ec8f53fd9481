"""The steps of an inner loop: on all parameters in one vector, as programs, in any thread.

Whoever calls `take` sees none of it: parameters go in and come out as dictionaries of tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from fewstep.core.fast.follow import Follow, to_the_end
from fewstep.core.fast.layout import ALL, Layout
from fewstep.core.rules import Rule, State
from fewstep.core.rules.trees import own
from fewstep.core.types import Examples, Params, Start
from fewstep.programs.library import signature


@dataclass(frozen=True)
class Descent:
    """What a step does: a gradient, and the rule that goes by it."""

    rule: Rule
    gradient: Callable[..., tuple[Any, Params]]
    """`gradient(net, *fixed, params, examples) -> (outputs, gradient)` of one minibatch."""
    fixed: tuple = ()
    first_order: bool = False
    """Where a derivative is asked for: gradients are constants, but the rule's own
    arithmetic is not."""


class Net(Protocol):
    """What steps are taken with."""

    functional: bool
    follow: Follow

    def program(self, function: Callable, fixed: tuple, args: tuple) -> Callable[..., Any]:
        """`function(net, *fixed, ...)`, as fast as it goes."""
        ...


class End(NamedTuple):
    """Where some steps led."""

    params: Params
    state: State
    outputs: Any
    """Of the network on the last minibatch, before its step."""


def take(net: Net, descent: Descent, start: Start, support: Examples, batches: Tensor) -> End:
    """One step for each row of `batches` [n, B], which are rows of `support`; n is at least 1.

    What goes in is never changed, what comes out is new. It is differentiable with respect to
    whatever of `start` asks for gradients.
    """
    if not _can_be_packed(descent.rule, start):
        return _anew(net, descent, None, start, support, batches)
    layout = Layout.of(start.params)
    packed = Start(layout.packed(start.params), layout.pack_state(start.state))
    run = _anew if net.functional else _in_place
    end = run(net, descent, layout, packed, support, batches)
    return End(layout.unpacked(end.params), layout.unpack_state(end.state), end.outputs)


def _can_be_packed(rule: Rule, start: Start) -> bool:
    one_type = len({p.dtype for p in start.params.values()}) == 1  # else there is no one vector
    return rule.entrywise and one_type and not asks_for_gradients(start)


def asks_for_gradients(tree: Any) -> bool:
    """Whether a derivative is to flow back to any tensor of it."""
    return any(leaf.requires_grad for leaf in pytree.tree_leaves(tree))


def _in_place(
    net: Net, descent: Descent, layout: Layout, start: Start, support: Examples, batches: Tensor
) -> End:
    """First order: every step overwrites the packed parameters and state, which are its own."""
    steps = _steps_in_place(net, (descent, layout), start, support, batches)
    follow = net.follow if _is_ordinary_thread() else to_the_end
    outputs, state = follow(steps, len(batches))
    return End(start.params, state, outputs)


def _is_ordinary_thread() -> bool:
    """Whether the caller has left PyTorch's modes of its thread alone, which no other would have,
    and which other tasks, done meanwhile in this one, should not have."""
    plain = torch.is_grad_enabled() and not torch._C._len_torch_function_stack()
    return plain and not torch.is_autocast_enabled("cpu")


def _steps_in_place(
    net: Net, fixed: tuple[Descent, Layout], start: Start, support: Examples, batches: Tensor
) -> Iterator[tuple[Any, State]]:
    """After each step, the outputs before it and the state; any thread may take the next."""
    vector, state = start.params[ALL], start.state
    step, form = None, None
    for batch in batches:
        now = signature(state)
        if step is None or now != form:  # a rule may remember more with each gradient
            step, form = net.program(_step, fixed, (vector, state, support, batch)), now
        outputs, state = step(vector, state, support, batch)
        yield outputs, state


def _step(
    net: Net,
    descent: Descent,
    layout: Layout,
    vector: Tensor,
    state: State,
    support: Examples,
    batch: Tensor,
) -> tuple[Any, State]:
    """One update, written into `vector`; `(outputs, state)` of the minibatch before it."""
    x, y = support.x.index_select(0, batch), support.y.index_select(0, batch)
    examples = Examples(x, y, support.given)
    outputs, grads = descent.gradient(net, *descent.fixed, layout.views(vector), examples)
    descent.rule.step_({ALL: vector}, layout.packed(grads), state)
    return outputs, state


def _anew(
    net: Net,
    descent: Descent,
    layout: Layout | None,
    start: Start,
    support: Examples,
    batches: Tensor,
) -> End:
    """Every step makes new parameters: for derivatives, and under `vmap`, which knows no writing
    into what the tasks share. All of them are packed, where there is a layout."""
    params, state = start
    outputs = None
    for batch in batches:
        examples = Examples(support.x[batch], support.y[batch], support.given)
        whole = layout.unpacked(params) if layout else params
        if descent.first_order:
            whole = {name: p.detach() for name, p in whole.items()}
        outputs, grads = descent.gradient(net, *descent.fixed, whole, examples)
        grads = layout.packed(grads) if layout else grads
        params, state = descent.rule.step(own(params), grads, own(state))
    return End(params, state, outputs)
