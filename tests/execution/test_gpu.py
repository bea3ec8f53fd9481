"""On a GPU: recordings and `vmap` against one task after another, and whole runs against the CPU.

Left out where there is none; `make test-gpu` runs them.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import torch
from torch.utils import _pytree as pytree

from fewstep.adapters.gradient import InnerLoop
from fewstep.adapters.meta_test import Setting, evaluate_task
from fewstep.algorithms.combination import Combination
from fewstep.algorithms.maml import MAML
from fewstep.algorithms.reptile import Reptile
from fewstep.commands.train import main
from fewstep.config.limits import PROTOCOLS
from fewstep.core.net import Net
from fewstep.core.rules import SGD, Adam
from fewstep.core.types import Episode, EpisodeSpec, Start
from fewstep.execution.choice import EXECUTIONS, make_execution
from fewstep.execution.meta_batch import MetaBatch
from fewstep.execution.serial import Serial
from fewstep.execution.vmap import Vmap
from fewstep.models import OmniglotConv
from fewstep.programs.library import Programs
from fewstep.programs.recording import record
from problems import (
    ALGORITHMS,
    CLASSIFICATION,
    NETWORKS,
    RULES,
    image_episode,
    largest_difference,
    network_episodes,
)


pytestmark = pytest.mark.gpu
GPU = torch.device("cuda")
ON_GPU = {**ALGORITHMS, "maml in segments": lambda inner: MAML(inner, 2)}


@pytest.fixture(autouse=True)
def no_program_is_refused() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*runs without a program.*")
        yield


def module_of(model: str) -> torch.nn.Module:
    torch.manual_seed(0)
    module = NETWORKS[model]().double().to(GPU)
    return module.to(memory_format=torch.channels_last)


def episodes(model: str) -> list[Episode]:
    return pytree.tree_map(lambda field: field.to(GPU), network_episodes(model))


@pytest.mark.parametrize("state", ["carry", "reset", "sequential"])
@pytest.mark.parametrize("model", NETWORKS)
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("algorithm", ON_GPU)
def test_directions(algorithm: str, rule: str, model: str, state: str) -> None:
    module, strategy = module_of(model), ON_GPU[algorithm](InnerLoop(RULES[rule], 3))
    if not isinstance(strategy, Combination):
        strategy = ON_GPU[algorithm](InnerLoop(RULES[rule], 3, state=state))
    params = Net(module).params()
    memory = strategy.inner.rule.init(params)
    if memory:
        memory["v"] = {name: v + 1e-3 for name, v in memory["v"].items()}
    batch = MetaBatch(strategy, CLASSIFICATION)
    run = partial(batch.total, start=Start(params, memory), episodes=episodes(model))
    want, want_memory, _ = run(Serial(module))
    vmap = Vmap(module)
    for _ in range(3):  # as it is, recorded, and launched from the recording
        got, got_memory, _ = run(vmap)
        assert largest_difference(want, got) < 1e-10
        if memory and state != "reset":
            assert torch.equal(want_memory["t"], got_memory["t"])
            assert largest_difference(want_memory["v"], got_memory["v"]) < 1e-10


@pytest.mark.parametrize("model", NETWORKS)
def test_evaluation(model: str) -> None:
    module = module_of(model)
    setting = Setting(EpisodeSpec(3, 4, 2, 3, 4), PROTOCOLS, (0, 1, 3))
    evaluate = partial(
        evaluate_task, inner=InnerLoop(SGD(0.05), 3), objective=CLASSIFICATION, setting=setting
    )
    shared = (Start(Net(module).params(), {}),)
    reference = Serial(module).map(evaluate, shared, episodes(model))
    ours = Vmap(module)
    for _ in range(3):
        for want, got in zip(reference, ours.map(evaluate, shared, episodes(model)), strict=True):
            for name, value in pytree.tree_flatten_with_path(want)[0]:
                other = dict(pytree.tree_flatten_with_path(got)[0])[name]
                torch.testing.assert_close(value, other, rtol=1e-10, atol=1e-12)


def test_a_recording_reads_what_it_is_given_and_keeps_its_results_apart() -> None:
    double = record(lambda x: {"twice": 2 * x}, (torch.ones(3, device=GPU),))
    first = double(torch.full((3,), 2.0, device=GPU))
    second = double(torch.full((3,), 5.0, device=GPU))
    assert first["twice"].tolist() == [4, 4, 4]
    assert second["twice"].tolist() == [10, 10, 10]


def test_a_recording_keeps_what_the_function_reads() -> None:
    def shift(net, x):
        return x + net.module.shift

    module = torch.nn.Linear(1, 1)
    module.register_buffer("shift", torch.full((1000,), 7.0))
    net, x = Net(module.to(GPU)), torch.ones(1000, device=GPU)
    shifted = Programs(record).find(net, shift, (), (x,))  # by a copy of the net of its own
    del net, module
    junk = [torch.full((1000,), 3.0, device=GPU) for _ in range(1000)]
    assert shifted(x).tolist() == [8] * 1000, junk


def test_recordings_that_are_dropped_or_refused_do_not_disturb_later_ones() -> None:
    x = torch.ones(3, device=GPU)
    for factor in (2, 3):
        assert record(lambda x, f=factor: f * x, (x,))(x).tolist() == [factor] * 3
        with pytest.raises(RuntimeError):
            record(lambda x: x * x.sum().item(), (x,))
        torch.cuda.empty_cache()


def test_runs_differ_by_nothing_from_call_to_call() -> None:
    """Adam in float32, which makes whole steps of rounding: libraries must add in one order."""
    module = OmniglotConv(5).to(GPU)
    some = [image_episode(seed, steps=5) for seed in range(32)]
    some = pytree.tree_map(lambda f: (f.float() if f.is_floating_point() else f).to(GPU), some)
    algorithm, params = Reptile(InnerLoop(Adam(0.001), 5)), Net(module).params()
    state, vmap = algorithm.inner.rule.init(params), Vmap(module)
    found = [
        MetaBatch(algorithm, CLASSIFICATION).total(vmap, Start(params, state), some)[0]
        for _ in range(4)
    ]
    assert all(torch.equal(found[2][name], found[3][name]) for name in params)


def test_what_cannot_be_recorded_is_called_as_it_is() -> None:
    def reads(net, x):
        return x * float(x.sum())

    net, x = Net(torch.nn.Linear(1, 1).to(GPU)), torch.ones(2, device=GPU)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert Programs(record).find(net, reads, (), (x,)) is None
    assert "runs without a program" in str(caught[0].message)
    assert (x + 1).tolist() == [2, 2]  # the device goes on
    assert record(lambda x: x + 1, (x,))(x).tolist() == [2, 2]


def test_auto_is_vmap() -> None:
    assert make_execution("auto", module_of("omniglot"), GPU).name == "vmap"


@pytest.mark.parametrize("execution", EXECUTIONS)
def test_a_run_finds_what_it_finds_on_a_cpu(tmp_path: Path, execution: str) -> None:
    """In float64, under SGD: a few meta-iterations and the whole meta-test."""
    found = {}
    for trainer in ("cpu", "auto"):
        folder = tmp_path / trainer
        words = [
            "dataset.classes=60",
            "model.channels=8",
            "algorithm.inner.rule=sgd",
            "trainer.precision=64",
            "max_meta_iterations=20",
            "eval.tasks=40",
            "baselines.joint=null",
            "eval.val_every=10",
            "eval.val_tasks=20",
            f"trainer={trainer}",
            f"execution={execution if trainer == 'auto' else 'serial'}",
            f"hydra.run.dir={folder}",
        ]
        assert main(words) == 0
        found[trainer] = json.loads((folder / "results.json").read_text())
    assert found["auto"]["device"].startswith("cuda")
    for ours, theirs in zip(*(found[name]["results"] for name in found), strict=True):
        assert ours["loss"] == pytest.approx(theirs["loss"], rel=1e-6)
        assert ours["acc"] == pytest.approx(theirs["acc"], abs=0.006)
