"""The memory that learns while it reads: by hand, and against recurrences written out."""

from __future__ import annotations

import re

import pytest
import torch
from torch import Tensor

from fewstep.adapters.gradient import InnerLoop
from fewstep.adapters.partition import written as as_written
from fewstep.core.net import Net
from fewstep.core.problem import Problem
from fewstep.core.rules import MomentumDecay
from fewstep.core.types import EpisodeSpec, Start
from fewstep.data.sampler import Draws
from fewstep.data.streams import LeastSquares, RelativeError, Streams
from fewstep.execution.choice import EXECUTIONS
from fewstep.models.neural_memory import NeuralMemory, Writing, recalled
from problems import REGRESSION, small_episode, small_net


F64 = torch.float64


def tensor(rows: list) -> Tensor:
    return torch.tensor(rows, dtype=F64)


KEYS = tensor([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]])
VALUES = tensor([[1.0, 2.0], [3.0, 4.0], [-1.0, 0.5]])
PLAIN, GATED = [0.25, 0.0, 0.0], [0.25, 0.5, 0.1]
"""Rate, momentum and decay of every token."""


@pytest.mark.parametrize(
    ("tokens", "gates", "chunk", "wanted"),
    [
        (2, PLAIN, 1, [[1.31, 1.08], [2.02, 1.36]]),
        (3, PLAIN, 1, [[1.31, 0.04], [2.02, 0.93]]),
        (2, GATED, 1, [[1.51, 1.08], [2.42, 1.36]]),
        (3, GATED, 1, [[1.889, 0.472], [2.938, 1.474]]),
        (3, GATED, 3, [[2.015, 1.18], [3.19, 2.49]]),
    ],
)
def test_a_matrix_by_hand(tokens: int, gates: list, chunk: int, wanted: list) -> None:
    start = {"first": torch.zeros(2, 2, dtype=F64)}
    found = Writing(chunk).write(start, KEYS[:tokens], VALUES[:tokens], tensor([gates] * tokens))
    torch.testing.assert_close(found["first"], tensor(wanted), rtol=0, atol=1e-14)


def test_two_layers_by_hand() -> None:
    start = {
        "first": tensor([[0.5, -0.3], [0.2, 0.4]]),
        "second": tensor([[0.1, 0.6], [-0.2, 0.3]]),
    }
    found = Writing().write(start, KEYS[:2], VALUES[:2], tensor([GATED] * 2))
    first = [[0.4130599177, -0.0143170765], [1.3749810658, 1.2977313250]]
    second = [[0.2666714167, 1.0955570444], [0.2647605910, 1.1497267417]]
    torch.testing.assert_close(found["first"], tensor(first), rtol=0, atol=1e-10)
    torch.testing.assert_close(found["second"], tensor(second), rtol=0, atol=1e-10)
    read = recalled(found, tensor([0.8, -0.6]))
    torch.testing.assert_close(read, tensor([0.2568648679, 0.2665766893]), rtol=0, atol=1e-10)


@pytest.mark.parametrize(("length", "chunk"), [(6, 3), (7, 3), (5, 8)])
def test_a_chunk_is_a_weighted_sum_of_its_gradients(length: int, chunk: int) -> None:
    """M' = A M + (m - A) S + sum m_i u_i and S' = s S + sum s_i u_i, with weights that are worked
    out backwards; the last chunk may be shorter."""
    g = torch.Generator().manual_seed(0)
    keys, values = (torch.randn(length, 3, generator=g, dtype=F64) for _ in range(2))
    gates = torch.rand(length, 3, generator=g, dtype=F64) * tensor([0.1, 0.9, 0.5])
    memory, surprise = torch.randn(3, 3, generator=g, dtype=F64), torch.zeros(3, 3, dtype=F64)
    found = Writing(chunk).write({"first": memory}, keys, values, gates)["first"]
    for at in range(0, length, chunk):
        rows = range(at, min(at + chunk, length))
        m = s = kept = 1.0
        total = total_s = torch.zeros(3, 3, dtype=F64)
        for i in reversed(rows):
            rate, momentum, decay = gates[i]
            u = -rate * 2 * torch.outer(memory @ keys[i] - values[i], keys[i])
            total, total_s = total + m * u, total_s + s * u
            kept = kept * (1 - decay)
            m, s = kept + momentum * m, momentum * s
        memory, surprise = kept * memory + (m - kept) * surprise + total, s * surprise + total_s
    torch.testing.assert_close(found, memory, rtol=0, atol=1e-13)


def test_for_one_token_first_order_is_all_there_is_and_for_two_it_is_not() -> None:
    def slopes(tokens: int, first_order: bool) -> Tensor:
        gates = tensor([GATED] * tokens).requires_grad_()
        start = {"first": torch.zeros(2, 2, dtype=F64)}
        end = Writing(1, first_order).write(start, KEYS[:tokens], VALUES[:tokens], gates)
        end["first"].square().sum().backward()
        return gates.grad

    assert torch.equal(slopes(1, True), slopes(1, False))
    assert (slopes(2, True) - slopes(2, False)).abs().max() > 0.01


def test_without_its_error_it_is_hebbs_rule() -> None:
    found = Writing(error=False).write(
        {"first": torch.zeros(2, 2, dtype=F64)}, KEYS, VALUES, tensor([PLAIN] * 3)
    )
    torch.testing.assert_close(found["first"], 0.5 * VALUES.T @ KEYS, rtol=0, atol=1e-15)


@pytest.mark.parametrize("execution", EXECUTIONS)
@pytest.mark.parametrize("units", [0, 3])
def test_all_executions_agree_and_all_gates_learn(execution: str, units: int) -> None:
    torch.manual_seed(0)
    module = NeuralMemory(4, units).double()
    split = Streams(4).open()["train"].to("cpu", F64)
    episode = split.episode(EpisodeSpec(1, 5, 2, 0), 0, 0)

    def loss(net: Net, params: dict, episode) -> tuple:
        def f(leaves: dict) -> tuple[Tensor, tuple]:
            queries = Problem(net, RelativeError()).queries(episode)
            outputs = net(leaves, queries.x, queries.given)
            return RelativeError().outer_loss(outputs, queries.y).mean(), ()

        return net.value_and_grad(f, params)[1]

    net = Net(module)
    (found,) = EXECUTIONS[execution](module).map(loss, (net.params(),), [episode])
    wanted = loss(net, net.params(), episode)
    for name, grad in wanted.items():
        assert grad.any()
        torch.testing.assert_close(found[name], grad, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"d": 0}, "model.d=0: must be at least 1"),
        ({"units": -1}, "model.units=-1: must be at least 0"),
        ({"chunk": 0}, "model.chunk=0: must be at least 1"),
        ({"parts": ["decays"]}, "must be a list of some of error, momentum, decay"),
        ({"units": 4, "parts": []}, "model.units=4: where a memory of two layers is 0 it has no"),
    ],
)
def test_what_is_refused(keys: dict, told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        NeuralMemory(**keys)


# --- the rule


def test_momentum_and_decay_in_an_inner_loop_begin_anew_in_each_task() -> None:
    net, episode = small_net(), small_episode()
    problem, params = Problem(net, REGRESSION), net.params()
    inner = InnerLoop(MomentumDecay(0.1, 0.5, 0.01), 3)
    found = inner.adapt(problem, Start(params, {}), episode).params
    w, s = params, {name: torch.zeros_like(p) for name, p in params.items()}
    for batch in episode.batches:
        grads = inner.gradient(problem, w, problem.minibatch(episode, batch))[1]
        s = {name: 0.5 * s[name] - 0.1 * grads[name] for name in w}
        w = {name: 0.99 * w[name] + s[name] for name in w}
    for name, p in w.items():
        torch.testing.assert_close(found[name], p, rtol=1e-12, atol=1e-12)


def test_what_decays_cannot_be_fixed() -> None:
    with pytest.raises(ValueError, match="the inner rule MomentumDecay shrinks what has no gradie"):
        InnerLoop(MomentumDecay(0.1, decay=0.1), 1, fixed=["a"])
    inner = InnerLoop(MomentumDecay(0.1), 1, fixed=["a"])
    assert as_written(inner, "fixed") == "algorithm.inner.fixed=[a]"


# --- streams


def test_a_stream_is_unit_vectors_and_asks_for_the_last_of_them() -> None:
    split = Streams(5).open()["test"].to("cpu", F64)
    episode = split.episode(EpisodeSpec(1, 7, 3, 0), 0, 4)
    assert episode.batches.shape == (0, 7)
    for rows in episode[:2]:
        torch.testing.assert_close(rows.norm(dim=1), torch.ones(7, dtype=F64))
    assert torch.equal(episode.query_x, episode.support_x[-3:])
    assert torch.equal(episode.query_y, episode.support_y[-3:])
    again, other = (split.episode(EpisodeSpec(1, 7, 3, 0), 0, i) for i in (4, 5))
    assert torch.equal(again.support_x, episode.support_x)
    assert not torch.equal(other.support_x, episode.support_x)
    vectors = torch.stack([split.episode(EpisodeSpec(1, 7, 3, 0), 1, i)[0] for i in range(200)])
    assert vectors.mean().abs() < 0.02
    assert split.identity(EpisodeSpec(1, 7, 3, 0), 0, 4) != split.identity(
        EpisodeSpec(1, 7, 2, 0), 0, 4
    )


def test_least_squares_that_forget_are_the_recursive_ones() -> None:
    g = torch.Generator().manual_seed(0)
    keys, values = (torch.randn(9, 3, generator=g, dtype=F64) for _ in range(2))
    inverse, matrix = 1e3 * 0.85**9 * torch.eye(3, dtype=F64), torch.zeros(3, 3, dtype=F64)
    for k, v in zip(keys, values, strict=True):
        gain = inverse @ k / (0.85 + k @ inverse @ k)
        matrix = matrix + torch.outer(v - matrix @ k, gain)
        inverse = (inverse - torch.outer(gain, k @ inverse)) / 0.85
    found = LeastSquares(0.85)(keys, keys, values)
    torch.testing.assert_close(found, keys @ matrix.T, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: Streams(1), "dataset.d=1: must be at least 2. For example dataset.d=16"),
        (lambda: Streams(forgetting=1.5), "dataset.forgetting=1.5: must be above 0 and at most 1."),
        (lambda: checked(2, 5, 1), "shots.ways=2: a stream is one; set it to 1"),
        (lambda: checked(1, 5, 6), "queries=6: a stream of shots=5 pairs is asked for that many"),
    ],
)
def test_streams_that_cannot_be(make, told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        make()
    assert Draws(0, "test", 0).key().shape == ()


def checked(ways: int, shots: int, queries: int) -> None:
    Streams().open()["test"].check(EpisodeSpec(ways, shots, queries, 0))
