"""Every algorithm is in the table that the generic tests walk."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import pytest
import yaml

from fewstep import algorithms
from fewstep.adapters.gradient import InnerLoop
from fewstep.config.groups import conf_dir
from fewstep.core.rules import SGD
from problems import ALGORITHMS


FILES = {file.stem: file for file in (conf_dir() / "algorithm").glob("*.yaml")}


def target(name: str) -> str:
    node = yaml.safe_load(FILES[name].read_text())
    return node.get("algorithm", node)["_target_"]  # one that brings its network has a whole file


def test_an_algorithm_that_can_be_chosen_is_in_the_table() -> None:
    """Or is another recipe of one that is, by its inner loop alone."""
    missing = {target(name) for name in FILES} - {target(name) for name in ALGORITHMS}
    assert not missing, "add it to ALGORITHMS in tests/problems.py"


@pytest.mark.parametrize("name", ALGORITHMS)
def test_the_table_makes_what_the_file_of_its_name_does(name: str) -> None:
    made = type(ALGORITHMS[name](InnerLoop(SGD(0.1), 3)))
    assert target(name) == f"{made.__module__}.{made.__qualname__}"


def test_a_class_that_can_be_made_is_in_the_table() -> None:
    """Also one that no file names yet."""
    found = set()
    for module in pkgutil.iter_modules(algorithms.__path__, "fewstep.algorithms."):
        for _, one in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            ours = one.__module__ == module.name and hasattr(one, "direction")
            if ours and not inspect.isabstract(one) and not getattr(one, "_is_protocol", False):
                found.add(one)
    known = {type(make(InnerLoop(SGD(0.1), 3))) for make in ALGORITHMS.values()}
    bases = {base for one in known for base in one.__mro__[1:]}
    assert found - (bases - known) == known
