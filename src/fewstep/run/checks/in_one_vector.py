"""Whether a user's own inner rule does the same in place, with all parameters in one vector."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from fewstep.core.fast.layout import Layout
from fewstep.core.rules import Rule
from fewstep.core.types import Params, State
from fewstep.messages.errors import ConfigError
from fewstep.run.checks.diagnosis import one_line
from fewstep.run.checks.rule_answers import copied


NEAR = 1e-2
"""Of the longest move of an entry: how far one in a vector may be from one by itself."""

FIX = (
    "A rule that looks at a tensor as a whole, or at names, says entrywise = False in its class; a "
    "step_ of its own does what step does, to the state too"
)


def check_entrywise(
    name: str,
    rule: Rule,
    given: tuple[Params, Params, State],
    ends: Sequence[tuple[Params, State]],
) -> None:
    """Hold steps in one vector against those of each parameter by itself, and what is remembered.

    Args:
        name: of the rule, in messages.
        rule: which says that it treats every entry alike.
        given: parameters, the gradient of every step, and the state before the first.
        ends: parameters and state after each of the steps.

    Raises:
        ConfigError: they fail, or lead elsewhere.
    """
    before, _, state = given
    steps = _steps(name, rule, given, len(ends))
    for (moved, after), (in_vector, kept) in zip(ends, steps, strict=True):
        for key, value in moved.items():
            if not _near(in_vector[key], value, before[key]):
                raise ConfigError(
                    f"{name}: moves {key} otherwise when all parameters come as one vector. {FIX}"
                )
        for path, value in _leaves(after):
            if not _near(_at(kept, path), value, _at(state, path)):
                entry = "".join(f"[{key!r}]" for key in path)
                raise ConfigError(
                    f"{name}: leaves state{entry} otherwise when all parameters come as one "
                    f"vector. {FIX}"
                )
        before, state = moved, after


def _steps(
    name: str, rule: Rule, given: tuple[Params, Params, State], number: int
) -> Iterator[tuple[Params, State]]:
    """Where so many steps in one vector lead, by the names of the parameters."""
    params, grads, state = copied(given)
    layout, vector, whole = Layout.of(params), {}, {}
    for k in range(number):
        try:
            if not k:
                vector, whole = layout.packed(params), layout.pack_state(state)
            rule.step_(vector, layout.packed(grads), whole)
            end = layout.unpacked(vector), layout.unpack_state(whole)
        except Exception as error:  # whatever somebody's rule raises
            raise ConfigError(
                f"{name}: fails with all parameters in one vector ({one_line(error)}). {FIX}"
            ) from None
        yield end


def _leaves(state: State) -> Iterator[tuple[tuple[str, ...], Tensor]]:
    """Each tensor of a state that was packed, and where it is."""
    for entry, value in state.items():
        for key, tensor in value.items() if isinstance(value, dict) else ():
            yield (entry, key), tensor
        if isinstance(value, Tensor):
            yield (entry,), value


def _at(tree: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        tree = tree.get(key) if isinstance(tree, dict) else None
    return tree


def _near(found: Any, wanted: Tensor, before: Any) -> bool:
    """By how far it has moved: from what was there before, or from nothing."""
    if not isinstance(found, Tensor) or found.shape != wanted.shape:
        return False
    found, wanted = found.double(), wanted.double()
    known = isinstance(before, Tensor) and before.shape == wanted.shape
    moves = (wanted - before.double() if known else wanted).nan_to_num().abs()
    longest = float(moves.max()) if moves.numel() else 0.0
    return torch.allclose(found, wanted, rtol=1e-5, atol=NEAR * longest, equal_nan=True)
