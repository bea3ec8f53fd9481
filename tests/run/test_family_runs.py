"""Whole runs of the family: what is learned is recorded, the oracle is tested, and all resume."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import fewstep
from fewstep.commands import evaluate


TINY = [
    *("trainer=cpu", "dataset.classes=60", "model.channels=4", "max_meta_iterations=3"),
    *("eval.tasks=4", "eval.val_every=null", "execution=serial"),
]

pytestmark = pytest.mark.run


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ["mamlpp", "metasgd"])
def test_what_the_inner_rule_learns_is_recorded(algorithm: str, tmp_path: Path) -> None:
    words = [*TINY, "meta_batch=2", f"algorithm={algorithm}", f"hydra.run.dir={tmp_path / 'run'}"]
    fewstep.train(words)
    told = json.loads((tmp_path / "run" / "results.json").read_text())
    assert set(told["learned"]) == {"inner_lr_min", "inner_lr_mean", "inner_lr_max"}
    assert told["learned"]["inner_lr_min"] < 0.1 < told["learned"]["inner_lr_max"]
    head = (tmp_path / "run" / "metrics.csv").read_text().splitlines()[0]
    assert "train/inner_lr_mean" in head


@pytest.mark.slow
def test_the_best_answer_stands_beside_langevin_descent_on_the_same_tasks(tmp_path: Path) -> None:
    words = ["experiment=lgd", "max_meta_iterations=2", "meta_batch=2", "eval.tasks=6"]
    words += ["eval.steps=60", "algorithm.inner.steps=60", "model.chains=2", "trainer=cpu"]
    fewstep.train([*words, "execution=serial", f"hydra.run.dir={tmp_path / 'run'}"])
    told = json.loads((tmp_path / "run" / "results.json").read_text())
    trained, oracle = told["results"]
    assert (trained["init"], oracle["init"], oracle["steps"]) == ("trained", "oracle", 0)
    assert trained["episodes_sha256"] == oracle["episodes_sha256"]
    assert oracle["loss"] < trained["loss"]


@pytest.mark.slow
def test_without_an_inner_loop_a_run_takes_no_steps_and_goes_on(tmp_path: Path) -> None:
    words = ["algorithm=protonet", *TINY, "algorithm.inner.frozen=[encoder.0.*]"]
    fewstep.train([*words, "execution=threads", f"hydra.run.dir={tmp_path / 'run'}"])
    told = json.loads((tmp_path / "run" / "results.json").read_text())
    assert [(r["steps"], r["curve"]["steps"]) for r in told["results"]] == [(0, [0])] * 2
    assert told["gradients_taken"] == told["tasks_seen"] == 3
    fewstep.train([f"resume={tmp_path / 'run'}", "max_meta_iterations=4"])
    saved = torch.load(tmp_path / "run/checkpoints/last.ckpt", weights_only=True)
    assert saved["fewstep"]["meta_iteration"] == 4
    words = [f"checkpoint={tmp_path / 'run'}", "eval.steps=3", f"hydra.run.dir={tmp_path / 'e'}"]
    assert evaluate.main(words) == 2


def test_cavia_trains_and_leaves_its_context_where_it_was(tmp_path: Path) -> None:
    words = ["experiment=sine_cavia", "max_meta_iterations=2", "eval.tasks=4", "meta_batch=2"]
    fewstep.train([*words, "trainer=cpu", "execution=serial", f"hydra.run.dir={tmp_path / 'run'}"])
    init = torch.load(tmp_path / "run/checkpoints/last.ckpt", weights_only=True)["state_dict"]
    assert not init["module.context"].any()
    assert all(value.isfinite().all() for value in init.values())


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("algorithm", ["metasgd", pytest.param("imaml", marks=pytest.mark.slow)])
def test_what_the_inner_rule_learns_goes_on_bit_for_bit(algorithm: str, tmp_path: Path) -> None:
    words = [f"algorithm={algorithm}", "dataset=sine", "trainer=cpu", "execution=serial"]
    words += ["meta_batch=2", "eval.tasks=2", "eval.curve_tasks=2", "eval.val_every=null"]
    words += ["+algorithm.inner.options.learn_lam=true"] if algorithm == "imaml" else []

    def ended(name: str, *more: str) -> dict[str, torch.Tensor]:
        fewstep.train([*more, f"hydra.run.dir={tmp_path / name}"])
        saved = torch.load(tmp_path / name / "checkpoints" / "last.ckpt", weights_only=True)
        assert saved["fewstep"]["meta_iteration"] == 4
        return saved["state_dict"]

    straight = ended("straight", *words, "max_meta_iterations=4")
    fewstep.train([*words, "max_meta_iterations=2", f"hydra.run.dir={tmp_path / 'half'}"])
    half = torch.load(tmp_path / "half" / "checkpoints" / "last.ckpt", weights_only=True)
    went_on = ended("half", f"resume={tmp_path / 'half'}", "max_meta_iterations=4")
    learned = [name for name in straight if name.startswith("learned.")]
    assert learned
    for name, value in straight.items():
        assert torch.equal(went_on[name], value), name
    assert all(not torch.equal(half["state_dict"][name], straight[name]) for name in learned)


SHARED = {
    name: [*TINY[1:], f"algorithm={name}"]
    for name in (
        *("anil", "binomial", "boil", "eigen_reptile", "imaml", "mamlpp", "metasgd"),
        *("prox_reptile", "sign_maml", "truncated", "proto_fomaml", "protonet"),
    )
}
LITTLE = ["max_meta_iterations=3", "eval.tasks=4", "eval.val_every=null", "execution=serial"]
LEARNED_PULL = "+algorithm.inner.options.learn_lam=true"
SHARED |= {
    "imaml, a learned pull": [*TINY[1:], "algorithm=imaml", LEARNED_PULL],
    "hessian_free": ["algorithm=hessian_free", "dataset=sine", *LITTLE],
    "cavia": ["experiment=sine_cavia", *LITTLE],
    "lgd": [
        *("experiment=lgd", *LITTLE, "eval.steps=60", "algorithm.inner.steps=60"),
        *("model.chains=2", "baselines.oracle=false"),
    ],
}
"""What two ranks train, by name."""


@pytest.mark.long
@pytest.mark.process
@pytest.mark.parametrize("name", SHARED)
def test_two_ranks_learn_the_same_to_ten_digits(name: str, tmp_path: Path) -> None:
    """Five tasks a meta-batch, which two ranks cannot share evenly; what is learned is among it."""
    words = [*SHARED[name], "meta_batch=5", "trainer.precision=64"]
    ends = []
    for trainer in ("cpu", "ddp_cpu"):
        folder = tmp_path / trainer
        fewstep.train([*words, f"trainer={trainer}", f"hydra.run.dir={folder}"])
        content = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
        ends.append(content["state_dict"])
    one, two = ends
    assert one.keys() == two.keys()
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, rtol=1e-10, atol=1e-10)
