"""A test on tasks that somebody has written down, in the place of those that are drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from fewstep.adapters.meta_test import Setting
from fewstep.config.ranks import check_list
from fewstep.core.types import Split
from fewstep.data.classes.split import ClassSplit
from fewstep.data.manifests import lake
from fewstep.data.manifests.listed import listed
from fewstep.data.manifests.manifest import Manifest, check_distinct
from fewstep.messages.errors import ConfigError
from fewstep.run.checks.ways import HEADS, any_ways, check_any_ways, execution_for, prepare
from fewstep.run.experiment import Experiment, MetaTest
from fewstep.run.stored import task_list


FOR_BENCHMARK = "Test one of a training with dataset.split=background, which has seen none of them"


def given(experiment: Experiment, name: str = "test", every: bool = False) -> Experiment:
    """The experiment with the split of this name as its test says: of a manifest's tasks, of a
    benchmark's, or as it is; in those of its settings that the tasks are of.

    Raises:
        ConfigError: a manifest that is none, or is of other data, or of tasks that no setting is
            for, or with `every` not each of them; or fewer tasks than processes.
    """
    test = experiment.test
    if test.benchmark:
        return _benchmark(experiment, name)
    if not test.manifest:
        return experiment
    key = f"eval.manifest={test.manifest}"
    split, tasks = _images(experiment, name, key), task_list.opened(test.manifest)
    try:
        if len(tasks.tasks) < 2:
            raise ValueError("it has one task, and an interval is of two or more")
        check_distinct(tasks.tasks)
        splits = {**experiment.splits, name: listed(split, tasks)}
    except ValueError as error:
        raise ConfigError(f"{key}: {error}. {_of_split(tasks, name)}") from None
    fitting = [setting for setting in test.settings if tasks.fits(setting.spec)]
    if any_ways(experiment) and (tasks.about["varies"] or test.settings[0].spec.varies):
        fitting = fitting or [test.settings[0]]
    if not fitting:
        raise ConfigError(_no_setting(key, tasks, experiment))
    if every and len(fitting) < len(test.settings):
        place = next(i for i, setting in enumerate(test.settings) if setting not in fitting)
        spec, its = test.settings[place].spec, f"{key}: its tasks are {tasks.described}"
        raise ConfigError(
            f"{its}, and eval.settings[{place}] is {spec.ways}-way {spec.shots}-shot. Leave that "
            "out"
        )
    check_list(key, len(tasks.tasks), experiment.machine.trainer)
    return _tested_on(experiment, splits, tasks, fitting)


def _benchmark(experiment: Experiment, name: str) -> Experiment:
    """The twenty runs, in the setting that is nearest to theirs."""
    key = "benchmark=lake"
    split = _images(experiment, name, key)
    try:
        tasks = lake.manifest(split)
    except ValueError as error:
        raise ConfigError(f"{key}: {error}. Give dataset=omniglot") from None
    try:
        splits: Mapping[str, Split] = {**experiment.splits, name: listed(split, tasks)}
    except ValueError as error:  # classes that were trained on are left out of the split
        raise ConfigError(f"{key}: {error}. {FOR_BENCHMARK}") from None
    ways, settings = lake.SPEC.ways, experiment.test.settings
    able = [s for s in settings if s.spec.ways == ways or any_ways(experiment)]
    able.sort(key=lambda s: (s.spec.ways != ways, s.spec.shots != lake.SPEC.shots))
    if not able:
        raise ConfigError(
            f"{key}: its runs are {ways}-way, and the checkpoint was trained for "
            f"{experiment.ways} ways: the last layer would not fit. Use one that was trained with "
            f"shots.ways={ways}, or with algorithm.inner.head=prototypes, which takes any"
        )
    check_list(key, len(tasks.tasks), experiment.machine.trainer)
    return _tested_on(experiment, splits, tasks, able[:1])


def _tested_on(
    experiment: Experiment, splits: Mapping[str, Split], tasks: Manifest, settings: list[Setting]
) -> Experiment:
    count = len(tasks.tasks)
    own = {name: tasks.about[name] for name in ("ways", "shots", "queries", "varies")}
    test: MetaTest = replace(
        experiment.test,
        settings=tuple(replace(s, spec=replace(s.spec, **own)) for s in settings),
        seed=tasks.about["seed"],
        tasks=count,
        curve_tasks=min(experiment.test.curve_tasks, count),
    )
    schedule = experiment.schedule
    schedule = replace(schedule, test_tasks=min(schedule.test_tasks, count))
    made = replace(experiment, splits=splits, test=test, schedule=schedule)
    check_any_ways(made)
    specs = [setting.spec for setting in test.settings]
    prepare(made.learner.module, specs, made.ways)
    made.learner.execution_name = execution_for(specs, made.ways, made.machine)
    return made


def _images(experiment: Experiment, name: str, key: str) -> ClassSplit:
    split = experiment.splits[name]
    if not isinstance(split, ClassSplit):
        raise ConfigError(
            f"{key}: lists classes and images, and the tasks of "
            f"dataset={experiment.source.name} are none. Leave it out"
        )
    return split


def _of_split(tasks: Manifest, name: str) -> str:
    """The way out: the split that the tasks are of, if an evaluation can test it, or others."""
    own = tasks.about["split"]
    if own != name and own in ("test", "val"):
        return f"Its tasks are of the {own} split: eval.split={own}"
    return task_list.ANEW


def _no_setting(key: str, tasks: Manifest, experiment: Experiment) -> str:
    about, settings = tasks.about, experiment.test.settings
    if (about["varies"] or about["ways"] != experiment.ways) and not any_ways(experiment):
        return (
            f"{key}: its tasks are {tasks.described}, and the network's last layer is for "
            f"shots.ways={experiment.ways}. Test one that was trained with "
            f"algorithm.inner.head={HEADS}, or on tasks of {experiment.ways} ways"
        )
    own = ", ".join(f"{s.spec.ways}-way {s.spec.shots}-shot" for s in settings)
    first = settings[0].spec
    batch = "null" if first.batch_size is None else first.batch_size
    asked = f"shots: {about['shots']}, steps: {first.steps}, batch_size: {batch}"
    return (
        f"{key}: its tasks are {tasks.described}, and the settings are {own}. For example "
        f"eval.settings='[{{ways: {about['ways']}, {asked}}}]'"
    )
