"""What a network may hold: each kind computes what a plain loop does, and does so again."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from omegaconf import OmegaConf
from torch import nn
from torch.func import functional_call

from fewstep.adapters.gradient import InnerLoop
from fewstep.adapters.meta_test import Setting, evaluate_task
from fewstep.algorithms.fomaml import FOMAML
from fewstep.algorithms.maml import MAML
from fewstep.algorithms.reptile import Reptile
from fewstep.config.compose import compose_config
from fewstep.config.limits import PROTOCOLS, check_training
from fewstep.core.contents import check_contents
from fewstep.core.net import Net
from fewstep.core.problem import Problem
from fewstep.core.rules import SGD, Adam, place_state
from fewstep.core.traits import PLAIN, traits_of
from fewstep.core.types import Episode, EpisodeSpec, Params, Start
from fewstep.execution.base import Execution
from fewstep.execution.choice import make_execution
from fewstep.execution.serial import Serial
from fewstep.execution.threads import Threads
from fewstep.messages.errors import ConfigError
from fewstep.run import training
from fewstep.run.construction import assembly
from fewstep.run.testing import tested
from networks import LARGE, NETWORKS, REFUSED, SIZE, TRIED, Counting, named
from problems import CLASSIFICATION, REGRESSION
from tiers import slow_but


DRAW = {"dropout", "alpha dropout", "rrelu", "noise of three kinds", "dropout always"}
DRAW |= {"attention with dropout", "dropout for one size"}
WRITE = {"buffer written", "buffer replaced", "attributes written", "pruned", "old weight norm"}
WRITE |= {"spectral norm", "attributes deep inside written"}
RUNS = [
    *slow_but("dropout", of=sorted(NETWORKS)),
    *(pytest.param(n, marks=pytest.mark.long) for n in sorted(LARGE)),
]
CPU = torch.device("cpu")
ROUNDING = {"attention", "attention with dropout", "batch norm", "instance norm"}
"""They hold biases whose gradient is rounding, of which Adam makes whole steps (trap 20)."""


def network(name: str) -> nn.Module:
    torch.manual_seed(0)
    return named(name, ways=3)


def episode(i: int, steps: int = 3) -> Episode:
    """A 3-way task: 9 support images, 6 queries."""
    g = torch.Generator().manual_seed(i)
    x = torch.rand(15, 1, SIZE, SIZE, generator=g)
    y = torch.arange(15) % 3
    rows = torch.stack([torch.randperm(9, generator=g)[:4] for _ in range(steps)])
    return Episode(x[:9], y[:9], x[9:], y[9:], rows, torch.tensor(1000 + i))


def first_dtype(module: nn.Module) -> torch.dtype:
    return next(p.dtype for p in module.parameters() if p.requires_grad)


def episodes(module: nn.Module, n: int = 4) -> list[Episode]:
    dtype = first_dtype(module)
    some = [episode(i) for i in range(n)]
    return [e._replace(support_x=e.support_x.to(dtype), query_x=e.query_x.to(dtype)) for e in some]


def as_today(module: nn.Module) -> nn.Module:
    """Norms with the statistics of their batch, which is what this package says of them."""
    for layer in module.modules():
        if hasattr(layer, "track_running_stats"):
            layer.track_running_stats = False
            layer.running_mean = layer.running_var = layer.num_batches_tracked = None
    return module


def plain_loop(module: nn.Module, task: Episode, lr: float) -> tuple[Params, Params]:
    """Adapted parameters and the query gradient there, by PyTorch alone on a fresh copy."""
    module = as_today(module).train()
    params = {n: p.detach().clone() for n, p in module.named_parameters() if p.requires_grad}

    def gradient(x, y):
        leaves = {n: p.detach().requires_grad_() for n, p in params.items()}
        loss = nn.functional.cross_entropy(functional_call(module, leaves, (x,)), y)
        found = torch.autograd.grad(loss, list(leaves.values()), materialize_grads=True)
        return dict(zip(leaves, found, strict=True))

    for rows in task.batches:
        slopes = gradient(task.support_x[rows], task.support_y[rows])
        params = {n: p - lr * slopes[n] for n, p in params.items()}
    return params, gradient(task.query_x, task.query_y)


class Known(NamedTuple):
    """A network, four tasks for it, and the execution that suits it."""

    module: nn.Module
    tasks: list[Episode]
    run: Execution


@cache
def known(name: str) -> Known:
    """One for all tests of a network: its programs are written once, and whatever ran before,
    every test is to find what it would find in a fresh one."""
    module = network(name)
    tasks = episodes(module)
    return Known(module, tasks, chosen(module, tasks))


def chosen(module: nn.Module, tasks: list[Episode], name: str = "auto") -> Execution:
    """The execution of a module, which keeps the programs that it has written."""
    return make_execution(name, module, CPU, tasks[0])


def directions(module: nn.Module, algorithm: Any, tasks: list[Episode], run: Execution) -> list:
    """What each task says, in an execution of the module."""
    params = Net(module).params()
    state = algorithm.inner.rule.init(params)

    def direction(net: Net, params: Params, task: Episode) -> Params:
        return algorithm.direction(Problem(net, CLASSIFICATION), Start(params, state), task)[0]

    return run.map(direction, (params,), tasks)


def assert_close(found: Params, expected: Params, tolerance: float = 1e-5) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name].dtype == value.dtype, name
        loose = 100 * tolerance if value.dtype == torch.bfloat16 else tolerance
        torch.testing.assert_close(found[name], value, rtol=1e3 * loose, atol=loose, msg=name)


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_what_a_network_does_is_found_by_trying(name):
    module = network(name)
    (task,) = episodes(module, 1)
    found = traits_of(Net(module).module, [task.support_x[task.batches[0]]])
    assert (found.draws, found.writes) == (name in DRAW, name in WRITE)


def _x(module: nn.Module) -> torch.Tensor:
    return episodes(module, 1)[0].support_x


@pytest.mark.parametrize("name", sorted(NETWORKS.keys() - DRAW))
def test_a_task_computes_what_a_plain_loop_does(name):
    """Reptile's adapted parameters and FOMAML's query gradient, against `functional_call`."""
    (module, tasks, run), inner = known(name), InnerLoop(SGD(0.05), 3)
    reptile = directions(module, Reptile(inner), tasks, run)
    fomaml = directions(module, FOMAML(inner), tasks, run)
    for task, moved, slope in zip(tasks, reptile, fomaml, strict=True):
        module = network(name)
        start = {n: p.detach().clone() for n, p in module.named_parameters() if p.requires_grad}
        adapted, expected = plain_loop(module, task, lr=0.05)
        assert_close(moved, {n: start[n] - adapted[n] for n in start})
        assert_close(slope, expected, 1e-4)


@pytest.mark.parametrize("rule", [SGD(0.05), Adam(0.01)], ids=["sgd", "adam"])
@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_tasks_know_nothing_of_each_other(name, rule):
    """Whatever the order, the threads, or what ran before."""
    if isinstance(rule, Adam) and name in ROUNDING:
        rule = Adam(0.01, eps=1e-3)
    (module, tasks, run), reptile = known(name), Reptile(InnerLoop(rule, 3))
    alone = network(name)
    there = directions(module, reptile, tasks, run)
    back = directions(module, reptile, tasks[::-1], run)[::-1]
    one = directions(alone, reptile, tasks[:1], chosen(alone, tasks, "serial"))
    for mine, other in zip(there, back, strict=True):
        assert_close(mine, other, 1e-5)
    assert_close(there[0], one[0], 1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_the_module_itself_is_as_it_was(name):
    """Frozen parameters, buffers and what is saved; the queries are answered without a trace."""
    before = as_today(network(name)).state_dict()
    (module, tasks, run), inner = known(name), InnerLoop(SGD(0.05), 3)
    directions(module, FOMAML(inner), tasks, run)
    measure(module, tasks, run)
    now = module.state_dict()
    assert all(torch.equal(before[n], now[n]) for n in before)


def measure(
    module: nn.Module, tasks: list[Episode], run: Execution, points: tuple[int, ...] = (0, 1, 3)
) -> list:
    """Meta-test's figures in both protocols."""
    setting = Setting(EpisodeSpec(3, 3, 2, 3, 4), PROTOCOLS, points)
    inner, params = InnerLoop(SGD(0.05), 3), Net(module).params()

    def one(net: Net, params: Params, task: Episode):
        return evaluate_task(
            net, Start(params, {}), task, inner=inner, objective=CLASSIFICATION, setting=setting
        )

    return run.map(one, (params,), tasks)


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_the_curve_changes_nothing_that_comes_after_it(name):
    """The last point is the same whether or not queries were answered on the way."""
    module, tasks, run = known(name)
    whole, last = measure(module, tasks, run), measure(module, tasks, run, (3,))
    for a, b in zip(whole, last, strict=True):
        for protocol in PROTOCOLS:
            torch.testing.assert_close(a[protocol]["loss"][-1:], b[protocol]["loss"])


def test_noise_is_off_when_queries_are_answered():
    """At zero steps a network with dropout answers as the one without."""
    tasks = episodes(network("dropout"))
    with_it, without = network("dropout"), network("dropout")
    without[3] = nn.Identity()
    both = (measure(module, tasks, chosen(module, tasks)) for module in (with_it, without))
    for a, b in zip(*both, strict=True):
        assert float(a["inductive"]["loss"][0]) == pytest.approx(float(b["inductive"]["loss"][0]))


def test_noise_hangs_on_the_key_of_the_task_and_on_the_step():
    module, (task, *_) = network("dropout"), episodes(network("dropout"))
    reptile = Reptile(InnerLoop(SGD(0.05), 3))
    other = task._replace(key=torch.tensor(7))
    run = chosen(module, [task])
    here, there, again = directions(module, reptile, [task, other, task], run)
    assert_close(here, again, 1e-9)
    assert not torch.equal(here["4.weight"], there["4.weight"])

    net = Net(module, traits=traits_of(module, [task.support_x])).begin(task)
    first, second = (net(net.params(), task.support_x) for _ in range(2))
    assert not torch.equal(first, second)


def test_random_numbers_outside_are_left_alone():
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    module = network("dropout")
    run = chosen(module, [episode(0)])
    directions(module, Reptile(InnerLoop(SGD(0.05), 3)), [episode(0)], run)
    torch.manual_seed(3)
    module, tasks = network("noise of three kinds"), episodes(network("dropout"), 2)
    torch.manual_seed(3)
    run = make_execution("auto", module, CPU, tasks[0])
    torch.manual_seed(3)
    run.map(lambda net, task: net(net.params(), task.support_x), (), tasks)
    assert torch.equal(torch.rand(2), expected)


@pytest.mark.parametrize("name", ["dropout", "buffer written", "attributes written", "tied"])
def test_segments_on_the_way_back_see_the_same_noise_and_memory(name):
    """MAML with and without `checkpoint_steps`."""
    module, inner = network(name), InnerLoop(SGD(0.05), 3)
    tasks = episodes(module, 2)
    run = chosen(module, tasks)
    whole = directions(module, MAML(inner), tasks, run)
    parts = directions(module, MAML(inner, checkpoint_steps=1), tasks, run)
    for a, b in zip(whole, parts, strict=True):
        assert_close(a, b, 1e-5)


@pytest.mark.parametrize("name", ["tied", "frozen vector", "buffers read", "lstm", "batch norm"])
def test_plain_networks_run_in_threads(name):
    module = network(name)
    run = make_execution("auto", module, CPU, episodes(module, 1)[0])
    assert isinstance(run, Threads)
    assert run.traits == PLAIN


@pytest.mark.parametrize("name", ["dropout", "buffer written"])
def test_networks_that_draw_or_write_run_one_task_after_another(name):
    module = network(name)
    assert isinstance(make_execution("threads", module, CPU, episodes(module, 1)[0]), Serial)
    with pytest.raises(ValueError, match=r"execution=vmap: .* Use execution=auto"):
        make_execution("vmap", module, CPU, episodes(module, 1)[0])


def test_a_forward_that_writes_into_parameters_is_refused():
    class Renormalizing(nn.Linear):
        def forward(self, x):
            self.weight.data /= 2
            return super().forward(x.flatten(1))

    with pytest.raises(ValueError, match="Renormalizing writes into its parameters in forward"):
        make_execution("auto", Renormalizing(SIZE * SIZE, 3), CPU, episode(0))


@pytest.mark.parametrize("network", TRIED, ids=lambda network: network.__name__)
def test_what_is_found_by_trying_is_refused_by_name(network):
    with pytest.raises(ConfigError, match=re.escape(TRIED[network])):
        make_execution("auto", network(3), CPU, episode(0))


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_is_refused_is_named(name):
    make, words = REFUSED[name]
    with pytest.raises(ValueError, match=re.escape(words)) as caught:
        check_contents(make())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", sorted(NETWORKS.keys() | LARGE.keys()))
def test_what_is_accepted_is_accepted(name):
    check_contents(network(name))


# --- whole runs


WORDS = [
    "trainer=cpu",
    "dataset.classes=60",
    f"dataset.size={SIZE}",
    "~model.in_channels",
    "~model.size",
    "~model.channels",
    "model._target_=networks.named",
    "shots.ways=3",
    "meta_batch=2",
    "algorithm.inner.steps=2",
    "algorithm.outer.final_lr=null",
    "log_every=1",
    "eval.tasks=4",
    "eval.steps=2",
    "eval.curve_tasks=2",
    "eval.val_every=null",
    "checkpoint_every=2",
]


def config_of(name: str, *more: str) -> dict:
    words = [*WORDS, f"+model.name='{name}'", *more]
    return OmegaConf.to_container(compose_config("train", words), resolve=True)


def figures(report: dict) -> list[dict]:
    return [{n: entry[n] for n in ("protocol", "acc", "loss")} for entry in report["results"]]


@pytest.mark.parametrize("name", RUNS)
def test_a_run_a_resume_and_an_evaluation_agree(name, tmp_path):
    """`evaluate` repeats the test of the training, a resume ends as the undisturbed run."""
    whole, parts, again = (tmp_path / folder for folder in ("whole", "parts", "again"))
    for folder in (whole, parts, again):
        folder.mkdir()
    full = training.train(assembly.assemble(config_of(name, "max_meta_iterations=4")), whole, "")
    training.train(assembly.assemble(config_of(name, "max_meta_iterations=2")), parts, "")
    rest = config_of(name, "max_meta_iterations=4") | {"resume": str(parts)}
    assert figures(training.train(assembly.assemble(rest), parts, "")) == figures(full)
    last = whole / "checkpoints" / "last.ckpt"
    config = config_of(name, "max_meta_iterations=4")
    experiment = assembly.assemble(config)
    whole_test = tested.Tested(experiment.splits, "test")
    assert figures(training.evaluate(experiment, last, again, "", whole_test)) == figures(full)
    assert_same_tensors(last, parts / "checkpoints" / "last.ckpt")


def assert_same_tensors(one: Path, other: Path) -> None:
    a, b = (torch.load(path, weights_only=True)["state_dict"] for path in (one, other))
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_weight_decay_leaves_frozen_parameters_alone(tmp_path):
    more = ["max_meta_iterations=2", "+algorithm.outer.options.weight_decay=0.5"]
    training.train(assembly.assemble(config_of("frozen features", *more)), tmp_path, "")
    trained = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    torch.manual_seed(0)
    start = named("frozen features", 3).state_dict()
    assert torch.equal(trained["module.1.weight"], start["1.weight"])
    assert not torch.equal(trained["module.3.weight"], start["3.weight"])


def test_the_checkpoint_keeps_the_buffers_of_the_module(tmp_path):
    training.train(
        assembly.assemble(config_of("buffer written", "max_meta_iterations=2")), tmp_path, ""
    )
    trained = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    assert float(trained["module.seen"]) == float(Counting(3).seen) == 0


# --- figures and precisions


def test_figures_of_a_narrow_network_are_not_rounded():
    """Two of three right is 0.6667, which bfloat16 calls 0.668."""
    outputs = torch.eye(3, dtype=torch.bfloat16)
    found = CLASSIFICATION.metrics(outputs, torch.tensor([0, 1, 1]))
    assert float(found["acc"]) == pytest.approx(2 / 3, abs=1e-6)
    assert found["loss"].dtype == torch.float32
    narrow = REGRESSION.metrics(torch.full((3, 1), 0.1, dtype=torch.bfloat16), torch.zeros(3, 1))
    assert narrow["loss"].dtype == torch.float32


def test_the_state_of_the_rule_follows_each_parameter():
    params = {"a": torch.zeros(2), "b": torch.zeros(2, dtype=torch.float64)}
    wide = {"v": {n: torch.ones(2, dtype=torch.float64) for n in params}, "t": torch.tensor(3)}
    placed = place_state(wide, params)
    assert [placed["v"][n].dtype for n in "ab"] == [torch.float32, torch.float64]
    assert placed["t"].dtype == torch.int64


def test_mixed_precision_says_why_not():
    with pytest.raises(ConfigError, match=r"trainer\.precision=bf16-mixed: must be one of 32, 64 "):
        check_training(config_of("tied", "trainer.precision=bf16-mixed"))
