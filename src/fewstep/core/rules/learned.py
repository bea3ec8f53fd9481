"""Hyper-parameters of a rule that the outer step learns, beside the network's parameters.

They travel with the parameters, under names that no network has, and meet the rule in its state.
"""

from __future__ import annotations

from collections.abc import Mapping

from fewstep.core.rules.trees import State
from fewstep.core.types import Params


LEARNED = "inner/"
"""What their names begin with."""


def split(params: Params) -> tuple[Params, Params]:
    """The network's own parameters, and what a rule learns."""
    learned = {name: value for name, value in params.items() if name.startswith(LEARNED)}
    return {n: p for n, p in params.items() if n not in learned} if learned else params, learned


def joined(state: State, learned: Params) -> State:
    """A state that holds them where a step looks: `state["lr"]["layers.0.weight"]`."""
    if not learned:
        return state
    found = dict(state)
    for name, value in learned.items():
        entry, _, parameter = name.removeprefix(LEARNED).partition("/")
        if parameter:
            found[entry] = {**found.get(entry, {}), parameter: value}
        else:
            found[entry] = value
    return found


def without(state: State, learned: Mapping[str, object]) -> State:
    """The state as it was before it was joined."""
    entries = {name.removeprefix(LEARNED).partition("/")[0] for name in learned}
    return {n: value for n, value in state.items() if n not in entries} if entries else state
