"""What the tables of the family claim follows from their files, and would not from others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from family.verdict import PARTS, estimates, kept, lines, waves


@pytest.mark.parametrize("part", kept())
def test_every_claim_is_as_it_is_said_to_be_by_the_files_that_are_kept(part: str) -> None:
    found = PARTS[part]()
    assert len(found) >= 3
    assert all(verdict.expected for verdict in found), "\n".join(lines(found))


def test_there_are_files_of_every_part() -> None:
    assert kept() == [*PARTS]


AS_EXPECTED = {
    (0.005, 5): {"MAML": 0.76, "BinomMAML 1": 0.75, "truncated MAML 1": 0.88},
    (0.005, 32): {"MAML": 0.19, "BinomMAML 1": 0.20, "truncated MAML 1": 0.24},
    (0.02, 5): {"MAML": 0.17, "BinomMAML 1": 1.95, "Meta-SGD": 0.19, "BOIL": 0.44},
}
FIRST_ORDER = {(0.005, 5): 1.02, (0.005, 32): 0.40, (0.02, 5): 0.20}


def made(folder: Path, losses: dict) -> Path:
    """The results of a sweep with these losses, each known to 0.01."""
    for place, ((rate, label), by_steps) in enumerate(losses.items()):
        content = {"schema": 1, "seed": 0, "name": "estimators", "algorithm": "maml"}
        content |= {"label": label, "meta_iterations": 1000, "dataset": "sine"}
        content |= {"recipe_hash": str(place), "config": {"point": {"rate": rate}}}
        one = {"protocol": "transductive", "init": "trained", "ways": 1, "shots": 10, "tasks": 1000}
        content["results"] = [
            {**one, "steps": steps, "loss": loss, "loss_ci95": 0.01}
            for steps, loss in by_steps.items()
        ]
        (folder / f"results_{place}.json").write_text(json.dumps(content))
    return folder


def table(instead: dict[str, float] | None = None) -> dict:
    """The losses of the spec by rate and label, some of them at the high rate others."""
    found: dict = {}
    for (rate, steps), losses in AS_EXPECTED.items():
        every = {**losses, "first-order MAML": FIRST_ORDER[rate, steps]}
        every |= (instead or {}) if rate == 0.02 else {}
        for label, loss in every.items():
            found.setdefault((rate, label), {})[steps] = loss
    return found


def test_the_losses_that_are_expected_bear_every_claim_out(tmp_path: Path) -> None:
    found = waves(made(tmp_path, table()))
    assert len(found) == 9
    assert all(verdict.holds for verdict in found), "\n".join(lines(found))


@pytest.mark.parametrize(
    ("instead", "claim"),
    [
        ({"BinomMAML 1": 0.205}, "first-order MAML is below BinomMAML 1, at a = 0.02 after 5"),
        ({"Meta-SGD": 0.25}, "Meta-SGD is left with at most 1.25 of MAML's loss"),
        ({"BOIL": 0.29}, "BOIL is left with more than 1.8 of MAML's loss"),
    ],
)
def test_others_do_not(instead: dict, claim: str, tmp_path: Path) -> None:
    """0.205 is above 0.2, but not beyond the interval."""
    (failing,) = (v for v in waves(made(tmp_path, table(instead))) if not v.holds)
    assert failing.claim.startswith(claim)


def test_of_rows_that_are_not_there_nothing_is_claimed(tmp_path: Path) -> None:
    few = {place: losses for place, losses in table().items() if place[0] == 0.005}
    assert len(waves(made(tmp_path, few))) == 6


@pytest.mark.parametrize(("before", "after", "holds"), [(0.97, 0.1, True), (0.9, 0.5, False)])
def test_which_estimate_is_nearer_in_how_many_tasks(before, after, holds, tmp_path: Path) -> None:
    """The fourth order is not asked about."""
    points = [(False, 0.001, before), (False, 0.005, before), (True, 0.02, after)]
    rows = [
        {"case": "sine waves", "trained": t, "rate": a, "binomial_nearer": [share] * 3 + [0.5]}
        for t, a, share in points
    ]
    (tmp_path / "theory.json").write_text(json.dumps({"estimators": rows}))
    assert [verdict.holds for verdict in estimates(tmp_path / "theory.json")] == [holds] * 3
