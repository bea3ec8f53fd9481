"""`fewstep train`: learn an initialization and test it."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fewstep.records.objective import objective


if TYPE_CHECKING:
    from fewstep.config.arguments import Arguments
    from fewstep.launch.settling import Command


MODULE = "fewstep.commands.train"

EXAMPLES = """\
  fewstep train                                          the default: Reptile on glyphs
  fewstep train algorithm=maml shots=5w5s                another recipe, another task
  fewstep train dataset=omniglot dataset.root=DATA       real data in DATA
  fewstep train dataset=image_folder dataset.root=PHOTOS your own pictures, a folder a class
  fewstep train algorithm.inner.lr=0.002 seed=1          any key of the configuration
  fewstep train experiment=omniglot_5w_reptile           a named experiment
  fewstep train -m algorithm=reptile,fomaml seed=1,2,3   a sweep
  fewstep train sweep=algorithms                         a named sweep: conf/sweep/algorithms.yaml
  fewstep train sweep=algorithms hydra/launcher=local_joblib    ... with jobs side by side
  fewstep train -m algorithm=reptile,maml budget.gradients=50000    equal work for each
  fewstep train resume=outputs/runs/NAME                 continue the newest run of that name
  fewstep train seed=1 resume=auto                       continue the newest run of this command
"""


def help_text() -> str:
    """What `fewstep train --help` prints."""
    from fewstep.config.help import guide

    return guide("train", EXAMPLES, "train")


def main(words: Sequence[str] | None = None) -> int:
    """Train as the overrides say; the exit status."""
    from fewstep.launch.start import launch

    return launch(command(), sys.argv[1:] if words is None else words)


def command() -> Command:
    """What is launched."""
    from fewstep.commands.following import of_training
    from fewstep.launch.settling import Command

    return Command(
        "train", MODULE, check, settle_alone, job, digests, direction, prepared, of_training
    )


def prepared(arguments: Arguments) -> Arguments:
    """The arguments with the run that they resume, and with its overrides.

    Raises:
        ConfigError: a run that cannot be resumed.
    """
    from fewstep.commands.following import of_training
    from fewstep.launch.resume import resumed

    return resumed("train", arguments, of_training)


def check(config: dict[str, Any]) -> None:
    """Refuse a configuration that cannot run, whatever the data.

    Raises:
        ConfigError: naming the key, the value, the limit and the fix.
    """
    check_keys(config)
    from fewstep.run.construction import assembly

    assembly.check(config)


def check_keys(config: dict[str, Any]) -> None:
    """Refuse keys and values that no run can have; before torch is imported, which takes seconds.

    Raises:
        ConfigError: naming the key, the value, the limit and the fix.
    """
    from fewstep.config.capacity import check_capacity
    from fewstep.config.limits import check_training
    from fewstep.config.needed_rule import check_needed
    from fewstep.config.ranks import check_sharing

    check_training(config)
    check_needed(config)
    check_sharing(config)
    check_capacity(config)


def settle_alone(config: dict[str, Any]) -> dict[str, str]:
    """As `settle`, of a run that is no job of a sweep.

    Raises:
        ConfigError: as `settle`, or a run to resume has diverged.
    """
    return settle(config, alone=True)


def settle(config: dict[str, Any], alone: bool = False) -> dict[str, str]:
    """Refuse what cannot run, before a run directory is made; overrides to add.

    Raises:
        ConfigError: naming the key, the value, the limit and the fix.
    """
    from fewstep.commands.following import of_training

    config = {**config, **of_training(config)}
    check_keys(config)
    from fewstep.config.ranks import outside
    from fewstep.run import handover
    from fewstep.run.checks.cautions import warn
    from fewstep.run.checks.counted import check_resumed
    from fewstep.run.checks.preflight import Preflight
    from fewstep.run.checks.splits import check_validation
    from fewstep.run.construction import assembly

    experiment = assembly.draft(config)
    path = experiment.resume
    if path:
        check_resumed(experiment, path, alone)
    experiment = assembly.with_data(experiment)
    check_validation(experiment)
    warn(experiment)
    preflight = Preflight(experiment)
    preflight.training(experiment.splits["train"])
    preflight.test(experiment.splits["test"])
    handover.keep(config, experiment)
    if not path:
        if experiment.init and not outside():
            print(experiment.init.summary(experiment.learner.module))
        return {}
    added = {"resume": str(path.resolve())}
    if path.resolve().parent.name == "checkpoints":
        added["hydra.run.dir"] = str(path.resolve().parents[1])
    return added


def digests(dataset: Mapping[str, Any]) -> Mapping[str, str | None]:
    """What tells the data of a configuration's `dataset`.

    Raises:
        OSError, ValueError: data that cannot be read.
    """
    from fewstep.run.construction import parts
    from fewstep.run.stored import origin

    return origin.digests(parts.build_dataset(dataset).open())


def direction(configs: Sequence[Mapping[str, Any]], given: Any) -> str:
    """The override that has a search go where the meta-validation is better."""
    from fewstep.run.checks import search

    return search.direction(configs, given)


def job(config: dict[str, Any], folder: Path, command: str) -> float | None:
    """Train in a run directory; what a sweeper is to go by."""
    from fewstep.launch import ranks

    report = ranks.run("fewstep.commands.train:train", config, folder, command)
    return objective(report, folder)


def train(config: dict[str, Any], folder: Path, command: str) -> dict[str, Any]:
    """Train in this process, or as one of several ranks; what results.json says."""
    from fewstep.run import handover, training

    return training.train(handover.taken(config), folder, command)
