"""What is tested beside the trained initialization, from the same experiment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from fewstep.execution.collectives import all_gather
from fewstep.messages.errors import ConfigError
from fewstep.records.identity import config_hash
from fewstep.run.checks.counted import check_resumed
from fewstep.run.checks.dataset_contract import answers
from fewstep.run.construction.assembly import begun, learner_of
from fewstep.run.construction.recipes import joint_node
from fewstep.run.experiment import Experiment
from fewstep.run.stored import checkpoint
from fewstep.run.stored.origin import origin


def untrained(experiment: Experiment) -> Experiment:
    """An experiment with a learner of its own, as yet untrained."""
    made = vars(experiment)
    learner = learner_of(experiment.new_model(), experiment.recipe, experiment.objective, made)
    return replace(experiment, learner=learner)


def as_it_started(experiment: Experiment) -> Experiment:
    """An experiment with a learner of its own, which has the weights that training began with."""
    return begun(untrained(experiment))


def own_baselines(experiment: Experiment) -> Iterator[tuple[str, Experiment]]:
    """Each answer of the dataset's own in the place of a network; it has nothing to adapt."""
    settings = tuple(
        replace(s, spec=replace(s.spec, steps=0), curve_steps=(0,))
        for s in experiment.test.settings
    )
    tested = replace(experiment, test=replace(experiment.test, settings=settings))
    for name, make in answers(experiment.dataset).items():
        yield name, untrained(replace(tested, new_model=make))


def joint_baseline(experiment: Experiment, folder: Path) -> Experiment:
    """Joint training from the same start, on the same tasks: its outer step alone is its own. It
    goes on with what an earlier start of this very training has left in its folder."""
    config, joint = experiment.config, experiment.joint
    assert joint is not None, "there is no joint baseline"
    changed = {**config, "algorithm": joint_node(config), "resume": None, "logger": {}}
    beside = replace(experiment, recipe=joint, config=changed, resume=None, logger={})
    made = as_it_started(beside)
    file = folder / "checkpoints" / "last.ckpt"
    every = all_gather([_goes_on(made, file)])  # where each rank has the file; or all begin anew
    return replace(made, resume=file) if all(every) else made


def _goes_on(experiment: Experiment, file: Path) -> bool:
    """Whether a checkpoint is there, and of this very training."""
    if not file.is_file():
        return False
    try:
        ours = checkpoint.read(file, "resume")["fewstep"]
        check_resumed(experiment, file, alone=False)
        same = config_hash(ours["config"]) == config_hash(experiment.config)
    except (ConfigError, LookupError, TypeError, AttributeError):
        return False
    here = origin(experiment.splits)
    return same and all(ours.get(name) == here[name] for name in here)
