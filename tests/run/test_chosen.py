"""The best iterate: what may be it, and that results.json names what was tested."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from fewstep.commands.train import objective
from fewstep.config.compose import compose_config, plain
from fewstep.run import training
from fewstep.run.construction.assembly import assemble
from fewstep.run.learner import MetaLearner
from fewstep.run.stored.chosen import better


pytestmark = [pytest.mark.run, pytest.mark.usefixtures("undrawn")]


NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(
    ("new", "best", "expected"),
    [
        ({"loss": 0.5}, {}, True),
        ({"loss": 0.5}, {"loss": 0.6}, True),
        ({"loss": 0.6}, {"loss": 0.5}, False),
        ({"loss": 0.5}, {"loss": 0.5}, False),  # the first of equals
        ({"loss": NAN}, {}, False),
        ({"loss": INF}, {}, False),
        ({"loss": -INF}, {"loss": 0.5}, False),
        ({"loss": NAN}, {"loss": NAN}, False),
        ({"loss": 9e9}, {"loss": NAN}, True),
        ({"loss": 9e9}, {"loss": -INF}, True),
        ({"acc": 0.6, "loss": 2.0}, {"acc": 0.5, "loss": 1.0}, True),
        ({"acc": 0.5, "loss": 1.0}, {"acc": 0.6, "loss": 2.0}, False),
        ({"acc": NAN, "loss": 1.0}, {}, False),
        ({"acc": 0.9, "loss": NAN}, {}, False),  # what a diverged network guesses
        ({"acc": 0.9, "loss": INF}, {"acc": 0.2, "loss": 1.0}, False),
        ({"acc": 0.2, "loss": 1.0}, {"acc": 0.9, "loss": NAN}, True),
        ({"acc": 0.2, "acc_ci95": NAN, "loss": 1.0}, {}, True),  # of a single task
        ({}, {}, False),
        ({}, {"loss": NAN}, False),
    ],
)
def test_what_is_better(new: dict, best: dict, expected: bool) -> None:
    assert better(new, best) is expected


SINE = ["dataset=sine", "trainer=cpu", "meta_batch=1", "algorithm.inner.steps=1", "eval.tasks=2"]
SINE += ["eval.steps=1", "eval.curve_tasks=1", "eval.val_every=1", "eval.val_tasks=2"]
SINE += ["checkpoint_every=2", "execution=serial"]


def train(folder: Path, losses: dict[int, float], *words: str) -> dict[str, Any]:
    """The first result of a run whose meta-validation finds these losses; killed where they end."""

    def measure(learner: MetaLearner, split: str, tasks: int) -> dict:
        if learner.meta_iteration not in losses:
            raise RuntimeError("the machine went away")
        return {"loss": losses[learner.meta_iteration], "loss_ci95": 0.1}

    config = plain(compose_config("train", [*SINE, "max_meta_iterations=6", *words]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MetaLearner, "measure", measure)
        folder.mkdir(exist_ok=True)
        training.train(assemble(config), folder, "fewstep train")
    return json.loads((folder / "results.json").read_text())["results"][0]


def killed(folder: Path, losses: dict[int, float]) -> Path:
    """The run directory of a run that was killed with its last checkpoint at 2."""
    with pytest.raises(RuntimeError):
        train(folder, losses)
    return folder / "checkpoints"


AHEAD = {1: 5.0, 2: 4.0, 3: 1.0}
"""last.ckpt is the best that it knows of, best.ckpt is of iteration 3."""
LOST = {1: 4.0, 2: 5.0, 3: 1.0}
"""last.ckpt knows of iteration 1, which best.ckpt is no more."""
LEVEL = {1: 4.0, 2: 5.0, 3: 6.0}
"""Both know of iteration 1."""
BEYOND = {1: 8.0, **dict.fromkeys(range(2, 11), 6.0)}


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Path], Path]:
    """Copies of what three killed runs left."""
    top = tmp_path_factory.mktemp("killed")
    for name, losses in (("ahead", AHEAD), ("lost", LOST), ("level", LEVEL)):
        killed(top / name, losses)
    return lambda name, to: shutil.copytree(top / name, to, dirs_exist_ok=True) / "checkpoints"


def remove_best(place: Path) -> Path:
    (place / "best.ckpt").unlink()
    return place / "last.ckpt"


def cut_best(place: Path) -> Path:
    (place / "best.ckpt").write_bytes((place / "best.ckpt").read_bytes()[:1000])
    return place / "last.ckpt"


def last_elsewhere(place: Path) -> Path:
    place.rename(place.parent / "before")
    return place.parent / "before" / "last.ckpt"


def best_was_nan(place: Path) -> Path:
    """As older versions left it."""
    for file in place.glob("*.ckpt"):
        content = torch.load(file, weights_only=True)
        content["callbacks"]["Checkpoints"]["loss"] = NAN
        torch.save(content, file)
    return place / "last.ckpt"


def as_it_is(place: Path) -> Path:
    return place / "last.ckpt"


def best_itself(place: Path) -> Path:
    return place / "best.ckpt"


LONGER, OTHERWISE = "max_meta_iterations=8", "eval.val_tasks=3"


@pytest.mark.parametrize(
    ("run", "change", "word", "selected", "loss"),
    [
        # The stretch after 2 is another one: its best.ckpt counts for nothing.
        ("lost", as_it_is, LONGER, 3, 6.0),
        pytest.param("lost", as_it_is, OTHERWISE, 3, 6.0, marks=pytest.mark.slow),
        pytest.param("lost", as_it_is, "execution=threads", 3, 6.0, marks=pytest.mark.slow),
        # Iteration 2 was the best, and is the checkpoint itself.
        ("ahead", as_it_is, LONGER, 2, 4.0),
        ("ahead", as_it_is, "eval.protocol=inductive", 2, 4.0),  # which it was measured by
        pytest.param("ahead", as_it_is, OTHERWISE, 3, 6.0, marks=pytest.mark.slow),
        pytest.param("ahead", remove_best, LONGER, 2, 4.0, marks=pytest.mark.slow),
        # best.ckpt is where the run goes on, and is its best.
        ("ahead", best_itself, LONGER, 3, 1.0),
        # Both know of iteration 1.
        ("level", as_it_is, LONGER, 1, 4.0),
        ("level", last_elsewhere, LONGER, 1, 4.0),
        # Its tensors are lost, or its figures no measure.
        ("level", remove_best, LONGER, 3, 6.0),
        pytest.param("level", cut_best, LONGER, 3, 6.0, marks=pytest.mark.slow),
        ("level", best_was_nan, LONGER, 3, 6.0),
        # Figures of other tasks cannot be held against those that follow.
        pytest.param("level", as_it_is, OTHERWISE, 3, 6.0, marks=pytest.mark.slow),
        pytest.param("level", as_it_is, "eval.seed=5", 3, 6.0, marks=pytest.mark.slow),
        pytest.param("level", as_it_is, "eval.steps=2", 3, 6.0, marks=pytest.mark.slow),
    ],
)
def test_what_results_name_is_what_was_tested(
    run: str, change: Callable, word: str, selected: int, loss: float, left, tmp_path: Path
) -> None:
    source = change(left(run, tmp_path))
    result = train(tmp_path, BEYOND, f"resume={source}", word)
    assert result["checkpoint"] == "best"
    assert result["selected_by"]["meta_iteration"] == selected
    assert result["selected_by"]["loss"] == loss
    tested = torch.load(tmp_path / "checkpoints" / "best.ckpt", weights_only=True)
    assert tested["fewstep"]["meta_iteration"] == selected
    assert tested["callbacks"]["Checkpoints"]["loss"] == loss


@pytest.mark.slow
def test_the_same_stretch_again_ends_as_the_undisturbed_run(left, tmp_path: Path) -> None:
    left("ahead", tmp_path / "again")
    losses = {**AHEAD, 4: 3.0, 5: 2.0, 6: 2.0}
    whole = train(tmp_path / "whole", losses)
    again = train(tmp_path / "again", losses, f"resume={tmp_path / 'again'}")
    assert again == whole
    assert whole["selected_by"]["meta_iteration"] == 3


def test_where_nothing_is_measured_any_more_the_old_choice_is_told_as_it_was(
    left, tmp_path: Path
) -> None:
    """Under the settings that it was chosen by, whatever the run is tested in."""
    source = left("level", tmp_path) / "last.ckpt"
    words = ["max_meta_iterations=2", "eval.steps=4", f"resume={source}"]
    result = train(tmp_path, {}, *words)
    assert result["selected_by"]["meta_iteration"] == 1
    assert (result["steps"], result["selected_by"]["steps"]) == (4, 1)


def test_without_a_finite_figure_the_last_iterate_is_tested(tmp_path: Path) -> None:
    result = train(tmp_path, dict.fromkeys(range(1, 7), NAN))
    assert result["checkpoint"] == "last"
    assert "selected_by" not in result
    assert not (tmp_path / "checkpoints" / "best.ckpt").exists()


def test_one_figure_that_is_not_finite_is_never_best(tmp_path: Path) -> None:
    """Of a training that diverged and came back."""
    result = train(tmp_path, {1: NAN, 2: 3.0, 3: NAN, 4: 2.0, 5: -INF, 6: 4.0})
    assert result["selected_by"]["meta_iteration"] == 4


@pytest.mark.parametrize(
    ("figures", "expected"),
    [
        ({"acc": 0.5, "loss": 1.0}, 0.5),
        ({"acc": 0.5, "loss": NAN}, 0.0),  # what a diverged network guesses
        ({"acc": NAN, "loss": NAN}, 0.0),
        ({"loss": 1.0}, 1.0),
        ({"loss": NAN}, INF),
        ({"loss": -INF}, INF),
        ({}, None),
    ],
)
def test_a_search_goes_by_no_figure_that_is_not_finite(
    figures: dict, expected: float | None, tmp_path: Path
) -> None:
    """Nor is it stopped by one, as Optuna's would be by a NaN."""
    named = {f"val/{name}": value for name, value in figures.items()}
    head, row = ["meta_iteration", *named], [20, *named.values()]
    (tmp_path / "metrics.csv").write_text(f"{','.join(head)}\n{','.join(map(str, row))}\n")
    report = {"results": [{"acc" if "acc" in figures else "loss": 0.9}]}
    assert objective(report, tmp_path) == expected
