"""Imports run one way, and the core can be used without the frameworks around it."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest


SOURCE = Path(__file__).resolve().parents[2] / "src" / "fewstep"
MODULES = {
    ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in SOURCE.rglob("*.py")
}
LAYERS = ["types", "rules", "inner", "algorithms", "execution", "learner", "training", "train"]
"""Each may import those before it and never those after it, directly or through others."""


def imports(name: str) -> set[str]:
    """The modules of our own that a module imports anywhere in its text."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[name].read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "fewstep":
            module = (node.module or "").removeprefix("fewstep").lstrip(".")
            for alias in node.names:
                inside = f"{module}.{alias.name}".lstrip(".")
                found.add(inside if inside in MODULES else module)
    return found - {""}


def reached(name: str) -> set[str]:
    """Everything that a module imports, directly or not."""
    seen, new = set(), {name}
    while new:
        seen |= new
        new = {other for module in new for other in imports(module)} - seen
    return seen - {name}


def test_layers() -> None:
    for place, name in enumerate(LAYERS):
        later = set(LAYERS[place + 1 :])
        assert not reached(name) & later, f"{name} imports {reached(name) & later}"


def test_the_map_is_not_empty() -> None:
    assert len(MODULES) > 30
    assert "rules" in reached("inner")


def test_data_knows_types_alone() -> None:
    data = {name for name in MODULES if name.startswith("data.") and name != "data.module"}
    for name in data:
        assert imports(name) <= data | {"types", "data"}, name


@pytest.mark.parametrize("framework", ["hydra", "pytorch_lightning", "lightning", "wandb"])
def test_the_core_needs_no_framework(framework: str) -> None:
    algorithms = [name for name in MODULES if name.startswith("algorithms")]
    data = [name for name in MODULES if name.startswith("data.") and name != "data.module"]
    core = ["types", "rules", "inner", "models", "execution", "evaluation", *algorithms, *data]
    assert not any(uses(name, framework) for module in core for name in {module, *reached(module)})


def uses(name: str, framework: str) -> bool:
    tree = ast.walk(ast.parse(MODULES[name].read_text()))
    names = [
        *(alias.name for node in tree if isinstance(node, ast.Import) for alias in node.names),
        *(
            node.module or ""
            for node in ast.walk(ast.parse(MODULES[name].read_text()))
            if isinstance(node, ast.ImportFrom)
        ),
    ]
    return any(module.split(".")[0] == framework for module in names)


def test_help_needs_no_torch() -> None:
    code = (
        "import sys; from fewstep.cli import main; main(['train', '--help']); "
        "sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0
    assert "fewstep train dataset=omniglot" in done.stdout


def test_names_and_sizes() -> None:
    for name, path in MODULES.items():
        assert name.rpartition(".")[2] not in {"utils", "helpers", "common", "misc"}
        assert len(path.read_text().splitlines()) <= 200, name
