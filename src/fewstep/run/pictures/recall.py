"""How well a memory recalls the pairs of a stream, by how long ago it saw them."""

from __future__ import annotations

from dataclasses import dataclass

import matplotlib.pyplot as plt
import torch
from torch import Tensor

from fewstep.core.net import Net
from fewstep.core.problem import given
from fewstep.core.types import Episode, Start
from fewstep.data.streams import LeastSquares, RelativeError
from fewstep.records.figures.style import NEUTRAL, STYLE, color_of
from fewstep.run.pictures.finished import Finished


STREAMS = 64


@dataclass(frozen=True)
class Recall:
    """recall.png: the error of each pair at the end of its stream, over 64 test streams."""

    forgetting: float = 0.85
    """Of the least squares beside."""

    def draw(self, finished: Finished) -> None:
        """Write it."""
        shots = finished.tasks.settings[0].spec.shots
        tasks = [finished.episode(i, queries=shots) for i in range(STREAMS)]
        ages = torch.arange(shots - 1, -1, -1)
        squares = LeastSquares(self.forgetting)
        lines = {
            "the memory": ([finished.of(_errors, task) for task in tasks], color_of("titans"), "-"),
            f"least squares, forgetting {self.forgetting:g}": (
                [_missed(squares(t.query_x, t.support_x, t.support_y), t) for t in tasks],
                NEUTRAL,
                "--",
            ),
        }
        with plt.rc_context(STYLE):
            figure, axes = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
            for label, (errors, color, style) in lines.items():
                axes.plot(ages, torch.stack(errors).mean(0), style, color=color, label=label, lw=2)
            axes.axhline(1, color=NEUTRAL, ls=":", lw=1)
            last = finished.tasks.settings[0].spec.queries
            axes.axvspan(-0.5, last - 0.5, color=NEUTRAL, alpha=0.12, lw=0)
            axes.set(
                xlabel="pairs ago (shaded: asked for)", ylabel=RelativeError.unit, ylim=(0, None)
            )
            axes.legend()
            finished.save(figure, "recall.png")


def _errors(net: Net, start: Start, episode: Episode) -> Tensor:
    with torch.no_grad():
        return _missed(net(start.params, episode.query_x, given(net.module, episode)), episode)


def _missed(outputs: Tensor, episode: Episode) -> Tensor:
    """[T] of all pairs, in the order of the stream."""
    return RelativeError().inner_loss(outputs.detach(), episode.query_y).cpu()
