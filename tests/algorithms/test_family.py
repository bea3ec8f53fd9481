"""What lies between first and second order, against the numbers that were computed for it."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from fewstep.adapters.gradient import InnerLoop
from fewstep.adapters.path import Path
from fewstep.algorithms.binomial import Binomial
from fewstep.algorithms.eigen_reptile import EigenReptile, main_axis
from fewstep.algorithms.fomaml import FOMAML
from fewstep.algorithms.hessian_free import HessianFree
from fewstep.algorithms.imaml import IMAML
from fewstep.algorithms.maml import MAML
from fewstep.algorithms.multi_step import MultiStep, weights_of
from fewstep.algorithms.reptile import Reptile
from fewstep.config.compose import compose_config, plain
from fewstep.core.net import Net
from fewstep.core.problem import Problem
from fewstep.core.rules import LSLR, SGD, Adam, MetaSGD, Prox, Sign
from fewstep.core.types import Episode, Params, Start
from fewstep.messages.errors import ConfigError
from fewstep.models import ContextMLP
from fewstep.run.construction import assembly
from problems import (
    REGRESSION,
    HalfSquare,
    finite_differences,
    largest_difference,
    linear,
    one_example,
    small_episode,
    small_net,
)


NET, EPISODE = small_net(), small_episode()
PARAMS, PROBLEM = NET.params(), Problem(NET, REGRESSION)
START = Start(PARAMS, {})
THREE = InnerLoop(SGD(0.1), 3)
NAMES = list(PARAMS)


def at(rule) -> Start:
    return Start({**PARAMS, **rule.learned(PARAMS)}, rule.init(PARAMS))


def direction(algorithm, start: Start = START, episode: Episode = EPISODE) -> Params:
    return algorithm.direction(PROBLEM, start, episode)[0]


def norm(tree: Params) -> float:
    return float(torch.cat([value.flatten() for value in tree.values()]).norm())


def error(one: Params, other: Params) -> float:
    return norm({n: one[n] - other[n] for n in other}) / norm(other)


MAMLS = direction(MAML(THREE))


# Hessian-free MAML.


@pytest.mark.parametrize(
    ("eps", "found"), [(0.1, 1.1086e-4), (0.01, 1.1094e-6), (0.001, 1.1094e-8)]
)
def test_differences_of_gradients_are_hessian_products_to_second_order(eps, found) -> None:
    assert error(direction(HessianFree(THREE, eps)), MAMLS) == pytest.approx(found, rel=1e-4)


def test_of_one_step_and_down_to_rounding() -> None:
    one, episode = InnerLoop(SGD(0.1), 1), EPISODE._replace(batches=EPISODE.batches[:1])
    exact = direction(MAML(one), episode=episode)
    for eps, found in ((0.1, 2.9086e-5), (0.01, 2.9086e-7)):
        close = direction(HessianFree(one, eps), episode=episode)
        assert error(close, exact) == pytest.approx(found, rel=3e-4)
    assert error(direction(HessianFree(THREE, 1e-5)), MAMLS) < 1e-11


@pytest.mark.parametrize(("eps", "found"), [(0.03, 9.9e-6), (0.01, 1.6e-6), (1e-4, 7.7e-5)])
def test_in_single_precision_a_difference_is_best_near_the_default(
    eps: float, found: float
) -> None:
    """Longer ones leave out more, shorter ones are lost in rounding."""
    net = small_net()
    net.module.float()
    names = ("support_x", "support_y", "query_x", "query_y")
    episode = EPISODE._replace(**{n: getattr(EPISODE, n).float() for n in names})
    start = Start(net.params(), {})
    close = HessianFree(THREE, eps).direction(Problem(net, REGRESSION), start, episode)[0]
    assert all(value.dtype == torch.float32 for value in close.values())
    assert found / 2 < error({n: value.double() for n, value in close.items()}, MAMLS) < 2 * found


def test_differences_with_fixed_parameters_are_those_of_maml() -> None:
    fixed = replace(THREE, fixed=("0.weight", "2.bias"))
    assert error(direction(HessianFree(fixed, 1e-3)), direction(MAML(fixed))) < 1e-7


def test_a_query_gradient_of_zero_stays_zero() -> None:
    found = HessianFree(THREE).pull_back(
        Path(THREE, PROBLEM, START, EPISODE), {n: torch.zeros_like(p) for n, p in PARAMS.items()}
    )
    assert not any(value.any() for value in found.values())


# Implicit gradients.


class Quadratic:
    """(o - y)^2 / 2 summed in the inner loop; over two queries, the mean of (o - y)^2 is that."""

    def inner_loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return 0.5 * (outputs - targets)[:, 0] ** 2

    def outer_loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return (outputs - targets)[:, 0] ** 2

    def metrics(self, outputs: Tensor, targets: Tensor) -> Params:
        return {"loss": self.inner_loss(outputs, targets).mean()}


def quadratic(steps: int) -> tuple[Problem, Episode, Params]:
    """w.A w / 2 - b.w with A = [[2, 1], [1, 3]] and b = (1, -1), from (1, 2); query at (.5, .5)."""
    a = torch.tensor([[2.0, 1], [1, 3]], dtype=torch.float64)
    x = torch.linalg.cholesky(a).T.contiguous()
    y = torch.linalg.solve(x.T, torch.tensor([1.0, -1], dtype=torch.float64))[:, None]
    net = nn.Linear(2, 1, bias=False).double()
    net.weight.data = torch.tensor([[1.0, 2]], dtype=torch.float64)
    one = torch.eye(2, dtype=torch.float64)
    rows = torch.arange(2).repeat(steps, 1)
    episode = Episode(x, y, one, torch.full((2, 1), 0.5, dtype=torch.float64), rows)
    return Problem(Net(net), Quadratic()), episode, Net(net).params()


def implicit(steps: int, cg_steps: int) -> tuple[list[float], float]:
    rule = Prox(0.1, lam=2.0, learn_lam=True)
    problem, episode, params = quadratic(steps)
    start = Start({**params, **rule.learned(params)}, {})
    made = IMAML(InnerLoop(rule, steps, loss="sum"), cg_steps)
    found = made.direction(problem, start, episode)[0]
    return found["weight"][0].tolist(), float(found["inner/lam"])


def test_the_implicit_gradient_of_a_quadratic() -> None:
    for cg_steps in (2, 5):
        weight, lam = implicit(400, cg_steps)
        assert weight == pytest.approx([0.0720221607, -0.0249307479], rel=1e-8)
        assert lam == pytest.approx(-0.0057588570, rel=1e-8)
    assert implicit(400, 1)[0] == pytest.approx([0.0720221607, -0.0144044321], rel=1e-8)
    assert implicit(10, 2)[0] == pytest.approx([0.0681300724, -0.0223623123], rel=1e-8)


def test_maml_and_reptile_on_the_same_quadratic() -> None:
    problem, episode, params = quadratic(10)
    inner = InnerLoop(Prox(0.1, lam=2.0), 10, loss="sum")
    unrolled = MAML(inner).direction(problem, Start(params, {}), episode)[0]
    assert unrolled["weight"][0].tolist() == pytest.approx([0.0687946508, -0.0227637209], rel=1e-8)
    problem, episode, params = quadratic(400)
    way = Reptile(replace(inner, steps=400)).direction(problem, Start(params, {}), episode)[0]
    assert way["weight"][0].tolist() == pytest.approx([0.3684210526, 1.5263157895], rel=1e-8)


def test_drawn_back_without_end_it_is_the_query_gradient_at_the_start() -> None:
    inner = InnerLoop(Prox(1e-9, lam=1e8), 3)
    found = direction(IMAML(inner))
    plain = direction(FOMAML(InnerLoop(SGD(0.0), 3)))
    assert error(found, plain) < 1e-6


def test_implicit_gradients_with_fixed_parameters_are_the_derivative_of_the_minimum() -> None:
    """What is not moved has a say in where the minimum is."""
    rule = Prox(0.1, lam=3.0)
    inner = InnerLoop(rule, 150, fixed=("0.weight", "2.bias"))
    episode = EPISODE._replace(batches=torch.arange(6).repeat(150, 1))

    def after(params: Params) -> Tensor:
        end = inner.finish(inner.adapt(PROBLEM, Start(params, {}), episode).start)
        return REGRESSION.outer_loss(NET(end, episode.query_x), episode.query_y).mean()

    some = {n: PARAMS[n] for n in ("2.bias", "2.weight")}
    slopes = finite_differences(lambda p: after(PARAMS | p), some, eps=1e-4)
    found = direction(IMAML(inner, cg_steps=12), episode=episode)
    assert error({n: found[n] for n in some}, slopes) < 1e-5


@pytest.mark.parametrize(
    ("rule", "batch_size", "options", "told"),
    [
        (SGD(0.1), None, {}, "algorithm.inner.rule: implicit gradients need the rule that is "),
        (Prox(0.1, lam=0.0), None, {}, "algorithm.inner.options.lam=0.0: must be above 0"),
        (Prox(0.1), 5, {}, "algorithm.inner.batch_size=5: implicit gradients are those of one"),
        (Prox(0.1), None, {"cg_steps": 0}, "algorithm.cg_steps=0: must be at least 1"),
    ],
)
def test_implicit_gradients_refuse(rule, batch_size, options, told: str) -> None:
    with pytest.raises(ValueError, match=told.replace("(", r"\(")):
        IMAML(InnerLoop(rule, 3, batch_size), **options)


@pytest.mark.parametrize(
    ("rule", "eps", "told"),
    [
        (SGD(0.1), 0.0, "algorithm.eps=0.0: must be above 0"),
        (Adam(0.1), 0.1, "an inner rule without memory, plain descent, and Adam is not"),
        (Prox(0.1), 0.1, "and Prox is not. Use algorithm.inner.rule=sgd"),
    ],
)
def test_differences_refuse(rule, eps: float, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        HessianFree(InnerLoop(rule, 3), eps)


# Eigen-Reptile.


def test_the_main_axis_of_four_places(monkeypatch) -> None:
    seen, eigh = [], torch.linalg.eigh
    monkeypatch.setattr(torch.linalg, "eigh", lambda gram: seen.append(eigh(gram)) or seen[-1])
    rows = torch.tensor([[0.0, 0], [2, 1], [3, 3], [4, 4]], dtype=torch.float64)
    axis, share = main_axis([{"w": row} for row in rows])
    assert axis["w"].tolist() == pytest.approx([0.6821738786, 0.7311899885], rel=1e-9)
    assert float(share) == pytest.approx(0.9811560154, rel=1e-9)
    ((values, _),) = seen
    assert values[-2:].tolist() == pytest.approx([0.3533247121, 18.3966752879], rel=1e-9)
    assert values[:-2].abs().max() < 1e-12
    along = sum(abs(float((b - a) @ axis["w"])) for a, b in pairwise(rows))
    assert along == pytest.approx(5.6534554686, rel=1e-9)
    way = (along * share * axis["w"]).tolist()
    assert way == pytest.approx([3.7839651863, 4.0558537170], rel=1e-9)


def test_of_one_step_it_is_reptile_and_of_none_it_is_zero() -> None:
    episode = EPISODE._replace(batches=EPISODE.batches[:1])
    one = InnerLoop(SGD(0.1), 1)
    found = direction(EigenReptile(one), episode=episode)
    assert error(found, direction(Reptile(one), episode=episode)) < 1e-12
    still = direction(EigenReptile(InnerLoop(SGD(0.0), 3)))
    assert not any(value.any() for value in still.values())


@pytest.mark.parametrize("learn", [False, True], ids=["given", "learned"])
def test_implicit_gradients_keep_the_end_of_a_path_of_any_length(learn: bool) -> None:
    rule = Prox(0.01, 2.0, learn_lam=learn)
    for steps in (5, 50):
        inner = InnerLoop(rule, steps, loss="sum")
        path = Path(inner, PROBLEM, at(rule), EPISODE, IMAML(inner).kept)
        assert len(path.params) == 1
        assert path.first["0.weight"] is PARAMS["0.weight"]


# MAML++.


@pytest.mark.parametrize(
    ("epoch", "early", "last"), [(0, 0.2, 0.2), (1, 0.18, 0.28), (5, 0.1, 0.6), (9, 0.02, 0.92)]
)
def test_the_weights_move_to_the_last_step(epoch: int, early: float, last: float) -> None:
    assert weights_of(5, epoch, 10) == pytest.approx((*[early] * 4, last))


def test_the_losses_after_all_steps() -> None:
    found = direction(MultiStep(THREE, weights=(0.2, 0.3, 0.5)))
    assert norm(found) == pytest.approx(0.7451634965, rel=1e-9)

    def weighed(params: Params) -> Tensor:
        losses = []
        for k in (1, 2, 3):
            end = THREE.adapt(PROBLEM, Start(params, {}), EPISODE, slice(0, k)).params
            outputs = NET(end, EPISODE.query_x)
            losses.append(REGRESSION.outer_loss(outputs, EPISODE.query_y).mean())
        return 0.2 * losses[0] + 0.3 * losses[1] + 0.5 * losses[2]

    assert float(weighed(PARAMS)) == pytest.approx(0.5129855485, rel=1e-9)
    assert largest_difference(finite_differences(weighed, PARAMS), found) < 1e-7
    last = direction(MultiStep(THREE, weights=(0.0, 0.0, 1.0)))
    assert error(last, MAMLS) < 1e-14


def test_the_schedule_of_multi_step_losses_and_of_orders() -> None:
    made = MultiStep(THREE, multi_step_epochs=2, epoch=5, first_order_until=3)
    assert (made.at(0, 20).first_order, made.at(3, 20).first_order) == (True, False)
    assert made.at(7, 20).weights == weights_of(3, 1, 2)
    assert made.at(10, 20) == MAML(THREE)
    assert isinstance(replace(made, first_order_until=20).at(10, 20), FOMAML)
    assert replace(made, weights=(0.0, 0.0, 1.0)).at(7, 20).weights == (0.0, 0.0, 1.0)
    always = replace(made, first_order=True)
    assert always.at(7, 20).first_order
    assert isinstance(always.at(10, 20), FOMAML)
    first = direction(MultiStep(THREE, weights=(0.0, 0.0, 1.0), first_order=True))
    assert error(first, direction(FOMAML(THREE))) < 1e-14


def test_multi_step_losses_refuse() -> None:
    with pytest.raises(ValueError, match=r"algorithm.epoch=0: must be at least 1"):
        MultiStep(THREE, epoch=0)
    with pytest.raises(ValueError, match=r"algorithm.weights=\[1.0\]: must be a weight of at"):
        MultiStep(THREE, weights=(1.0,))


# Rules that learn.


def test_learned_rates_for_each_tensor_and_step() -> None:
    rule = LSLR(0.1, 3)
    found = direction(MAML(InnerLoop(rule, 3)), at(rule))
    table = torch.stack([found[f"inner/lr/{n}"] for n in NAMES], 1)
    rows = [
        [0.0217347553, 0.0548523976, 0.1560657546, 0.1385593552],
        [0.1254827596, 0.1339213840, 0.3168293991, 0.2336750966],
        [0.0287560679, 0.0195893475, -0.0221195250, 0.0784739159],
    ]
    assert torch.allclose(table, torch.tensor(rows, dtype=torch.float64), atol=1e-9)
    assert float(table.sum()) == pytest.approx(1.28582, rel=1e-5)
    assert error({n: found[n] for n in NAMES}, MAMLS) < 1e-15  # a constant rate is plain descent


def test_there_is_no_rate_for_a_step_that_training_does_not_take() -> None:
    assert (LSLR(0.1, 3).most_steps, SGD(0.1).most_steps) == (3, None)
    config = plain(compose_config("train", ["algorithm=mamlpp", "algorithm.eval.steps=6"]))
    with pytest.raises(
        ConfigError, match=r"eval.settings\[0\].steps=6: the inner rule lslr has no"
    ):
        assembly.check(config)


def test_learned_rates_for_each_entry_by_second_and_by_first_order() -> None:
    rule = MetaSGD(0.1)

    def rates(algorithm) -> Tensor:
        found = direction(algorithm(InnerLoop(rule, 3)), at(rule))
        return torch.cat([found[f"inner/lr/{n}"].flatten() for n in NAMES])

    second, first = rates(MAML), rates(FOMAML)
    assert float(second.norm()) == pytest.approx(0.6555993843501778, rel=1e-12)
    assert second[:2].tolist() == pytest.approx([0.0002203705, 0.0041753270], rel=1e-6)
    assert float(first.norm()) == pytest.approx(0.7295434, rel=1e-6)
    assert float((first - second).norm() / second.norm()) == pytest.approx(0.17347591, rel=1e-6)
    assert float(torch.cosine_similarity(first, second, 0)) == pytest.approx(0.9921941, rel=1e-7)


def test_the_derivative_by_a_learned_rate_of_one_step() -> None:
    """-g q by hand: x.w = 2, so g = (2, 1), and q = (1, -1)."""
    rule, net, episode = MetaSGD(0.1), linear([1.0, 2.0]), one_example([1.0, 0.5], [1.0, -1.0], 1)
    params = net.params()
    start = Start({**params, **rule.learned(params)}, {})
    problem = Problem(net, HalfSquare(linear_outer=True))
    for algorithm in (MAML, FOMAML):
        found = algorithm(InnerLoop(rule, 1)).direction(problem, start, episode)[0]
        assert found["inner/lr/weight"].tolist() == [[-2.0, 1.0]]


@pytest.mark.parametrize("functional", [False, True], ids=["in turn", "in rounds"])
def test_learned_rates_meet_the_estimate_behind_their_step(functional: bool) -> None:
    """First-order MAML's at order 0 with a window of any length, MAML's at the full one."""
    rule = MetaSGD(0.1)
    inner, problem = InnerLoop(rule, 3), Problem(Net(NET.module, functional=functional), REGRESSION)

    def rates(algorithm) -> dict[str, Tensor]:
        found = algorithm.direction(problem, at(rule), EPISODE)[0]
        return {n: e for n, e in found.items() if n.startswith("inner/")}

    exact = rates(MAML(inner))
    errors = [error(rates(Binomial(inner, order)), exact) for order in range(4)]
    assert errors[:2] == pytest.approx([0.17347591, 0.00827], rel=1e-3)
    assert errors[3] < 1e-14
    assert errors[2] < 1e-14  # the last product is by the initialization alone
    for window in (1, 2, 3):
        assert error(rates(Binomial(inner, 0, window)), rates(FOMAML(inner))) < 1e-14


def test_under_the_sign_alone_first_order_is_exact() -> None:
    inner = InnerLoop(Sign(0.05), 3)
    second, _, metrics = MAML(inner).direction(PROBLEM, START, EPISODE)
    assert all(torch.equal(second[n], d) for n, d in direction(FOMAML(inner)).items())
    assert norm(second) == pytest.approx(0.8871963299, rel=1e-9)
    assert float(metrics["loss"]) == pytest.approx(0.6008678050, rel=1e-9)


# CAVIA.


def test_a_context_is_all_that_a_task_moves() -> None:
    torch.manual_seed(0)
    net = Net(ContextMLP(context=5).double())
    problem, params = Problem(net, REGRESSION), net.params()
    x = torch.linspace(-1, 1, 8, dtype=torch.float64)[:, None]
    episode = Episode(x[::2], x[::2].sin(), x, x.sin(), torch.arange(4).repeat(1, 1))
    inner = InnerLoop(SGD(1.0), 1, fixed=("layers.*",), reset=("context",))
    end = inner.adapt(problem, Start(params, {}), episode).params
    assert {n for n in params if not torch.equal(end[n], params[n])} == {"context"}
    found, _, _ = MAML(inner).direction(problem, Start(params, {}), episode)

    def after(some: Params) -> Tensor:
        adapted = inner.adapt(problem, Start(params | some, {}), episode).params
        return REGRESSION.outer_loss(net(adapted, x), x.sin()).mean()

    some = {n: params[n] for n in ("layers.0.bias", "layers.4.weight")}
    slopes = finite_differences(after, some)
    assert largest_difference(slopes, {n: found[n] for n in some}) < 1e-6
