"""Who moves which parameter: lists of names, or patterns of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from fnmatch import fnmatchcase
from typing import Any

from fewstep.core.rules.learned import LEARNED


LISTS = ("fixed", "reset", "frozen")


def matches(name: str, patterns: Sequence[str]) -> bool:
    """Whether a list holds the parameter of this name."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def check_lists(inner: Any) -> None:
    """Refuse what is no list of texts, and a task that starts anew what it never moves.

    Raises:
        ValueError: naming the key.
    """
    for key in LISTS:
        given = getattr(inner, key)
        several = isinstance(given, (Sequence, Set)) and not isinstance(given, str)
        if not several or not all(isinstance(name, str) for name in given):
            raise ValueError(
                f"algorithm.inner.{key}={given}: must be a list of parameter names or "
                f"patterns. For example algorithm.inner.{key}=[features.*]"
            )
    if inner.fixed and (moved := inner.rule.moves_all):
        raise ValueError(
            f"{written(inner, 'fixed')}: the inner rule {type(inner.rule).__name__} {moved}, or "
            "algorithm.inner.fixed=[]"
        )
    if inner.reset and inner.steps < 1:
        raise ValueError(
            f"{written(inner, 'reset')}: each task starts these anew, and with "
            f"algorithm.inner.steps={inner.steps} none moves them. Use algorithm.inner.steps=1 or "
            "more, or algorithm.inner.frozen"
        )


def written(inner: Any, key: str) -> str:
    """A list as a command line gives it."""
    return f"algorithm.inner.{key}=[{','.join(getattr(inner, key))}]"


def check_partition(inner: Any, names: Iterable[str], frozen: Iterable[str]) -> None:
    """Hold the lists against the names of the network's parameters that may move, and of those that
    do not.

    Raises:
        ValueError: a pattern without a parameter, a parameter in two lists, one that is called as
            what a rule learns is, or nothing to learn.
    """
    names, frozen = list(names), list(frozen)
    if taken := [name for name in names if name.startswith(LEARNED)]:
        raise ValueError(
            f"model: its parameter {taken[0]} is called as what an inner rule learns is. Name it "
            f"without {LEARNED}"
        )
    for key in LISTS:
        for pattern in getattr(inner, key):
            among = [*names, *frozen] if key == "frozen" else names
            if not any(matches(name, [pattern]) for name in among):
                raise ValueError(
                    f"{written(inner, key)}: no parameter of the model is called {pattern}. They "
                    f"are {', '.join(among)}"
                )
    for name in [*names, *frozen]:
        held = [key for key in LISTS if matches(name, getattr(inner, key))]
        if len(held) > 1:
            raise ValueError(
                f"{written(inner, held[0])} and {written(inner, held[1])}: both hold {name}. Leave "
                "it in one of them"
            )
    if not any(map(inner.adapts, names)):
        held = [key for key in ("fixed", "frozen") if getattr(inner, key)]
        keys = " and ".join(written(inner, key) for key in held) or "model"
        fix = "Name fewer of them" if held else "Let some of its parameters require gradients"
        raise ValueError(f"{keys}: nothing is left for a task to learn. {fix}")
    if all(matches(name, inner.reset) for name in names) and not inner.rule.learns:
        raise ValueError(
            f"{written(inner, 'reset')}: leaves nothing for the outer step to learn. Start fewer "
            "of them anew"
        )
