"""Inner update rules: how one gradient moves the parameters of one task.

A rule carries its state explicitly, so that the authors' Adam (its second moment is never reset
between tasks, paper code reptile.py:24) is a value that can be saved, merged and rolled back.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from fewstep.core.types import Params


State = dict[str, Any]
"""What a rule remembers: a dictionary of tensors, or of dictionaries of tensors; may be empty."""


class Rule(ABC):
    """One inner optimizer. Pure: what goes in is never changed."""

    lr: float

    def init(self, params: Params) -> State:
        """The state before any gradient was seen, on the parameters' device."""
        return {}

    @abstractmethod
    def step(self, params: Params, grads: Params, state: State) -> tuple[Params, State]:
        """One update, differentiable with respect to everything that goes in.

        Where a gradient is exactly 0 it leaves the parameter as it is (`algorithm.inner.fixed`).
        """

    def step_(self, params: Params, grads: Params, state: State) -> None:
        """The same update, written into `params` and `state`; first order only.

        The inner loop calls it with all parameters in one vector, so a rule must act on every
        entry alike. It may override this for speed; a test holds it to `step`.
        """
        new_params, new_state = self.step(params, grads, state)
        for name, value in new_params.items():
            params[name].copy_(value)
        state.update(new_state)

    def contribution(self, start: State, end: State) -> State:
        """What one task adds to `start`; contributions are summed over tasks (and devices)."""
        return {}

    def apply(self, start: State, total: State) -> State:
        """The state after all tasks whose contributions sum to `total`."""
        return {}

    def merge(self, start: State, ends: Sequence[State]) -> State:
        """What tasks that ran side by side from `start` leave behind, whatever their order."""
        return self.apply(start, total_of([self.contribution(start, end) for end in ends]))


@dataclass(frozen=True)
class SGD(Rule):
    """`w <- w - lr g`."""

    lr: float

    def step(self, params: Params, grads: Params, state: State) -> tuple[Params, State]:
        return {name: p - self.lr * grads[name] for name, p in params.items()}, state

    def step_(self, params: Params, grads: Params, state: State) -> None:
        for name, p in params.items():
            p.add_(grads[name], alpha=-self.lr)


@dataclass(frozen=True)
class Adam(Rule):
    """Adam without momentum (beta1 = 0), in TensorFlow's form, as the authors use it.

        v <- beta2 v + (1 - beta2) g^2
        w <- w - lr sqrt(1 - beta2^t) g / (sqrt(v) + eps)

    `eps` is added to the root of the second moment before its bias correction, unlike
    `torch.optim.Adam` (reference: models.py:10; paper section 6.1).
    """

    lr: float
    beta2: float = 0.999
    eps: float = 1e-8

    def init(self, params: Params) -> State:
        device = next((p.device for p in params.values()), None)
        steps = torch.zeros((), dtype=torch.int64, device=device)
        return {"v": {name: torch.zeros_like(p) for name, p in params.items()}, "t": steps}

    def step(self, params: Params, grads: Params, state: State) -> tuple[Params, State]:
        t = state["t"] + 1
        lr = self.lr * (1 - self.beta2 ** t.double()).sqrt()
        v = {n: self.beta2 * state["v"][n] + (1 - self.beta2) * g * g for n, g in grads.items()}
        new = {n: p - lr * grads[n] / (_sqrt(v[n]) + self.eps) for n, p in params.items()}
        return new, {"v": v, "t": t}

    def step_(self, params: Params, grads: Params, state: State) -> None:
        state["t"] += 1
        lr = self.lr * (1 - self.beta2 ** state["t"].double()).sqrt()
        for name, p in params.items():
            v, g = state["v"][name], grads[name]
            v.mul_(self.beta2).addcmul_(g, g, value=1 - self.beta2)
            p.addcdiv_(g * -lr, v.sqrt().add_(self.eps))

    def contribution(self, start: State, end: State) -> State:
        """`v_i - beta2^k v` and the k steps taken: what the task's own gradients added."""
        steps = end["t"] - start["t"]
        lost = -(self.beta2 ** steps.double())  # a tensor: reading it would wait for the device
        v = {n: v.addcmul(start["v"][n], lost) for n, v in end["v"].items()}
        return {"v": v, "t": steps}

    def apply(self, start: State, total: State) -> State:
        """`v' = beta2^(nk) v + sum_i (v_i - beta2^k v)`, `t' = t + nk`.

        The authors run the tasks one after another. This is that memory without an order;
        averaging the ends instead would make it n times longer.
        """
        kept = self.beta2 ** total["t"].double()
        v = {n: added.addcmul(start["v"][n], kept) for n, added in total["v"].items()}
        return {"v": v, "t": start["t"] + total["t"]}


RULES: dict[str, type[Rule]] = {"sgd": SGD, "adam": Adam}
"""The names that `algorithm.inner.rule` knows; it also takes the dotted path of a class."""


def detach_state(state: State) -> State:
    """The same values without a graph."""
    return {
        name: detach_state(value) if isinstance(value, dict) else value.detach()
        for name, value in state.items()
    }


def place_state(state: State, params: Params) -> State:
    """The same values where the parameters are, in the precision of each, or else of the first of
    them; counters stay integers."""
    first = next(iter(params.values()))

    def placed(name: str, value: Tensor) -> Tensor:
        like = params.get(name, first)
        return value.to(like.device, like.dtype if value.is_floating_point() else value.dtype)

    return {
        name: place_state(value, params) if isinstance(value, dict) else placed(name, value)
        for name, value in state.items()
    }


def total_of(trees: Sequence[Any]) -> Any:
    """The sum of trees of tensors, as states are, of one structure and in their order."""
    leaves, structure = zip(*map(pytree.tree_flatten, trees), strict=True)
    sums = [sum(same[1:], start=same[0]) for same in zip(*leaves, strict=True)]
    return pytree.tree_unflatten(sums, structure[0])


def _sqrt(v: Tensor) -> Tensor:
    """A root whose derivative at 0 is 0 and not infinite (both branches of `where` are finite)."""
    positive = v > 0
    return torch.where(positive, torch.where(positive, v, 1.0).sqrt(), 0.0)
