"""What a user's own inner rule does in a step, looked at before a run relies on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from fewstep.adapters.gradient import InnerLoop
from fewstep.core.fast.layout import Layout
from fewstep.core.problem import Problem
from fewstep.core.rules import Rule
from fewstep.core.rules.learned import joined, split, without
from fewstep.core.types import Episode, Params, Start, State
from fewstep.messages.errors import ConfigError
from fewstep.run.checks.diagnosis import one_line
from fewstep.run.checks.trial import answered


NEAR = 1e-2
"""Of the longest move of an entry: how far one in a vector may be from one by itself."""


def check_rule(inner: InnerLoop, problem: Problem, start: Start, episode: Episode) -> None:
    """Ask a rule for a step of a task, for which network and data are known to fit.

    Raises:
        ConfigError: it fails, changes what it is given or what it learns, moves otherwise the next
            time or in one vector, or hands back anything but `(params, state)`; in one line that
            names it.
    """
    rule = inner.rule
    name = f"algorithm.inner.rule={type(rule).__module__}.{type(rule).__qualname__}"
    begun = answered(f"{name}: its begin", lambda: inner.start(problem, start, episode))
    params, learned = split(begun.params)
    state = joined(begun.state, learned)
    _check_state(name, state)
    own = joined({}, learned)
    if own:
        _, there = answered(f"{name}: its begin", lambda: rule.begin(params, state, episode.key))
        _check_kept(f"{name}: its begin", own, there)
    _, grads = inner.whole.gradient(problem, begun.params, problem.first(episode))
    given = params, grads, state
    moved, after = _step(name, rule, given)
    _check_kept(f"{name}: its step", own, after)
    if not _same((moved, after), _step(name, rule, given)):
        raise ConfigError(
            f"{name}: its step moves otherwise when it is asked again, and must hang on its "
            "arguments alone. Keep a memory in the state; noise follows from the key of begin"
        )
    if rule.entrywise and len({p.dtype for p in params.values()}) == 1:
        _check_entrywise(name, rule, given, moved)
    if inner.state == "carry":
        _check_carried(name, rule, start.state, without(after, learned))


def _step(name: str, rule: Rule, given: tuple[Params, Params, State]) -> tuple[Params, State]:
    """One step, whose arguments are copies that must stay as they are."""
    copies = _copied(given)
    tensors = pytree.tree_leaves(copies)
    found: Any = answered(f"{name}: its step", lambda: rule.step(*copies))
    if not _same(tensors, pytree.tree_leaves(given)):
        raise ConfigError(
            f"{name}: its step writes into a tensor that it is given. Make new ones: p - lr * g in "
            "the place of p.sub_(lr * g)"
        )
    if not isinstance(found, tuple) or len(found) != 2:
        what = f"{len(found)} things" if isinstance(found, tuple) else f"a {type(found).__name__}"
        raise ConfigError(
            f"{name}: its step must return (params, state), and returns {what}. For example return "
            "params, state"
        )
    _check_params(name, found[0], given[0])
    _check_state(name, found[1])
    return found


def _check_state(name: str, state: Any) -> None:
    """Tensors in dictionaries."""
    for path, leaf in pytree.tree_flatten_with_path(state)[0]:
        if not isinstance(leaf, Tensor):
            raise ConfigError(
                f"{name}: its state{pytree.keystr(path)} is a {type(leaf).__name__}, and must be a "
                "tensor, which threads and vmap carry along. For example torch.zeros(())"
            )


def _check_kept(who: str, learned: State, state: State) -> None:
    """What the outer step learns is its alone."""
    for entry, value in learned.items():
        if entry not in state or not _same(value, state[entry]):
            raise ConfigError(
                f"{who} must hand state[{entry!r}] back as it is, which the outer step learns "
                f"(inner/{entry}): a change would be lost. Keep a memory under another name"
            )


def _check_params(name: str, moved: Any, params: Params) -> None:
    """A tensor for each parameter, of its shape and in its precision."""
    if not isinstance(moved, Mapping) or moved.keys() != params.keys():
        what = ", ".join(moved) if isinstance(moved, Mapping) else f"a {type(moved).__name__}"
        raise ConfigError(
            f"{name}: its step must return every parameter that it is given ({', '.join(params)}), "
            f"and returns {what}. What it does not move it returns as it is"
        )
    for key, p in params.items():
        value = moved[key]
        if not isinstance(value, Tensor) or (value.shape, value.dtype) != (p.shape, p.dtype):
            kind = type(value).__name__
            what = f"{list(value.shape)} in {value.dtype}" if isinstance(value, Tensor) else kind
            raise ConfigError(
                f"{name}: its step must return {key} as it was, {list(p.shape)} in {p.dtype}, and "
                f"returns {what}"
            )


def _check_entrywise(
    name: str, rule: Rule, given: tuple[Params, Params, State], moved: Params
) -> None:
    """Whether it does the same in place, with all parameters in one vector."""
    params, grads, state = _copied(given)
    layout = Layout.of(params)
    vector, whole = layout.packed(params), layout.pack_state(state)
    fix = (
        "A rule that looks at a tensor as a whole, or at names, says entrywise = False in its "
        "class; a step_ of its own does what step does"
    )
    try:
        rule.step_(vector, layout.packed(grads), whole)
    except Exception as error:  # whatever somebody's rule raises
        raise ConfigError(
            f"{name}: fails with all parameters in one vector ({one_line(error)}). {fix}"
        ) from None
    for key, value in layout.unpacked(vector).items():
        moves = (moved[key] - given[0][key]).nan_to_num().abs()
        longest = float(moves.max()) if value.numel() else 0.0
        if not torch.allclose(value, moved[key], rtol=1e-5, atol=NEAR * longest, equal_nan=True):
            raise ConfigError(
                f"{name}: moves {key} otherwise when all parameters come as one vector. {fix}"
            )


def _check_carried(name: str, rule: Rule, start: State, end: State) -> None:
    """What a task leaves goes on into the next meta-batch."""
    kept = answered(
        f"{name}: its contribution or apply",
        lambda: rule.apply(start, rule.contribution(start, end)),
    )
    if not isinstance(kept, Mapping) or kept.keys() != start.keys():
        what = (", ".join(kept) if isinstance(kept, Mapping) else type(kept).__name__) or "nothing"
        raise ConfigError(
            f"{name}: its init gives a state of {', '.join(start) or 'nothing'}, of which apply "
            f"leaves {what} for the next tasks. Say by contribution and apply what becomes of it, "
            "or use algorithm.inner.state=reset"
        )


def _copied(tree: Any) -> Any:
    return pytree.tree_map_only(Tensor, torch.clone, tree)


def _same(one: Any, other: Any) -> bool:
    """Whether two trees hold the same tensors, bit for bit."""
    pairs = zip(pytree.tree_leaves(one), pytree.tree_leaves(other), strict=True)
    return all(a.shape == b.shape and torch.equal(a.nan_to_num(), b.nan_to_num()) for a, b in pairs)
