"""Figure 1 of the paper: one sine wave, as each initialization sees it before and after."""

from __future__ import annotations

import matplotlib.pyplot as plt

from fewstep.records.figures.style import STYLE, color_of
from fewstep.records.words import INITIALIZATIONS, algorithm
from fewstep.run.pictures.finished import Finished


class Waves:
    """waves.png: true, prior and adapted function of a test task, a panel an initialization."""

    def draw(self, finished: Finished) -> None:
        """Write it."""
        name, inits = finished.algorithm, finished.initializations
        setting = finished.tasks.settings[0]
        episode = finished.episode()
        x = episode.query_x[:, 0]
        with plt.rc_context(STYLE):
            size = (4 * len(inits) + 0.6, 3.8)
            figure, panels = plt.subplots(
                1, len(inits), figsize=size, sharey=True, squeeze=False, layout="constrained"
            )
            for axes, init in zip(panels[0], inits, strict=True):
                answers = finished.before_and_after(episode, init)
                prior, after = (answer[:, 0] for answer in answers)
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
            finished.save(figure, "waves.png")
