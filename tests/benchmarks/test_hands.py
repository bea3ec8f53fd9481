"""What benchmarks/hands compares: the same tasks, and differences on them."""

from __future__ import annotations

import json

import pytest
import torch

from hands.coverage import KEPT, verdict
from hands.report import RESULTS, rows, table
from hands.tasks import QUERIES, shares, tasks


def test_tasks_hang_on_their_number_alone_and_ask_what_was_not_given() -> None:
    counts = [14, 20, 16, 30]
    some = list(tasks(counts, 3, 4, 5, seed=0))
    again = list(tasks(counts, 3, 4, 9, seed=0))
    owner = torch.arange(4).repeat_interleave(torch.tensor(counts))
    for task, same in zip(some, again, strict=False):
        assert torch.equal(task.given, same.given)
        assert torch.equal(task.asked, same.asked)
        assert not set(task.given.tolist()) & set(task.asked.tolist())
        given, asked = owner[task.given].view(3, 4), owner[task.asked].view(3, QUERIES)
        assert torch.equal(given[:, :1].expand(3, QUERIES), asked)
        assert len(set(given[:, 0].tolist())) == 3
    assert len({tuple(task.given.tolist()) for task in some}) == 5


def test_differences_are_paired() -> None:
    found = rows({"a": torch.tensor([0.5, 0.7, 0.9]), "b": torch.tensor([0.6, 0.8, 1.0])}, 5, 1)
    assert found[1] == pytest.approx({**found[1], "acc": 0.8})
    assert (found[0]["less"], found[0]["less_ci95"]) == (pytest.approx(-0.1), pytest.approx(0))
    assert "less" not in found[1]
    assert table({"rows": found}).splitlines()[2:] == [
        "| a | 70.0 ± 18.5 (-10.0 ± 0.0) |",
        "| b | **80.0 ± 18.5** |",
    ]


def test_methods_are_asked_of_every_task() -> None:
    some = list(tasks([20, 20], 2, 1, 3, seed=1))
    answers = {
        "right": lambda given, y, ways, asked: (asked >= 20).long() ^ int(given[0] >= 20),
        "first": lambda given, y, ways, asked: torch.zeros(len(asked), dtype=torch.long),
    }
    found = shares(answers, some)
    assert found["right"].tolist() == [1.0, 1.0, 1.0]
    assert found["first"].tolist() == [0.5, 0.5, 0.5]


@pytest.mark.parametrize("name", KEPT)
def test_what_is_expected_is_met_as_often_as_is_said(name: str) -> None:
    """Recomputed from the hundred measurements that are committed."""
    told = json.loads((RESULTS / f"hands_coverage_{name}_test.json").read_text())
    found = verdict(told["rows"])
    assert found == pytest.approx({key: told[key] for key in found})
    assert len(told["rows"]) == 100
    if name != "omniglot":  # which has too few others for an accuracy of 1 to be known
        assert 0.90 <= found["held"] <= 0.99
    assert found["width_beside_wilson"] <= 1.3
