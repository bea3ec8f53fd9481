"""Values that are none, of keys that have one: a mapping, a whole number that no tensor takes."""

from __future__ import annotations

import pytest

from fewstep.commands.train import check_keys
from fewstep.config.compose import compose_config, plain
from fewstep.messages.errors import ConfigError


SINE = "dataset=sine"
POINTS = "must be a whole number of at least 1. For example dataset.points=50"
REFUSED = {
    (
        "algorithm.inner.steps={a:1}",
    ): "algorithm.inner.steps={'a': 1}: must be a whole number of at "
    "least 1. For example algorithm.inner.steps=5",
    ("budget.tasks={a:1}",): "budget.tasks={'a': 1}: must be a whole number of at least 1 or null. "
    "For example budget.tasks=10000",
    ("shots.varies={a:1}",): "shots.varies={'a': 1}: must be one of train, test, both or null. For "
    "example shots.varies=both",
    (
        "algorithm.outer.lr=99999999999999999999",
    ): "algorithm.outer.lr=99999999999999999999: must be "
    "a number above 0 and at most 9223372036854775807. For example algorithm.outer.lr=1.0",
    (SINE, "dataset.points=true"): f"dataset.points=True: {POINTS}",
    (SINE, "dataset.points={a:1}"): f"dataset.points={{'a': 1}}: {POINTS}",
    (SINE, "dataset.points=0"): f"dataset.points=0: {POINTS}",
    (SINE, "eval.queries=0"): "eval.queries=0: must be a whole number of at least 1. For example "
    "eval.queries=1",
}


@pytest.mark.parametrize("words", REFUSED)
def test_the_key_that_was_given_is_named(words: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError) as caught:
        check_keys(plain(compose_config("train", words)))
    assert str(caught.value) == REFUSED[words]
