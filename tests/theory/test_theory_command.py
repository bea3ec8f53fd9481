"""`fewstep theory`: what it takes, what it refuses, what it writes, and its two trainings."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch

from fewstep import cli
from fewstep.commands import theory as command
from fewstep.core.net import Net
from fewstep.core.problem import Problem
from fewstep.core.types import Start
from fewstep.theory import alignment, manifolds
from fewstep.theory.problem import flat, sine_problem
from fewstep.theory.tables import markdown
from problems import REGRESSION


ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "theory.md").read_text()
COMMITTED = json.loads((ROOT / "docs" / "results" / "theory" / "theory.json").read_text())
SECTION_5 = [name for name in command.PARTS if name not in command.WHERE_NAMED]


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["slops"], ["slops", "Did you mean slopes?", *command.PARTS]),
        (["sed=1"], ["sed=1", "Did you mean seed?", *command.KEYS]),
        (["seed=-1"], ["seed=-1", "at least 0", "seed=0"]),
        (["max_meta_iterations=0"], ["max_meta_iterations=0", "at least 1"]),
        (["dataset=sine"], ["dataset=sine", "glyphs, omniglot"]),
        (
            ["estimators", "max_meta_iterations=5"],
            [
                "max_meta_iterations=5: is of alignment alone, and estimators would be computed "
                "without it. Leave it out, or add alignment"
            ],
        ),
        (
            ["slopes", "joint", "dataset=omniglot"],
            ["dataset=omniglot: is of alignment and estimators alone, and slopes, joint would be"],
        ),
        (["out="], ["out=", "a text"]),
        (["alignment", "dataset.root=DATA"], ["dataset.root=DATA", "there is no key"]),
        (["alignment", "dataset=omniglot", "dataset.root=NOWHERE"], ["dataset.root", "NOWHERE"]),
        (["slopes", "out=file/below"], ["out=file/below", "cannot be written to"]),
    ],
)
def test_mistakes_are_answered_before_anything_is_written(
    words: list[str], parts: list[str], tmp_path: Path, monkeypatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    assert cli.main(["theory", *words]) == 2
    message = capsys.readouterr().err
    assert message.startswith("fewstep: ")
    for part in parts:
        assert part in message
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_help_names_every_part_and_key(capsys) -> None:
    assert cli.main(["theory", "--help"]) == 0
    text = capsys.readouterr().out
    for name in (*command.PARTS, *command.KEYS):
        assert re.search(rf"^  {re.escape(name)}\b", text, re.M), name


def test_a_part_is_printed_and_written_and_not_overwritten(
    tmp_path: Path, monkeypatch, capsys
) -> None:
    monkeypatch.setattr(manifolds, "META_ITERATIONS", 2)
    words = ["joint", "manifolds", "seed=3", f"out={tmp_path / 'out'}"]
    assert command.main(words) == 0
    printed = capsys.readouterr().out
    figures = json.loads((tmp_path / "out" / "theory.json").read_text())
    assert figures["seed"] == 3
    assert set(command.PARTS) & set(figures) == {"joint", "manifolds"}
    table = markdown(figures)
    assert (tmp_path / "out" / "theory.md").read_text() == table + "\n"
    assert table in printed
    assert {path.name for path in (tmp_path / "out").glob("*.png")} == {"manifolds.png"}
    assert command.main(words) == 2
    assert "is not empty, it holds manifolds.png, theory.json, theory.md" in capsys.readouterr().err


def test_agreement_is_over_all_pairs_of_minibatches() -> None:
    problem = sine_problem(0)
    episode = problem.episodes[0]
    gb = [flat(problem.gradient(episode, i, problem.params)) for i in range(4)]
    pairs = [(gb[i], gb[j]) for i in range(4) for j in range(i)]
    product, cosine, loss = alignment.task_agreement(
        problem.net, problem.params, episode, problem.objective
    )
    assert float(product) == pytest.approx(sum(float(a @ b) for a, b in pairs) / 6)
    cosines = [float(a @ b / (a.norm() * b.norm())) for a, b in pairs]
    assert float(cosine) == pytest.approx(sum(cosines) / 6)
    outputs = problem.net(problem.params, episode.support_x)
    whole = REGRESSION.inner_loss(outputs, episode.support_y).mean()
    assert float(loss) == pytest.approx(float(whole))  # the minibatches cover the support


def test_both_trainings_take_the_same_step_but_for_the_order_of_gradients() -> None:
    """With a tiny inner rate Reptile's gradients are all those of the initialization, and its
    outer step is joint training's: what sets the two apart is the inner loop alone."""
    tiny = 1e-9
    words = ["dataset.classes=60", "trainer.precision=64", f"algorithm.inner.lr={tiny}"]
    trainings, moved = alignment.experiments(words), {}
    first = trainings["reptile"]
    episode = first.splits["train"].to("cpu", torch.float64).episode(first.recipe.spec, 0, 0)
    for name, made in trainings.items():
        net, algorithm = Net(made.learner.module), made.recipe.algorithm
        direction, _, _ = algorithm.direction(
            Problem(net, made.objective), Start(net.params(), {}), episode
        )
        rate = made.recipe.outer.lr
        # Reptile's direction carries its own inner rate, joint training's outer rate the usual one.
        moved[name] = rate * flat(direction) / (tiny if name == "reptile" else alignment.INNER_LR)
    difference = (moved["joint"] - moved["reptile"]).norm() / moved["joint"].norm()
    assert float(difference) < 1e-4


@pytest.mark.slow
def test_the_two_trainings_start_alike_and_are_measured_alike(monkeypatch) -> None:
    monkeypatch.setattr(alignment, "TASKS", 2)
    words = ["dataset.classes=60", "model.channels=4", "max_meta_iterations=2", "meta_batch=1"]
    found = alignment.during_training(alignment.experiments(words))
    joint, reptile = (training["points"] for training in found["trainings"])
    assert [training["k"] for training in found["trainings"]] == [1, alignment.K]
    assert [p["meta_iteration"] for p in joint] == [0, 1, 2]
    assert [p["meta_iteration"] for p in reptile] == [0, 1, 2]
    assert joint[0] == reptile[0]
    assert joint[2] != reptile[2]
    assert joint[0]["cosine_ci95"] > 0


# --- the committed run, which docs/theory.md shows


def test_every_theory_command_of_the_readme_is_understood() -> None:
    commands = re.findall(r"^fewstep theory(.*?)(?:\s+#.*)?$", PAGE, re.M)
    assert len(commands) > 1
    for words in commands:
        assert command.read(words.split()).parts
    assert command.read(COMMITTED["command"].split()[2:]).parts == SECTION_5


def test_the_table_of_the_readme_is_that_of_the_committed_run() -> None:
    shown = re.search(r"<!-- fewstep theory -->\n(.*?)\n<!-- end theory -->", PAGE, re.S)
    assert shown
    assert shown.group(1) == markdown(COMMITTED)


def test_the_committed_run_shows_what_the_paper_says() -> None:
    assert set(SECTION_5) <= set(COMMITTED)
    for row in COMMITTED["slopes"]:
        assert row["slope"] == pytest.approx(2.0, abs=0.02)
    for row in COMMITTED["coefficients"]:
        for term in ("avg_grad", "avg_grad_inner"):
            assert row[term] == pytest.approx(row[f"paper_{term}"], rel=0.01)
    joint, reptile = (training["points"] for training in COMMITTED["alignment"]["trainings"])
    assert joint[0] == reptile[0]
    assert (
        reptile[-1]["cosine"] - reptile[-1]["cosine_ci95"]
        > reptile[0]["cosine"] + reptile[0]["cosine_ci95"]
    )
    assert (
        reptile[-1]["cosine"] - reptile[-1]["cosine_ci95"]
        > joint[-1]["cosine"] + joint[-1]["cosine_ci95"]
    )
    assert joint[-1]["cosine"] < joint[0]["cosine"] + joint[0]["cosine_ci95"]


@pytest.mark.slow
def test_gradients_come_to_agree_for_reptile_alone() -> None:
    found = alignment.during_training(alignment.experiments(["seed=1", "max_meta_iterations=60"]))
    joint, reptile = (training["points"] for training in found["trainings"])
    least = reptile[-1]["cosine"] - reptile[-1]["cosine_ci95"]
    assert least > reptile[0]["cosine"] + reptile[0]["cosine_ci95"]
    assert least > joint[-1]["cosine"] + joint[-1]["cosine_ci95"]
