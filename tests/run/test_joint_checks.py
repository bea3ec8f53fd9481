"""The joint baseline is held to what the algorithm beside it is, under its own key."""

from __future__ import annotations

import pytest

from fewstep.algorithms import Algorithm
from fewstep.commands import train
from fewstep.config.compose import compose_config, plain
from fewstep.messages.errors import ConfigError
from fewstep.run.checks.splits import check_train
from fewstep.run.construction import assembly


FEW = ["dataset.classes=60", "trainer=cpu", "execution=serial", "model.channels=2"]
JOINT, MAML = "+algorithm@baselines.joint=joint", "+algorithm@baselines.joint=maml"
WAVES = ["dataset=sine", "trainer=cpu", "execution=threads"]


def refusal(*words: str) -> str:
    with pytest.raises(ConfigError) as caught:
        train.settle(plain(compose_config("train", list(words))))
    return str(caught.value)


def test_its_outer_rates_are_those_of_something() -> None:
    told = refusal(*WAVES, JOINT, "+baselines.joint.outer.rates={nope.*: 0.1}")
    assert told.startswith(
        "baselines.joint.outer.rates.nope.*=0.1: the outer step moves nothing of that name. There "
        "are layers.0.weight, "
    )


@pytest.mark.parametrize("key", ["algorithm", "baselines.joint"])
def test_its_minibatches_are_drawn_from_what_there_is(key: str) -> None:
    batch = ["algorithm.inner.batch_size=20", "shots.train_shots=2"]
    assert refusal(*FEW, JOINT, *batch, f"++{key}.replacement=true") == (
        f"algorithm.inner.batch_size=20: drawn without repeats ({key}.replacement=true), a "
        "minibatch holds at most shots.ways * shots.train_shots = 10 examples. Lower it, or raise "
        "shots.train_shots"
    )


def test_it_has_the_queries_that_it_trains_on() -> None:
    assert refusal(*FEW, MAML) == (
        "shots.queries=0: baselines.joint=maml trains on queries, at least 1 a class. For example "
        "shots.queries=1"
    )
    train.settle(plain(compose_config("train", [*FEW, MAML, "shots.queries=1"])))


def test_its_tasks_are_those_that_a_split_can_fill() -> None:
    words = [*FEW, MAML, "shots.queries=100"]
    told = refusal(*words)
    assert "has 20 images, but shots + queries = 10 + 100 = 110 are needed" in told
    alone = assembly.assemble(plain(compose_config("train", [*FEW, "shots.queries=100"])))
    check_train(alone.splits, alone)


def test_a_round_of_clients_is_a_meta_batch_of_its_own_too() -> None:
    words = ["experiment=harmony", "algorithm=reptile", "meta_batch=5", "trainer=cpu"]
    words += ["algorithm.inner.rule=sgd", "+algorithm@baselines.joint=harmony"]
    experiment = assembly.draft(plain(compose_config("train", words)))
    with pytest.raises(ValueError, match=r"meta_batch=5: a round of harmony has each of the 6 cli"):
        assembly.check_tasks(experiment)


class Broken(Algorithm):
    """An algorithm that cannot find its direction."""

    def __init__(self, inner) -> None:
        self.inner = inner

    def direction(self, problem, start, episode):
        raise RuntimeError("no way")


def test_what_fails_in_it_is_called_by_its_key() -> None:
    words = [*WAVES, JOINT, "baselines.joint._target_=test_joint_checks.Broken"]
    told = refusal(*words)
    assert told.startswith(
        "baselines.joint=test_joint_checks.Broken: its direction fails (RuntimeError: no way, "
    )
    steep = [*WAVES, "+algorithm@baselines.joint=hessian_free", "shots.queries=5"]
    told = refusal(*steep, "algorithm.inner.rule=sgd", "baselines.joint.eps=1e-45")
    assert told.startswith("baselines.joint=hessian_free: its direction for layers.0.weight is no")
    assert "baselines.joint.eps=1e-45. Use" in told
