"""Figure 1 of the paper: one sine wave, as each initialization sees it before and after."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from torch import Tensor

from fewstep.adapters.gradient import InnerLoop
from fewstep.adapters.meta_test import predict
from fewstep.core.net import Net
from fewstep.core.objectives import Objective
from fewstep.core.problem import Problem
from fewstep.core.rules import State, place_state
from fewstep.core.types import Episode, Params, Start
from fewstep.disk.files import replacing
from fewstep.execution.serial import Serial
from fewstep.records.curves import COLORS
from fewstep.records.style import STYLE
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
    wave = partial(_wave, inner=learner.algorithm.inner, objective=learner.objective)
    with plt.rc_context(STYLE):
        size = (4 * len(initializations), 3.6)
        figure, panels = plt.subplots(
            1, len(initializations), figsize=size, sharey=True, squeeze=False, layout="constrained"
        )
        for axes, (init, (params, state)) in zip(panels[0], initializations.items(), strict=True):
            state = place_state(state, params)  # a GPU's run leaves it there
            with torch.enable_grad():
                ((prior, after),) = alone.map(wave, (Start(params, state),), [episode])
            axes.plot(x, episode.query_y[:, 0], color="#333333", lw=1, label="true wave")
            axes.plot(x, prior, color="#adb5bd", lw=1.5, ls="--", label="before adapting")
            axes.plot(x, after, color=COLORS.get(init), lw=2.2, label="adapted")
            seen = (episode.support_x[:, 0], episode.support_y[:, 0])
            axes.plot(*seen, "o", color="#333333", ms=4, label="seen points")
            axes.set(title=init, xlabel="x")
        panels[0][0].legend(loc="lower left", fontsize=8)
        figure.suptitle(f"{setting.spec.shots} points, {setting.spec.steps} gradient steps")
        with replacing(path) as aside:
            figure.savefig(aside, format="png")
        plt.close(figure)


def _wave(
    net: Net, start: Start, episode: Episode, *, inner: InnerLoop, objective: Objective
) -> tuple[Tensor, Tensor]:
    """The function on the query's points [points], before and after adapting."""
    problem = Problem(net, objective)
    before = inner.start(problem, start, episode)
    after = inner.go_on(problem, before, episode).start
    with torch.no_grad():
        prior, adapted = (
            predict(problem, inner.finish(at), episode, "transductive")[:, 0]
            for at in (before, after)
        )
    return prior, adapted
