"""The notebook runs as it stands, and the page beside it as well."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import fewstep.algorithms
import fewstep.data


DOCS = Path(__file__).resolve().parents[2] / "docs"
NOTEBOOK, PAGE = DOCS / "notebook.ipynb", DOCS / "python.md"


def _code() -> list[str]:
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def test_it_is_a_notebook_without_outputs_that_a_page_links() -> None:
    content = json.loads(NOTEBOOK.read_text())
    assert (content["nbformat"], content["nbformat_minor"]) == (4, 5)
    ids = [cell["id"] for cell in content["cells"]]
    assert len(ids) == len(set(ids))
    for cell in content["cells"]:
        assert cell["cell_type"] == "markdown" or (cell["outputs"], cell["execution_count"]) == (
            [],
            None,
        )
    for text in _code():
        ast.parse(text)
    assert "(notebook.ipynb)" in PAGE.read_text()
    assert " python.md\n" in (DOCS.parent / "mkdocs.yml").read_text()


def test_the_names_that_the_page_lists_are_exported() -> None:
    for module in (fewstep.data, fewstep.algorithms):
        (row,) = re.findall(rf"^\| `{module.__name__}` \| (.*) \|$", PAGE.read_text(), re.M)
        assert set(re.findall(r"`(\w+)`", row)) <= set(module.__all__)
        assert all(getattr(module, name).__name__ == name for name in module.__all__)


def test_the_last_example_of_the_page_does_what_it_says() -> None:
    last = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S)[-1]
    names: dict = {}
    exec(last, names)
    assert tuple(names["task"].support_x.shape) == (5, 1, 28, 28)


@pytest.mark.slow
@pytest.mark.process
def test_the_notebook_runs(tmp_path: Path) -> None:
    """Its cells one after another, in one namespace, in a process of its own."""
    program = tmp_path / "cells.py"
    after = "assert set(told) <= set(labels)\nassert len(plt.get_fignums()) == 2\n"
    program.write_text("\n\n".join([*_code(), after]))
    done = subprocess.run(
        [sys.executable, program],
        cwd=tmp_path,
        env={**os.environ, "MPLBACKEND": "Agg"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"^inductive: [\d.]+% ± [\d.]+%$", done.stdout, re.M)
    assert re.search(r"^\d+ of 20 drawings are told apart$", done.stdout, re.M)
    assert len([*tmp_path.glob("outputs/runs/notebook/*/results.json")]) == 1
