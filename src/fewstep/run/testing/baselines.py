"""What is tested beside the trained initialization, from the same experiment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from fewstep.run.checks.dataset_contract import answers
from fewstep.run.construction.assembly import begun, learner_of
from fewstep.run.construction.recipes import joint_node
from fewstep.run.experiment import Experiment


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


def joint_baseline(experiment: Experiment) -> Experiment:
    """Joint training from the same start, on the same tasks: its outer step alone is its own."""
    config, joint = experiment.config, experiment.joint
    assert joint is not None, "there is no joint baseline"
    changed = {**config, "algorithm": joint_node(config), "resume": None, "logger": {}}
    beside = replace(experiment, recipe=joint, config=changed, resume=None, logger={})
    return as_it_started(beside)
