"""The seams: each with a small real user, held to figures that were computed by other means."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from fewstep.adapters.gradient import InnerLoop
from fewstep.adapters.meta_test import Setting, evaluate_task
from fewstep.adapters.path import Path
from fewstep.algorithms.binomial import Binomial
from fewstep.algorithms.combination import Combination
from fewstep.algorithms.direct import Direct
from fewstep.algorithms.fomaml import FOMAML
from fewstep.algorithms.joint import Joint
from fewstep.algorithms.maml import MAML
from fewstep.algorithms.reptile import Reptile
from fewstep.config.limits import PROTOCOLS
from fewstep.core.aggregate import PerEntry
from fewstep.core.net import Net
from fewstep.core.outer import OuterStep, cosine, warm
from fewstep.core.problem import Problem
from fewstep.core.rules import SGD, Adam, ClippedSGD, MetaSGD, Prox, Sign, total_of
from fewstep.core.types import Episode, EpisodeSpec, Params, Start
from fewstep.execution.choice import EXECUTIONS
from fewstep.execution.serial import Serial
from fewstep.execution.threads import Threads
from fewstep.messages.errors import ConfigError
from fewstep.models import ProtoNet, Prototypes
from fewstep.programs.library import Programs
from fewstep.run.checks.consistency import check_fixed
from fewstep.run.learned import ranges
from fewstep.run.learner import MetaLearner
from problems import (
    CLASSIFICATION,
    REGRESSION,
    HalfSquare,
    finite_differences,
    image_episode,
    largest_difference,
    linear,
    small_episode,
    small_net,
)


NET, EPISODE = small_net(), small_episode()
PROBLEM, PARAMS = Problem(NET, REGRESSION), NET.params()
SUPPORT = [[1.0, 0.5], [-1.0, 2.0], [0.5, 1.0]]


def rational() -> tuple[Problem, Start, Episode]:
    """w0 = (1, 2), three single examples, and x.w at (1, -1) as the outer loss."""
    nothing, rows = torch.zeros(3).double(), torch.arange(3)[:, None]
    query = torch.tensor([[1.0, -1.0]]).double()
    episode = Episode(torch.tensor(SUPPORT).double(), nothing, query, nothing[:1], rows)
    net = linear([1.0, 2.0])
    net.module.double()
    return Problem(net, HalfSquare(linear_outer=True)), Start(net.params(), {}), episode


@pytest.mark.parametrize(
    ("order", "window", "wanted"),
    [
        (0, None, (1, -1)),
        (1, None, (27 / 40, -3 / 8)),
        (2, None, (271 / 400, -157 / 400)),
        (3, None, (271 / 400, -157 / 400)),
        (1, 1, (41 / 40, -19 / 20)),
        (2, 2, (293 / 400, -73 / 200)),
        (1, 2, (29 / 40, -7 / 20)),
    ],
)
def test_binomial_sums_in_rational_numbers(order, window, wanted) -> None:
    problem, start, episode = rational()
    algorithm = Binomial(InnerLoop(SGD(0.1), 3), order, window)
    found = algorithm.direction(problem, start, episode)[0]["weight"].flatten().tolist()
    assert found == pytest.approx(wanted, rel=1e-7)


def flat(params: Params) -> Tensor:
    return torch.cat([p.reshape(-1) for p in params.values()])


@pytest.mark.parametrize(
    ("order", "window", "error"),
    [
        (0, None, 0.2558020423),
        (1, None, 0.0488189478),
        (2, None, 0.0028987931),
        (3, None, 0.0),
        (1, 1, 0.1802186695),
        (2, 2, 0.0793694255),
    ],
)
def test_how_far_a_binomial_estimate_is_from_the_gradient(order, window, error) -> None:
    inner, start = InnerLoop(SGD(0.1), 3), Start(PARAMS, {})
    exact = flat(MAML(inner).direction(PROBLEM, start, EPISODE)[0])
    found = flat(Binomial(inner, order, window).direction(PROBLEM, start, EPISODE)[0])
    assert exact.norm().item() == pytest.approx(0.7542088631, abs=1e-10)
    assert ((found - exact).norm() / exact.norm()).item() == pytest.approx(error, abs=1e-10)


def test_the_query_loss_and_its_gradient_at_the_end_of_the_path() -> None:
    """What all estimates of fixture B begin with, and first-order MAML ends with."""
    algorithm = FOMAML(InnerLoop(SGD(0.1), 3))
    v, _, metrics = algorithm.direction(PROBLEM, Start(PARAMS, {}), EPISODE)
    assert float(metrics["loss"]) == pytest.approx(0.5276262461725506, rel=1e-14)
    assert float(flat(v).norm()) == pytest.approx(0.8285475992, abs=1e-10)


@pytest.mark.parametrize(("steps", "order", "window"), [(5, 2, 4), (5, 1, 5), (4, 3, 3)])
def test_a_binomial_estimate_takes_the_fewest_products(monkeypatch, steps, order, window) -> None:
    taken, whole = [], Path.vjp
    monkeypatch.setattr(Path, "vjp", lambda *args: taken.append(1) or whole(*args))
    algorithm = Binomial(InnerLoop(SGD(0.1), steps), order, window)
    algorithm.direction(PROBLEM, Start(PARAMS, {}), small_episode(steps=steps))
    assert len(taken) == order * (window - order + 1)


def test_fixed_parameters_and_a_whole_window_give_maml() -> None:
    inner = InnerLoop(SGD(0.1), 3, fixed=["0.*"])
    found = Binomial(inner, 3).direction(PROBLEM, Start(PARAMS, {}), EPISODE)[0]
    wanted = MAML(inner).direction(PROBLEM, Start(PARAMS, {}), EPISODE)[0]
    assert largest_difference(wanted, found) < 1e-14


@pytest.mark.parametrize(
    ("rule", "order", "window", "words"),
    [
        (SGD(0.1), 4, None, "algorithm.order=4: must be a whole number from 0 to algorithm.inner"),
        (SGD(0.1), -1, None, "algorithm.order=-1: must"),
        (SGD(0.1), 3, 2, "from 0 to algorithm.window=2"),
        (SGD(0.1), 1, 0, "algorithm.window=0: must be a whole number from 1 to algorithm.inner."),
        (SGD(0.1), 1, 4, "algorithm.inner.steps=3"),
        (SGD(0.1), 4, 4, "algorithm.order=4 and algorithm.window=4: must be a whole number from 1"),
        (Adam(0.1), 1, None, "needs an inner rule without memory, e.g. sgd"),
        (Prox(0.1), 1, None, "needs an inner rule without memory, e.g. sgd"),
    ],
)
def test_what_a_binomial_estimate_refuses(rule, order, window, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        Binomial(InnerLoop(rule, 3), order, window)


def test_the_hessian_of_a_step() -> None:
    """(I - a H) v is the product that a step's derivative gives."""
    path = Path(InnerLoop(SGD(0.1), 3), PROBLEM, Start(PARAMS, {}), EPISODE)
    v = {name: torch.ones_like(p) for name, p in PARAMS.items()}
    product = path.hessian(1, path.params[1], v)
    wanted = {name: v[name] - 0.1 * product[name] for name in v}
    assert largest_difference(wanted, path.vjp(1, v)) < 1e-14
    assert largest_difference(v, path.first_order(1, v)) == 0
    step = {n: path.params[1][n] - 0.1 * g for n, g in path.gradient(1, path.params[1]).items()}
    assert largest_difference(path.params[2], step) < 1e-14


# --- rules


def test_metasgd_learns_a_rate_for_each_entry() -> None:
    """The parameters' direction is MAML's to the last digit; the rates' is a true derivative."""
    rule = MetaSGD(0.1)
    start = Start(PARAMS | rule.learned(PARAMS), {})
    direction = MAML(InnerLoop(rule, 3)).direction(PROBLEM, start, EPISODE)[0]
    maml = MAML(InnerLoop(SGD(0.1), 3)).direction(PROBLEM, Start(PARAMS, {}), EPISODE)[0]
    assert all(torch.equal(direction[name], maml[name]) for name in PARAMS)
    rates = flat({n: d for n, d in direction.items() if n.startswith("inner/")})
    assert rates.norm().item() == pytest.approx(0.6555993843501778, rel=1e-12)
    assert rates[:2].tolist() == pytest.approx([0.0002203705, 0.0041753270], abs=1e-10)
    assert rates.sum().item() == pytest.approx(1.28582, abs=1e-5)
    first = FOMAML(InnerLoop(rule, 3)).direction(PROBLEM, start, EPISODE)[0]
    plain = FOMAML(InnerLoop(SGD(0.1), 3)).direction(PROBLEM, Start(PARAMS, {}), EPISODE)[0]
    assert largest_difference(plain, {n: first[n] for n in PARAMS}) < 1e-14
    constant = flat({n: d for n, d in first.items() if n.startswith("inner/")})
    assert constant.norm().item() == pytest.approx(0.7295434, abs=1e-7)
    assert ((constant - rates).norm() / rates.norm()).item() == pytest.approx(0.17347591, abs=1e-8)


@pytest.mark.parametrize("execution", EXECUTIONS)
@pytest.mark.parametrize("checkpoint_steps", [None, 2])
def test_learned_rates_in_every_execution(execution: str, checkpoint_steps: int | None) -> None:
    rule, episodes = MetaSGD(0.1), [small_episode(0), small_episode(1)]
    start, inner = Start(PARAMS | rule.learned(PARAMS), {}), InnerLoop(rule, 3)
    run = EXECUTIONS[execution](small_net().module)
    algorithm = MAML(inner, checkpoint_steps)
    found = run.map(
        lambda net, *args: algorithm.direction(Problem(net, REGRESSION), *args)[0],
        (start,),
        episodes,
    )
    for one, episode in zip(found, episodes, strict=True):
        wanted = MAML(inner).direction(PROBLEM, start, episode)[0]
        assert largest_difference(wanted, one) < 1e-14


@pytest.mark.parametrize(
    "make", [Reptile, lambda i: Combination(i, [1, 1]), lambda i: FOMAML(i, direction="last_step")]
)
def test_what_has_no_derivative_by_learned_rates_says_so(make) -> None:
    with pytest.raises(ValueError, match="no derivative by what MetaSGD learns"):
        make(InnerLoop(MetaSGD(0.1), 2))


def test_joint_training_leaves_learned_rates_alone() -> None:
    start = Start(PARAMS | MetaSGD(0.1).learned(PARAMS), {})
    found = Joint(InnerLoop(MetaSGD(0.1), 3)).direction(PROBLEM, start, EPISODE)[0]
    assert not flat({n: d for n, d in found.items() if n.startswith("inner/")}).any()


def test_maml_under_the_sign_is_first_order() -> None:
    inner, start = InnerLoop(Sign(0.05), 3), Start(PARAMS, {})
    found, _, metrics = MAML(inner).direction(PROBLEM, start, EPISODE)
    first = FOMAML(inner).direction(PROBLEM, start, EPISODE)[0]
    assert all(torch.equal(found[name], first[name]) for name in PARAMS)
    assert metrics["loss"].item() == pytest.approx(0.6008678050, abs=1e-10)
    assert flat(found).norm().item() == pytest.approx(0.8871963299, abs=1e-10)


class Quadratic:
    """w.Aw/2 - b.w in the inner loop and |w - c|^2/2 in the outer one, of outputs w."""

    A, B, C = torch.tensor([[2.0, 1.0], [1.0, 3.0]]), torch.tensor([1.0, -1.0]), 0.5

    def inner_loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        a, b = self.A.to(outputs.dtype), self.B.to(outputs.dtype)
        return 0.5 * ((outputs @ a) * outputs).sum(1) - outputs @ b

    def outer_loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return 0.5 * (outputs - self.C).square().sum(1)

    def metrics(self, outputs: Tensor, targets: Tensor) -> Params:
        return {"loss": self.outer_loss(outputs, targets).mean()}


class Weights(torch.nn.Module):
    """Answers with its two weights, whatever is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.w = torch.nn.Parameter(torch.tensor([1.0, 2.0]).double())

    def forward(self, x: Tensor) -> Tensor:
        return self.w.expand(len(x), 2)


def test_prox_is_drawn_back_to_where_the_task_started() -> None:
    net, one = Net(Weights()), torch.zeros(1, 2).double()
    rows = torch.zeros(10, 1, dtype=torch.int64)
    episode = Episode(one, one, one, one, rows)
    problem, start = Problem(net, Quadratic()), Start(net.params(), {})
    inner = InnerLoop(Prox(0.1, lam=2.0), 10)
    adapted = inner.adapt(problem, start, episode).params["w"].tolist()
    assert adapted == pytest.approx([0.6250789887, 0.4781592554], abs=1e-10)
    for algorithm in (MAML(inner), MAML(inner, 3)):
        found = algorithm.direction(problem, start, episode)[0]["w"].tolist()
        assert found == pytest.approx([0.0687946508, -0.0227637209], abs=1e-10)
    plain, none = (
        InnerLoop(r, 3).adapt(PROBLEM, Start(PARAMS, {}), EPISODE).params
        for r in (SGD(0.1), Prox(0.1, lam=0.0))
    )
    assert all(torch.equal(plain[name], none[name]) for name in PARAMS)


@pytest.mark.parametrize("execution", EXECUTIONS)
def test_a_norm_is_that_of_a_tensor_and_not_of_all(execution: str) -> None:
    start, inner = Start(PARAMS, {}), InnerLoop(ClippedSGD(0.1, clip=0.01), 1)
    _, grads = inner.gradient(PROBLEM, PARAMS, PROBLEM.minibatch(EPISODE, EPISODE.batches[0]))
    run = EXECUTIONS[execution](small_net().module)
    episode = EPISODE._replace(batches=EPISODE.batches[:1])

    def adapted(net: Net, start: Start, episode: Episode) -> Params:
        return inner.adapt(Problem(net, REGRESSION), start, episode).params

    (end,) = run.map(adapted, (start,), [episode])
    for name, g in grads.items():
        step = 0.1 * g * min(1.0, 0.01 / g.norm().item())
        torch.testing.assert_close(PARAMS[name] - end[name], step, rtol=1e-9, atol=1e-12)


# --- where a task starts, and who moves what


@pytest.mark.parametrize("head", ["zeros", "mean"])
@pytest.mark.parametrize("make", [MAML, lambda inner: MAML(inner, 2)])
def test_the_derivative_of_where_a_task_starts(head: str, make) -> None:
    inner = InnerLoop(SGD(0.1), 3, head=head)

    def loss(params: Params) -> Tensor:
        end = inner.adapt(PROBLEM, Start(params, {}), EPISODE).params
        return REGRESSION.outer_loss(NET(end, EPISODE.query_x), EPISODE.query_y).mean()

    direction = make(inner).direction(PROBLEM, Start(PARAMS, {}), EPISODE)[0]
    assert largest_difference(finite_differences(loss, PARAMS), direction) < 1e-7


@pytest.mark.parametrize("make", [FOMAML, Reptile, lambda inner: Combination(inner, [1, 0, 1])])
def test_a_first_order_direction_goes_through_the_start(make) -> None:
    """Rows of a head that all start at their mean are told the same; zeros are told nothing."""
    start = Start(PARAMS, {})
    mean = make(InnerLoop(SGD(0.1), 3, head="mean")).direction(PROBLEM, start, EPISODE)[0]
    assert torch.equal(mean["2.weight"][0], mean["2.weight"][1])
    assert mean["2.weight"].any()
    zeros = make(InnerLoop(SGD(0.1), 3, head="zeros")).direction(PROBLEM, start, EPISODE)[0]
    assert not zeros["2.weight"].any()
    assert zeros["0.weight"].any() or make is Reptile


def test_a_task_starts_anew_what_it_brings() -> None:
    fresh = torch.full((2,), 3.0).double()
    episode = EPISODE._replace(extras={"fresh.2.bias": fresh})
    inner = InnerLoop(SGD(0.1), 3, reset=["2.bias"])
    begun = inner.start(PROBLEM, Start(PARAMS, {}), episode).params
    assert torch.equal(begun["2.bias"], fresh)
    assert torch.equal(begun["2.weight"], PARAMS["2.weight"])
    assert not MAML(inner).direction(PROBLEM, Start(PARAMS, {}), episode)[0]["2.bias"].any()


@pytest.mark.parametrize("name", ["2.scale", "0.bias"])
def test_what_a_task_brings_anew_it_must_start_anew(name: str) -> None:
    episode = EPISODE._replace(extras={f"fresh.{name}": torch.zeros(2).double()})
    told = f"algorithm.inner.reset: the tasks bring fresh.{name}, and start no such"
    with pytest.raises(ConfigError, match=re.escape(told)):
        InnerLoop(SGD(0.1), 3, reset=["2.bias"]).start(PROBLEM, Start(PARAMS, {}), episode)


# --- what a network takes, and a learner with all of it


@pytest.mark.parametrize("execution", EXECUTIONS)
def test_prototypes_take_the_support_set(execution: str) -> None:
    """The logits are minus the squared distances to the classes' means, written out."""
    torch.manual_seed(0)
    module = Prototypes(nn.Flatten(), ways=3).double()
    module.scale.data *= 2.0
    episode = image_episode(0, steps=1, size=4)
    run = EXECUTIONS[execution](module)
    setting = Setting(EpisodeSpec(3, 4, 2, 0), PROTOCOLS, (0,))
    inner = InnerLoop(SGD(0.1), 1)
    test = partial(evaluate_task, inner=inner, objective=CLASSIFICATION, setting=setting)
    (found,) = run.map(test, (Start(Net(module).params(), {}),), [episode])
    x, q = episode.support_x.flatten(1), episode.query_x.flatten(1)
    means = torch.stack([x[episode.support_y == c].mean(0) for c in range(3)])
    logits = -2.0 * (q[:, None] - means).square().sum(-1)
    wanted = nn.functional.cross_entropy(logits, episode.query_y).item()
    for protocol in PROTOCOLS:
        assert found[protocol]["loss"].item() == pytest.approx(wanted, rel=1e-10)


@pytest.mark.parametrize("execution", EXECUTIONS)
def test_directly_the_direction_is_the_gradient_of_the_query_loss(execution: str) -> None:
    torch.manual_seed(0)
    module = Prototypes(nn.Sequential(nn.Flatten(), nn.Linear(16, 4), nn.Tanh()), ways=3).double()
    episode, net = image_episode(0, steps=1, size=4), Net(module)
    episode = episode._replace(batches=episode.batches[:0])
    given = Problem(net, CLASSIFICATION).given(episode)

    def loss(params: Params) -> Tensor:
        outputs = net(params, episode.query_x, given)
        return nn.functional.cross_entropy(outputs, episode.query_y)

    def direction(net: Net, start: Start, episode: Episode) -> Any:
        return Direct().direction(Problem(net, CLASSIFICATION), start, episode)

    params = net.params()
    ((found, state, metrics),) = EXECUTIONS[execution](module).map(
        direction, (Start(params, {}),), [episode]
    )
    assert largest_difference(finite_differences(loss, params), found) < 1e-8
    assert state == {}
    assert metrics["loss"].item() == pytest.approx(loss(params).item(), rel=1e-12)


def test_directly_there_is_no_inner_loop() -> None:
    with pytest.raises(ValueError, match=r"algorithm.inner.steps=2: Direct takes no inner step"):
        Direct(InnerLoop(SGD(0.1), 2))
    with pytest.raises(ValueError, match="has no derivative by what MetaSGD learns"):
        Direct(InnerLoop(MetaSGD(0.1), 0))
    assert Direct().gradients(EpisodeSpec(5, 1, 5, 0)) == 1


def test_the_network_of_prototypical_networks() -> None:
    net = ProtoNet(5)
    assert sum(p.numel() for p in net.parameters()) == 111_681
    assert net.encoder(torch.zeros(2, 1, 28, 28)).shape == (2, 64, 1, 1)
    with pytest.raises(ValueError, match=r"model.size=15: four pools leave nothing"):
        ProtoNet(5, size=15)


def test_what_a_task_does_not_bring_is_refused() -> None:
    module = Prototypes(nn.Flatten(), ways=3)
    module.takes = ("support_x", "width")
    with pytest.raises(ConfigError, match=r"Prototypes takes width, .* they have support_x, supp"):
        Problem(Net(module), CLASSIFICATION).support(image_episode())


class Probing:
    """Regression in units that the task brings, which looks at the parameters besides."""

    inner_loss = outer_loss = staticmethod(REGRESSION.inner_loss)

    def metrics(self, outputs: Tensor, targets: Tensor, given: Params) -> Params:
        return {"loss": given["unit"] * REGRESSION.metrics(outputs, targets)["loss"]}

    def probe(self, net: Net, params: Params, episode: Episode) -> Params:
        return {"largest": params["0.weight"].abs().max()}


def test_an_objective_is_given_extras_and_may_probe() -> None:
    episode = EPISODE._replace(extras={"unit": torch.tensor(10.0).double()})
    setting = Setting(EpisodeSpec(1, 6, 4, 3, 2), ("transductive",), (3,))
    how = {"inner": InnerLoop(SGD(0.1), 3), "setting": setting}
    start = Start(PARAMS, {})
    ours = evaluate_task(NET, start, episode, objective=Probing(), **how)["transductive"]
    plain = evaluate_task(NET, start, EPISODE, objective=REGRESSION, **how)["transductive"]
    assert ours["loss"].item() == pytest.approx(10 * plain["loss"].item(), rel=1e-12)
    end = how["inner"].adapt(PROBLEM, start, EPISODE).params
    assert ours["largest"].item() == end["0.weight"].abs().max().item()


def learner(inner: InnerLoop, **outer: Any) -> MetaLearner:
    step = OuterStep(torch.optim.AdamW, lr=0.1, options={"weight_decay": 0.5}, **outer)
    module = small_net().module
    return MetaLearner(
        module,
        MAML(inner),
        REGRESSION,
        step,
        max_meta_iterations=4,
        meta_batch=1,
        execution="serial",
    )


def test_the_outer_step_moves_what_it_is_to_and_nothing_else() -> None:
    inner = InnerLoop(MetaSGD(0.1), 3, fixed=["0.bias"], reset=["2.bias"], frozen=["0.weight"])
    ours = learner(inner, rates={"inner/*": 0.0})
    check_fixed(ours)
    before = {name: p.clone() for name, p in ours.module.state_dict().items()}
    (optimizer,), _ = ours.configure_optimizers()
    direction, ours.state, _ = ours.directions([EPISODE])
    ours.hand_over(direction)
    optimizer.step()
    moved = {n for n, p in ours.module.state_dict().items() if not torch.equal(p, before[n])}
    assert moved == {"0.bias", "2.weight"}
    assert all((p == 0.1).all() for p in ours.learned.by_name().values())
    assert ranges(ours.params())["inner_lr_max"] == pytest.approx(0.1)
    again = learner(inner)
    again.load_state_dict(ours.state_dict())
    assert set(again.params()) == set(direction)


@pytest.mark.parametrize(
    ("lists", "rates", "words"),
    [
        ({"reset": ["3.*"]}, {}, "algorithm.inner.reset=[3.*]: no parameter of the model is"),
        ({"fixed": ["0.*"], "reset": ["0.bias"]}, {}, "both hold 0.bias"),
        ({"reset": ["*"]}, {}, "leaves nothing for the outer step to learn"),
        ({"fixed": ["*"]}, {}, "algorithm.inner.fixed=[*]: nothing is left for a task to learn"),
        ({"frozen": ["*"]}, {}, "algorithm.inner.frozen=[*]: nothing is left for a task to learn"),
        (
            {"fixed": ["0.*"], "frozen": ["2.*"]},
            {},
            "algorithm.inner.fixed=[0.*] and algorithm.inner.frozen=[2.*]: nothing is left",
        ),
        ({}, {"inner/*": 0.1}, "algorithm.outer.rates.inner/*=0.1: the outer step moves nothing"),
    ],
)
def test_lists_that_cannot_be(lists: dict, rates: dict, words: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(words)):
        check_fixed(learner(InnerLoop(SGD(0.1), 3, **lists), rates=rates))


@pytest.mark.parametrize("given", [True, None, 3, "0.*", {"0.*": 1}, [1], b"0.*"])
def test_what_is_no_list_of_names_is_refused(given: Any) -> None:
    for name in ("fixed", "reset", "frozen"):
        with pytest.raises(ValueError, match=rf"^algorithm\.inner\.{name}=.*: must be a list of p"):
            InnerLoop(SGD(0.1), 3, **{name: given})
    assert InnerLoop(SGD(0.1), 3, fixed={"0.*"}).fixed == ("0.*",)  # pyright: ignore[reportArgumentType]


def test_a_cosine_ends_where_a_line_does() -> None:
    step = OuterStep(torch.optim.SGD, lr=2.0, final_lr=0.5, schedule=cosine)
    rates = [2.0 * step.scale(i, of=4) for i in range(5)]
    wanted = [0.5 + 1.5 * (1 + math.cos(math.pi * i / 4)) / 2 for i in range(5)]
    assert rates == pytest.approx(wanted, rel=1e-12)


def test_a_warm_start_goes_up_within_a_tenth() -> None:
    step = OuterStep(torch.optim.SGD, lr=2.0, final_lr=0.0, schedule=warm)
    rates = [step.scale(i, of=100) for i in (0, 5, 10, 55, 100)]
    assert rates == pytest.approx([0.0, 0.5, 1.0, 0.5, 0.0], abs=1e-12)


def test_a_gradient_is_as_long_as_it_may_be() -> None:
    grads = []
    for clip in (None, 1e-3, 1e3):
        ours = learner(InnerLoop(SGD(0.1), 3), clip=clip)
        ours.hand_over(ours.directions([EPISODE])[0])
        grads.append(flat({name: p.grad for name, p in ours.moved().items()}))
    assert grads[1].norm().item() == pytest.approx(1e-3, rel=1e-3)
    torch.testing.assert_close(grads[1] / grads[1].norm(), grads[0] / grads[0].norm())
    assert torch.equal(grads[2], grads[0])


def test_what_starts_anew_must_be_moved() -> None:
    told = (
        "algorithm.inner.reset=[a]: each task starts these anew, and with algorithm.inner.steps=0 "
        "none moves them. Use algorithm.inner.steps=1 or more, or algorithm.inner.frozen"
    )
    with pytest.raises(ValueError, match=re.escape(told)):
        InnerLoop(SGD(0.1), 0, reset=["a"])


def test_each_entry_is_the_mean_over_the_tasks_that_have_it() -> None:
    some = [{"w": torch.tensor([1.0, 0.0, 0.0])}, {"w": torch.tensor([3.0, 4.0, 0.0])}]
    parts = [PerEntry().contribution(d, PROBLEM, EPISODE) for d in some]
    assert PerEntry().apply(total_of(parts), 2)["w"].tolist() == [2.0, 4.0, 0.0]


@dataclass(frozen=True)
class Silent(Reptile):
    """Surrounds its inner loop with a mode of its thread."""

    def direction(self, problem, start, episode):
        with torch.no_grad():
            return super().direction(problem, start, episode)


def test_a_mode_around_an_inner_loop_stays_in_its_thread() -> None:
    some, inner = [small_episode(seed, steps=8) for seed in range(5)], InnerLoop(SGD(0.05), 8)

    def direction(net: Net, start: Start, episode: Episode) -> Params:
        return Silent(inner).direction(Problem(net, REGRESSION), start, episode)[0]

    found = Threads(small_net().module, 2).map(direction, (Start(PARAMS, {}),), some)
    wanted = Serial(small_net().module).map(direction, (Start(PARAMS, {}),), some)
    for one, other in zip(found, wanted, strict=True):
        assert largest_difference(other, one) < 1e-12


def test_a_module_may_ask_to_run_as_it_is() -> None:
    module = small_net().module
    module.programs = False
    assert Net(module, programs=Programs()).programs is None


# --- a rule that remembers more with each gradient


class Heavy(SGD):
    """Steps along the sum of all gradients so far, each of which it keeps under its own name."""

    def step(self, params: Params, grads: Params, state: dict) -> tuple[Params, dict]:
        kept = {**state, f"gradient {len(state)}": grads}
        totals = {n: sum(g[n] for g in kept.values()) for n in params}
        return {n: p - self.lr * totals[n] for n, p in params.items()}, kept


@pytest.mark.parametrize("execution", EXECUTIONS)
def test_a_state_may_grow_with_each_step(execution: str) -> None:
    run, net = EXECUTIONS[execution](small_net().module), small_net()
    episode, inner = small_episode(steps=4), InnerLoop(Heavy(0.05), 4)

    def adapted(net: Net, start: Start, episode: Episode) -> Params:
        return inner.adapt(Problem(net, REGRESSION), start, episode).params

    found, again = run.map(adapted, (Start(net.params(), {}),), [episode, episode])
    wanted, total = net.params(), dict.fromkeys(net.params(), 0.0)
    for batch in episode.batches:
        _, grads = inner.gradient(
            Problem(net, REGRESSION), wanted, Problem(net, REGRESSION).minibatch(episode, batch)
        )
        total = {n: total[n] + grads[n] for n in wanted}
        wanted = {n: p - 0.05 * total[n] for n, p in wanted.items()}
    assert largest_difference(found, wanted) < 1e-10
    assert largest_difference(again, wanted) < 1e-10
