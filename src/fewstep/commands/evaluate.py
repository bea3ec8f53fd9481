"""`fewstep evaluate`: test a checkpoint again, in other settings or on other tasks."""

from __future__ import annotations

import copy
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from fewstep.config.arguments import Arguments
    from fewstep.run.experiment import Experiment
    from fewstep.run.tested import Tested

OPEN = ("trainer.", "logger.", "dataset.")
"""Parts whose keys depend on what was chosen for them."""

BESIDE = ("model", "shots", "algorithm")
"""What a dataset's file may choose beside it, and an evaluation leaves aside."""

SHAPE = ("size", "channels")
"""Keys of a dataset that must be what the network takes."""

MODULE = "fewstep.commands.evaluate"

EXAMPLES = """\
  fewstep evaluate checkpoint=outputs/runs/NAME          the newest run of that name
  fewstep evaluate checkpoint=last.ckpt eval.tasks=10000
  fewstep evaluate checkpoint=last.ckpt eval.steps=0     the initialization as it is
  fewstep evaluate checkpoint=last.ckpt eval.settings='[{shots: 5, steps: 50, batch_size: 5}]'
"""


def help_text() -> str:
    """What `fewstep evaluate --help` prints."""
    from fewstep.config.help import guide

    return guide("evaluate", EXAMPLES, "evaluate")


def main(words: Sequence[str] | None = None) -> int:
    """Evaluate as the overrides say; the exit status."""
    from fewstep.commands.train import digests
    from fewstep.launch.start import Command, launch

    command = Command("evaluate", MODULE, check, settle, job, digests, prepare=prepared)
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
    return replace(arguments, overrides=[_dated(word) for word in arguments.overrides])


def _dated(word: str) -> str:
    """The newest run's folder for its name, which may soon mean the evaluation itself."""
    from fewstep.config.arguments import parsed
    from fewstep.messages.words import quoted
    from fewstep.records.run_folders import newest

    override = parsed(word)
    if override.key_or_group != "checkpoint" or not override.value():
        return word
    found = newest(path := Path(str(override.value())).expanduser())
    saved = found != path and any((found / "checkpoints").glob("*.ckpt"))
    return f"checkpoint={quoted(str(found))}" if saved else word


def check(config: dict[str, Any]) -> None:
    """Refuse overrides that are not of the evaluation.

    Raises:
        ConfigError: naming the key and what to do instead.
    """
    from fewstep.config.checks import check_values, flatten
    from fewstep.config.explain import foreign
    from fewstep.config.limits import EVALUATE, OF_EVALUATION
    from fewstep.config.names import check_name
    from fewstep.config.trust import check_trust
    from fewstep.messages.errors import ConfigError

    for key, value in flatten(config):
        if key not in OF_EVALUATION and not key.startswith(OPEN):
            raise ConfigError(foreign("evaluate", f"{key}={value}"))
    check_trust(config)
    check_name("name", config["name"], pieces=True)
    check_values(config, EVALUATE)


def dataset_of(own: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """The dataset to test on: the checkpoint's `own` with what is `given`, or another one.

    Of another, too, size and channels are those that the network was trained on, unless they are
    given; so is the root, where it is the same kind of dataset.
    """
    known = {name: value for name, value in given.items() if value is not None}
    if "_target_" not in known:
        return {**own, **known}
    same = known["_target_"] == own["_target_"]
    kept = (*SHAPE, *(("root", "split") if same else ()))
    return {**{name: own[name] for name in kept if name in own}, **known}


def merged(config: dict[str, Any]) -> tuple[dict[str, Any], Path]:
    """The checkpoint's own configuration with the evaluation's overrides, and its file.

    Raises:
        ConfigError: a checkpoint that is missing or cannot be read, or that names code which is
            not trusted.
    """
    from fewstep.config.trust import check_stored
    from fewstep.run import checkpoint

    path = checkpoint.find(config["checkpoint"])
    base = copy.deepcopy(checkpoint.read(path)["fewstep"]["config"])
    check_stored(base, f"checkpoint={path}", config["trust"])
    own = ("split", "trained_classes")
    changed = {n: v for n, v in config["eval"].items() if v is not None and n not in own}
    one = {n: changed[n] for n in ("steps", "batch_size") if n in changed}
    if one and "settings" not in changed:  # of every setting that the checkpoint was tested in
        same = [{**setting, **one} for setting in base["eval"]["settings"]]
        changed["settings"] = [s for i, s in enumerate(same) if s not in same[:i]]
    base["eval"] |= changed
    base["dataset"] = dataset_of(base["dataset"], config["dataset"])
    precision = config["trainer"]["precision"] or base["trainer"]["precision"]
    base |= {n: config[n] for n in ("name", "logger", "execution", "trust", "other_data")}
    base |= {"init": None, "resume": None, "pictures": []}
    base["trainer"] = {**config["trainer"], "precision": precision}
    return base, path


def settle(config: dict[str, Any]) -> dict[str, str]:
    """Refuse what cannot run, before a run directory is made; overrides to add.

    Raises:
        ConfigError: naming the key, the value, the limit and the fix.
    """
    check(config)
    from fewstep.run import checkpoint, handover
    from fewstep.run.checkpoint_contents import stopwatch
    from fewstep.run.tested import check_inputs

    experiment, tested, path = made = _evaluation(config)
    stopwatch(checkpoint.restore(experiment.learner, path), path, "checkpoint")
    check_inputs(experiment, tested, path)
    handover.keep(config, made)
    return {}


def _evaluation(config: dict[str, Any]) -> tuple[Experiment, Tested, Path]:
    """The checkpoint's experiment on the data that is asked for, that data, and its file."""
    from fewstep.config.capacity import check_capacity
    from fewstep.config.limits import check_training
    from fewstep.run import assembly, checkpoint
    from fewstep.run.tested import Asked, opened

    base, path = merged(config)
    check_training(base)
    experiment = assembly.draft(base)
    check_capacity(base, training=False)
    asked = Asked(
        path,
        config["eval"]["split"],
        elsewhere="_target_" in config["dataset"] or config["dataset"]["split"] is not None,
        other_data=config["other_data"],
        leaves_out=config["eval"]["trained_classes"] == "leave_out",
    )
    tested = opened(experiment, asked, checkpoint.read(path)["fewstep"])
    return replace(experiment, splits=tested.splits), tested, path


def job(config: dict[str, Any], folder: Path, command: str) -> None:
    """Test in a run directory; a sweeper has nothing to go by."""
    from fewstep.launch import ranks

    ranks.run("fewstep.commands.evaluate:evaluate", config, folder, command)


def evaluate(config: dict[str, Any], folder: Path, command: str) -> dict[str, Any]:
    """Test a checkpoint and return what results.json says."""
    from fewstep.run import handover, training

    experiment, tested, path = handover.kept(config) or _evaluation(config)
    return training.evaluate(experiment, path, folder, command, tested)
