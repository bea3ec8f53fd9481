"""The house: which floor may import which, and what is so today.

python -m tests.house      # the table of floors, files and arrows, as docs/architecture has it
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path


SOURCE = Path(__file__).resolve().parents[1] / "src" / "fewstep"

FLOORS: dict[str, str] = {
    "lazy": "",
    "messages": "",
    "disk": "messages",
    "programs": "",
    "config": "messages disk",
    "processes": "messages disk",
    "core": "messages programs",
    "records": "messages disk",
    "models": "core",
    "adapters": "core messages",
    "data": "core disk messages lazy",
    "algorithms": "adapters core",
    "execution": "algorithms adapters core programs messages",
    "loggers": "records disk messages",
    "run": "loggers execution algorithms data adapters models records core processes config"
    " programs disk messages",
    "launch": "records processes config execution disk messages",
    "report": "records config disk messages",
    "theory": "launch run loggers execution algorithms data adapters models records core processes"
    " config disk messages",
    "bench": "launch run loggers execution algorithms data adapters models records core processes"
    " config disk messages",
    "use": "run execution algorithms data adapters models records core processes config disk"
    " messages",
    "commands": "*",
    "cli": "*",
    "__main__": "*",
}
"""Every package, from the ground up, and what it may import besides itself; `*` is all above it."""


@cache
def modules() -> dict[str, Path]:
    """Every module by its name below `fewstep`; a package's face has the package's name."""
    found = {}
    for path in SOURCE.rglob("*.py"):
        name = ".".join(path.relative_to(SOURCE).with_suffix("").parts)
        found[name.removesuffix(".__init__").removesuffix("__init__")] = path
    return found


@cache
def imports(name: str) -> frozenset[str]:
    """The modules of ours that a module imports: anywhere in its text, in functions, by string."""
    found, tree = set(), ast.parse(modules()[name].read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "fewstep":
            base = (node.module or "").removeprefix("fewstep").lstrip(".")
            for alias in node.names:
                inside = f"{base}.{alias.name}".lstrip(".")
                found.add(inside if inside in modules() else base)
        elif isinstance(node, ast.Import):
            found |= {a.name[8:] for a in node.names if a.name.startswith("fewstep.")}
    for text in _texts(tree):
        for dotted in re.findall(r"\bfewstep\.([a-z_]+(?:\.[a-z_]+)*)", text):
            if dotted in modules():
                found.add(dotted)
    found -= {other for here, other in NAMED if here == name}
    return frozenset(found - {"", name})


NAMED = {("records.identity", "adapters.gradient"), ("records.identity", "models")}
"""Strings that name a part and import nothing: a default that is left out of the hash."""


def _texts(tree: ast.Module) -> Iterator[str]:
    """The strings of a module that are no documentation."""
    prose = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield node.value


def floor(name: str) -> str:
    """The package that a module is in."""
    return name.partition(".")[0]


def forbidden() -> list[str]:
    """The arrows that the table does not allow: `module -> module`."""
    order = list(FLOORS)
    found = []
    for name in sorted(modules()):
        here = floor(name)
        if not here:
            continue
        may = FLOORS[here].split()
        allowed = set(order[: order.index(here)]) if may == ["*"] else set(may)
        found += [
            f"{name} -> {other}"
            for other in sorted(imports(name))
            if floor(other) not in {*allowed, here}
        ]
    return found


def circles() -> list[list[str]]:
    """The circles of imports between modules: strongly connected ones, more than one each."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for other in sorted(imports(name) & modules().keys()):
            if other not in index:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], index[other])
        if low[name] == index[name]:
            circle = stack[stack.index(name) :]
            del stack[stack.index(name) :]
            if len(circle) > 1:
                found.append(sorted(circle))

    for name in sorted(modules()):
        if name not in index:
            visit(name)
    return found


def rooms() -> dict[str, str]:
    """What is in each package within a floor: the first sentence of its own words."""
    return {
        ".".join(path.parent.relative_to(SOURCE).parts): _first_sentence(path)
        for path in sorted(SOURCE.glob("*/*/__init__.py"))
    }


def _first_sentence(path: Path) -> str:
    """Of a module's docstring, on one line."""
    text = " ".join((ast.get_docstring(ast.parse(path.read_text())) or "").split())
    return re.split(r"(?<=\.)\s", text)[0]


def main() -> None:
    """Print the tables."""
    print("| package | files | lines | imports |", "|---|---|---|---|", sep="\n")
    arrows = 0
    for package in FLOORS:
        inside = [name for name in modules() if floor(name) == package]
        lines = sum(len(modules()[name].read_text().splitlines()) for name in inside)
        others = {floor(o) for name in inside for o in imports(name)} - {package}
        arrows += len(others)
        known = ", ".join(name for name in FLOORS if name in others)
        print(f"| `{package}` | {len(inside)} | {lines} | {known} |")
    files = sum(1 for name in modules() if name)
    between = sum(len(imports(name)) for name in modules())
    print(
        f"\n{len(FLOORS)} packages, {files} files, {arrows} arrows between packages, {between} "
        f"between files, {len(circles())} circles, {len(forbidden())} forbidden arrows"
    )

    print("\n| room | files | what is in it |", "|---|---|---|", sep="\n")
    for room, words in rooms().items():
        files = sum(name.startswith(f"{room}.") for name in modules())
        print(f"| `{room}` | {files} | {words} |")


if __name__ == "__main__":
    main()
