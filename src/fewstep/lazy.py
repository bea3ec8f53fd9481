"""Packages that import what they offer when it is first asked for (PEP 562)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def offered(
    package: dict[str, Any], where: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` of a package, given its `globals()` and the module below
    `fewstep` that each name comes from."""

    def get(name: str) -> Any:
        if name not in where:
            raise AttributeError(f"module {package['__name__']!r} has no attribute {name!r}")
        found = getattr(import_module(f"fewstep.{where[name]}"), name)
        package[name] = found
        return found

    return get, lambda: sorted([*package, *where])
