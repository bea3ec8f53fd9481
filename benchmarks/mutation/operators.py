"""The small changes that make a program wrong: cosmic-ray's operators, on Python's own `ast`.

mutmut and cosmic-ray were looked at first. Neither draws a sample by a seed or runs a choice of
tests for each mutant, and both change annotations (`int | None`), which Python never computes here.
For a check of some fifty mutants, their list of operators is what is needed, and not ten packages
more with a database of sessions.

Left alone are annotations, decorators, docstrings, and what is said in errors and f-strings.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple


BINARY: dict[type, type] = {
    **{ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult},
    **{ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult, ast.Pow: ast.Mult},
    **{ast.LShift: ast.RShift, ast.RShift: ast.LShift, ast.BitAnd: ast.BitOr},
}
COMPARISONS: dict[type, type] = {
    **{ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt},
    **{ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is},
    **{ast.In: ast.NotIn, ast.NotIn: ast.In},
}
BOOLEANS: dict[type, type] = {ast.And: ast.Or, ast.Or: ast.And}


class Mutant(NamedTuple):
    """One change of one file."""

    path: str
    where: str
    """The class and function."""
    line: int
    operator: str
    before: str
    after: str
    start: int
    """The place of `before` in the file's bytes."""
    nth: int = 1
    """Which of several that read the same in one function."""

    @property
    def key(self) -> str:
        """What it is known by, however many lines stand above it."""
        again = f" (the {self.nth}.)" if self.nth > 1 else ""
        return f"{self.path}: {self.where}: {self.before} -> {self.after}{again}"

    def applied(self, source: bytes) -> bytes:
        """The file with the change."""
        end = self.start + len(self.before.encode())
        return source[: self.start] + self.after.encode() + source[end:]


def mutants(path: str, source: str) -> list[Mutant]:
    """Every change of a file that an operator makes, in the order of the text."""
    starts = [0]
    for line in source.encode().splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    found: list[Mutant] = []
    for node, where in _expressions(ast.parse(source), ()):
        before = ast.get_source_segment(source, node)
        place = starts[node.lineno - 1] + node.col_offset
        for operator, new in _changes(node):
            after = f"({ast.unparse(new)})"
            name = ".".join(where) or "the module"
            found.append(Mutant(path, name, node.lineno, operator, before, after, place))
    found.sort(key=lambda mutant: (mutant.start, mutant.operator, mutant.after))
    seen: Counter[str] = Counter()
    for i, mutant in enumerate(found):
        seen[mutant.key] += 1
        found[i] = mutant._replace(nth=seen[mutant.key])
    return found


def _expressions(node: ast.AST, where: tuple[str, ...]) -> Iterator[tuple[ast.expr, tuple]]:
    """What may be changed, each with the classes and functions that it stands in."""
    if isinstance(node, (ast.Raise, ast.JoinedStr, ast.Import, ast.ImportFrom)):
        return
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        where = (*where, node.name)
    if isinstance(node, ast.expr):
        yield node, where
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "decorator_list", "bases"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if field == "test" or (field == "iter" and isinstance(node, ast.For)):
                child.role = field  # for `_changes`, which sees the expression alone
            if isinstance(child, ast.AST):
                yield from _expressions(child, where)


def _changes(node: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    match node:
        case ast.BinOp(left, op, right) if type(op) in BINARY:
            yield "binary operator", ast.BinOp(left, BINARY[type(op)](), right)
        case ast.Compare(left, [op, *ops], others) if type(op) in COMPARISONS:
            yield "comparison", ast.Compare(left, [COMPARISONS[type(op)](), *ops], others)
        case ast.BoolOp(op, values):
            yield "and or", ast.BoolOp(BOOLEANS[type(op)](), values)
        case ast.UnaryOp(ast.USub() | ast.Not(), operand):
            yield "unary operator", operand
        case ast.Constant(bool(value)):
            yield "boolean", ast.Constant(not value)
        case ast.Constant(int(value) | float(value)):
            yield "number", ast.Constant(value + 1)
            yield "number", ast.Constant(value - 1)
    if getattr(node, "role", "") == "test":
        yield "condition", ast.UnaryOp(ast.Not(), node)
    if getattr(node, "role", "") == "iter":
        yield "no iteration", ast.List([], ast.Load())
