"""Seam 4: which task is task i hangs on (seed, split, i) alone, however tasks are handed out."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from itertools import chain, islice
from types import SimpleNamespace

import pytest
import torch
from omegaconf import OmegaConf
from torch import nn
from torch.utils import _pytree as pytree

from fewstep.adapters.meta_test import Setting, curve_steps
from fewstep.config.groups import conf_dir
from fewstep.core.types import Episode, EpisodeSpec
from fewstep.data.classes.split import ClassSplit
from fewstep.data.glyphs import Glyphs
from fewstep.run.episodes import CHUNK, EvalTasks, MetaBatches, TaskModule


TRAIN = EpisodeSpec(ways=5, shots=4, queries=0, steps=2, batch_size=6)
TEST_SEED = 3


@pytest.fixture(scope="module")
def splits() -> dict[str, ClassSplit]:
    return Glyphs(classes=60).open()


def setting(shots: int = 1, steps: int = 3) -> Setting:
    spec = EpisodeSpec(ways=5, shots=shots, queries=1, steps=steps, batch_size=5)
    return Setting(spec, curve_steps=curve_steps(steps))


def module(splits: dict[str, ClassSplit], meta_iteration: int = 0, **changes) -> TaskModule:
    """A module as Lightning has it, with a learner that has come so far."""
    arguments = {"meta_batch": 2, "seed": 7, "settings": [setting()], "tasks": 6, "curve_tasks": 2}
    tasks = TaskModule(splits, TRAIN, eval_seed=TEST_SEED, **{**arguments, **changes})
    learner = nn.Linear(1, 1)
    learner.meta_iteration = meta_iteration
    tasks.trainer = SimpleNamespace(lightning_module=learner)
    return tasks


def training_tasks(source: Iterable[list[Episode]], n: int) -> list[Episode]:
    return list(islice(chain.from_iterable(source), n))


def in_test(tasks: TaskModule, which: int = 0) -> list[Episode]:
    return [e for chunk in tasks.test_dataloader()[which] for e in chunk.episodes]


def same(found: list[Episode], expected: list[Episode]) -> bool:
    return len(found) == len(expected) and all(
        torch.equal(a, b)
        for x, y in zip(found, expected, strict=True)
        for a, b in zip(pytree.tree_leaves(x), pytree.tree_leaves(y), strict=True)
    )


def direct(split: ClassSplit, spec: EpisodeSpec, seed: int, tasks: Iterable[int]) -> list[Episode]:
    return [split.episode(spec, seed, task) for task in tasks]


@pytest.mark.parametrize("meta_batch", [1, 2, 3, 5])
@pytest.mark.parametrize("start", [0, 1, 4, 1000])
def test_training_tasks_hang_on_neither_meta_batch_nor_start(splits, meta_batch, start):
    source = MetaBatches(splits["train"], TRAIN, 7, meta_batch, start)
    first = start * meta_batch
    expected = direct(splits["train"], TRAIN, 7, range(first, first + 11))
    assert same(training_tasks(source, 11), expected)
    assert same(training_tasks(source, 11), expected)  # a second look starts over
    assert [len(batch) for batch in islice(source, 3)] == [meta_batch] * 3


def test_another_task_seed_or_split_is_another_task(splits):
    first = MetaBatches(splits["train"], TRAIN, 7, 2, 0)
    a, b, *_ = training_tasks(first, 2)
    assert not same([a], [b])
    for other in (
        MetaBatches(splits["train"], TRAIN, 8, 2, 0),
        MetaBatches(splits["test"], TRAIN, 7, 2, 0),
    ):
        assert not same(training_tasks(other, 1), [a])


@pytest.mark.parametrize("start", [1, 3])
def test_a_resumed_run_goes_on_where_it_was(splits, start):
    whole = training_tasks(module(splits).train_dataloader(), 12)
    rest = training_tasks(module(splits, meta_iteration=start).train_dataloader(), 4)
    assert same(rest, whole[2 * start : 2 * start + 4])


def test_loaders_beside_each_other_do_not_disturb_each_other(splits):
    alone = training_tasks(module(splits).train_dataloader(), 6)
    tasks = module(splits, settings=[setting(1), setting(5)])
    one, two = iter(tasks.train_dataloader()), iter(tasks.train_dataloader())
    test = iter(tasks.test_dataloader()[1])
    found: dict[str, list[Episode]] = {"one": [], "two": [], "test": []}
    for turn in range(3):  # taken in turns
        torch.manual_seed(turn)  # the global generator plays no part
        found["one"] += next(one)
        found["test"] += getattr(next(test, None), "episodes", [])
        found["two"] += next(two)
    assert same(found["one"], alone)
    assert same(found["two"], alone)
    assert same(found["test"], in_test(module(splits, settings=[setting(5)])))


@pytest.mark.parametrize("tasks", [1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 3])
@pytest.mark.parametrize("curve_tasks", [0, 1, CHUNK, CHUNK + 5, 500])
def test_eval_tasks_are_in_order_and_in_chunks(splits, tasks, curve_tasks):
    source = EvalTasks(splits["test"], setting(), tasks, curve_tasks, TEST_SEED)
    chunks = list(source)
    found = [episode for chunk in chunks for episode in chunk.episodes]
    assert same(found, direct(splits["test"], setting().spec, TEST_SEED, range(tasks)))
    assert len(source) == len(chunks)
    assert all(1 <= len(chunk.episodes) <= CHUNK for chunk in chunks)

    curve = [chunk for chunk in chunks if chunk.setting == setting()]
    final = [chunk for chunk in chunks if chunk.setting == setting().final]
    assert setting() != setting().final
    assert chunks == curve + final
    edge = min(curve_tasks, tasks)
    assert sum(len(chunk.episodes) for chunk in curve) == edge
    for part in (curve, final):  # only the last of each part is not full
        assert all(len(chunk.episodes) == CHUNK for chunk in part[:-1])


CHANGES = {
    "fewer tasks": {"tasks": 4},
    "more tasks": {"tasks": CHUNK + 6},
    "no curve": {"curve_tasks": 0},
    "a curve of all": {"curve_tasks": 100},
    "seed of the run": {"seed": 8},
    "meta-batch": {"meta_batch": 5},
    "meta-iteration": {"meta_iteration": 9},
}


@pytest.mark.parametrize("changes", CHANGES.values(), ids=CHANGES)
def test_a_test_task_is_the_same_whatever_else_changes(splits, changes):
    expected = direct(splits["test"], setting().spec, TEST_SEED, range(40))
    n = changes.get("tasks", 6)
    assert same(in_test(module(splits, **changes)), expected[:n])


def test_a_test_task_is_the_same_in_any_order_of_settings(splits):
    a, b = setting(1), setting(5)
    forth, back = module(splits, settings=[a, b]), module(splits, settings=[b, a])
    assert same(in_test(forth, 0), in_test(back, 1))
    assert same(in_test(forth, 1), in_test(back, 0))
    assert same(in_test(module(splits, settings=[b])), in_test(back, 0))


@pytest.mark.parametrize("val", [0.05, 0.3, 0.5])
def test_a_test_task_is_the_same_whatever_the_sizes_of_the_other_splits(splits, val):
    other = Glyphs(classes=60, val=val).open()
    assert len(other["val"].classes) != len(splits["val"].classes)
    assert len(other["train"].classes) != len(splits["train"].classes)
    assert same(in_test(module(other)), in_test(module(splits)))


def test_settings_of_different_shots_share_queries_and_nest_supports(splits):
    tasks = module(splits, settings=[setting(1), setting(5)])
    for one, five in zip(in_test(tasks, 0), in_test(tasks, 1), strict=True):
        assert one.query_x.equal(five.query_x)
        assert one.query_y.equal(five.query_y)
        nested = five.support_x.unflatten(0, (5, 5))[:, :1].flatten(0, 1)
        assert one.support_x.equal(nested)


def test_validation_and_test_are_different_tasks_of_the_same_settings(splits):
    tasks = module(splits, settings=[setting(1), setting(5)])
    val = [e for chunk in tasks.val_dataloader()[1] for e in chunk.episodes]
    assert same(val, direct(splits["val"], setting(5).spec, TEST_SEED, range(6)))
    assert not same(val, in_test(tasks, 1))


def test_what_a_module_tests_on_unless_it_is_told_is_what_a_configuration_says() -> None:
    told = OmegaConf.load(conf_dir() / "train.yaml").eval
    fields = {field.name: field.default for field in dataclasses.fields(TaskModule)}
    expected = (told.seed, told.tasks, told.curve_tasks)
    assert (fields["eval_seed"], fields["tasks"], fields["curve_tasks"]) == expected
