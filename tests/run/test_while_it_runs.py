"""What is said of a training while it runs, and how often it is validated."""

from __future__ import annotations

from pathlib import Path

import pytest

from fewstep.commands import train
from fewstep.config.compose import compose_config, plain
from fewstep.config.limits import TRAIN, check_training
from fewstep.config.validation import val_every
from fewstep.messages.errors import ConfigError
from fewstep.records.identity import config_hash
from fewstep.records.pace import RECORD, Pace, read_pace
from fewstep.run.observers import pace
from fewstep.run.observers.bars import figures_text


@pytest.mark.parametrize(
    ("figures", "text"),
    [
        ({}, ""),
        ({"loss": 0.53219, "acc": 0.8125}, "loss 0.532, acc 81.2 %, "),
        ({"loss": 12.3456}, "loss 12.3, "),
        ({"loss": float("nan"), "acc": 0.2}, "loss nan, acc 20.0 %, "),
        ({"acc": 1.0, "other": 3.0}, "acc 100.0 %, "),
    ],
)
def test_the_bar_says_loss_and_accuracy(figures: dict[str, float], text: str) -> None:
    assert figures_text(figures) == text


def _config(*words: str) -> dict:
    return plain(compose_config("train", list(words)))


@pytest.mark.parametrize(
    ("words", "every"),
    [
        (["max_meta_iterations=100000"], 500),
        (["max_meta_iterations=2000"], 500),
        (["max_meta_iterations=1999"], 499),
        (["max_meta_iterations=100"], 25),
        (["max_meta_iterations=3"], 1),
        (["max_meta_iterations=1"], 1),
        (["max_meta_iterations=100", "eval.val_every=80"], 80),
        (["max_meta_iterations=100", "eval.val_every=500"], 500),
        (["max_meta_iterations=100", "eval.val_every=null"], None),
        (["experiment=quickstart"], 200),
        (["experiment=quickstart", "eval.val_every=auto"], 100),
        (["experiment=sine"], None),
    ],
)
def test_validation_comes_four_times_at_least_unless_it_is_said(words, every) -> None:
    config = _config(*words)
    check_training(config)
    assert val_every(config) == every


def test_jobs_that_were_finished_before_still_are() -> None:
    for length in (100, 2000):
        words = f"max_meta_iterations={length}"
        assert config_hash(_config(words)) == config_hash(_config(words, "eval.val_every=500"))
        assert config_hash(_config(words)) != config_hash(_config(words, "eval.val_every=25"))


def test_the_limits_of_a_validation_are_told() -> None:
    assert TRAIN["eval.val_every"].limit == "a whole number of at least 1, auto or null"
    with pytest.raises(ConfigError) as refusal:
        check_training(_config("eval.val_every=0"))
    assert str(refusal.value) == (
        "eval.val_every=0: must be a whole number of at least 1, auto or null. For example "
        "eval.val_every=500"
    )
    with pytest.raises(ConfigError, match=r"eval\.checkpoint=best: nothing is validated"):
        check_training(_config("eval.checkpoint=best", "eval.val_every=null"))
    check_training(_config("eval.checkpoint=best", "max_meta_iterations=3"))


WORDS = [
    "trainer=cpu",
    "execution=serial",
    "dataset.classes=60",
    "model.channels=4",
    "meta_batch=2",
]
WORDS += [
    "eval.tasks=4",
    "eval.steps=2",
    "eval.curve_tasks=0",
    "eval.val_every=null",
    "log_every=2",
]


@pytest.mark.usefixtures("undrawn")
def test_a_training_leaves_word_of_how_far_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd
) -> None:
    folder, seen = tmp_path / "run", []

    def noted(where: Path, word: Pace) -> None:
        write(where, word)
        seen.append(read_pace(where))

    write = pace.write_pace
    monkeypatch.setattr(pace, "write_pace", noted)
    monkeypatch.setattr(pace, "EVERY", 0.0)
    assert train.main([*WORDS, "max_meta_iterations=8", f"hydra.run.dir={folder}"]) == 0
    assert [(word.meta_iteration, word.of) for word in seen] == [(n, 8) for n in range(9)]
    assert (seen[0].tasks_per_second, seen[0].seconds_left) == (None, None)
    assert (seen[7].tasks_per_second or 0) > 0
    assert (seen[1].seconds_left or 0) > 0
    assert seen[8].seconds_left == 0
    assert not (folder / RECORD).exists()
    bars = capfd.readouterr().err
    assert "loss " in bars
    assert " %, " in bars
