"""What an inner rule learns: by what names, within what bounds, and what is said of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import fewstep
from fewstep.adapters.gradient import InnerLoop
from fewstep.algorithms.binomial import Binomial
from fewstep.algorithms.fomaml import FOMAML
from fewstep.algorithms.maml import MAML
from fewstep.algorithms.reptile import Reptile
from fewstep.config.compose import compose_config, plain
from fewstep.core.outer import OuterStep
from fewstep.core.problem import Problem
from fewstep.core.rules import LSLR, SGD, Langevin, MetaSGD, Prox, Rule
from fewstep.core.types import Start
from fewstep.execution.meta_batch import MetaBatch
from fewstep.execution.serial import Serial
from fewstep.messages.errors import ConfigError
from fewstep.run.checks.own_rule import check_rule
from fewstep.run.construction import assembly
from fewstep.run.learned import Learned, ranges
from fewstep.run.learner import MetaLearner
from problems import REGRESSION, largest_difference, small_episode, small_net


PARAMS = small_net().params()
NAMES = list(PARAMS)


def learner(inner: InnerLoop, **outer: Any) -> MetaLearner:
    step = OuterStep(torch.optim.SGD, lr=0.1, **outer)
    more = {"max_meta_iterations": 4, "meta_batch": 1, "execution": "serial"}
    return MetaLearner(small_net().module, MAML(inner), REGRESSION, step, **more)


def test_a_learned_pull_stays_above_zero() -> None:
    rule = Prox(0.1, lam=0.5, learn_lam=True)
    learned = Learned(rule, PARAMS)
    (pull,) = learned.by_name().values()
    for moved, kept in ((-0.3, 0.001), (0.0, 0.001), (0.2, 0.2)):
        pull.data.fill_(moved)
        learned.set_back(rule.least)
        assert float(pull.detach()) == pytest.approx(kept)
    with pytest.raises(ValueError, match=r"lam=0.0: must be at least 0.001, where what is learned"):
        Prox(0.1, lam=0.0, learn_lam=True)
    assert Prox(0.1, lam=0.0).lam == 0  # plain descent


def test_a_name_may_have_a_colon() -> None:
    params = {"layers.a:b.weight": torch.ones(2), "layers.a.b.weight": torch.ones(3)}
    learned = Learned(MetaSGD(0.1), params).by_name()
    assert {n: p.shape for n, p in learned.items()} == {
        f"inner/lr/{n}": p.shape for n, p in params.items()
    }


def test_a_training_that_would_lose_its_pull_keeps_it(tmp_path: Path) -> None:
    words = ["algorithm=imaml", "dataset=sine", "meta_batch=1", "max_meta_iterations=6"]
    words += ["+algorithm.inner.options.learn_lam=true", "algorithm.inner.options.lam=0.01"]
    words += ["algorithm.inner.steps=2", "eval.steps=2", "eval.tasks=2", "eval.val_every=null"]
    words += ["eval.curve_tasks=0", "log_every=1", "trainer=cpu", "execution=serial"]
    fewstep.train([*words, f"hydra.run.dir={tmp_path / 'run'}"])
    head, *rows = (tmp_path / "run" / "metrics.csv").read_text().splitlines()
    place = head.split(",").index("train/inner_lam_min")
    pulls = [float(row.split(",")[place]) for row in rows if row.split(",")[place]]
    assert min(pulls) == pytest.approx(0.001)  # to where it would have gone through 0


@pytest.mark.parametrize("pattern", ["*weight", "0.*", "*.bias"])
@pytest.mark.parametrize("rule", [MetaSGD(0.1), LSLR(0.1, 3), Langevin(0.1, temperature=0.0)])
def test_what_tasks_start_anew_is_named_among_the_networks_own(rule: Rule, pattern: str) -> None:
    """A pattern of `reset` that fits `inner/lr/0.weight` as well leaves that to be learned."""
    ours = learner(InnerLoop(rule, 3, reset=[pattern], loss="sum"))
    learned = {name for name in ours.params() if name.startswith("inner/")}
    assert learned
    assert learned <= ours.moved().keys()
    assert not any(ours.moved().keys() & {n for n in NAMES if n == pattern})
    every = learner(InnerLoop(rule, 3, reset=["*"], loss="sum"))
    assert every.moved().keys() == learned


def test_rates_are_of_what_their_pattern_means() -> None:
    ours = learner(InnerLoop(MetaSGD(0.1), 3), rates={"*.bias": 0.01, "inner/*": 0.0001})
    (optimizer,), _ = ours.configure_optimizers()
    sizes = {group["lr"]: len(group["params"]) for group in optimizer.param_groups}
    biases = sum(name.endswith("bias") for name in NAMES)
    assert sizes == {0.1: len(NAMES) - biases, 0.01: biases, 0.0001: len(NAMES)}
    with pytest.raises(
        ValueError, match=r"rates.0.weight=0.2: the outer step moves all of that"
    ) as e:
        learner(InnerLoop(SGD(0.1), 3), rates={"0.*": 0.1, "0.weight": 0.2}).configure_optimizers()
    assert "at the rate of 0.*, which comes first and fits as well. Give 0.weight before it" in str(
        e.value
    )


def test_results_say_what_was_tested(tmp_path: Path) -> None:
    """With a moving average of the initializations, its rates and not the last ones."""
    words = ["algorithm=maml", "algorithm.inner.rule=metasgd", "dataset=sine", "meta_batch=2"]
    words += ["+algorithm.outer.rates={inner/*: 0.05}", "algorithm.outer.average=0.9"]
    words += ["max_meta_iterations=12", "eval.tasks=2", "eval.val_every=null", "eval.curve_tasks=0"]
    run = tmp_path / "run"
    fewstep.train([*words, "trainer=cpu", "execution=serial", f"hydra.run.dir={run}"])
    told = json.loads((run / "results.json").read_text())["learned"]
    saved = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    average = saved["fewstep"]["average"]["params"]
    assert told == pytest.approx(ranges(average))
    last = {n.removeprefix("learned."): t for n, t in saved["state_dict"].items()}
    assert told != pytest.approx(ranges({n.replace(":", "."): t for n, t in last.items()}))


@pytest.mark.slow
def test_weights_alone_begin_a_training_and_it_is_said(tmp_path: Path, capsys) -> None:
    words = ["algorithm=metasgd", "dataset=sine", "meta_batch=1", "max_meta_iterations=1"]
    words += ["eval.tasks=2", "eval.val_every=null", "eval.curve_tasks=0", "trainer=cpu"]
    fewstep.train([*words, f"hydra.run.dir={tmp_path / 'first'}"])
    capsys.readouterr()
    fewstep.train([*words, f"init={tmp_path / 'first'}", f"hydra.run.dir={tmp_path / 'next'}"])
    out = "".join(capsys.readouterr())
    assert "tensors start from it; not what its inner rule learned (inner/lr)" in out


def test_rates_for_steps_that_training_does_not_take_are_refused() -> None:
    words = [
        "algorithm=mamlpp",
        "dataset=sine",
        "algorithm.inner.options.steps=10",
        "eval.steps=10",
    ]
    with pytest.raises(ConfigError) as refusal:
        assembly.draft(plain(compose_config("train", words)))
    assert str(refusal.value) == (
        "algorithm.inner.options.steps=10: the inner rule lslr would have rates for steps that "
        "training, of algorithm.inner.steps=5, never takes, and so never learns. Use "
        "algorithm.inner.options.steps=5, or raise both"
    )
    words = ["algorithm=mamlpp", "dataset=sine", "eval.steps=10"]
    with pytest.raises(ConfigError, match=r"or train with a larger algorithm.inner.steps"):
        assembly.draft(plain(compose_config("train", words)))


def test_a_head_of_classes_needs_some() -> None:
    words = ["algorithm=proto_fomaml", "dataset=sine"]
    with pytest.raises(ConfigError) as refusal:
        assembly.assemble(plain(compose_config("train", words)))
    assert str(refusal.value) == (
        "algorithm.inner.head=prototypes: is made of the means of a task's classes, and those of "
        "dataset=sine have none. Use algorithm.inner.head=trained, or another algorithm"
    )


@pytest.mark.parametrize("rule", [Prox(0.1, lam=1.0), LSLR(0.1, 3)])
def test_no_task_hands_on_what_is_its_own(rule: Rule) -> None:
    """An anchor or a counter, in the order of tasks of the authors' code."""
    problem = Problem(small_net(), REGRESSION)
    start = Start(PARAMS | rule.learned(PARAMS), rule.init(PARAMS))
    algorithm = (MAML if rule.learns else Reptile)(InnerLoop(rule, 3, state="sequential"))
    batch = MetaBatch(algorithm, REGRESSION)
    _, state, _ = batch.total(Serial(problem.net.module), start, [small_episode()] * 2)
    assert state == {}


class Halved(SGD):
    """What predicts is half of where the steps led."""

    def finish(self, params, state):
        return {name: 0.5 * p for name, p in params.items()}


@pytest.mark.parametrize(("order", "known"), [(0, FOMAML), (3, MAML)])
def test_an_estimate_goes_back_through_what_a_rule_makes_of_the_end(order: int, known: Any) -> None:
    problem, inner = Problem(small_net(), REGRESSION), InnerLoop(Halved(0.1), 3)
    found = Binomial(inner, order).direction(problem, Start(PARAMS, {}), small_episode())[0]
    wanted = known(inner).direction(problem, Start(PARAMS, {}), small_episode())[0]
    assert largest_difference(wanted, found) < 1e-14


class Mine(SGD):
    def __init__(self, learned: Any) -> None:
        super().__init__(0.1)
        object.__setattr__(self, "given", learned)

    def learned(self, params):
        return self.given


@pytest.mark.parametrize(
    ("learned", "told"),
    [
        ({"lr": torch.tensor(0.1)}, "calls an entry 'lr', and must call it inner/ENTRY or"),
        ({"inner/": torch.tensor(0.1)}, "calls an entry 'inner/', and must call it"),
        ({3: torch.tensor(0.1)}, "calls an entry 3, and must call it"),
        ({"inner/lr": 0.02}, "gives inner/lr as a float, and must give a tensor of floating-point"),
        ({"inner/k": torch.tensor(3)}, "gives inner/k as torch.int64, and must give a tensor"),
        ([("inner/lr", 0.1)], "must return a dictionary of tensors, and returns a list"),
        (None, "must return a dictionary of tensors, and returns a NoneType"),
    ],
)
def test_a_rule_that_learns_no_tensors_is_refused_by_name(learned: Any, told: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        learner(InnerLoop(Mine(learned), 3))
    assert str(refusal.value).startswith("algorithm.inner.rule=test_learned.Mine: its learned ")
    assert told in str(refusal.value)


class Begins(MetaSGD):
    def begin(self, params, state, key):
        return params, {**state, "lr": {n: torch.ones_like(p) for n, p in params.items()}}


class Steps(MetaSGD):
    def step(self, params, grads, state):
        moved, state = super().step(params, grads, state)
        return moved, {**state, "lr": {n: 0.5 * rate for n, rate in state["lr"].items()}}


class Drops(MetaSGD):
    def step(self, params, grads, state):
        return super().step(params, grads, state)[0], {}


@pytest.mark.parametrize(("rule", "who"), [(Begins, "begin"), (Steps, "step"), (Drops, "step")])
def test_a_rule_that_changes_what_the_outer_step_learns_is_refused(rule: Any, who: str) -> None:
    made = rule(0.1)
    start = Start(PARAMS | made.learned(PARAMS), made.init(PARAMS))
    problem = Problem(small_net(), REGRESSION)
    with pytest.raises(ConfigError, match=rf"its {who} must hand state\['lr'\] back as it is"):
        check_rule(InnerLoop(made, 3), problem, start, small_episode())


def test_ranges_are_of_all_entries_of_a_name() -> None:
    values: dict[str, Tensor] = {"inner/lr/a": torch.tensor([1.0, 2]), "inner/lr/b": torch.ones(1)}
    found = ranges({"a": torch.zeros(2), **values})
    assert found == {"inner_lr_min": 1.0, "inner_lr_mean": pytest.approx(4 / 3), "inner_lr_max": 2}
