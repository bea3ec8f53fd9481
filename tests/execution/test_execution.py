"""Every way of running the tasks gives the same results, in float64 to 1e-10."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import cache, partial
from itertools import product
from typing import Any

import pytest
import torch
from torch import nn

from fewstep.adapters.gradient import InnerLoop
from fewstep.adapters.meta_test import Setting, evaluate_task
from fewstep.algorithms import Algorithm
from fewstep.algorithms.fomaml import FOMAML
from fewstep.algorithms.maml import MAML
from fewstep.config.limits import PROTOCOLS
from fewstep.core.net import Net
from fewstep.core.problem import Problem
from fewstep.core.rules import SGD
from fewstep.core.types import EpisodeSpec, Start
from fewstep.execution.base import Execution
from fewstep.execution.choice import EXECUTIONS, make_execution
from fewstep.execution.serial import Serial
from fewstep.execution.threads import Threads
from fewstep.models import SineMLP
from problems import (
    ALGORITHMS,
    CLASSIFICATION,
    DEAR,
    NETWORKS,
    REGRESSION,
    RULES,
    largest_difference,
    network_episodes,
    runs_under,
    small_episode,
)


SHIPPED = {
    **ALGORITHMS,
    "fomaml cycle last_step": lambda inner: FOMAML(inner, "cycle", "last_step"),
}
LATE = {*DEAR, "fomaml cycle last_step"}
MODELS = {**NETWORKS, "mlp": lambda: nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 2))}
OTHERS = [name for name in EXECUTIONS if name != "serial"]


@cache
def module_of(model: str) -> nn.Module:
    torch.manual_seed(0)
    return MODELS[model]().double()


@cache
def running(execution: str, model: str) -> Execution:
    """An execution of a network, with the programs that earlier tests had it write: what those of
    one algorithm or rule hold must not be what those of another find."""
    return EXECUTIONS[execution](module_of(model))


def episodes(model: str) -> list:
    if model == "mlp":
        return [small_episode(seed, steps=3) for seed in range(5)]
    return network_episodes(model)


def ways() -> Iterator[Any]:
    """Every algorithm under every rule, on every network, in every execution.

    Programs that are dear to write are for the slow tests; `test_directions_of_mamls_own_network`
    writes one of them every day, and what a tail that comes again does to a program is seen on the
    perceptron, as what a convolution does is with the tails of FOMAML by itself.
    """
    models = [name for name in MODELS if name != "maml omniglot"]
    for way in product(SHIPPED, RULES, models, OTHERS):
        algorithm, rule, model, execution = way
        late = algorithm in LATE and model != "mlp" and execution == "threads"
        if runs_under(algorithm, rule):
            yield pytest.param(*way, id="-".join(way), marks=[pytest.mark.slow] if late else [])


@pytest.mark.parametrize(("algorithm", "rule", "model", "execution"), list(ways()))
def test_directions(algorithm: str, rule: str, model: str, execution: str) -> None:
    # A tail takes a minibatch more, and to write a program of three MAML steps takes seconds.
    steps = 2 if algorithm in ("fomaml cycle last_step", "maml") else 3
    check_directions(execution, model, SHIPPED[algorithm](InnerLoop(RULES[rule], steps)))


@pytest.mark.parametrize("threads", [1, 2, 3, 4])
@pytest.mark.parametrize("tasks", [1, 5, 7])
def test_threads_give_the_same_however_the_tasks_divide(tasks: int, threads: int) -> None:
    module = module_of("mlp")
    reptile, params = SHIPPED["reptile"](InnerLoop(SGD(0.05), 8)), Net(module).params()
    some = [small_episode(seed, steps=8) for seed in range(tasks)]

    def direction(net: Net, params, episode):
        return reptile.direction(Problem(net, REGRESSION), Start(params, {}), episode)[0]

    wanted = Serial(module).map(direction, (params,), some)
    found = Threads(module, threads).map(direction, (params,), some)
    for want, got in zip(wanted, found, strict=True):
        assert largest_difference(want, got) < 1e-14


def test_a_task_that_a_thread_left_keeps_its_network_to_itself() -> None:
    execution, begun, third = Threads(SineMLP(), 2), [], threading.Event()

    def task(net: Net, episode) -> bool:
        assert torch.is_grad_enabled()
        begun.append(net)
        if len(begun) == 3:
            third.set()

        def steps() -> Iterator[bool]:
            yield False
            # The calling thread stays in its first task until the other one has left one of its
            # own and begun the next: three tasks are under way.
            yield third.wait(10)

        return net.follow(steps(), 2)

    with torch.no_grad():  # which is the calling thread's own affair
        assert execution.map(task, (), [small_episode()] * 3) == [True] * 3
    assert len(set(map(id, begun))) == 3


@pytest.mark.parametrize("execution", OTHERS)
@pytest.mark.parametrize("algorithm", [FOMAML, pytest.param(MAML, marks=pytest.mark.slow)])
def test_directions_of_mamls_own_network(execution: str, algorithm: Callable) -> None:
    # One step has the second derivatives of convolutions, in a program that takes seconds to write
    # for each step; how steps follow each other is seen on the perceptron.
    inner = InnerLoop(RULES["sgd"], 1, fixed=["features.1.*", "features.4.bias"])
    check_directions(execution, "maml omniglot", algorithm(inner))


def check_directions(execution: str, model: str, strategy: Algorithm) -> None:
    module = module_of(model)
    task = REGRESSION if model == "mlp" else CLASSIFICATION
    params = Net(module).params()
    state = strategy.inner.rule.init(params)
    if state:
        state["v"] = {name: v + 1e-3 for name, v in state["v"].items()}

    def direction(net: Net, params, state, episode):
        return strategy.direction(Problem(net, task), Start(params, state), episode)

    reference = Serial(module).map(direction, (params, state), episodes(model))
    ours = running(execution, model).map(direction, (params, state), episodes(model))
    for (want, want_state, want_log), (got, got_state, got_log) in zip(
        reference, ours, strict=True
    ):
        assert largest_difference(want, got) < 1e-10
        assert want_log.keys() == got_log.keys()
        torch.testing.assert_close(want_log["loss"], got_log["loss"], rtol=1e-10, atol=0)
        if state:
            assert int(want_state["t"]) == int(got_state["t"])
            assert largest_difference(want_state["v"], got_state["v"]) < 1e-10


@pytest.mark.parametrize("execution", OTHERS)
@pytest.mark.parametrize("model", MODELS)
def test_evaluation(execution: str, model: str) -> None:
    module, inner = module_of(model), InnerLoop(SGD(0.05), 3)
    objective = REGRESSION if model == "mlp" else CLASSIFICATION
    setting = Setting(EpisodeSpec(3, 4, 2, 3, 4), PROTOCOLS, (0, 1, 3))
    shared = (Start(Net(module).params(), {}),)
    evaluate = partial(evaluate_task, inner=inner, objective=objective, setting=setting)
    reference = Serial(module).map(evaluate, shared, episodes(model))
    ours = running(execution, model).map(evaluate, shared, episodes(model))
    for want, got in zip(reference, ours, strict=True):
        for protocol in PROTOCOLS:
            for name, values in want[protocol].items():
                torch.testing.assert_close(values, got[protocol][name], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("execution", OTHERS)
def test_evaluation_by_copies(execution: str) -> None:
    module, inner = module_of("omniglot"), InnerLoop(SGD(0.05), 1)
    setting = Setting(EpisodeSpec(3, 4, 2, 1, 4), PROTOCOLS, (1,), shift=1)
    shared = (Start(Net(module).params(), {}),)
    evaluate = partial(evaluate_task, inner=inner, objective=CLASSIFICATION, setting=setting)
    some = [episode._replace(batches=episode.batches[:1]) for episode in episodes("omniglot")[:2]]
    reference = Serial(module).map(evaluate, shared, some)
    ours = running(execution, "omniglot").map(evaluate, shared, some)
    for want, got in zip(reference, ours, strict=True):
        for protocol in PROTOCOLS:
            torch.testing.assert_close(
                got[protocol]["loss"], want[protocol]["loss"], rtol=1e-10, atol=0
            )


@pytest.mark.parametrize("execution", EXECUTIONS)
def test_total_is_the_sum_over_tasks_in_the_types_of_its_parts(execution: str) -> None:
    def found(net: Net, factor, episode):
        return {"x": factor * episode.support_x.sum(0), "one": (factor.new_ones((), dtype=int),)}

    some = [small_episode(seed) for seed in range(5)]
    factor = torch.tensor(2.0).double()
    total = EXECUTIONS[execution](SineMLP()).total(found, (factor,), some)
    want = 2 * torch.stack([episode.support_x.sum(0) for episode in some]).sum(0)
    torch.testing.assert_close(total["x"], want, rtol=1e-14, atol=1e-14)
    assert total["one"][0] == 5
    assert total["one"][0].dtype == torch.int64


@pytest.mark.parametrize("execution", ["serial", "threads"])
def test_tasks_are_added_in_their_order_and_change_nothing(execution: str) -> None:
    values = [torch.full((2,), x) for x in (1e8, 1.0, -1e8)]
    some = [small_episode()._replace(support_x=value) for value in values]
    total = EXECUTIONS[execution](SineMLP()).total(lambda net, e: [e.support_x], (), some)
    assert total[0].tolist() == [float(torch.tensor(1e8) + 1 - 1e8)] * 2  # 1 is lost, as in order
    assert values[0].tolist() == [1e8, 1e8]


def test_threads_give_back_what_a_task_raises() -> None:
    def broken(net: Net, episode):
        raise ValueError("task 3 is impossible")

    with pytest.raises(ValueError, match="task 3 is impossible"):
        Threads(SineMLP()).map(broken, (), [small_episode()])


def test_unknown_execution() -> None:
    with pytest.raises(ValueError, match="execution='gpu': must be one of auto, serial, threads"):
        make_execution("gpu", SineMLP(), torch.device("cpu"))


def test_tasks_whose_answers_have_other_names_are_not_added_up() -> None:
    """In another order they would be, each to another one."""
    orders = iter([("loss", "acc"), ("acc", "loss")])

    def answer(net, episode):
        return {name: torch.ones(()) for name in next(orders)}

    execution = Serial(SineMLP())
    with pytest.raises(ValueError, match="have other names, or names in another order, for one"):
        execution.total(answer, (), [small_episode(), small_episode()])
