"""Texts are UTF-8 whatever the locale says: every place that opens one says so itself."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path


SOURCE = Path(__file__).resolve().parents[2] / "src"

READERS = ("read_text", "write_text")
OWN_OPENERS = ("tarfile", "Image", "os", "zipfile")
"""Which open no texts."""


def _silent(tree: ast.Module) -> Iterator[int]:
    """The lines of a module that open a text by the encoding of the locale."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        name = node.func.id if isinstance(node.func, ast.Name) else name
        owner = getattr(getattr(node.func, "value", None), "id", "")
        said = {keyword.arg for keyword in node.keywords}
        texts = [a.value for a in node.args if isinstance(a, ast.Constant)]
        if name in READERS and "encoding" not in said and "utf-8" not in texts:
            yield node.lineno
        if name == "open" and owner not in OWN_OPENERS and "encoding" not in said:
            modes = [text for text in texts if set(str(text)) <= set("rwaxbt+")]
            method = isinstance(node.func, ast.Attribute)
            if (modes or not method) and not any("b" in str(mode) for mode in modes):
                yield node.lineno


def test_every_text_is_opened_as_utf8() -> None:
    found = [
        f"{file.relative_to(SOURCE)}:{line}"
        for file in sorted(SOURCE.rglob("*.py"))
        for line in _silent(ast.parse(file.read_text(encoding="utf-8")))
    ]
    assert found == []
