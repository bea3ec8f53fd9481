"""Langevin descent, LGD: a task's answer is the mean of a posterior, not its mode (2604.13130).

The paper's abstract is all that could be read: what follows is our reading of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from fewstep.core.rules.gaussian import gaussian
from fewstep.core.rules.rule import Rule, State
from fewstep.core.types import Params


MOST_BETA, MOST_KAPPA = 20.0, 30.0
"""What learned strengths are kept below, so that a step does not overshoot."""
ROUND = 0.01
"""Where the Laplace regulariser's kink is rounded off: sqrt(z^2 + 0.01)."""


class Known(NamedTuple):
    """A regulariser's hyper-parameters."""

    lam: Tensor
    kappa: Tensor


Slope = Callable[[Tensor, Known], Tensor]

SLOPES: dict[str, Slope] = {
    "one_sided": lambda z, h: h.lam + h.kappa * z.clamp(max=0),
    "laplace": lambda z, h: h.lam * z / (z.square() + ROUND).sqrt(),
    "gaussian": lambda z, h: h.lam * z,
    "elastic": lambda z, h: h.lam * z / (z.square() + ROUND).sqrt() + h.kappa * z,
}
"""The derivative of each regulariser by z = w - m: of lam z + kappa/2 min(z, 0)^2, of lam
sqrt(z^2 + 0.01), of lam/2 z^2, and of the second with kappa/2 z^2."""


BENDS: dict[str, Callable[[Langevin], float]] = {
    "one_sided": lambda rule: min(rule.kappa, MOST_KAPPA),
    "laplace": lambda rule: rule.lam / ROUND**0.5,
    "gaussian": lambda rule: rule.lam,
    "elastic": lambda rule: rule.lam / ROUND**0.5 + min(rule.kappa, MOST_KAPPA),
}
"""The largest second derivative of each."""


@dataclass(frozen=True)
class Langevin(Rule):
    """`w <- w - lr (beta g + R'(w - m)) + sqrt(2 lr T) xi`, from m; what predicts is the mean of
    the iterates after `burn_in` steps, or at T = 0 the last one.

    The outer step learns the strengths lam, beta and kappa, as logarithms, and the middle m. The
    noise xi is a function of the task's key, the step and the entry. Moves every parameter.
    """

    lr: float
    temperature: float = 1.0
    burn_in: int = 50
    prior: str = "gaussian"
    lam: float = 1.0
    beta: float = 1.0
    kappa: float = 1.0
    middle: float = 0.0
    clamp: float | None = None
    """The most that an entry moves in a step but for the noise. A rare task bends so much that
    descent blows up in it. None: no limit."""

    entrywise = False
    sums = True

    def __post_init__(self) -> None:
        if self.prior not in SLOPES:
            raise ValueError(
                f"prior={self.prior}: must be one of {', '.join(SLOPES)}. For example "
                "prior=gaussian"
            )
        if not self.temperature >= 0:
            raise ValueError(
                f"temperature={self.temperature}: must be at least 0. For example temperature=1.0"
            )
        if self.burn_in < 0:
            raise ValueError(f"burn_in={self.burn_in}: must be at least 0. For example burn_in=50")
        if self.clamp is not None and not self.clamp > 0:
            raise ValueError(
                f"clamp={self.clamp}: must be above 0, or null for steps of any length. For "
                "example clamp=1.0"
            )
        for name, most in (("lam", None), ("beta", MOST_BETA), ("kappa", MOST_KAPPA)):
            value = getattr(self, name)
            if not value > 0 or (most and value >= most):  # from the wall on it has no slope
                below = f" and below {most:g}, where what is learned is kept" if most else ""
                raise ValueError(f"{name}={value}: must be above 0{below}. For example {name}=1.0")

    @property
    def moves_all(self) -> str | None:
        return (
            "draws what has no gradient to its prior too. Use another rule, for example "
            "algorithm.inner.rule=sgd"
        )

    @property
    def fewest_steps(self) -> int:
        """Inner steps below which there is no iterate to average."""
        return self.burn_in + 1 if self.temperature else 0

    def overshoots(self, curvature: float) -> str | None:
        own = BENDS[self.prior](self)
        size = self.lr * (min(self.beta, MOST_BETA) * curvature + own)
        if size < 2:
            return None
        return (
            f"algorithm.inner.lr={self.lr}: times the largest curvature, that of the data "
            f"{self.beta:g} x {curvature:.3g} and that of the prior {own:.3g}, is {size:.3g} on a "
            f"training task, and descent blows up from 2 on. Use algorithm.inner.lr="
            f"{self.lr / size:.1g} or less"
        )

    def learned(self, params: Params) -> Params:
        first = next(iter(params.values()))
        logs = {"log_lam": self.lam, "log_beta": self.beta, "log_kappa": self.kappa}
        found = {f"inner/{n}": first.new_full((), value).log() for n, value in logs.items()}
        middles = {f"inner/m/{n}": p.new_full(p.shape[-1:], self.middle) for n, p in params.items()}
        return {**found, **middles}

    def begin(self, params: Params, state: State, key: Tensor) -> tuple[Params, State]:
        start = {n: state["m"][n].expand(p.shape) for n, p in params.items()}
        if self.prior == "one_sided":
            start = {n: p + torch.exp(-state["log_lam"]) for n, p in start.items()}
        first = next(iter(params.values()))
        steps = torch.zeros((), dtype=torch.int64, device=first.device)
        sums = {n: torch.zeros_like(p) for n, p in start.items()}
        return start, {**state, "key": key, "k": steps, "sum": sums}

    def step(self, params: Params, grads: Params, state: State) -> tuple[Params, State]:
        beta = state["log_beta"].exp().clamp(max=MOST_BETA)
        known = Known(state["log_lam"].exp(), state["log_kappa"].exp().clamp(max=MOST_KAPPA))
        slope, spread, entry, moved = SLOPES[self.prior], self._spread, 0, {}
        for name, p in params.items():
            drift = beta * grads[name] + slope(p - state["m"][name], known)
            moved[name] = p - self._limited(self.lr * drift)
            if spread:
                noise = gaussian(state["key"], state["k"], entry, p.numel())
                moved[name] = moved[name] + spread * noise.to(p.dtype).view_as(p)
            entry += p.numel()
        k = state["k"] + 1
        counts = (k > self.burn_in).to(torch.float64)
        sums = {n: state["sum"][n] + counts.to(p.dtype) * p for n, p in moved.items()}
        return moved, {**state, "k": k, "sum": sums}

    def finish(self, params: Params, state: State) -> Params:
        if not self.temperature:
            return params
        count = state["k"] - self.burn_in
        return {
            n: torch.where(count > 0, state["sum"][n] / count.clamp(min=1).to(p.dtype), p)
            for n, p in params.items()
        }

    def _limited(self, move: Tensor) -> Tensor:
        return move if self.clamp is None else move.clamp(-self.clamp, self.clamp)

    @property
    def _spread(self) -> float:
        return (2 * self.lr * self.temperature) ** 0.5
