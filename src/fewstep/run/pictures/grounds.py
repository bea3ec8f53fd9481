"""Velocity models before and after adapting, beside the true one."""

from __future__ import annotations

import matplotlib.pyplot as plt
from torch import Tensor

from fewstep.records.figures.style import STYLE
from fewstep.records.words import INITIALIZATIONS, algorithm
from fewstep.run.pictures.finished import Finished


class Grounds:
    """velocity.png: the first test ground, a row an initialization, with errors in m/s."""

    def draw(self, finished: Finished) -> None:
        """Write it."""
        inits, episode = finished.initializations, finished.episode()
        name, steps = finished.algorithm, len(episode.batches)
        true = episode.extras["velocity"].cpu()
        shared = {"vmin": float(true.min()) - 300, "vmax": float(true.max()) + 300}
        with plt.rc_context({**STYLE, "axes.grid": False}):
            figure, rows = plt.subplots(
                len(inits), 3, figsize=(9.6, 2.3 * len(inits)), squeeze=False, layout="constrained"
            )
            image = None
            for row, init in zip(rows, inits, strict=True):
                answers = finished.before_and_after(episode, init)
                found = [answer["velocity"][0].cpu() for answer in answers]
                titles = [f"before, {_error(found[0], true):.0f} m/s off"]
                titles += [f"after {steps} steps, {_error(found[1], true):.0f} m/s", "true"]
                for axes, title, model in zip(row, titles, (*found, true), strict=True):
                    image = axes.imshow(model.numpy(), cmap="viridis", **shared)
                    axes.set(xticks=[], yticks=[])
                    axes.set_title(title, fontsize=10)
                row[0].set_ylabel(INITIALIZATIONS.get(init) or algorithm(name), fontsize=9)
            assert image is not None, "a run has an initialization"
            figure.colorbar(image, ax=rows, label="m/s", shrink=0.8)
            finished.save(figure, "velocity.png")


def _error(model: Tensor, true: Tensor) -> float:
    return (model - true).square().mean().sqrt().item()
