"""Rows as monospaced text, their columns in line."""

from __future__ import annotations

from collections.abc import Sequence


def padded(rows: Sequence[Sequence[str]], gap: str = "  ") -> list[str]:
    """A line a row, each column as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [[cell.ljust(width) for cell, width in zip(r, widths, strict=True)] for r in rows]
    return [gap.join(line).rstrip() for line in lines]


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """A table: its first row is the head, with a rule below it."""
    rule = ["-" * max(map(len, column)) for column in zip(*rows, strict=True)]
    head, *body = rows
    return "\n".join(padded([head, rule, *body]))
