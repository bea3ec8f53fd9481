"""An outer optimizer and a schedule of one's own, and what is said of those that are none."""

from __future__ import annotations

import math
import sys
import types
from collections import deque
from typing import Any

import pytest
import torch

from fewstep.messages.errors import ConfigError
from fewstep.run.construction.outer import build_outer


OUTER = {"optimizer": "SGD", "lr": 1.0, "final_lr": 0.0, "options": {}, "schedule": "linear"}


class Sign(torch.optim.Optimizer):
    """Steps of one length, whatever the gradient."""

    def __init__(self, params, lr: float, scale: float = 1.0) -> None:
        super().__init__(params, {"lr": lr, "scale": scale})

    @torch.no_grad()
    def step(self, closure=None) -> None:
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.sub_(parameter.grad.sign() * group["lr"] * group["scale"])


class NoOptimizer:
    def __init__(self, params, lr: float) -> None:
        pass


class Lazy(torch.optim.Optimizer):
    def __init__(self, params, lr: float) -> None:
        super().__init__(params, {"lr": lr})


class Ascent(Sign):
    """Sharpness-aware, to be given a closure that computes gradients again."""

    @torch.no_grad()
    def step(self, closure) -> None:
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.grad = None
        closure()


class Stubborn(Sign):
    """Whatever the rates of its groups, at the first one."""

    def step(self, closure=None) -> None:
        for group in self.param_groups:
            group["lr"] = self.defaults["lr"]
        super().step()


class Forgetful(Sign):
    """It counts its steps where no checkpoint looks."""

    def step(self, closure=None) -> None:
        self.steps = getattr(self, "steps", 0) + 1
        for group in self.param_groups:
            group["scale"] = 1 / self.steps
        super().step()


class Odd(Sign):
    def step(self, closure=None) -> None:
        super().step()
        for parameter in self.param_groups[0]["params"]:
            self.state[parameter]["past"] = deque([1.0])


def late(done: float) -> float:
    """The first half of the training at the first rate."""
    return max(0.0, 2 * done - 1)


def raises(done: float) -> float:
    return 1 / (done - 0.5)


@pytest.fixture(autouse=True)
def mine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module of the user's."""
    module = types.ModuleType("my_outer")
    vars(module).update(
        Sign=Sign,
        NoOptimizer=NoOptimizer,
        Lazy=Lazy,
        Ascent=Ascent,
        Stubborn=Stubborn,
        Forgetful=Forgetful,
        Odd=Odd,
        late=late,
        raises=raises,
        none=lambda done: None,
        infinite=lambda done: math.inf,
        tensor=lambda done: torch.ones(2),
        nobody=lambda: 0.0,
        number=3,
        past=lambda done: 4.0,
    )
    monkeypatch.setitem(sys.modules, "my_outer", module)


def _built(**changed: object):
    return build_outer({**OUTER, **changed})


def test_dotted_paths_name_an_optimizer_and_a_schedule() -> None:
    outer = _built(optimizer="my_outer.Sign", schedule="my_outer.late", options={"scale": 2.0})
    assert (outer.optimizer, outer.options) == (Sign, {"scale": 2.0})
    assert [outer.scale(i, of=4) for i in range(5)] == [1, 1, 1, 0.5, 0]
    assert _built(optimizer="torch.optim.AdamW").optimizer is torch.optim.AdamW


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "NAdam", "Rprop"])
def test_optimizers_of_torch_take_steps(name: str) -> None:
    falls = None if name == "Rprop" else 0.0  # which has rates of its own
    assert _built(optimizer=name, lr=0.01, final_lr=falls).optimizer is getattr(torch.optim, name)


REFUSED = {
    ("optimizer", "my_outer.NoOptimizer"): "makes a NoOptimizer, which is no optimizer. Let it "
    "inherit from torch.optim.Optimizer",
    ("optimizer", "my_outer.Lazy"): "cannot take a step with a gradient alone "
    "(NotImplementedError: ). Use another, for example Adam",
    ("optimizer", "my_outer.Ascent"): "5 steps with a gradient move nothing, as where a closure is",
    ("optimizer", "my_outer.Stubborn"): "moves at a rate of 0, so that it does not follow its",
    ("optimizer", "Rprop"): "moves at a rate of 0, so that it does not follow its groups' lr",
    ("optimizer", "my_outer.Forgetful"): "goes on otherwise with what a checkpoint has of it",
    ("optimizer", "my_outer.Odd"): "a checkpoint with its state cannot be read (",
    ("optimizer", "LBFGS"): "cannot take a step with a gradient alone (TypeError: ",
    ("optimizer", "SparseAdam"): "cannot take a step with a gradient alone (RuntimeError: ",
    ("optimizer", "my_outer.Sing"): "cannot be imported",
    ("schedule", "my_outer.raises"): "fails at 0.5 (ZeroDivisionError: float division by zero). It "
    "takes the share of the training that is done, and gives that of the way to final_lr",
    ("schedule", "my_outer.none"): "gives None at 0.0, and must give a finite number. It takes",
    ("schedule", "my_outer.infinite"): "gives inf at 0.0, and must give a finite number.",
    ("schedule", "my_outer.tensor"): "gives tensor([1., 1.]) at 0.0, and must give a finite number",
    ("schedule", "my_outer.nobody"): "fails at 0.0 (TypeError: ",
    ("schedule", "my_outer.number"): "cannot be imported (it is no class or function).",
    ("clip", 0.0): "must be a number above 0 or null. For example +algorithm.outer.clip=1.0",
    ("clip", "long"): "must be a number above 0 or null.",
    (
        "schedule",
        "my_outer.past",
    ): "gives 4 of the way to algorithm.outer.final_lr at 0.0, a rate of "
    "-3, and rates are of at least 0. Give shares from 0 to 1",
    ("schedule", ("linear",)): "must be one of linear, cosine, warm, or the dotted path",
    ("aggregator", ("mean",)): "must be one of mean, per_entry",
    ("schedule", "step"): "must be one of linear, cosine, warm, or the dotted path of a function",
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_none_is_refused_in_one_line(what: tuple[str, Any]) -> None:
    key, value = what[0], list(what[1]) if isinstance(what[1], tuple) else what[1]
    with pytest.raises(ConfigError) as refusal:
        _built(**{key: value})
    assert str(refusal.value).startswith(f"algorithm.outer.{key}={value}: {REFUSED[what]}")
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("optimizer", "options", "words"),
    [
        ("SGD", {"momentum": math.nan}, "momentum=nan: must be a number. For example"),
        ("SGD", {"momentum": True}, "momentum=True: must be a number. For example"),
        ("SGD", {"weight_decay": math.inf}, "weight_decay=inf: must be a number."),
        ("SGD", {"momentum": "0.9"}, "momentum=0.9: must be a number."),
        ("SGD", {"momentum": [0.9]}, "momentum=[0.9]: must be a number."),
        ("Adam", {"maximize": "no"}, "maximize=no: must be true or false. For example +algorithm"),
        ("Adam", {"amsgrad": math.nan}, "amsgrad=nan: must be true or false."),
        ("Adam", {"betas": 0.9}, "betas=0.9: must be 2 numbers. For example +algorithm.outer."),
        ("Adam", {"betas": [0, math.nan]}, "betas=[0, nan]: must be 2 numbers."),
        ("Adam", {"lr": 3.0}, "lr=3.0: the rate is its own key. Give algorithm.outer.lr instead"),
        ("SGD", {"params": []}, "params=[]: the outer step moves the network's own. Leave it out"),
        ("my_outer.Sign", {"scale": math.nan}, "scale=nan: must be a number. For example"),
    ],
)
def test_an_option_of_another_kind_is_refused_by_name(
    optimizer: str, options: dict, words: str
) -> None:
    with pytest.raises(ConfigError) as told:
        _built(optimizer=optimizer, options=options)
    assert str(told.value).startswith(f"algorithm.outer.options.{words}")


@pytest.mark.parametrize(
    ("optimizer", "changed", "words"),
    [
        ("SGD", {"lr": 1e40}, "lr=1e+40"),
        ("Adam", {"lr": 1e300}, "lr=1e+300"),
        ("Adam", {"options": {"weight_decay": 1e39}}, "weight_decay=1e+39"),
    ],
)
def test_what_single_precision_does_not_hold_is_refused_by_name(
    optimizer: str, changed: dict, words: str
) -> None:
    """And not as the fault of the optimizer."""
    with pytest.raises(ConfigError) as told:
        _built(optimizer=optimizer, final_lr=None, **changed)
    assert str(told.value) == (
        f"algorithm.outer.optimizer={optimizer}: its {words} is beyond what single precision "
        "holds, 3.4e+38. Use a smaller one"
    )


def test_options_as_their_optimizers_have_them_are_taken() -> None:
    for name, options in (
        ("SGD", {"momentum": 0.9, "nesterov": True, "weight_decay": 0}),
        ("Adam", {"betas": [0.0, 0.99], "eps": 1e-5, "foreach": False, "amsgrad": True}),
        ("Adafactor", {"eps": [None, 0.001]}),
    ):
        assert _built(optimizer=name, options=options, final_lr=None).options == options
