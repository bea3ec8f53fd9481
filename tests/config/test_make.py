"""Calling what a configuration names: what is refused, and what is up to the class."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from fewstep.config.instantiate import call, locate, make
from fewstep.messages.errors import ConfigError


@dataclass
class Thing:
    size: int
    rate: float | None = None
    label: str = "a"
    on: bool = False
    other: list[int] | None = None
    root: str | Path | None = None


def anything(size: int, **others):
    return size, others


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": "3"}, "part.size=3: must be a whole number"),
        ({"size": 2.0}, "part.size=2.0: must be a whole number"),
        ({"size": True}, "part.size=True: must be a whole number"),
        ({"size": None}, "part.size=null: must be a whole number"),
        ({"size": 1, "rate": "x"}, "part.rate=x: must be a number or null"),
        ({"size": 1, "label": 3}, "part.label=3: must be a text"),
        ({"size": 1, "on": 1}, "part.on=1: must be true or false"),
        ({"size": 1, "root": 2026}, "part.root=2026: must be a text or null"),
        ({"size": 1, "root": ["a", "b"]}, "part.root=['a', 'b']: must be a text or null"),
        ({"siz": 1}, "part.siz=1: Thing takes no such argument. Did you mean size?"),
        ({}, "part.size is missing: Thing needs it"),
    ],
)
def test_arguments_that_are_refused(arguments, message):
    with pytest.raises(ConfigError) as caught:
        call(Thing, "part", arguments)
    assert message in str(caught.value)


def test_arguments_that_are_taken():
    assert call(Thing, "part", {"size": 1, "rate": 2}) == Thing(1, 2)
    assert call(Thing, "part", {"size": 1, "rate": None, "other": "x"}) == Thing(1, other="x")
    for root in ("2026", Path("2026"), None):
        assert call(Thing, "part", {"size": 1, "root": root}) == Thing(1, root=root)
    assert call(anything, "part", {"size": 1, "more": 2}) == (1, {"more": 2})
    with pytest.raises(ConfigError, match=r"part\.size is missing"):
        call(anything, "part", {"more": 2})


def test_a_node_makes_the_class_that_it_names():
    node = {"_target_": "fractions.Fraction", "numerator": 1, "denominator": 2, "name": "half"}
    assert make("part", node, spare=frozenset({"name"})) == 0.5
    with pytest.raises(ConfigError, match=r"part\.name=half: Fraction takes no such argument"):
        make("part", node)
    with pytest.raises(ConfigError, match=r"part: Fraction\(1, 0\)"):
        make("part", {**node, "denominator": 0}, spare=frozenset({"name"}))
    with pytest.raises(ConfigError, match=r"part\._target_ is missing"):
        make("part", {"numerator": 1})


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("torchvision.models.alexnet", "alexnet"),  # a function, and the module that it shadows
        ("torchvision.models.alexnet.AlexNet", "AlexNet"),  # through that module
        ("torchvision.models.googlenet", "googlenet"),
        ("torchvision.models.squeezenet.SqueezeNet", "SqueezeNet"),
        ("fewstep.algorithms.reptile.Reptile", "Reptile"),
        ("fractions.Fraction.from_float", "from_float"),
        ("xml.dom.minidom.Document", "Document"),  # a module that nobody has imported
    ],
)
def test_a_path_is_looked_up_as_hydra_does(path, name):
    assert locate("part._target_", path).__name__ == name


@pytest.mark.parametrize("path", ["nowhere.Class", "math.Class", "math", "math.pi", "", "5 + 5"])
def test_a_path_that_names_nothing_to_call(path):
    with pytest.raises(ConfigError) as caught:
        locate("part._target_", path)
    assert f"part._target_={path}: cannot be imported" in str(caught.value)
