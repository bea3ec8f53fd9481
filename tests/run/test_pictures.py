"""Pictures of a finished run are of its algorithm, whatever class that shares with others."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import matplotlib.pyplot as plt
import pytest
import torch

from fewstep.records.figures.style import color_of
from fewstep.run.pictures.waves import Waves


@pytest.mark.parametrize(
    ("algorithm", "title"), [("cavia", "CAVIA"), ("eigen_reptile", "Eigen-Reptile")]
)
def test_waves_are_of_the_algorithm_that_was_trained(algorithm: str, title: str) -> None:
    x = torch.linspace(-5, 5, 9)[:, None]
    episode = SimpleNamespace(query_x=x, query_y=x.sin(), support_x=x[::2], support_y=x[::2].sin())
    spec = SimpleNamespace(shots=5, steps=3)
    drawn = []
    finished = SimpleNamespace(
        folder=Path(),
        algorithm=algorithm,
        initializations={"trained": None, "random": None},
        tasks=SimpleNamespace(settings=[SimpleNamespace(spec=spec)]),
        episode=lambda: episode,
        before_and_after=lambda episode, init: (0 * episode.query_y, episode.query_y),
        save=lambda figure, name: drawn.append((figure, name)),
    )
    Waves().draw(finished)
    ((figure, name),) = drawn
    assert name == "waves.png"
    assert [axes.get_title() for axes in figure.axes] == [title, "random initialization"]
    adapted = figure.axes[0].get_lines()[2]
    assert adapted.get_color() == color_of(algorithm)
    plt.close(figure)
