"""Figure 1 of the paper: one sine wave, as each initialization sees it before and after."""

from __future__ import annotations

from functools import partial

import matplotlib.pyplot as plt
import torch
from torch import Tensor

from fewstep.adapters.meta_test import predict
from fewstep.core.net import Net
from fewstep.core.problem import Problem
from fewstep.core.types import Episode, Start
from fewstep.records.style import STYLE, color_of
from fewstep.records.words import INITIALIZATIONS, algorithm
from fewstep.run.learner import MetaLearner
from fewstep.run.pictures.finished import Finished


class Waves:
    """waves.png: true, prior and adapted function of a test task, a panel an initialization."""

    def draw(self, finished: Finished) -> None:
        """Write it."""
        learner, inits = finished.learner, finished.initializations
        setting = finished.tasks.settings[0]
        episode = finished.episode()
        x, wave = episode.query_x[:, 0], partial(_wave, learner=learner)
        name = type(learner.algorithm).__name__.lower()  # as its file calls it
        with plt.rc_context(STYLE):
            size = (4 * len(inits) + 0.6, 3.8)
            figure, panels = plt.subplots(
                1, len(inits), figsize=size, sharey=True, squeeze=False, layout="constrained"
            )
            for axes, init in zip(panels[0], inits, strict=True):
                prior, after = finished.of(wave, episode, init)
                axes.plot(x, episode.query_y[:, 0], color="#333333", lw=1, label="true wave")
                axes.plot(x, prior, color="#adb5bd", lw=1.5, ls="--", label="before adapting")
                color = color_of(name if init == "trained" else init)
                axes.plot(x, after, color=color, lw=2.2, label="adapted")
                seen = (episode.support_x[:, 0], episode.support_y[:, 0])
                axes.plot(*seen, "o", color="#333333", ms=4, label="seen points")
                axes.set(title=INITIALIZATIONS.get(init) or algorithm(name), xlabel="x")
            handles, labels = panels[0][0].get_legend_handles_labels()
            figure.legend(
                handles, labels, loc="outside lower center", ncols=len(labels), fontsize=9
            )
            figure.suptitle(f"{setting.spec.shots} points, {setting.spec.steps} gradient steps")
            with finished.file("waves.png") as aside:
                figure.savefig(aside, format="png")
            plt.close(figure)


def _wave(
    net: Net, start: Start, episode: Episode, *, learner: MetaLearner
) -> tuple[Tensor, Tensor]:
    """The function on the query's points [points], before and after adapting."""
    inner, problem = learner.algorithm.inner, Problem(net, learner.objective)
    before = inner.start(problem, start, episode)
    after = inner.go_on(problem, before, episode).start
    with torch.no_grad():
        prior, adapted = (
            predict(problem, inner.finish(at), episode, "transductive")[:, 0]
            for at in (before, after)
        )
    return prior, adapted
