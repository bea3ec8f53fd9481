"""Queries of a training task that are normalized by its support set, as at meta-test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fewstep.adapters.gradient import InnerLoop
from fewstep.adapters.meta_test import predict
from fewstep.adapters.outer import by_support
from fewstep.algorithms.algorithm import Algorithm
from fewstep.algorithms.direct import Direct
from fewstep.algorithms.fomaml import FOMAML
from fewstep.config.compose import compose_config, plain
from fewstep.core.net import Net
from fewstep.core.problem import Problem
from fewstep.core.rules import SGD, MetaSGD
from fewstep.core.types import Episode, Params, Start
from fewstep.execution.choice import EXECUTIONS
from fewstep.messages.errors import ConfigError
from fewstep.models import MAMLOmniglotConv, OmniglotConv, ProtoNet
from fewstep.records.identity import config_hash
from fewstep.run.construction import assembly
from problems import CLASSIFICATION, image_episode, largest_difference
from tiers import slow_but


WHOLE = InnerLoop(SGD(0.3), 1)
PROTO = replace(WHOLE, head="prototypes")


def fomaml(inner: InnerLoop, **own: Any) -> FOMAML:
    return FOMAML(inner, query_norm="support", **own)


def episodes(batches: int = 1, size: int = 12) -> list[Episode]:
    """Three tasks; each inner minibatch is the whole support set."""
    rows = torch.arange(12)[None].repeat(batches, 1)
    return [image_episode(seed, size=size)._replace(batches=rows) for seed in range(3)]


def directions(algorithm: Algorithm, module: nn.Module, tasks: list[Episode], how: str) -> list:
    """What `direction` says of each task, under an execution."""

    def direction(net: Net, start: Start, episode: Episode) -> Any:
        return algorithm.direction(Problem(net, CLASSIFICATION), start, episode)

    params = Net(module).params()
    start = Start(params | algorithm.inner.rule.learned(params), {})
    return EXECUTIONS[how](module).map(direction, (start,), tasks)


# --- the same by hand: autograd through a forward pass that is written out


def normalized(layer: nn.Module, own: Params, support: Tensor, x: Tensor) -> Tensor:
    """(x - mean) / deviation of the support set, each channel by itself."""
    mean = support.mean((0, 2, 3), keepdim=True)
    variance = ((support - mean) ** 2).mean((0, 2, 3), keepdim=True)
    shape = (1, -1, 1, 1)
    x = (x - mean) / (variance + layer.eps).sqrt()
    return x * own["weight"].view(shape) + own["bias"].view(shape)


def features(layers: nn.Sequential, params: Params, at: str, *inputs: Tensor) -> list[Tensor]:
    """Of support inputs, and of others beside them."""
    for i, layer in enumerate(layers):
        head = f"{at}.{i}."
        own = {n.removeprefix(head): p for n, p in params.items() if n.startswith(head)}
        if isinstance(layer, nn.BatchNorm2d):
            inputs = tuple(normalized(layer, own, inputs[0], x) for x in inputs)
        else:
            inputs = tuple(torch.func.functional_call(layer, own, (x,)) for x in inputs)
    return [x.flatten(1) for x in inputs]


def means(support: Tensor, y: Tensor) -> Tensor:
    return torch.stack([support[y == c].mean(0) for c in range(3)])


def by_hand_directly(module: ProtoNet, params: Params, episode: Episode) -> Tensor:
    inputs = episode.support_x, episode.query_x
    support, queries = features(module.encoder, params, "encoder", *inputs)
    apart = (queries[:, None] - means(support, episode.support_y)[None]).square().sum(-1)
    return F.cross_entropy(-params["scale"] * apart, episode.query_y)


def by_hand(module: OmniglotConv, params: Params, episode: Episode) -> Tensor:
    """The query loss after a step from the prototypes, whose gradient is a constant."""
    inputs = episode.support_x, episode.query_x
    support = features(module.features, params, "features", inputs[0])[0]
    centres = means(support, episode.support_y)
    begun = params | {"head.weight": 2 * centres, "head.bias": -(centres**2).sum(1)}

    def logits(at: Params, which: int) -> Tensor:
        found = features(module.features, at, "features", *inputs)[which]
        return found @ at["head.weight"].T + at["head.bias"]

    here = {n: p.detach().requires_grad_() for n, p in begun.items()}
    loss = F.cross_entropy(logits(here, 0), episode.support_y)
    step = torch.autograd.grad(loss, list(here.values()), materialize_grads=True)
    ends = {n: p - 0.3 * g for (n, p), g in zip(begun.items(), step, strict=True)}
    return F.cross_entropy(logits(ends, 1), episode.query_y)


def gradient(loss: Callable[..., Tensor], module: nn.Module, episode: Episode) -> Params:
    leaves = {n: p.requires_grad_() for n, p in Net(module).params().items()}
    value = loss(module, leaves, episode)
    found = torch.autograd.grad(value, list(leaves.values()), materialize_grads=True)
    return dict(zip(leaves, found, strict=True))


@dataclass(frozen=True)
class Case:
    algorithm: Algorithm
    make: Callable[[], nn.Module]
    loss: Callable[..., Tensor]
    batches: int
    size: int


CASES = {
    "proto_fomaml": Case(
        fomaml(PROTO), lambda: OmniglotConv(3, size=12, channels=4), by_hand, batches=1, size=12
    ),
    "protonet": Case(
        Direct(query_norm="support"),
        lambda: ProtoNet(3, size=16, channels=4),
        by_hand_directly,
        batches=0,
        size=16,
    ),
}


def made(make: Callable[[], nn.Module]) -> Any:
    torch.manual_seed(0)
    return make().double()


@pytest.mark.parametrize("execution", EXECUTIONS)
@pytest.mark.parametrize("name", CASES)
def test_the_gradient_is_that_of_autograd_by_hand(name: str, execution: str) -> None:
    case = CASES[name]
    module, tasks = made(case.make), episodes(case.batches, case.size)
    found = directions(case.algorithm, module, tasks, execution)
    for (direction, _, _), episode in zip(found, tasks, strict=True):
        wanted = gradient(case.loss, module, episode)
        assert wanted.keys() == direction.keys()
        assert largest_difference(wanted, direction) < 1e-10


# --- training and meta-test


@pytest.mark.parametrize("name", CASES)
def test_in_training_a_query_is_answered_as_under_the_support_protocol(name: str) -> None:
    case = CASES[name]
    net, episode = Net(made(case.make)), episodes(case.batches, case.size)[0]
    problem, params = Problem(net, CLASSIFICATION), net.params()
    given = problem.given(episode)
    tested = predict(problem, params, episode, "support")
    for others in (slice(0, 6), slice(0, 1), slice(0, 3)):
        queries = episode.query_x[others]
        trained = by_support(net, params, episode.support_x, queries, given)
        assert torch.allclose(trained, tested[others], rtol=1e-10, atol=1e-12)
    apart = net(params, episode.query_x, given)
    assert not torch.allclose(apart, tested, rtol=1e-2)


@pytest.mark.parametrize("execution", slow_but("serial", of=EXECUTIONS))
def test_other_queries_are_no_part_of_a_loss(execution: str) -> None:
    """The mean of the directions of each query alone is that of all of them together."""
    module, (episode, *_) = made(CASES["protonet"].make), episodes(0, 16)
    algorithm = CASES["protonet"].algorithm
    alone = [
        episode._replace(query_x=episode.query_x[i : i + 1], query_y=episode.query_y[i : i + 1])
        for i in range(len(episode.query_x))
    ]
    ((whole, _, _),) = directions(algorithm, module, [episode], execution)
    each = [direction for direction, _, _ in directions(algorithm, module, alone, execution)]
    mean = {n: torch.stack([d[n] for d in each]).mean(0) for n in whole}
    assert largest_difference(whole, mean) < 1e-10


def test_a_task_takes_one_way_whatever_its_rule_learns_and_runs_under() -> None:
    """Rates that are learned, and a norm whose scale nobody trains."""
    module = made(lambda: MAMLOmniglotConv(3, size=12, channels=4))
    algorithm, tasks = fomaml(InnerLoop(MetaSGD(0.1), 2)), episodes(2)
    first, *others = (directions(algorithm, module, tasks, how) for how in EXECUTIONS)
    for other in others:
        for (one, _, _), (same, _, _) in zip(first, other, strict=True):
            assert largest_difference(one, same) < 1e-10


# --- what stays as it was


UNCHANGED = {
    "proto_fomaml": (
        fomaml(PROTO),
        FOMAML(PROTO),
        lambda: OmniglotConv(3, size=12, channels=8, norm="group"),
        episodes(1),
    ),
    "protonet": (
        Direct(query_norm="support"),
        Direct(),
        lambda: ProtoNet(3, size=16, channels=8, norm="group"),
        episodes(0, 16),
    ),
}


@pytest.mark.parametrize("execution", slow_but("serial", of=EXECUTIONS))
@pytest.mark.parametrize("name", UNCHANGED)
def test_without_batch_norm_nothing_changes(name: str, execution: str) -> None:
    algorithm, before, make, tasks = UNCHANGED[name]
    module = made(make)
    found = directions(algorithm, module, tasks, execution)
    for (one, _, _), (other, _, _) in zip(
        found, directions(before, module, tasks, execution), strict=True
    ):
        assert all(torch.equal(one[n], other[n]) for n in one)


def test_by_default_the_queries_are_one_batch() -> None:
    module, (episode, *_) = made(lambda: OmniglotConv(3, size=12, channels=4)), episodes(1)
    net = Net(module)
    adapted = WHOLE.adapt(Problem(net, CLASSIFICATION), Start(net.params(), {}), episode).params
    leaves = {n: p.detach().requires_grad_() for n, p in adapted.items()}
    loss = F.cross_entropy(net(leaves, episode.query_x), episode.query_y)
    asked = torch.autograd.grad(loss, list(leaves.values()), materialize_grads=True)
    wanted = dict(zip(leaves, asked, strict=True))
    ((found, _, _),) = directions(FOMAML(WHOLE), module, [episode], "serial")
    assert all(torch.equal(found[n], wanted[n]) for n in wanted)


def test_the_network_is_left_as_it_was() -> None:
    module, tasks = made(CASES["protonet"].make), episodes(0, 16)
    net = Net(module)
    direction = CASES["protonet"].algorithm.direction
    direction(Problem(net, CLASSIFICATION), Start(net.params(), {}), tasks[0])
    for layer in module.modules():
        assert "forward" not in vars(layer)
        assert not layer._forward_hooks
    broken = tasks[0]._replace(query_x=tasks[0].query_x[:, :, :3])
    with pytest.raises(RuntimeError):
        direction(Problem(net, CLASSIFICATION), Start(net.params(), {}), broken)
    assert all("forward" not in vars(layer) for layer in module.modules())


# --- what is asked for


def test_a_recipe_of_prototypes_asks_for_it() -> None:
    def asked(*words: str) -> Any:
        return compose_config("train", [*words])["algorithm"]["query_norm"]

    assert asked("algorithm=proto_fomaml") == asked("algorithm=protonet") == "support"
    assert asked("algorithm=fomaml") == "batch"
    hebbian = ["experiment=omniglot_hebbian", "variant=hebbian/convolutions"]
    assert asked(*hebbian) == "batch"


def test_a_run_from_before_is_found_again() -> None:
    config = plain(compose_config("train", ["algorithm=fomaml"]))
    older = {n: v for n, v in config["algorithm"].items() if n != "query_norm"}
    assert config_hash(config) == config_hash({**config, "algorithm": older})
    other = {**config["algorithm"], "query_norm": "support"}
    assert config_hash(config) != config_hash({**config, "algorithm": other})


NEEDS = "algorithm.query_norm=support: is of the query set's loss, and "
UNKNOWN = "algorithm.query_norm=own: must be one of batch, support. For example "
UNKNOWN += "algorithm.query_norm=support"
REFUSED = {
    "algorithm=fomaml algorithm.query_norm=own": UNKNOWN,
    "algorithm=protonet algorithm.query_norm=own": UNKNOWN,
    "algorithm=proto_fomaml algorithm.tail=cycle": NEEDS
    + "algorithm.tail=cycle takes none. Use algorithm.tail=separate, or "
    "algorithm.query_norm=batch",
    "algorithm=fomaml algorithm.query_norm=support algorithm.direction=last_step": NEEDS
    + "algorithm.direction=last_step takes none. Use algorithm.direction=gradient, or "
    "algorithm.query_norm=batch",
    "algorithm=protonet +model.norm=layer": "model.norm=layer: must be one of batch, group",
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_cannot_be_is_refused_in_one_line(words: str) -> None:
    config = plain(compose_config("train", words.split()))
    with pytest.raises(ConfigError) as told:
        assembly.check(config)
    assert str(told.value) == REFUSED[words]
