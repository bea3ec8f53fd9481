"""What a user's own inner rule does in a task, looked at before a run relies on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from fewstep.adapters.gradient import InnerLoop
from fewstep.adapters.partition import written
from fewstep.core.problem import Problem
from fewstep.core.rules import SGD, Rule
from fewstep.core.rules.learned import LEARNED, joined, split, without
from fewstep.core.types import Episode, Params, Start, State
from fewstep.messages.errors import ConfigError
from fewstep.run.checks.asking import RULE, answered, named, several
from fewstep.run.checks.in_one_vector import check_entrywise
from fewstep.run.checks.rule_answers import (
    check_kept,
    check_params,
    check_state,
    copied,
    same,
)


def check_rule(inner: InnerLoop, problem: Problem, start: Start, episode: Episode) -> None:
    """Ask a rule to begin a task, for steps and for what predicts, where network and data are known
    to fit.

    Raises:
        ConfigError: it fails, changes what it is given or what it learns, does something else the
            next time or in one vector, or hands back anything but what its contract says; in one
            line that names it.
    """
    rule, name = inner.rule, named(inner.rule, RULE)
    asked = Asked(name, rule)
    params, state = before_the_rule(inner, problem, start, episode)
    params, learned = split(params)
    own, at_first = joined({}, learned), params
    params, state = asked.begin(params, joined(state, learned), episode.key)
    check_kept(f"{name}: its begin", own, state)
    examples = problem.first(episode)
    _, grads = inner.whole.gradient(problem, params, examples)
    ends = [asked.step(params, grads, state)]
    check_kept(f"{name}: its step", own, ends[0][1])
    asked.finish(*ends[0])
    if inner.fixed:
        _, grads_of_run = inner.gradient(problem, params, examples)
        _check_fixed(name, inner, at_first, asked.step(params, grads_of_run, state)[0])
    if rule.entrywise and len({p.dtype for p in params.values()}) == 1:
        _check_names(name, learned, params)
        if (rule.most_steps or 2) > 1:  # some go wrong by what their first step leaves
            ends.append(asked.step(ends[0][0], grads, ends[0][1]))
        check_entrywise(name, rule, (params, grads, state), ends)
    if inner.state == "carry":
        _check_carried(name, rule, start.state, without(ends[0][1], learned))


def before_the_rule(inner: InnerLoop, problem: Problem, start: Start, episode: Episode) -> Start:
    """Where its head, and what it starts anew, have left a task before the rule begins."""
    return replace(inner, rule=SGD(0.0)).start(problem, start, episode)


class Asked:
    """A rule, each of whose answers is asked for twice, on copies."""

    def __init__(self, name: str, rule: Rule) -> None:
        self.name, self.rule = name, rule

    def begin(self, params: Params, state: State, key: Tensor) -> tuple[Params, State]:
        """Where the task starts."""
        check_state(self.name, state)
        way_out = "Noise follows from its key: fewstep.core.rules.gaussian.gaussian(key, ...)"
        ask = partial(self._pair, "begin", lambda p, s: self.rule.begin(p, s, key))
        return self._twice("begin", ask, (params, state), way_out)

    def step(self, params: Params, grads: Params, state: State) -> tuple[Params, State]:
        """One step."""
        way_out = "Keep a memory in the state; noise follows from the key of begin"
        ask = partial(self._pair, "step", self.rule.step)
        return self._twice("step", ask, (params, grads, state), way_out)

    def finish(self, params: Params, state: State) -> Params:
        """What predicts."""

        def ask(params: Params, state: State) -> Params:
            given = dict(params)  # which it may put others into
            found = answered(f"{self.name}: its finish", lambda: self.rule.finish(params, state))
            check_params(f"{self.name}: its finish", found, given)
            return found

        return self._twice("finish", ask, (params, state), "Keep a memory in the state")

    def _pair(self, part: str, ask: Callable, params: Params, *more: Any) -> tuple[Params, State]:
        given = dict(params)
        found: Any = answered(f"{self.name}: its {part}", lambda: ask(params, *more))
        if what := several(found, 2):
            raise ConfigError(
                f"{self.name}: its {part} must return (params, state), and returns {what}. For "
                "example return params, state"
            )
        check_params(f"{self.name}: its {part}", found[0], given)
        check_state(self.name, found[1])
        return found

    def _twice(self, part: str, ask: Callable, given: tuple, way_out: str) -> Any:
        found = []
        for _ in range(2):
            copies = copied(given)
            tensors = pytree.tree_leaves(copies)
            found.append(ask(*copies))
            if not same(tensors, pytree.tree_leaves(given)):
                raise ConfigError(
                    f"{self.name}: its {part} writes into a tensor that it is given. Make new "
                    "ones: p - lr * g in the place of p.sub_(lr * g)"
                )
        if not same(*found):
            raise ConfigError(
                f"{self.name}: its {part} moves otherwise when it is asked again, and must hang on "
                f"its arguments alone. {way_out}"
            )
        return found[0]


def _check_fixed(name: str, inner: InnerLoop, before: Params, moved: Params) -> None:
    """Nothing of a task moves what has no gradient there."""
    for key, value in moved.items():
        if not inner.adapts(key) and not torch.equal(value, before[key]):
            raise ConfigError(
                f"{written(inner, 'fixed')}: {name} moves {key}, whose gradient is 0 then. Let it "
                "leave such a parameter as it is, or say in moves_all why it does not, or use "
                "algorithm.inner.fixed=[]"
            )


def _check_names(name: str, learned: Params, params: Params) -> None:
    """What is learned for each parameter is packed as the parameters are."""
    for key in learned:
        parameter = key.removeprefix(LEARNED).partition("/")[2]
        if parameter and parameter not in params:
            raise ConfigError(
                f"{name}: its learned gives {key}, and no parameter is called {parameter}. They "
                f"are {', '.join(params)}; what is for all of them is called {LEARNED}ENTRY"
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
