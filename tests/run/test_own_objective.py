"""What a user's own objective measures, and probes besides, is one thing in every task."""

from __future__ import annotations

import pytest
import torch

from fewstep.commands import train
from fewstep.config.compose import compose_config, plain
from fewstep.core.objectives import Regression
from fewstep.data.sine import Sine
from fewstep.execution.serial import Serial
from fewstep.messages.errors import ConfigError
from fewstep.models import SineMLP
from fewstep.run.testing.summary import summarize
from problems import small_episode


class Plain(Regression):
    """Squared error, which each of the others below changes in one thing."""


class ByNumber(Plain):
    def metrics(self, outputs, targets):
        return {**super().metrics(outputs, targets), 3: outputs.mean()}


class Sometimes(Plain):
    def metrics(self, outputs, targets):
        more = {"above": targets.mean()} if targets.mean() > 0 else {}
        return {**super().metrics(outputs, targets), **more}


class Probes(Plain):
    """Looks at the parameters, and hands back what is `given`."""

    given = staticmethod(lambda params, episode: {"x": params["layers.0.bias"].mean()})

    def probe(self, net, params, episode):
        return type(self).given(params, episode)


def number(*_):
    return torch.zeros(())


def writes(params, episode):
    return {"x": params["layers.0.weight"].mul_(0).sum()}


def draws(*_):
    return {"x": torch.rand(())}


class Own(Sine):
    def __init__(self, which: str, **more) -> None:
        super().__init__(**more)
        self.objective = globals()[which]()


def settle(which: str) -> None:
    words = ["dataset=sine", "dataset._target_=test_own_objective.Own", f"+dataset.which={which}"]
    train.settle(plain(compose_config("train", [*words, "trainer=cpu", "execution=threads"])))


def refusal(which: str) -> str:
    with pytest.raises(ConfigError) as caught:
        settle(which)
    return str(caught.value)


def test_those_that_are_right_pass() -> None:
    settle("Plain")
    settle("Probes")


def test_metrics_have_the_same_names_in_every_task() -> None:
    assert refusal("ByNumber") == (
        "dataset=sine: its objective ByNumber.metrics gives a figure under 3, and their names are "
        'texts. For example "my_3"'
    )
    told = refusal("Sometimes")
    assert told.startswith("dataset=sine: its objective Sometimes.metrics gives loss")
    assert told.endswith(
        "for another, and figures are added up over tasks. Let it measure the same in every task, "
        "in one order"
    )


PROBES = [
    (lambda *_: {"x": 1.0}, "gives a float as x: must be a tensor of one number with a fraction"),
    (lambda *_: {"x": torch.zeros(3)}, "gives a tensor of [3] as x: must be a tensor of one numb"),
    (lambda *_: 1 / 0, "fails (ZeroDivisionError: division by zero, test_own_objective.py:"),
    (lambda *_: None, "gives None: must be a dictionary of figures, which may be empty. For exa"),
    (
        lambda *_: {"loss": number()},
        "gives loss, which its metrics give as well. Call it something else, for example my_loss",
    ),
    (lambda *_: {"steps": number()}, "gives steps, which results.json has of its own. Call it s"),
    (writes, "writes into params (layers.0.weight), which all tasks start from or other steps r"),
    (draws, "is another one when it is asked again, and must hang on its arguments alone. Let it"),
    (
        lambda _, episode: {"x": number()} if episode.query_y.mean() > 0 else {},
        "gives x for one task and nothing for another, and figures are added up over tasks. Let it",
    ),
]


@pytest.mark.parametrize(("given", "told"), PROBES)
def test_a_probe_is_held_to_what_metrics_are(given, told: str, monkeypatch) -> None:
    monkeypatch.setattr(Probes, "given", staticmethod(given))
    assert refusal("Probes").startswith(f"dataset=sine: its objective Probes.probe {told}")


def test_what_only_some_tasks_have_is_named_where_they_are_put_together() -> None:
    tasks = [{"inductive": {"loss": [1.0]}}, {"inductive": {"loss": [1.0], "x": [2.0]}}]
    for some in (tasks, tasks[::-1]):
        with pytest.raises(ConfigError) as refused:
            summarize(some, "inductive", (1,))
        assert str(refused.value) == (
            "dataset: its objective measures x in one task and not in another, and results are "
            "means over all. Let its metrics, and its probe, give the same names in every task"
        )


def test_what_cannot_be_added_up_in_training_is_named() -> None:
    answers = iter([{"loss": number()}, {"loss": number(), "x": number()}])
    execution = Serial(SineMLP())
    with pytest.raises(ConfigError) as refused:
        execution.total(lambda net, episode: next(answers), (), [small_episode()] * 2)
    assert str(refused.value) == (
        "algorithm: its direction, state or metrics, which may be those of the dataset's "
        "objective, have other names, or names in another order, for one task than for another "
        "(x), and are added up over tasks. Give every task the same"
    )
