"""Which cases of a table the fast tests run, where all of them would take too long."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def slow_but(*fast: Any, of: Iterable[Any]) -> list[Any]:
    """The cases of a table as pytest's parameters, all slow but for these.

    Raises:
        ValueError: one of the fast ones is no case of the table.
    """
    cases = list(of)
    if missing := [case for case in fast if case not in cases]:
        raise ValueError(f"{missing}: no such cases")
    return [c if c in fast else pytest.param(c, marks=pytest.mark.slow) for c in cases]
