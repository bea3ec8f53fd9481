"""What the curve of training tasks is called, by the class and the inner loop that log it."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
import yaml

import fewstep.algorithms
from fewstep.algorithms import Algorithm
from fewstep.records.trained_on import trained_on


CONF = Path(__file__).resolve().parents[2] / "conf" / "algorithm"
UNKNOWN = "training tasks, as the algorithm logs them"


def recipe(name: str) -> dict:
    content = yaml.safe_load((CONF / f"{name}.yaml").read_text())
    return content.get("algorithm", content)


@pytest.mark.parametrize("name", sorted(path.stem for path in CONF.glob("*.yaml")))
def test_every_algorithm_says_what_its_training_tasks_are(name: str) -> None:
    told = trained_on(recipe(name))
    assert told.startswith("training tasks: ")
    queries = getattr(fewstep.algorithms, recipe(name)["_target_"].rpartition(".")[2]).needs_queries
    assert ("queries" in told) is bool(queries)


def test_every_class_of_ours_is_said() -> None:
    classes = (getattr(fewstep.algorithms, name) for name in fewstep.algorithms.__all__)
    every = [c for c in classes if issubclass(c, Algorithm) and not inspect.isabstract(c)]
    assert len(every) > 10
    for own in every:
        target = f"{own.__module__}.{own.__name__}"
        assert trained_on({"_target_": target, "name": "mine"}) != UNKNOWN


@pytest.mark.parametrize(
    ("name", "changed", "told"),
    [
        ("reptile", {}, "last minibatch, just before its inner step"),
        ("cavia", {}, "queries, after adapting"),
        ("fomaml", {"tail": "cycle"}, "the tail, after adapting"),
        ("fomaml", {"inner": {"steps": 0}}, "queries, nothing adapted"),
        ("harmony", {}, "the support set, just before the last inner step"),
        ("joint", {}, "last minibatch, nothing adapted"),
        ("protonet", {}, "queries, by the support set as it is"),
        ("anil", {"name": "mine"}, "queries, after adapting"),
    ],
)
def test_what_is_said(name: str, changed: dict, told: str) -> None:
    assert trained_on(recipe(name) | changed) == f"training tasks: {told}"


def test_a_class_of_ones_own_logs_what_it_likes() -> None:
    assert trained_on({"_target_": "late.Reptile"}) == trained_on({}) == UNKNOWN
