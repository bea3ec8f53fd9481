"""The house stands: who imports whom, how large things are, and which names are whose."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml
from tests.house import FLOORS, circles, floor, forbidden, imports, modules

from fewstep.config.groups import conf_dir


NO_TORCH = ("messages", "disk", "config", "records", "report")
"""Packages that are read without torch: help and reports are to come at once."""
CORE = ("core", "adapters", "algorithms", "models", "execution", "data", "programs")
"""Packages that know no framework."""
FRAMEWORKS = {"hydra", "omegaconf", "pytorch_lightning", "lightning", "wandb"}
AT_ONCE = {"torch", "hydra", "omegaconf", "numpy", "yaml", "matplotlib", "PIL", "jinja2", "wandb"}
"""Libraries that `fewstep --help` does without."""
PUBLIC = ("train", "evaluate", "predict", "adapt", "export", "draw", "load")
"""Names that are kept for functions of the package's own face."""
ARGUMENTS = 5
LINES = 200
CALLED_BY_OTHERS = {"loggers.dashboard.Dashboard.__init__", "run.learner.MetaLearner.__init__"}
CALLED_BY_OTHERS |= {"use.estimator.FewShotClassifier.__init__"}
CALLED_BY_OTHERS |= {"models.rf.SignalTransformer.__init__"}
CALLED_BY_OTHERS |= {"models.transformers.HebbianViT.__init__"}
"""Whose arguments are keys of a configuration, or a library's."""


@cache
def tree(name: str) -> ast.Module:
    return ast.parse(modules()[name].read_text())


def reached(name: str) -> set[str]:
    """Everything of ours that a module imports, directly or not."""
    seen, new = set(), {name}
    while new:
        seen |= new
        new = {other for module in new for other in imports(module)} - seen
    return seen


def libraries(name: str, inside_functions: bool = True) -> set[str]:
    """The packages of others that a module imports."""
    found: set[str] = set()
    pending: list[ast.AST] = [tree(name)]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add((node.module or "").split(".")[0])
        if inside_functions or not isinstance(node, (ast.FunctionDef, ast.Lambda)):
            pending += ast.iter_child_nodes(node)
    return found - {"fewstep"}


def test_the_map_is_not_empty() -> None:
    assert len(modules()) > 200
    assert "core.net" in reached("adapters.gradient")
    assert "torch" in libraries("core.net")


def test_every_arrow_is_in_the_table() -> None:
    assert not forbidden()


def test_there_is_no_circle() -> None:
    assert not circles()


@pytest.mark.parametrize("package", CORE)
def test_the_core_needs_no_framework(package: str) -> None:
    inside = [name for name in modules() if floor(name) == package]
    used = {name: libraries(other) for name in inside for other in reached(name)}
    assert not {name for name, libs in used.items() if libs & FRAMEWORKS}


@pytest.mark.parametrize("package", NO_TORCH)
def test_what_is_read_at_once_imports_no_torch(package: str) -> None:
    names = [f"fewstep.{name}" for name in modules() if floor(name) == package]
    code = (
        f"import sys; from importlib import import_module; [*map(import_module, {names})]; "
        "sys.exit(' '.join({'torch', 'pytorch_lightning'} & sys.modules.keys()) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["completion", "bash"], ["trian"]])
def test_what_needs_no_configuration_imports_no_library(words: list[str]) -> None:
    """Some 35 ms of a processor; any of these libraries takes longer alone."""
    code = (
        f"import sys; from fewstep.cli import main; main({words}); "
        f"sys.exit(' '.join({AT_ONCE} & {{name.split('.')[0] for name in sys.modules}}) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "fewstep" in done.stdout + done.stderr


def test_help_needs_no_torch() -> None:
    code = (
        "import sys; from fewstep.cli import main; main(['train', '--help']); "
        "sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0
    assert "fewstep train dataset=omniglot" in done.stdout


def test_every_module_is_imported_and_none_takes_a_public_name() -> None:
    for name in modules():
        if name and name != "__main__":
            importlib.import_module(f"fewstep.{name}")
    fewstep = importlib.import_module("fewstep")
    for name in PUBLIC:
        assert not isinstance(getattr(fewstep, name, None), type(ast)), name
        assert name not in modules()


def test_names_and_sizes() -> None:
    for name, path in modules().items():
        assert name.rpartition(".")[2] not in {"utils", "helpers", "common", "misc"}
        assert len(path.read_text().splitlines()) <= LINES, name


# --- functions


def functions(
    node: ast.AST, prefix: str, fields: bool = False
) -> Iterator[tuple[str, ast.FunctionDef]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef):
            yield from functions(child, f"{prefix}.{child.name}")
        elif isinstance(child, ast.FunctionDef):
            yield f"{prefix}.{child.name}", child
            yield from functions(child, f"{prefix}.{child.name}")
        else:
            yield from functions(child, prefix)


def arguments(function: ast.FunctionDef) -> int:
    """Those that a caller gives."""
    given = function.args
    names = [arg.arg for arg in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    return len([name for name in names if name not in ("self", "cls")])


def test_no_function_has_more_than_five_arguments() -> None:
    found = {name: f for module in modules() for name, f in functions(tree(module), module)}
    assert len(found) > 500
    long = {name for name, f in found.items() if arguments(f) > ARGUMENTS}
    assert long - CALLED_BY_OTHERS - OVERLONG == set()


OVERLONG = {
    "data.images.pictures.load",
    "data.classes.split.ClassSplit.__init__",
    "data.classes.class_lists.split_up",
    "data.images.decode.decode",
    "adapters.meta_test.evaluate_task",
}
"""Still to be mended; no other may join them."""
OVERLONG |= {
    "algorithms.maml._direction",
    "algorithms.multi_step._direction",
    "adapters.path._vjp",
    "adapters.path._hessian",
    "core.fast.steps._step",
    "core.fast.steps._in_place",
    "core.fast.steps._anew",
}
"""What may become a program, and what calls it: a program's tensors come one by one."""


def private_of_others(name: str) -> Iterator[str]:
    """Private names of other modules that a module imports or reaches into."""
    own = {
        node.attr
        for node in ast.walk(tree(name))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in ("self", "cls")
    }
    brought = set()
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("fewstep"):
            brought |= {alias.asname or alias.name for alias in node.names}
            yield from (f"{name}: {a.name}" for a in node.names if private(a.name))
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.Attribute) and private(node.attr) and node.attr not in own:
            value = node.value
            if isinstance(value, ast.Name) and value.id in brought:
                yield f"{name}: {value.id}.{node.attr}"


def private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def test_no_private_name_is_used_across_modules() -> None:
    assert [found for name in modules() for found in private_of_others(name)] == []


# --- the configuration


READERS = ("config", "commands", "launch", "report", "cli", "__main__")
"""Packages whose business configurations are: they make them, or read stored ones."""
READING = {
    "run.construction.build",
    "run.construction.parts",
    "run.construction.assembly",
    "run.construction.recipes",
    "run.construction.budget",  # which says how long a run is, before anything is made of it
    "run.handover",  # which holds two against each other
    "use.loading",  # which makes an initialization of a stored one
    "use.cards",
    "run.stored.shipped",
    "run.stored.starting",  # which says what weights a run begins with, before it is made
    "run.construction.outer",
    "run.stored.checkpoint_contents",  # which looks whether a stranger's is one at all
    "records.identity",  # which hashes it
}


def subscripted(name: str) -> list[int]:
    """The lines on which a module reads a key of something that is called a configuration."""
    return [
        node.lineno
        for node in ast.walk(tree(name))
        if isinstance(node, ast.Subscript) and called(node.value) in ("config", "base", "configs")
    ]


def called(node: ast.AST) -> str | None:
    """`config` of `config`, `self.config` and `content["config"]`."""
    if isinstance(node, ast.Subscript):
        return node.slice.value if isinstance(node.slice, ast.Constant) else None
    return node.id if isinstance(node, ast.Name) else getattr(node, "attr", None)


def test_nothing_below_the_experiment_reads_a_configuration() -> None:
    assert subscripted("run.construction.build")
    assert subscripted("run.construction.assembly")
    below = [n for n in modules() if floor(n) not in READERS and n not in READING]
    assert {name: lines for name in below if (lines := subscripted(name))} == {}


TARGETS = {
    "algorithm": "fewstep.algorithms.",
    "dataset": "fewstep.data.",
    "model": "fewstep.models.",
    "logger": "fewstep.loggers.",
}
"""Where what a group chooses lies, if it is ours."""


@pytest.mark.parametrize("group", TARGETS)
def test_what_a_group_chooses_lies_in_its_package(group: str) -> None:
    files = sorted((conf_dir() / group).glob("*.yaml"))
    assert files
    for file in files:
        for keys, target in targets(yaml.safe_load(file.read_text()) or {}):
            home = "fewstep.adapters." if "inner" in keys else TARGETS[group]
            assert target.startswith(home) or not target.startswith("fewstep"), (file.name, target)


def targets(node: object, keys: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    for name, value in node.items() if isinstance(node, dict) else ():
        if name == "_target_":
            yield keys, value
        yield from targets(value, (*keys, name))


def test_the_source_is_where_it_is_thought_to_be() -> None:
    assert Path(importlib.import_module("fewstep").__file__ or "").is_file()


@pytest.mark.parametrize("group", ["dataset", "algorithm"])
def test_what_a_file_of_ours_names_is_offered_by_its_package(group: str) -> None:
    """So that a notebook needs no path of a module."""
    package = importlib.import_module({"dataset": "fewstep.data"}.get(group, "fewstep.algorithms"))
    for file in sorted((conf_dir() / group).glob("*.yaml")):
        content = yaml.safe_load(file.read_text())
        dotted = content.get("_target_") or content.get(group, {}).get("_target_", "")
        if dotted.startswith("fewstep."):
            module, _, name = dotted.rpartition(".")
            assert name in package.__all__, file.name
            assert getattr(package, name) is getattr(importlib.import_module(module), name)


def test_every_floor_is_on_the_page_of_the_architecture() -> None:
    page = Path(__file__).parents[2].joinpath("docs", "architecture.md").read_text()
    told = re.findall(r"^\| (`.*`) \|", page.partition("## What imports what")[0], re.MULTILINE)
    named = {name for row in told for name in re.findall(r"`(\w+)`", row)}
    assert named == FLOORS.keys() - {"lazy", "__main__"}
