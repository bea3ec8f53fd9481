"""MAML that makes its graph again on the way back has the same direction in less memory."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from fewstep.adapters.gradient import InnerLoop
from fewstep.algorithms.maml import MAML
from fewstep.bench.memory import tensor_peak
from fewstep.config.compose import compose_config, plain
from fewstep.core.net import Net
from fewstep.core.problem import Problem
from fewstep.core.rules import SGD, Adam
from fewstep.core.types import Start
from fewstep.execution.choice import EXECUTIONS
from fewstep.execution.serial import Serial
from fewstep.messages.errors import ConfigError
from fewstep.models import OmniglotConv
from fewstep.records.identity import config_hash
from fewstep.run.construction import assembly
from fewstep.run.stored.checkpoint import same_recipe
from problems import CLASSIFICATION, image_episode, largest_difference


RULES = {"sgd": SGD(0.05), "adam": Adam(0.02)}


def conv() -> torch.nn.Module:
    torch.manual_seed(0)
    return OmniglotConv(3, size=12, channels=4).double()


@pytest.mark.parametrize("execution", EXECUTIONS)
@pytest.mark.parametrize("rule", RULES)
def test_the_direction_is_the_same(execution: str, rule: str) -> None:
    """5 steps in segments of 2, 2 and 1, from an Adam memory that earlier tasks have filled."""
    module, inner = conv(), InnerLoop(RULES[rule], 5)
    params = Net(module).params()
    state = inner.rule.init(params)
    if state:
        state["v"] = {name: v + 1e-3 for name, v in state["v"].items()}
    episodes = [image_episode(seed, steps=5, size=12) for seed in range(2)]

    def run(checkpoint_steps: int | None, execution: type) -> list:
        maml = MAML(inner, checkpoint_steps)
        return execution(module).map(
            lambda net, *args: maml.direction(Problem(net, CLASSIFICATION), *args),
            (Start(params, state),),
            episodes,
        )

    for want, got in zip(run(None, Serial), run(2, EXECUTIONS[execution]), strict=True):
        assert largest_difference(want[0], got[0]) < 1e-10
        assert want[1].keys() == got[1].keys()
        assert want[2]["loss"] == pytest.approx(float(got[2]["loss"]), rel=1e-10)
        if state:
            assert int(want[1]["t"]) == int(got[1]["t"]) == 5
            assert largest_difference(want[1]["v"], got[1]["v"]) < 1e-10


def test_the_direction_goes_through_the_rules_state() -> None:
    """Derivatives by Adam's memory are no rounding: without them it differs."""
    net, inner = Net(conv()), InnerLoop(RULES["adam"], 4)
    params, episode = net.params(), image_episode(0, steps=4, size=12)
    state = inner.rule.init(params)
    whole, _, _ = MAML(inner).direction(Problem(net, CLASSIFICATION), Start(params, state), episode)

    class Forgetful(MAML):
        def _pull_back(self, net, segment, slopes, *rest):
            kept = {n: s if "'v'" not in n else 0 * s for n, s in slopes.items()}
            return super()._pull_back(net, segment, kept, *rest)

    forgetful, _, _ = Forgetful(inner, 1).direction(
        Problem(net, CLASSIFICATION), Start(params, state), episode
    )
    assert largest_difference({"head.weight": whole["head.weight"]}, forgetful) > 1e-6


def peak(steps: int, checkpoint_steps: int | None) -> int:
    net, maml = Net(conv()), MAML(InnerLoop(SGD(0.05), steps), checkpoint_steps)
    params, episode = net.params(), image_episode(0, steps=steps, size=12)
    return tensor_peak(
        lambda: maml.direction(Problem(net, CLASSIFICATION), Start(params, {}), episode),
        torch.device("cpu"),
    )


def test_memory_grows_by_the_parameters_of_a_segment_and_not_by_its_graph() -> None:
    graph = (peak(12, None) - peak(4, None)) / 8
    parameters = sum(p.numel() * p.element_size() for p in conv().parameters())
    kept = (peak(12, 2) - peak(4, 2)) / 8
    assert kept <= parameters / 2  # one copy for every two steps
    assert graph > 10 * parameters


def test_one_segment_of_all_steps_is_refused() -> None:
    config = plain(compose_config("train", ["algorithm=maml", "algorithm.checkpoint_steps=1"]))
    with pytest.raises(ConfigError) as refusal:
        assembly.check(config)
    assert str(refusal.value) == (
        "algorithm.checkpoint_steps=1: must be below algorithm.inner.steps=1, for one segment of "
        "all steps saves no memory. Lower it, or set it to null"
    )


def test_it_does_not_change_what_a_run_is() -> None:
    words = ["algorithm=maml", "algorithm.inner.steps=9"]
    whole, parts = (
        plain(compose_config("train", [*words, f"algorithm.checkpoint_steps={n}"]))
        for n in ("null", 3)
    )
    assert config_hash(whole) == config_hash(parts)
    del whole["algorithm"]["inner"]["fixed"]  # as in a run that is older than the key
    same_recipe(
        assembly.draft(parts),
        {"fewstep": {"config": whole, "meta_iteration": 1}},
        Path("last.ckpt"),
    )
