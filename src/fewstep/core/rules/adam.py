"""Adam as the authors of Reptile use it, and what many tasks leave of its memory."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from fewstep.core.rules.rule import Rule, State
from fewstep.core.types import Params


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

    def __post_init__(self) -> None:
        if not 0 <= self.beta2 < 1:
            raise ValueError(
                f"beta2={self.beta2}: must be at least 0 and below 1. For example beta2=0.999"
            )
        if not self.eps > 0:  # an entry without a gradient would be 0 / 0
            raise ValueError(f"eps={self.eps}: must be above 0. For example eps=1e-8")

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


def _sqrt(v: Tensor) -> Tensor:
    """A root whose derivative at 0 is 0 and not infinite (both branches of `where` are finite)."""
    positive = v > 0
    return torch.where(positive, torch.where(positive, v, 1.0).sqrt(), 0.0)
