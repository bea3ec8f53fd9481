"""How often a subject's picture is found, by how many pictures the subject was seen with."""

from __future__ import annotations

import matplotlib.pyplot as plt
import torch

from fewstep.core.net import Net
from fewstep.core.problem import given
from fewstep.core.ridge import Ridge
from fewstep.core.types import Episode, Start
from fewstep.data.subjects import Retrieval
from fewstep.records.figures.style import NEUTRAL, STYLE, color_of
from fewstep.run.pictures.finished import Finished


TASKS = 50
SIZES = (2, 4, 8, 16, 32, 64)


class Retrieved:
    """retrieved.png: top-1 accuracy in context and of ridge regressions, over 50 test subjects."""

    def draw(self, finished: Finished) -> None:
        """Write it."""
        ways = {
            "in context": (_found, color_of("in_context"), "-"),
            "ridge": (_by_ridge(False), NEUTRAL, "--"),
            "ridge, weighted by noise": (_by_ridge(True), "#333333", "--"),
        }
        queries = finished.tasks.settings[0].spec.queries
        with plt.rc_context(STYLE):
            figure, axes = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
            for label, (function, color, style) in ways.items():
                right = [
                    sum(finished.of(function, finished.episode(i, shots=n)) for i in range(TASKS))
                    for n in SIZES
                ]
                points = [100 * r / TASKS for r in right]
                axes.plot(SIZES, points, style, color=color, marker="o", ms=4, lw=2, label=label)
            axes.axhline(100 / queries, color=NEUTRAL, ls=":", lw=1)
            axes.set(xlabel="pictures seen", ylabel=f"top-1 of {queries}, %", xscale="log")
            axes.set_xticks(SIZES, [str(n) for n in SIZES])
            axes.set_xticks([], minor=True)
            axes.set_ylim(0, None)
            axes.legend()
            finished.save(figure, "retrieved.png")


def _found(net: Net, start: Start, episode: Episode) -> float:
    with torch.no_grad():
        outputs = net(start.params, episode.query_x, given(net.module, episode))
    return float(Retrieval().metrics(outputs, episode.query_y)["acc"])


def _by_ridge(weighted: bool):
    ridge = Ridge(weighted)

    def found(net: Net, start: Start, episode: Episode) -> float:
        taken = given(ridge, episode)
        outputs = ridge(episode.query_x, **taken).detach()
        return float(Retrieval().metrics(outputs, episode.query_y)["acc"])

    return found
