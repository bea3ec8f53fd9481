"""What each client of a federation knows."""

from __future__ import annotations

from functools import partial

import matplotlib.pyplot as plt
import numpy as np

from fewstep.adapters.meta_test import evaluate_task
from fewstep.records.figures.style import PALETTE, STYLE
from fewstep.run.pictures.finished import Finished


MEASURED = {
    "acc": "own classes, by the exit",
    "server_own": "own classes, by the server",
    "server_others": "classes of others, by the server",
}


class ByClient:
    """clients.png: accuracies of every client, with the width of its network."""

    def draw(self, finished: Finished) -> None:
        """Write it."""
        learner, setting = finished.learner, finished.tasks.settings[0].final
        inner, objective = learner.algorithm.inner, learner.objective
        test = partial(evaluate_task, inner=inner, objective=objective, setting=setting)
        widths = finished.episode().extras["widths"].tolist()
        tasks = map(finished.episode, range(len(widths)))
        found = [finished.of(test, task)[setting.protocols[0]] for task in tasks]
        places, bar = np.arange(len(widths)), 0.8 / len(MEASURED)
        with plt.rc_context(STYLE):
            figure, axes = plt.subplots(figsize=(8.6, 4.2), layout="constrained")
            for number, (name, label) in enumerate(MEASURED.items()):
                values = [100 * float(metrics[name][-1]) for metrics in found]
                at = places + (number - 1) * bar
                axes.bar(at, values, bar * 0.92, color=PALETTE[number], label=label)
            chance = 100 / len(finished.episode().extras["own"])
            axes.axhline(chance, color="#333333", lw=1, ls=":", label="chance among all classes")
            axes.set_xticks(places, [f"client {i + 1}\nwidth {w:g}" for i, w in enumerate(widths)])
            axes.set(ylim=(0, 100), ylabel="accuracy, %")
            figure.legend(loc="outside lower center", ncols=2, fontsize=9)
            finished.save(figure, "clients.png")
