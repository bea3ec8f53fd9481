"""Velocity models before and after adapting, beside the true one."""

from __future__ import annotations

from functools import partial

import matplotlib.pyplot as plt
import torch
from torch import Tensor

from fewstep.core.net import Net
from fewstep.core.problem import Problem
from fewstep.core.types import Episode, Start
from fewstep.records.style import STYLE
from fewstep.records.words import INITIALIZATIONS, algorithm
from fewstep.run.learner import MetaLearner
from fewstep.run.pictures.finished import Finished


class Grounds:
    """velocity.png: the first test ground, a row an initialization, with errors in m/s."""

    def draw(self, finished: Finished) -> None:
        """Write it."""
        learner, inits = finished.learner, finished.initializations
        episode, steps = finished.episode(), finished.tasks.settings[0].spec.steps
        true, name = episode.extras["velocity"].cpu(), type(learner.algorithm).__name__.lower()
        shared = {"vmin": float(true.min()) - 300, "vmax": float(true.max()) + 300}
        with plt.rc_context({**STYLE, "axes.grid": False}):
            figure, rows = plt.subplots(
                len(inits), 3, figsize=(9.6, 2.3 * len(inits)), squeeze=False, layout="constrained"
            )
            image = None
            for row, init in zip(rows, inits, strict=True):
                found = finished.of(partial(_models, learner=learner), episode, init)
                titles = [f"before, {_error(found[0], true):.0f} m/s off"]
                titles += [f"after {steps} steps, {_error(found[1], true):.0f} m/s", "true"]
                for axes, title, model in zip(row, titles, (*found, true), strict=True):
                    image = axes.imshow(model.numpy(), cmap="viridis", **shared)
                    axes.set(xticks=[], yticks=[])
                    axes.set_title(title, fontsize=10)
                row[0].set_ylabel(INITIALIZATIONS.get(init) or algorithm(name), fontsize=9)
            assert image is not None, "a run has an initialization"
            figure.colorbar(image, ax=rows, label="m/s", shrink=0.8)
            with finished.file("velocity.png") as aside:
                figure.savefig(aside, format="png")
            plt.close(figure)


def _error(model: Tensor, true: Tensor) -> float:
    return (model - true).square().mean().sqrt().item()


def _models(
    net: Net, start: Start, episode: Episode, *, learner: MetaLearner
) -> tuple[Tensor, Tensor]:
    """The velocity models [nz, nx] before and after adapting."""
    inner, problem = learner.algorithm.inner, Problem(net, learner.objective)
    before = inner.start(problem, start, episode)
    after = inner.go_on(problem, before, episode).start
    given, shot = problem.given(episode), episode.query_x[:1]
    with torch.no_grad():
        prior, adapted = (
            net(inner.finish(at), shot, given)["velocity"][0].cpu() for at in (before, after)
        )
    return prior, adapted
