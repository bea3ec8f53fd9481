"""A learner on the tasks of a split, as meta-test measures it."""

from __future__ import annotations

import os
from functools import partial
from typing import Any

import torch
from torch import Tensor

from fewstep.adapters.meta_test import Setting, evaluate_task
from fewstep.core.types import EpisodeSpec
from fewstep.data.classes.split import ClassSplit
from fewstep.data.glyphs import Glyphs
from fewstep.data.omniglot import Omniglot
from fewstep.execution.choice import make_execution
from fewstep.use.learning import Learner


SEED = 0
"""Of the tasks."""


def split_of(name: str, part: str) -> ClassSplit:
    """The classes that a shipped initialization was not trained on: `val` or `test`."""
    split = "with_val" if part == "val" else "authors"  # their test characters are the same
    data: Any = Glyphs() if name == "glyphs" else Omniglot(os.environ["FEWSTEP_DATA"], split=split)
    return data.open()[part]


def spec_of(learner: Learner, ways: int, shots: int, queries: int) -> EpisodeSpec:
    """A task of so many classes as the learner meets it in use."""
    each = learner.examples_a_step(ways)
    return EpisodeSpec(ways, shots, queries, learner.steps, each)


def accuracies(
    learner: Learner,
    split: ClassSplit,
    spec: EpisodeSpec,
    tasks: int,
    protocols: tuple[str, ...] = ("support",),
) -> dict[str, Tensor]:
    """The accuracy of each task after the last step, by protocol: [tasks]."""
    module, start = learner.network_for(spec.ways)
    setting = Setting(spec, protocols, (spec.steps,))
    episodes = [split.episode(spec, SEED, task) for task in range(tasks)]
    run = make_execution("auto", module, torch.device("cpu"), episodes[0])
    measure = partial(
        evaluate_task, inner=learner.inner, objective=learner.objective, setting=setting
    )
    found = run.map(measure, (start,), episodes)
    return {p: torch.stack([one[p]["acc"][0] for one in found]).double() for p in protocols}
