"""What the family is refused or warned of, before there is a run."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import pytest
import torch

from fewstep.adapters.gradient import InnerLoop
from fewstep.algorithms.binomial import Binomial
from fewstep.algorithms.combination import Combination
from fewstep.algorithms.eigen_reptile import EigenReptile
from fewstep.algorithms.fomaml import FOMAML
from fewstep.algorithms.hessian_free import HessianFree
from fewstep.algorithms.imaml import IMAML
from fewstep.algorithms.multi_step import MultiStep
from fewstep.algorithms.reptile import Reptile
from fewstep.commands.train import check
from fewstep.config.compose import compose_config, plain
from fewstep.config.instantiate import call
from fewstep.core.contents import check_contents
from fewstep.core.outer import OuterStep
from fewstep.core.rules import (
    LSLR,
    SGD,
    Adam,
    ClippedSGD,
    Langevin,
    MetaSGD,
    MomentumDecay,
    Prox,
    Rule,
)
from fewstep.messages.errors import ConfigError
from fewstep.run.checks import consistency
from fewstep.run.checks.cautions import cautions, warn
from fewstep.run.checks.descent import check_descent
from fewstep.run.construction import assembly
from fewstep.run.experiment import Experiment


SMALL = ["model.channels=2", "dataset.classes=60"]
SINE = ["algorithm=hessian_free", "dataset=sine"]
LGD = ["experiment=lgd"]
PRIOR = "algorithm.inner.options.prior"


def drafted(*words: str) -> Experiment:
    return assembly.draft(plain(compose_config("train", list(words))))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (SINE, None),
        ([*SINE, "model.activation=relu"], "algorithm.eps=0.01: a difference of two gradients is"),
        (
            [*SINE, "algorithm.eps=1e-8"],
            "algorithm.eps=1e-08: on so short a way a gradient of 32 bits hardly changes but by "
            "rounding, and from some length on not at all, which is first-order MAML. Use "
            "algorithm.eps=0.01, or trainer.precision=64",
        ),
        ([*SINE, "algorithm.eps=1e-8", "trainer.precision=64"], None),
        (["algorithm=hessian_free", *SMALL], "OmniglotConv has 4 ReLU: no eps is reliable. Use a"),
        (LGD, None),
        ([*LGD, "dataset.prior=laplace"], f"{PRIOR}=one_sided: is for weights on one side of a b"),
        ([*LGD, "dataset.prior=laplace", f"{PRIOR}=laplace"], None),
        (["algorithm=metasgd", *SMALL], None),
        (
            ["algorithm=metasgd", *SMALL, "algorithm.eval.steps=6"],
            "eval.settings[0].steps=6: rates that were learned for algorithm.inner.steps=5 may",
        ),
        (["algorithm=truncated", "algorithm.order=2", *SMALL], None),
        (
            ["algorithm=truncated", "algorithm.window=3", *SMALL],
            "algorithm.window=3: with algorithm.order=1 this is no truncated path but a binomial "
            "estimate of a longer one. Use algorithm=binomial for that, or algorithm.window=1",
        ),
        (["algorithm=binomial", "algorithm.window=3", *SMALL], None),
        (
            [*LGD, "algorithm.inner.batch_size=1"],
            "algorithm.inner.batch_size=1: Langevin weighs the sum of a minibatch's losses against "
            "its prior, and a task has 2 examples: they count",
        ),
        (
            ["experiment=ifwi"],
            "model: VelocityModel is not to be made a program (programs = False)",
        ),
        (["experiment=titans_recall"], "model: NeuralMemory is not to be made a program"),
        (["experiment=subjects"], None),
    ],
)
def test_what_is_most_likely_not_meant_is_said(words: list[str], told: str | None) -> None:
    found = list(cautions(drafted(*words)))
    assert len(found) == (told is not None)
    assert told is None or told in found[0]


def test_an_evaluation_is_told_of_more_steps_than_rates_are_good_for(capsys) -> None:
    words = ["algorithm=metasgd", *SMALL, "eval.steps=40"]
    warn(drafted(*words), training=False)
    assert capsys.readouterr().err == (
        "note: eval.settings[0].steps=40: rates that were learned for algorithm.inner.steps=5 may "
        "blow up beyond them. Use as many\n"
    )


@pytest.mark.parametrize(("rank", "lines"), [(None, 1), (0, 1), (1, 0)])
def test_it_is_said_once_for_all_ranks(rank: int | None, lines: int, monkeypatch, capsys) -> None:
    experiment = drafted("experiment=titans_recall")
    if rank is not None:
        given = {"TORCHELASTIC_RUN_ID": "it", "WORLD_SIZE": "2", "RANK": str(rank)}
        for name, value in given.items():
            monkeypatch.setenv(name, value)
    warn(experiment)
    warn(experiment, training=False)  # of what is measured there is nothing to say
    said = capsys.readouterr().err.splitlines()
    assert [line.startswith("note: model: ") for line in said] == [True] * lines


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ["algorithm.inner.loss=mean"],
            "algorithm.inner.loss=mean: the inner rule langevin weighs the sum of a task's losses "
            "against its prior. Use algorithm.inner.loss=sum",
        ),
        (
            ["algorithm.inner.steps=50"],
            "algorithm.inner.steps=50: the inner rule langevin averages what comes after "
            "algorithm.inner.options.burn_in=50 steps. Take more, or lower that",
        ),
        (["eval.steps=50"], "eval.settings[0].steps=50: the inner rule langevin averages what"),
        (["algorithm.inner.options.temperature=-1"], "temperature=-1: must be at least 0"),
        (["dataset.d=3"], "baselines.oracle=true: the posterior of dataset.d=3 weights with"),
    ],
)
def test_langevin_descent_refuses(words: list[str], told: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        drafted(*LGD, *words)
    assert told in str(refusal.value)


@pytest.mark.parametrize(
    ("rule", "bend"),
    [
        (Langevin(0.02, prior="one_sided", kappa=29.0), 29.0),
        (Langevin(0.02, prior="laplace", lam=2.0), 20.0),
        (Langevin(0.02, prior="gaussian", lam=2.0), 2.0),
        (Langevin(0.02, prior="elastic", lam=2.0, kappa=5.0), 25.0),
    ],
)
def test_steps_overshoot_from_two_curvatures_on(rule: Langevin, bend: float) -> None:
    """The largest second derivative of each prior is that of its slope."""
    assert rule.overshoots((1.99 / 0.02) - bend) is None
    told = rule.overshoots((2.01 / 0.02) - bend)
    assert told is not None
    assert told.startswith("algorithm.inner.lr=0.02: times the largest curvature, that of the data")
    assert "is 2.01 on a training task, and descent blows up from 2 on. Use" in told
    assert replace(rule, lr=0.01).overshoots((2.01 / 0.02) - bend) is None


def test_an_inner_rate_that_blows_up_is_refused_by_the_first_tasks() -> None:
    fine, fast = (assembly.opened(drafted(*LGD, f"algorithm.inner.lr={n}")) for n in (0.02, 0.9))
    check_descent(fine, fine.splits["train"])
    with pytest.raises(ConfigError, match=r"algorithm.inner.lr=0.9: times the largest curvature"):
        check_descent(fast, fast.splits["train"])


class Says(SGD):
    """Plain descent, and what it says of itself."""

    most_steps = fewest_steps = None
    said = None

    def overshoots(self, curvature):
        return 1 / 0 if self.said == "fails" else self.said


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("fails", "its overshoots fails (ZeroDivisionError: division by zero, test_family_checks"),
        (
            True,
            "its overshoots gives True at a curvature of inf, and must give why its steps blow up "
            "as a text, or None. For example return None",
        ),
    ],
)
def test_what_a_rule_says_of_its_steps_is_a_text(said, told: str, monkeypatch) -> None:
    monkeypatch.setattr(Says, "said", said)
    experiment = drafted("dataset=sine", "algorithm.inner.rule=test_family_checks.Says")
    with pytest.raises(ConfigError) as refusal:
        check_descent(experiment, experiment.dataset.open()["train"])
    assert str(refusal.value).startswith(f"algorithm.inner.rule=test_family_checks.Says: {told}")


@pytest.mark.parametrize("limit", ["most_steps", "fewest_steps"])
def test_a_rule_counts_its_steps_in_numbers(limit: str, monkeypatch) -> None:
    words = ["dataset=sine", "algorithm.inner.rule=test_family_checks.Says"]
    drafted(*words)
    start = f"algorithm.inner.rule=test_family_checks.Says: its {limit} "
    for value, told in (
        ("many", "gives 'many', and must give a number of steps, or None for any. For example ret"),
        (property(lambda rule: 1 / 0), "fails (ZeroDivisionError: division by zero, test_family"),
    ):
        monkeypatch.setattr(Says, limit, value)
        with pytest.raises(ConfigError) as refusal:
            drafted(*words)
        assert str(refusal.value).startswith(start + told)


@pytest.mark.parametrize("head", ["zeros", "prototypes"])
def test_a_head_that_is_made_anew_leaves_something_to_learn(head: str) -> None:
    words = ["algorithm=maml", *SMALL, f"algorithm.inner.head={head}"]
    consistency.check_fixed(drafted(*words).learner)
    with pytest.raises(ConfigError) as refusal:
        consistency.check_fixed(drafted(*words, "algorithm.inner.frozen=[features.*]").learner)
    assert str(refusal.value) == (
        f"algorithm.inner.head={head}: each task makes the last layer anew, and beside it "
        "OmniglotConv has nothing for the outer step to learn. Use algorithm.inner.head=trained, "
        "or let a layer before it learn"
    )
    others = ["algorithm.inner.frozen=[features.*]", "algorithm.inner.head=mean"]
    consistency.check_fixed(drafted("algorithm=maml", *SMALL, *others).learner)
    learns = [*others[:1], "algorithm.inner.rule=metasgd"]
    consistency.check_fixed(drafted(*words, *learns).learner)


@pytest.mark.parametrize("make", [Reptile, EigenReptile, FOMAML, Combination])
def test_who_has_no_derivative_by_what_a_rule_learns_says_so(make) -> None:
    more = {FOMAML: {"direction": "last_step"}, Combination: {"weights": [1, 1]}}.get(make, {})
    with pytest.raises(ValueError, match=r"has no derivative by what MetaSGD learns. Use"):
        make(InnerLoop(MetaSGD(0.1), 2), **more)


def _inner(rule: Rule) -> InnerLoop:
    return InnerLoop(rule, 2)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: Adam(0.1, beta2=1.0), "beta2=1.0: must be at least 0 and below 1. For example"),
        (lambda: Adam(0.1, eps=-1.0), "eps=-1.0: must be above 0. For example eps=1e-8"),
        (lambda: Adam(0.1, eps=0.0), "eps=0.0: must be above 0. For example eps=1e-8"),
        (lambda: ClippedSGD(0.1, clip=0.0), "clip=0.0: must be above 0. For example clip=1.0"),
        (lambda: MomentumDecay(0.1, momentum=1.5), "momentum=1.5: must be a number from 0 to 1"),
        (lambda: MomentumDecay(0.1, decay="x"), "decay=x: must be a number from 0 to 1"),
        (lambda: IMAML(_inner(Prox(0.1)), damping=-1.0), "algorithm.damping=-1.0: must be at le"),
        (lambda: IMAML(_inner(Prox(0.1)), lam_damping=-9.0), "algorithm.lam_damping=-9.0: must"),
        (lambda: MultiStep(_inner(SGD(0.1)), weights=("a", "b")), "algorithm.weights=['a', 'b']: "),
        (lambda: MultiStep(_inner(SGD(0.1)), weights=(True, 1)), "algorithm.weights=[True, 1]: "),
        (
            lambda: MultiStep(_inner(SGD(0.1)), multi_step_epochs=0, weights=(0.5, 0.5)),
            "algorithm.weights=[0.5, 0.5]: count while there are several losses, and "
            "algorithm.multi_step_epochs=0 has them in no epoch. Use "
            "algorithm.multi_step_epochs=10, or leave the weights out",
        ),
        (lambda: MultiStep(_inner(SGD(0.1)), weights=(0.0, 0.0)), "algorithm.weights=[0.0, 0.0]: "),
        (
            lambda: call(Prox, "algorithm.inner.options", {"lr": 0.1, "lam": math.inf}),
            "algorithm.inner.options.lam=inf: must be a finite number",
        ),
        (
            lambda: call(HessianFree, "algorithm", {"inner": _inner(SGD(0.1)), "eps": math.nan}),
            "algorithm.eps=nan: must be a finite number",
        ),
        (
            lambda: call(LSLR, "algorithm.inner.options", {"lr": 0.1, "steps": 0}),
            "algorithm.inner.options.steps=0: must be at least 1, as many as training takes. For "
            "example algorithm.inner.options.steps=${algorithm.inner.steps}",
        ),
        (
            lambda: call(Prox, "algorithm.inner.options", {"lr": 0.1, "lam": -1}),
            "algorithm.inner.options.lam=-1: must be at least 0. For example "
            "algorithm.inner.options.lam=1.0",
        ),
        (
            lambda: call(Binomial, "algorithm", {"inner": _inner(SGD(0.1)), "order": None}),
            "algorithm.order=null: must be a whole number. For example algorithm.order=1",
        ),
        (
            lambda: call(Binomial, "algorithm", {"inner": _inner(SGD(0.1)), "order": 1.5}),
            "algorithm.order=1.5: must be a whole number. For example algorithm.order=1",
        ),
        (
            lambda: MultiStep(_inner(SGD(0.1)), epoch=0),
            "algorithm.epoch=0: must be at least 1. For example algorithm.epoch=500",
        ),
        (
            lambda: MultiStep(_inner(SGD(0.1)), first_order_until=-1),
            "algorithm.first_order_until=-1: must be at least 0. For example algorithm.first_orde",
        ),
    ],
)
def test_numbers_that_no_step_computes_with_are_refused(make, told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        make()


def test_a_rule_with_noise_is_for_neither_a_binomial_nor_an_implicit_gradient() -> None:
    inner = InnerLoop(Langevin(0.1, burn_in=1), 3, loss="sum")
    with pytest.raises(ValueError, match=r"without memory, e.g. sgd, and Langevin remembers"):
        Binomial(inner)
    with pytest.raises(ValueError, match=r"drawn back to the start, and Langevin is not. Use"):
        IMAML(inner)
    with pytest.raises(ValueError, match=r"without memory, e.g. sgd, and Prox remembers"):
        Binomial(replace(inner, rule=Prox(0.1)))


class Learns(Adam):
    """Its state has from the start what it learns as well."""

    def learned(self, params):
        return {"inner/v": torch.zeros(())}


def test_what_a_rule_learns_it_may_not_remember_as_well() -> None:
    learner = drafted("algorithm=maml", *SMALL).learner
    rule = Learns(0.1)
    learner.learned = type(learner.learned)(rule, {})
    learner.state = {"v": torch.zeros(())}
    with pytest.raises(ConfigError, match=r"algorithm.inner.rule: .* learns v, and init gives its"):
        consistency.check_learned(learner)


def test_a_network_may_not_call_a_parameter_as_a_rule_does() -> None:
    module = torch.nn.Module()
    module.register_parameter("inner/lr", torch.nn.Parameter(torch.zeros(2)))
    with pytest.raises(ValueError, match="the parameter inner/lr begins with inner/, as what"):
        check_contents(module)


@pytest.mark.parametrize(
    ("algorithm", "needed"),
    [
        ("imaml", "prox"),
        ("prox_reptile", "prox"),
        ("mamlpp", "lslr"),
        ("metasgd", "metasgd"),
        ("sign_maml", "sign"),
    ],
)
def test_an_algorithm_that_is_its_rule_takes_no_other(algorithm: str, needed: str) -> None:
    words = [f"algorithm={algorithm}", "algorithm.inner.rule=adam"]
    with pytest.raises(ConfigError) as refusal:
        check(plain(compose_config("train", words)))
    assert str(refusal.value) == (
        f"algorithm.inner.rule=adam: algorithm={algorithm} needs rule {needed}. Use "
        f"algorithm.inner.rule={needed}, or another algorithm, for example algorithm=maml"
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["+algorithm.outer.rates={inner/*: 0.1}"], "the outer step moves nothing of that name"),
        (["algorithm.outer.schedule=cosine"], "has no rate to fall to with algorithm.outer.final_"),
        (["+algorithm.outer.clamp=0"], "algorithm.outer.clamp=0: must be"),
        (["+algorithm.outer.clamp=x"], "algorithm.outer.clamp=x: must be"),
    ],
)
def test_the_outer_step_refuses(words: list[str], told: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        consistency.check_fixed(drafted("algorithm=maml", *SMALL, *words).learner)
    assert told in str(refusal.value)


def test_no_entry_of_a_direction_is_larger_than_the_clamp() -> None:
    values = torch.tensor([-30.0, 3.0, 11.0])
    assert OuterStep(torch.optim.SGD, 1.0, clamp=10.0).clamped(values).tolist() == [-10, 3, 10]
    assert OuterStep(torch.optim.SGD, 1.0).clamped(values) is values
    cavia = drafted("algorithm=cavia", "dataset=sine", "model=cavia_mlp")
    assert cavia.recipe.outer.clamp == 10.0
