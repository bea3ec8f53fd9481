"""Section 5.1 of the paper, held to by the algorithms that train."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from fewstep.theory import averages, expansions
from fewstep.theory.expansions import leading_order
from fewstep.theory.problem import ALGORITHMS, KS, FiniteProblem, flat, sine_problem
from problems import finite_differences


@pytest.fixture(scope="module")
def problem() -> FiniteProblem:
    return sine_problem(1)


def random_derivatives(k: int) -> tuple[Tensor, Tensor]:
    g = torch.Generator().manual_seed(0)
    hb = torch.randn(k, 3, 3, generator=g).double()
    return torch.randn(k, 3, generator=g).double(), hb + hb.mT


def test_the_expansions_of_two_minibatches_are_those_written_out_in_the_paper() -> None:
    gb, hb = random_derivatives(2)
    fomaml = gb[1] - 0.1 * hb[1] @ gb[0]
    expected = {
        "maml": fomaml - 0.1 * hb[0] @ gb[1],
        "fomaml": fomaml,
        "reptile": gb[0] + fomaml,
    }
    for name, value in expected.items():
        torch.testing.assert_close(leading_order(name, 0.1, gb, hb), value)


def test_the_expansions_of_three_minibatches_sum_over_all_pairs() -> None:
    gb, hb = random_derivatives(3)
    tail = hb[2] @ (gb[0] + gb[1])
    expected = {
        "maml": gb[2] - 0.1 * (tail + hb[0] @ gb[2] + hb[1] @ gb[2]),
        "fomaml": gb[2] - 0.1 * tail,
        "reptile": gb.sum(dim=0) - 0.1 * (hb[1] @ gb[0] + tail),
    }
    for name, value in expected.items():
        torch.testing.assert_close(leading_order(name, 0.1, gb, hb), value)


def test_derivatives_are_those_of_the_loss(problem: FiniteProblem) -> None:
    gb, hb = expansions.derivatives(problem)
    episode = problem.episodes[2]
    rows = episode.batches[1]

    def loss(params: dict[str, Tensor]) -> Tensor:
        outputs = problem.net(params, episode.support_x[rows])
        return (outputs - episode.support_y[rows]).square().mean()

    slope = flat(finite_differences(loss, problem.params))
    torch.testing.assert_close(gb[2, 1], slope, atol=1e-7, rtol=1e-7)
    torch.testing.assert_close(hb, hb.mT)


def test_minibatches_of_a_task_are_disjoint(problem: FiniteProblem) -> None:
    for episode in problem.episodes:
        assert episode.batches.unique().numel() == episode.batches.numel()


def test_residuals_are_of_second_order(problem: FiniteProblem) -> None:
    found = {(row["algorithm"], row["k"]): row["slope"] for row in expansions.slopes(problem)}
    assert set(found) == {(name, k) for name in ALGORITHMS for k in KS}
    assert found == pytest.approx(dict.fromkeys(found, 2.0), abs=0.02)


def test_another_algorithm_does_not_pass_for_maml(
    problem: FiniteProblem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FOMAML lacks one of MAML's first-order terms, so that its residual has slope 1."""
    right = expansions.algorithm
    monkeypatch.setattr(expansions, "ALGORITHMS", ("maml",))
    monkeypatch.setattr(expansions, "algorithm", lambda name, lr, k: right("fomaml", lr, k))
    for row in expansions.slopes(problem):
        assert row["slope"] == pytest.approx(1.0, abs=0.05)


@pytest.mark.slow
def test_coefficients_are_those_of_the_paper(problem: FiniteProblem) -> None:
    table = {
        "maml": {2: (1, -2), 3: (1, -4), 4: (1, -6)},
        "fomaml": {2: (1, -1), 3: (1, -2), 4: (1, -3)},
        "reptile": {2: (2, -1), 3: (3, -3), 4: (4, -6)},
    }
    rows = averages.coefficients(problem)
    assert {(row["algorithm"], row["k"]) for row in rows} == {
        (n, k) for n in table for k in (2, 3, 4)
    }
    for row in rows:
        paper = table[row["algorithm"]][row["k"]]
        assert (row["paper_avg_grad"], row["paper_avg_grad_inner"]) == paper
        assert (row["avg_grad"], row["avg_grad_inner"]) == pytest.approx(paper, rel=0.01)


def test_avg_grad_inner_is_half_the_gradient_of_an_inner_product(problem: FiniteProblem) -> None:
    assert averages.identity(problem)["relative_difference"] < 1e-8


def test_one_step_is_joint_training_and_two_are_not(problem: FiniteProblem) -> None:
    found = averages.one_step(problem)
    assert found["relative_difference"] < 1e-13
    assert found["relative_difference_k2"] > 1e-3
