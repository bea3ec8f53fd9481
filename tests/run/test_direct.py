"""Algorithms without an inner loop, and pictures of a run: what is refused, and in which words."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import fewstep
from fewstep.config.compose import compose_config, plain
from fewstep.messages.errors import ConfigError
from fewstep.run.construction import assembly
from fewstep.run.pictures import draw_pictures


PROTONET = "algorithm=protonet"
JOINT = "+algorithm@baselines.joint=joint"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            [PROTONET, "model=omniglot_conv"],
            "algorithm=protonet: has no inner loop, so the network must take the support set "
            "itself, and OmniglotConv takes nothing but its inputs. Use model=protonet, or give it "
            'takes = ("support_x", "support_y")',
        ),
        (
            [PROTONET, "eval.steps=5"],
            "eval.settings[0].steps=5: algorithm=protonet has no inner loop, in training or at "
            "meta-test. Use eval.steps=0",
        ),
        (
            [PROTONET, "+algorithm.inner={rule: sgd, lr: 0.1, steps: 2}"],
            "algorithm.inner.steps=2: Direct takes no inner step: the network takes the support "
            "set itself. Leave it out, or use algorithm=fomaml",
        ),
        (
            [PROTONET, JOINT],
            "baselines.joint: takes the inner gradients of algorithm=protonet, which has no inner "
            "loop. Use baselines.joint=null",
        ),
        (
            ["~algorithm.inner.steps"],
            "algorithm.inner.steps is missing. Give it, for example algorithm.inner.steps=5",
        ),
        (
            ["~algorithm.inner.rule"],
            "algorithm.inner.rule is missing. Give it, for example algorithm.inner.rule=sgd",
        ),
        (
            ["~algorithm.inner"],
            "algorithm.inner is missing: an override or a file has removed it",
        ),
        (
            ["pictures=waves"],
            "pictures=waves: must be a list of what is drawn. For example "
            "pictures='[{_target_: my_pictures.Loss}]'",
        ),
        (
            ["pictures=[{_target_: fewstep.models.SineMLP}]"],
            "pictures[0]._target_=fewstep.models.SineMLP: is no picture. Give its class a method "
            "draw(finished), as those of fewstep.run.pictures have it",
        ),
    ],
)
def test_what_is_refused(words: list[str], told: str) -> None:
    with pytest.raises(ConfigError) as error:
        assembly.check(plain(compose_config("train", words)))
    assert str(error.value) == told


def test_pictures_are_those_of_the_dataset_or_of_the_run() -> None:
    def pictures(*words: str) -> list[dict[str, Any]]:
        return plain(compose_config("train", words))["pictures"]

    assert pictures() == []
    assert pictures("dataset=sine") == [{"_target_": "fewstep.run.pictures.Waves"}]
    assert pictures("dataset=sine", "pictures=[]") == []


@pytest.mark.run
def test_a_picture_of_ones_own_is_drawn_of_the_finished_run(tmp_path: Path) -> None:
    """It has the learner, what each baseline started from, and the tasks."""
    words = ["dataset=sine", "trainer=cpu", "execution=serial", "meta_batch=1", "eval.tasks=2"]
    words += ["max_meta_iterations=1", "eval.val_every=null", "baselines.random=true"]
    words += [f"pictures=[{{_target_: {__name__}.Words}}]", f"hydra.run.dir={tmp_path / 'run'}"]
    fewstep.train(words)
    assert (tmp_path / "run" / "words.txt").read_text() == "trained,random of 50 points"
    assert not (tmp_path / "run" / "waves.png").exists()


def test_what_cannot_be_drawn_leaves_the_run_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    finished: Any = SimpleNamespace(learner=SimpleNamespace(trainer=SimpleNamespace()))
    finished.learner.trainer.is_global_zero = True
    draw_pictures([Words()], finished)
    assert capsys.readouterr().err.startswith("Words could not be drawn (AttributeError: ")


class Words:
    """A picture in words."""

    def draw(self, finished: Any) -> None:
        points = finished.of(lambda net, start, episode: len(episode.query_x), finished.episode())
        with finished.file("words.txt") as aside:
            aside.write_text(f"{','.join(finished.initializations)} of {points} points")
