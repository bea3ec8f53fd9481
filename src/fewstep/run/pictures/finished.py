"""What a picture is drawn of: the learner that was tested, its baselines, and the tasks."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure

from fewstep.adapters.meta_test import predict
from fewstep.core.net import Net
from fewstep.core.problem import Problem
from fewstep.core.rules import State, place_state
from fewstep.core.types import Episode, Params, Start
from fewstep.disk.files import CannotWrite, replacing
from fewstep.execution.serial import Serial
from fewstep.messages.printable import printable
from fewstep.run.episodes import TaskModule
from fewstep.run.learner import MetaLearner


@dataclass(frozen=True)
class Finished:
    """A finished run."""

    folder: Path
    algorithm: str
    """Its name, as that of a recipe."""
    learner: MetaLearner
    tasks: TaskModule
    initializations: Mapping[str, tuple[Params, State]]
    """`trained`, then each baseline that starts its tasks elsewhere."""

    def episode(self, index: int = 0, **changed: int) -> Episode:
        """A test task, in the first setting but for what is `changed` of its spec."""
        spec = replace(self.tasks.settings[0].spec, **changed)
        return self.tasks.splits["test"].episode(spec, self.tasks.eval_seed, index)

    def of(
        self,
        function: Callable[[Net, Start, Episode], Any],
        episode: Episode,
        init: str = "trained",
    ) -> Any:
        """`function(net, start, episode)` where a task starts from an initialization."""
        params, state = self.initializations[init]
        start = Start(params, place_state(state, params))  # a GPU's run leaves it there
        alone = Serial(self.learner.module, self.learner.execution.traits)
        with torch.enable_grad():
            return alone.map(function, (start,), [episode])[0]

    def before_and_after(self, episode: Episode, init: str = "trained") -> tuple[Any, Any]:
        """What the network answers to the queries where a task starts, and once it is learned."""
        return self.of(partial(_answers, learner=self.learner), episode, init)

    def file(self, name: str) -> AbstractContextManager[Path]:
        """Where to write a file of the run's folder, which is there when it is whole."""
        return replacing(self.folder / name)

    def save(self, figure: Figure, name: str) -> None:
        """Write a figure of pyplot's as a file of the run's folder, and let it go."""
        with self.file(name) as aside:
            figure.savefig(aside, format="png")
        plt.close(figure)


def _answers(net: Net, start: Start, episode: Episode, *, learner: MetaLearner) -> tuple[Any, Any]:
    inner, problem = learner.algorithm.inner, Problem(net, learner.objective)
    before = inner.start(problem, start, episode)
    after = inner.go_on(problem, before, episode).start
    with torch.no_grad():
        prior, adapted = (
            predict(problem, inner.finish(at), episode, "transductive") for at in (before, after)
        )
    return prior, adapted


def draw_pictures(pictures: Sequence[Any], finished: Finished) -> None:
    """All of them, by the rank that writes; the run is finished, whatever becomes of a picture."""
    for picture in pictures if finished.learner.trainer.is_global_zero else ():
        name = type(picture).__name__
        try:
            with drawn(name):
                picture.draw(finished)
        except CannotWrite as error:
            _tell(name, str(error))


@contextmanager
def drawn(name: str) -> Iterator[None]:
    """What a picture raises is told and no more: figures count without it.

    Raises:
        CannotWrite: as on a full disk.
    """
    try:
        yield
    except CannotWrite:
        raise
    except Exception as error:  # whatever somebody's picture raises
        _tell(name, f"{type(error).__name__}: {error}")


def _tell(name: str, reason: str) -> None:
    print(f"{name} could not be drawn ({printable(reason)})", file=sys.stderr)
