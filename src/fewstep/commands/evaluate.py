"""`fewstep evaluate`: test a checkpoint again, in other settings or on other tasks."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from fewstep.config.arguments import Arguments
    from fewstep.run.experiment import Experiment
    from fewstep.run.testing.tested import Tested

OPEN = ("trainer.", "logger.", "dataset.")
"""Parts whose keys depend on what was chosen for them."""

BESIDE = ("model", "shots", "algorithm")
"""What a dataset's file may choose beside it, and an evaluation leaves aside."""

MODULE = "fewstep.commands.evaluate"

EXAMPLES = """\
  fewstep evaluate checkpoint=outputs/runs/NAME          the newest run of that name
  fewstep evaluate checkpoint=last.ckpt eval.tasks=10000
  fewstep evaluate resume=outputs/runs/evaluate          continue the newest that was stopped
  fewstep evaluate checkpoint=omniglot dataset.root=DATA   the initialization that is shipped
  fewstep evaluate checkpoint=last.ckpt eval.steps=0     the initialization as it is
  fewstep evaluate checkpoint=last.ckpt benchmark=lake   the twenty runs of the Omniglot challenge
  fewstep evaluate checkpoint=last.ckpt eval.manifest=tasks.npz   the tasks of a file
  fewstep evaluate checkpoint=last.ckpt eval.settings='[{shots: 5, steps: 50, batch_size: 5}]'
"""


def help_text() -> str:
    """What `fewstep evaluate --help` prints."""
    from fewstep.config.help import guide

    return guide("evaluate", EXAMPLES, "evaluate")


def main(words: Sequence[str] | None = None) -> int:
    """Evaluate as the overrides say; the exit status."""
    from fewstep.commands.following import of_evaluation
    from fewstep.commands.train import digests
    from fewstep.launch.start import Command, launch

    rest = digests, None, prepared, of_evaluation
    command = Command("evaluate", MODULE, check, settle, job, *rest)
    return launch(command, sys.argv[1:] if words is None else words)


def prepared(arguments: Arguments) -> Arguments:
    """The arguments, with the run that a name alone means, and none that changes what was trained.

    Raises:
        ConfigError: naming it and what to do instead.
    """
    from fewstep.config.arguments import parsed
    from fewstep.config.explain import foreign
    from fewstep.messages.errors import ConfigError

    for word in arguments.overrides:
        if parsed(word).get_key_element().lstrip("+~").split(".")[0] in BESIDE:
            raise ConfigError(foreign("evaluate", word))
    if arguments.sweep or arguments.shows:
        return arguments
    from fewstep.commands.following import of_evaluation
    from fewstep.launch.resume import resumed

    dated = [_dated(word) for word in arguments.overrides]
    return resumed("evaluate", replace(arguments, overrides=dated), of_evaluation)


def _dated(word: str) -> str:
    """The newest run's folder for its name, which may soon mean the evaluation itself."""
    from fewstep.config.arguments import parsed
    from fewstep.disk.homes import expanded
    from fewstep.messages.words import quoted
    from fewstep.records.run_folders import newest

    override = parsed(word)
    if override.key_or_group != "checkpoint" or not override.value():
        return word
    found = newest(path := expanded(str(override.value()), "checkpoint"))
    saved = found != path and any((found / "checkpoints").glob("*.ckpt"))
    return f"checkpoint={quoted(str(found))}" if saved else word


def check(config: dict[str, Any]) -> None:
    """Refuse overrides that are not of the evaluation.

    Raises:
        ConfigError: naming the key and what to do instead.
    """
    from fewstep.config.checks import check_values, flatten
    from fewstep.config.evaluation import (
        EVALUATE,
        OF_ALL,
        OF_EVALUATION,
        check_followed,
        check_tasks,
    )
    from fewstep.config.explain import foreign
    from fewstep.config.names import check_name
    from fewstep.config.trust import check_trust
    from fewstep.messages.errors import ConfigError

    for key, value in flatten(config):
        if key not in OF_EVALUATION and not key.startswith(OPEN):
            raise ConfigError(foreign("evaluate", f"{key}={value}"))
    check_trust(config)
    check_name("name", config["name"], pieces=True)
    check_values(config, EVALUATE)
    check_tasks(config)
    test = config["eval"]
    check_followed(test["settings"], {f"eval.{n}": test[n] for n in OF_ALL if test[n] is not None})


def settle(config: dict[str, Any]) -> dict[str, str]:
    """Refuse what cannot run, before a run directory is made; overrides to add.

    Raises:
        ConfigError: naming the key, the value, the limit and the fix.
    """
    check(config)
    from fewstep.launch.resume import place
    from fewstep.run import handover
    from fewstep.run.checks.cautions import tell, warn
    from fewstep.run.stored import checkpoint
    from fewstep.run.stored.spent import stopwatch
    from fewstep.run.testing.tested import check_inputs

    experiment, tested, path = made = _evaluation(config)
    stopwatch(checkpoint.restore(experiment.learner, path), path, "checkpoint")
    warn(experiment, training=False)
    tell(tested.cautions)
    check_inputs(experiment, tested, path)
    handover.keep(_asked(config), made)
    return place(config["resume"])


def _asked(config: dict[str, Any]) -> dict[str, Any]:
    """What is tested, wherever it goes on."""
    return {**config, "resume": None}


def _evaluation(config: dict[str, Any]) -> tuple[Experiment, Tested, Path]:
    """The checkpoint's experiment on the data that is asked for, that data, and its file."""
    from fewstep.commands.following import of_evaluation
    from fewstep.commands.merging import merged
    from fewstep.config.capacity import check_capacity
    from fewstep.config.limits import check_training
    from fewstep.run.checks.dataset_contract import check_asked
    from fewstep.run.checks.ways import check_any_ways
    from fewstep.run.construction import assembly
    from fewstep.run.stored import checkpoint
    from fewstep.run.testing.given_tasks import given
    from fewstep.run.testing.tested import Asked, opened

    base, path = merged(config)
    base |= of_evaluation(base)  # the checkpoint's own, too, is what it was
    check_training(base, frozenset({"benchmark"}))
    experiment = assembly.draft(base)
    check_any_ways(experiment)
    check_asked(experiment.dataset, experiment.test)
    check_capacity(base, training=False)
    content, given_data = checkpoint.read(path)["fewstep"], config["dataset"]
    asked = Asked(
        path,
        config["eval"]["split"],
        elsewhere="_target_" in given_data
        or given_data["split"] is not None
        or base["dataset"].get("split") != content["config"]["dataset"].get("split"),
        other_data=config["other_data"],
        leaves_out=config["eval"]["trained_classes"] == "leave_out",
    )
    tested = opened(experiment, asked, content)
    asked_for = config["eval"]["settings"] is not None
    made = given(replace(experiment, splits=tested.splits), tested.split, asked_for)
    return made, replace(tested, splits=made.splits), path


def job(config: dict[str, Any], folder: Path, command: str) -> None:
    """Test in a run directory; a sweeper has nothing to go by."""
    from fewstep.launch import ranks

    ranks.run("fewstep.commands.evaluate:evaluate", config, folder, command)


def evaluate(config: dict[str, Any], folder: Path, command: str) -> dict[str, Any]:
    """Test a checkpoint and return what results.json says."""
    from fewstep.run import handover, training

    experiment, tested, path = handover.kept(_asked(config)) or _evaluation(config)
    return training.evaluate(experiment, path, folder, command, tested)
