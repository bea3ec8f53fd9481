"""The words of a command line: what would change nothing in silence is refused."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from fewstep.config import arguments
from fewstep.config.arguments import parsed, read
from fewstep.messages.errors import ConfigError


Typed = Callable[[str], arguments.Arguments]
GOES_WITH = "goes with --cfg job, which prints the configuration and runs nothing. For example"
ALONE = "is for the jobs of a sweep, and this is a single run, which runs here. Leave it out"
SLASH = "a group is chosen with a slash. Did you mean"


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Typed:
    """Reads a line as this process's own command line."""

    def run(line: str) -> arguments.Arguments:
        command, *words = line.split()
        monkeypatch.setattr(sys, "argv", ["fewstep", command, *words])
        return read(command, words)

    return run


REFUSED = {
    # --- flags
    "train --package eval seed=1": f"--package eval: {GOES_WITH} fewstep train --cfg job --package "
    "eval",
    "train --package=eval": f"--package eval: {GOES_WITH} fewstep train --cfg job --package eval",
    "evaluate -p eval": f"-p eval: {GOES_WITH} fewstep evaluate --cfg job -p eval",
    "train -m --resolve seed=1,2": f"--resolve: {GOES_WITH} fewstep train --cfg job --resolve",
    "train --cfg jobb": "--cfg jobb: must be one of job, hydra, all. Did you mean job? For example "
    "--cfg job",
    "train -c=mine": "-c mine: must be one of job, hydra, all. For example -c job",
    "train --cfg job -c hydra": "-c hydra: -c is given twice. Leave one of them out",
    "train --cfg hydra --resolve": "--resolve: Hydra's part follows keys of the job, which --cfg "
    "hydra leaves out. Use --cfg all --resolve",
    "train -m --cfg job seed=1,2": "seed=1,2: one job is printed. Give it one value, as seed=...",
    # --- a dot for a slash, and a slash for a dot
    "train hydra.launcher=slurm": f"hydra.launcher=slurm: {SLASH} hydra/launcher=slurm?",
    "train -m hydra.sweeper=optuna_val": f"hydra.sweeper=optuna_val: {SLASH} "
    "hydra/sweeper=optuna_val?",
    "train -m +hydra.launcher=x": f"+hydra.launcher=x: {SLASH} +hydra/launcher=x?",
    "train -m hydra.launcher=null": f"hydra.launcher=null: {SLASH} hydra/launcher=null?",
    "evaluate hydra.launcher=x": f"hydra.launcher=x: {SLASH} hydra/launcher=x?",
    "bench hydra.launcher=x": f"hydra.launcher=x: {SLASH} hydra/launcher=x?",
    "episodes hydra.launcher=x": f"hydra.launcher=x: {SLASH} hydra/launcher=x?",
    "train hydra/launcher.n_jobs=2": "hydra/launcher.n_jobs=2: a key has dots. Did you mean "
    "hydra.launcher.n_jobs=2?",
    # --- a sweep's, and no sweep
    "train hydra/launcher=slurm": f"hydra/launcher=slurm: {ALONE}, or make it a sweep with -m",
    "train hydra.launcher.partition=gpu": f"hydra.launcher.partition=gpu: {ALONE}, or make it a "
    "sweep with -m",
    "train +hydra.launcher.x.y=1": f"+hydra.launcher.x.y=1: {ALONE}, or make it a sweep with -m",
    "evaluate hydra/sweeper=optuna_val": f"hydra/sweeper=optuna_val: {ALONE}, or make it a sweep "
    "with -m",
    "train hydra.mode=MULTIRUN": f"hydra.mode=MULTIRUN: {ALONE}, or make it a sweep with -m",
    "train sweep=null hydra/launcher=slurm": f"hydra/launcher=slurm: {ALONE}, or make it a sweep "
    "with -m",
    "bench hydra/launcher=slurm": f"hydra/launcher=slurm: {ALONE}",
    # --- a key twice
    "train seed=1 seed=2": "seed=2: seed is given twice. Leave one of them out",
    "train seed=1 seed=1": "seed=1: seed is given twice. Leave one of them out",
    "train -m seed=1,2 seed=3": "seed=3: seed is given twice. Leave one of them out",
    "train resume=auto resume=null": "resume=null: resume is given twice. Leave one of them out",
    "train algorithm=maml algorithm=reptile": "algorithm=reptile: algorithm is given twice. Leave "
    "one of them out",
    "train +eval.shift=1 ++eval.shift=2": "++eval.shift=2: eval.shift is given twice. Leave one of "
    "them out",
    "train label=a ~label": "~label: label is given twice. Leave one of them out",
    "train ~label +label=a +label=b": "+label=b: label is given twice. Leave one of them out",
    "bench seed=1 seed=2": "seed=2: seed is given twice. Leave one of them out",
    "evaluate eval.tasks=2 eval.tasks=3": "eval.tasks=3: eval.tasks is given twice. Leave one of "
    "them out",
}


@pytest.mark.parametrize("line", REFUSED)
def test_what_would_change_nothing_is_refused(line: str, typed: Typed) -> None:
    with pytest.raises(ConfigError) as caught:
        typed(line)
    assert str(caught.value) == REFUSED[line]


@pytest.mark.parametrize(
    "line",
    [
        "train --cfg job --package eval",
        "train --package=eval -c all --resolve",
        "train hydra/launcher=slurm hydra.launcher.partition=gpu --cfg hydra -p hydra.launcher",
        "train sweep=algorithms seed=1 --cfg job",
        "train -m hydra/launcher=slurm hydra.launcher.partition=gpu seed=1,2",
        "train sweep=algorithms hydra/launcher=local_joblib seed=1,2",
        "train -m hydra.launcher={n_jobs:3} seed=1,2",
        "train hydra/launcher=basic hydra/sweeper=basic",
        "train hydra.run.dir=x",
        "train ~label +label=a",
        "train algorithm=maml +algorithm@baselines.joint=joint",
        "train eval.tasks=3 eval.val_tasks=3",
    ],
)
def test_what_means_something_is_taken(line: str, typed: Typed) -> None:
    words = [word for word in line.split() if not word.startswith("-")]
    assert typed(line).overrides == [word for word in words if "=" in word or "~" in word]


def test_the_last_word_counts_where_a_program_has_put_them_together() -> None:
    assert read("train", ["seed=1", "seed=2"]).overrides == ["seed=1", "seed=2"]


def test_a_list_may_grow_word_by_word(monkeypatch: pytest.MonkeyPatch, typed: Typed) -> None:
    """As by `extend_list` of Hydra 1.4."""
    kind: Any = SimpleNamespace(name="EXTEND_LIST")
    monkeypatch.setattr(arguments, "parsed", lambda word: replace(parsed(word), type=kind))
    assert typed("train trust=[a] trust=[b]").overrides == ["trust=[a]", "trust=[b]"]
