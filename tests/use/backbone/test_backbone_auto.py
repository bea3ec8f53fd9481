"""What is tried where nothing is said, and how the best is chosen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest


pytest.importorskip("timm")

from tiny_backbone import pictures, written

import fewstep
from fewstep.run.stored import shipped
from fewstep.use.backbone import auto, networks
from fewstep.use.expected import Expected


TIMM = [f"timm:test_resnet, {head}" for head in ("prototypes", "logistic", "steps")]


@dataclass
class Given:
    """Of a classifier, what is asked of it here."""

    given: list[str]


def tried(name: str, answers: str, truth: str = "aaaaabbbbb") -> tuple:
    right = sum(a == b for a, b in zip(answers, truth, strict=True))
    return name, Given(list(truth)), Expected(right, len(truth), tuple(answers), 1.0)


@pytest.mark.parametrize("colour", [True, False])
def test_the_heads_of_a_network_and_what_is_shipped(
    tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch, colour: bool
) -> None:
    monkeypatch.setattr(networks, "at_hand", list)
    own = shipped.names()
    file = written(tmp_path / "test_resnet.safetensors")
    assert [n for n, _ in auto.candidates(colour, None, None)] == own  # there is nothing else
    found = auto.candidates(colour, file, None)
    assert [n for n, _ in found] == (TIMM if colour else own + TIMM)
    by_name = auto.candidates(True, file, "test_resnet")
    made = [make() for _, make in by_name]
    assert [one.head for one in made] == ["prototypes", "logistic", "steps"]
    assert len({id(one.features) for one in made}) == 1  # asked once for all
    images, labels = pictures("ab", 2)
    adapted = [(n, one.adapt(images, labels)) for (n, _), one in zip(by_name, made, strict=True)]
    text = auto.comparison([(n, c, c.evaluate()) for n, c in adapted])
    assert [line.split("  ")[1].strip() for line in text.splitlines()[1:4]] == TIMM


def test_cached_networks_are_tried_the_smallest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(networks, "at_hand", lambda: ["a", "b", "c", "d"])
    found = [name for name, _ in auto.candidates(True, None, None)]
    assert found == [f"timm:{n}, {h}" for n in "abc" for h in ("prototypes", "logistic", "steps")]


def test_weights_of_nobody(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="of which network") as told:
        auto.candidates(True, tmp_path / "mine.pth", None)
    assert str(told.value) == (
        f"backbone.weights={tmp_path / 'mine.pth'}: of which network? Name it with init=timm:NAME"
    )


def test_the_best_is_chosen_and_of_equals_the_simpler() -> None:
    rows = [tried("x", "aaaaababab"), tried("y", "aaaaabbbba"), tried("z", "baaaabbbbb")]
    assert auto.best(rows) == 1
    assert auto.best(rows[:1]) == 0
    assert auto.paired(rows[1], rows[2]) == (1, 1, 10)
    assert auto.comparison(rows) == (
        "10 pictures, each left out, by what they were told from:\n"
        "  x   80 % (49 to 99 %), 8 of 10\n"
        "  y   90 % (60 to 100 %), 9 of 10\n"
        "  z   90 % (60 to 100 %), 9 of 10\n"
        "y is chosen: as many right as z, and simpler"
    )


def test_by_how_much_the_best_wins_is_told_of_the_same_pictures() -> None:
    rows = [tried("x", "bbbbbaaaab"), tried("y", "aaaaabbbbb"), tried("z", "aaaabbbbbb")]
    assert auto.comparison([rows[0], rows[1]]).splitlines()[-1] == (
        "y is chosen: +90 points over x (95 % interval +71 to +100; 9 right that the other has "
        "wrong, 0 the other way)"
    )
    assert auto.comparison(rows).splitlines()[-1] == (
        "y is chosen: +10 points over z (95 % interval -9 to +29; 1 right that the other has "
        "wrong, 0 the other way); so few pictures do not tell them apart"
    )


def test_where_nothing_can_be_left_out_the_simplest_is_chosen() -> None:
    none = [(n, Given(["a", "b"]), Expected(0, 0, (None, None), 1.0, ("a", "b"))) for n in "xy"]
    assert auto.best(none) == 0
    assert auto.comparison(none).splitlines()[-1] == "nothing to choose by: x, the simplest"


def test_pictures_of_another_size_are_the_network_s_alone(tmp_path: Path, own_cache: Path) -> None:
    file = written(tmp_path / "test_resnet.safetensors")
    (_, make), *_ = auto.candidates(True, file, None, 40)
    assert make().preparation.size == 40
    assert fewstep.load("timm:test_resnet", weights=file, size=40).preparation.size == 40
    with pytest.raises(ValueError, match=r"backbone.size=40: init=omniglot sees pictures") as told:
        fewstep.load("omniglot", size=40)
    assert str(told.value).endswith("Leave it out, or use init=timm:NAME")
