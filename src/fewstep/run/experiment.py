"""One typed object between the configuration and the run: everything a run is, built once by
`fewstep.run.construction.assembly`. Whatever comes after takes it, or a part of it, and no
configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from fewstep.adapters.meta_test import Setting
from fewstep.algorithms import Algorithm
from fewstep.config.names import network_part
from fewstep.core.outer import OuterStep
from fewstep.core.types import EpisodeSpec, Split
from fewstep.messages.errors import ConfigError
from fewstep.records import words
from fewstep.run.construction.source import Labels, Source
from fewstep.run.construction.work import Tasks, Work
from fewstep.run.learner import MetaLearner
from fewstep.run.stored.weights import Weights


@dataclass(frozen=True)
class Recipe:
    """How a learner learns."""

    name: str
    algorithm: Algorithm
    outer: OuterStep
    spec: EpisodeSpec
    """Of a task in meta-training."""
    again: Callable[[int, int | None], Recipe] = field(repr=False)
    """The same with so many inner steps, and so many whose graph is held at a time (None: all of
    them; an algorithm that cannot do otherwise is not asked).

    Raises:
        ConfigError: the algorithm refuses that.
    """

    def shortened(self, steps: int) -> Recipe:
        """The same with so many inner steps; as it is where the algorithm refuses that."""
        held = self.checkpoint_steps
        try:
            return self.again(steps, held and min(held, steps - 1))
        except ConfigError:  # a combination has one weight for each step
            return self

    @property
    def inner_steps(self) -> int:
        """Updates in meta-training."""
        return self.algorithm.inner.steps

    @property
    def checkpoint_steps(self) -> int | None:
        """Inner steps whose graph is held at a time; None where it is not cut into pieces."""
        return getattr(self.algorithm, "checkpoint_steps", None)

    @property
    def can_checkpoint(self) -> bool:
        """Whether a derivative leads through the inner loop, which may be cut into pieces."""
        return hasattr(self.algorithm, "checkpoint_steps")


@dataclass(frozen=True)
class Schedule:
    """How long a training is, and after how many meta-iterations it does what."""

    max_meta_iterations: int
    meta_batch: int
    log_every: int
    checkpoint_every: int
    val_every: int | None
    """None: never, as for `test_every`."""
    val_tasks: int
    test_every: int | None
    test_tasks: int


@dataclass(frozen=True)
class MetaTest:
    """What the end of a run measures."""

    settings: tuple[Setting, ...]
    """Validation uses the first, and its first protocol."""
    seed: int
    tasks: int
    curve_tasks: int
    checkpoint: str | None
    """`best` or `last`; None is best where there is validation."""
    manifest: str | None = None
    """A file of tasks, in the place of those that are drawn."""
    benchmark: str | None = None
    """A list of tasks that the field shares, in their place."""

    def criterion(self, schedule: Schedule) -> tuple[Any, ...]:
        """The setting and protocol of meta-validation, and its tasks."""
        first = self.settings[0]
        return first.spec, first.protocols[0], schedule.val_tasks, self.seed


@dataclass(frozen=True)
class Machine:
    """Where it runs."""

    trainer: Mapping[str, Any]
    """Arguments of Lightning's trainer."""
    accelerator: str
    precision: str
    ranks: int
    """On all machines."""
    execution: str


@dataclass(frozen=True)
class Experiment:
    """A run: what is learned, how, for how long, from what, and where."""

    labels: Labels
    seed: int
    """Of the initialization and of the training tasks."""
    source: Source
    dataset: Any
    splits: Mapping[str, Split]
    """Empty before the data is opened."""
    model: str
    """The dotted path of the network, for messages."""
    ways: int
    """Classes that the network is made to tell apart."""
    learner: MetaLearner
    chance: Tensor = field(repr=False)
    """Where building the network has left torch's random numbers."""
    recipe: Recipe
    schedule: Schedule
    test: MetaTest
    machine: Machine
    logger: Mapping[str, Any]
    """A `_target_` and its arguments; nothing where metrics.csv is enough."""
    random: bool
    """Whether an untrained learner is tested beside the trained one."""
    start: bool
    """Whether the weights that `init` names are tested as they are."""
    oracle: bool
    """Whether the dataset's own best answer is tested beside it."""
    pictures: Sequence[Any] = field(repr=False)  # what is drawn of the finished run
    joint: Recipe | None
    """Of the baseline that is trained beside it."""
    init: Weights | None
    """The weights that it starts from; None is random ones."""
    resume: Path | None
    """The checkpoint that the run goes on from."""
    other_data: bool
    """Whether it may do so on other data."""
    config: Mapping[str, Any] = field(repr=False)
    """What all of it was made from: to be kept, hashed and shown, and not to be read."""
    new_model: Callable[[], nn.Module] = field(repr=False)
    """The network once more, in the state that the run's seed gives it."""

    @property
    def objective(self) -> Any:
        """What is learned in a task: losses and metrics."""
        return self.dataset.objective

    @property
    def title(self) -> str:
        """Of its pictures: the network as well, where it is not the usual one."""
        network = network_part(self.model, self.source.target).removeprefix("_")
        learner = words.algorithm(self.recipe.name) + (f" with {network}" if network else "")
        return words.run(learner, self.source.name, self.seed)

    @property
    def work(self) -> Work:
        """What its training has cost so far."""
        learner, points = self.learner, getattr(self.dataset, "points", None)
        tasks = Tasks(self.recipe.algorithm, self.recipe.spec, points)
        of_each = tasks.until(learner.meta_iteration, of=learner.max_meta_iterations)
        return of_each.times(learner.meta_batch)
