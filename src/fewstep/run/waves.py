"""Figure 1 of the paper: one sine wave, as each initialization sees it before and after."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from torch import Tensor

from fewstep.adapters.meta_test import predict
from fewstep.core.net import Net
from fewstep.core.problem import Problem
from fewstep.core.rules import State, place_state
from fewstep.core.types import Episode, Params, Start
from fewstep.disk.files import replacing
from fewstep.execution.serial import Serial
from fewstep.records.style import STYLE, color_of
from fewstep.records.words import INITIALIZATIONS, algorithm
from fewstep.run.episodes import TaskModule
from fewstep.run.learner import MetaLearner


def draw_waves(
    path: Path,
    learner: MetaLearner,
    initializations: Mapping[str, tuple[Params, State]],
    tasks: TaskModule,
) -> None:
    """The first test task: true, prior and adapted function, a panel an initialization."""
    setting = tasks.settings[0]
    episode = tasks.splits["test"].episode(setting.spec, tasks.eval_seed, 0)
    x, alone = episode.query_x[:, 0], Serial(learner.module, learner.execution.traits)
    wave = partial(_wave, learner=learner)
    name = type(learner.algorithm).__name__.lower()  # as its file calls it
    with plt.rc_context(STYLE):
        size = (4 * len(initializations) + 0.6, 3.8)
        figure, panels = plt.subplots(
            1, len(initializations), figsize=size, sharey=True, squeeze=False, layout="constrained"
        )
        for axes, (init, (params, state)) in zip(panels[0], initializations.items(), strict=True):
            state = place_state(state, params)  # a GPU's run leaves it there
            with torch.enable_grad():
                ((prior, after),) = alone.map(wave, (Start(params, state),), [episode])
            axes.plot(x, episode.query_y[:, 0], color="#333333", lw=1, label="true wave")
            axes.plot(x, prior, color="#adb5bd", lw=1.5, ls="--", label="before adapting")
            color = color_of(name if init == "trained" else init)
            axes.plot(x, after, color=color, lw=2.2, label="adapted")
            seen = (episode.support_x[:, 0], episode.support_y[:, 0])
            axes.plot(*seen, "o", color="#333333", ms=4, label="seen points")
            axes.set(title=INITIALIZATIONS.get(init) or algorithm(name), xlabel="x")
        handles, labels = panels[0][0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), fontsize=9)
        figure.suptitle(f"{setting.spec.shots} points, {setting.spec.steps} gradient steps")
        with replacing(path) as aside:
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
