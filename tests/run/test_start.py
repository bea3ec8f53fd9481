"""`baselines.start`: what a training starts from stands beside what became of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from fewstep.commands import merging
from fewstep.config.compose import compose_config, plain
from fewstep.messages.errors import ConfigError
from fewstep.records.identity import config_hash
from fewstep.run.construction import assembly
from fewstep.run.stored import starting
from fewstep.run.testing import baselines


WORDS = ["dataset.classes=60", "model.channels=4", "trainer=cpu", "baselines.start=true"]


@pytest.fixture(scope="module")
def config() -> dict[str, Any]:
    return plain(compose_config("train", WORDS))


@pytest.fixture(scope="module")
def begun(config: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The same from the weights of a network of another seed."""
    plain_config = {**config, "baselines": {**config["baselines"], "start": False}}
    other = assembly.draft({**plain_config, "seed": 5}).learner.state_dict()
    file: Path = tmp_path_factory.mktemp("start") / "other.ckpt"
    ours = {"config": plain_config, "meta_iteration": 3, "inner_state": {}}
    torch.save({"state_dict": other, "fewstep": ours}, file)
    return {**config, "init": str(file)}


def test_it_needs_weights(config: dict[str, Any]) -> None:
    words = (
        "baselines.start=true: tests the weights that init names, and init=None names none. Give "
        "init=RUN, or use baselines.start=false"
    )
    with pytest.raises(ConfigError, match=re.escape(words)):
        assembly.draft(config)


def test_it_has_the_weights_and_a_random_one_has_not(begun: dict[str, Any]) -> None:
    experiment = assembly.draft(begun)
    wanted = torch.load(begun["init"], weights_only=True)["state_dict"]
    start, random = baselines.as_it_started(experiment), baselines.untrained(experiment)
    assert experiment.start
    assert start.learner is not experiment.learner
    for name, value in wanted.items():
        assert torch.equal(start.learner.state_dict()[name], value)
    assert not torch.equal(
        random.learner.state_dict()["module.head.weight"], wanted["module.head.weight"]
    )


def test_a_run_that_goes_on_keeps_what_it_began_with_for_its_baselines(begun) -> None:
    digest = starting.sha256(begun)["init_sha256"]
    on = {**begun, "resume": "somewhere", "init_sha256": digest}
    weights = starting.for_run(on)
    assert weights is not None
    assert weights.sha256 == digest
    alone = {**on, "baselines": {**on["baselines"], "start": False}}
    assert starting.for_run(alone) is None
    with pytest.raises(ConfigError, match="holds other weights"):
        starting.for_run({**on, "init_sha256": 64 * "0"})


def test_a_run_that_had_it_is_evaluated_without_what_it_began_with(begun, tmp_path: Path) -> None:
    content = torch.load(begun["init"], weights_only=True)
    content["fewstep"]["config"] = {**begun, "init": "gone"}
    torch.save(content, tmp_path / "later.ckpt")
    asked = plain(compose_config("evaluate", [f"checkpoint={tmp_path / 'later.ckpt'}"]))
    base, _ = merging.merged(asked)
    assert assembly.draft(base).init is None


def test_a_run_without_it_has_the_hash_of_before(config: dict[str, Any]) -> None:
    off = {**config, "baselines": {**config["baselines"], "start": False}}
    before = {n: v for n, v in config["baselines"].items() if n != "start"}
    assert config_hash(off) == config_hash({**config, "baselines": before}) != config_hash(config)
