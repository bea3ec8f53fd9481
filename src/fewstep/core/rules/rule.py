"""The inner optimizers: pure functions with an explicit state, one file each.

A rule is any subclass of `Rule`; `algorithm.inner.rule` takes its dotted path. Nothing in a rule
draws random numbers: what is random hangs on the key that `begin` is given.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from torch import Tensor

from fewstep.core.rules.trees import State, own
from fewstep.core.types import Params


class Rule(ABC):
    """One inner optimizer. Pure: only `step_` writes into what goes in.

    `init` and `step` are all that most rules need; every other method does nothing by default.
    """

    lr: float

    entrywise: ClassVar[bool] = True
    """Whether it treats every entry alike, so that all parameters may come as one vector. False
    where a step looks at a tensor as a whole, as to clip its norm."""

    sums: ClassVar[bool] = False
    """Whether it asks for the sum of a minibatch's losses, as where they are weighed against
    something that is no loss."""

    lasts: ClassVar[bool] = True
    """Whether more inner steps than it was trained with do no harm. False where it learns rates for
    so many alone."""

    least: ClassVar[Mapping[str, float]] = MappingProxyType({})
    """By entry of what it learns, where an outer step that went below sets it back to."""

    def __init_subclass__(cls) -> None:
        """A rule that changes the step of another does not keep that one's written in place."""
        super().__init_subclass__()
        if "step" in vars(cls) and "step_" not in vars(cls):
            cls.step_ = Rule.step_

    def init(self, params: Params) -> State:
        """The state before any gradient was seen, on the parameters' device."""
        return {}

    def begin(self, params: Params, state: State, key: Tensor) -> tuple[Params, State]:
        """Where a task starts, once a task: what is added to the state here is the task's own.

        `key` [] int64 is the task's number for what is random. Differentiable; what is handed back
        under a new name (an anchor, a running mean) must be dropped by `contribution`.
        """
        return params, state

    @abstractmethod
    def step(self, params: Params, grads: Params, state: State) -> tuple[Params, State]:
        """One update, differentiable with respect to everything that goes in.

        Where a gradient is exactly 0 it leaves the parameter as it is (`algorithm.inner.fixed`).
        Entries of the state that it does not change are handed back as they are.
        """

    def step_(self, params: Params, grads: Params, state: State) -> None:
        """The same update, written into `params` and `state`; first order only.

        The inner loop calls it with all parameters in one vector where the rule is `entrywise`. It
        may be overridden for speed; a test holds it to `step`.
        """
        new_params, new_state = self.step(own(params), grads, own(state))
        for name, value in new_params.items():
            params[name].copy_(value)
        state.update(new_state)

    def finish(self, params: Params, state: State) -> Params:
        """What predicts: the last iterate, or an average that the state holds."""
        return params

    def learned(self, params: Params) -> Params:
        """Hyper-parameters that the outer step learns, at their initial values, for the network's
        parameters: `inner/ENTRY` or `inner/ENTRY/PARAMETER`.

        A step finds them in its state, as `state["ENTRY"]` or `state["ENTRY"]["PARAMETER"]`.
        """
        return {}

    @property
    def most_steps(self) -> int | None:
        """Inner steps that a task can take at the most; None is any number."""
        return None

    def contribution(self, start: State, end: State) -> State:
        """What one task adds to `start`; contributions are summed over tasks (and devices)."""
        return {}

    def apply(self, start: State, total: State) -> State:
        """The state after all tasks whose contributions sum to `total`."""
        return {}

    @property
    def fewest_steps(self) -> int:
        """Inner steps that a task must take for there to be an answer; 0 is any number."""
        return 0

    def overshoots(self, curvature: float) -> str | None:
        """Why its steps blow up on a loss of this largest curvature, if it can tell; asked of some
        training tasks before there is a run, where a rule overrides it."""
        return None

    @property
    def moves_all(self) -> str | None:
        """What a step does to what has no gradient too, as a decay does, and the way out; None
        where it leaves that as it is."""
        return None

    @property
    def learns(self) -> bool:
        """Whether the outer step learns some of it."""
        return type(self).learned is not Rule.learned

    @property
    def remembers(self) -> bool:
        """Whether a step depends on more than the gradient before it."""
        return any(getattr(type(self), n) is not getattr(Rule, n) for n in ("init", "begin"))
