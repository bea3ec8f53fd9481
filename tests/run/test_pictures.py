"""Pictures of a finished run are of its algorithm, whatever class that shares with others."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import matplotlib.pyplot as plt
import pytest
import torch

import fewstep
from fewstep.records.figures.style import color_of
from fewstep.run import training
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


def test_curves_that_cannot_be_drawn_take_no_figure_along(tmp_path, monkeypatch, capsys) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("no such font")

    monkeypatch.setattr(training, "draw_curves", fails)
    words = ["dataset=sine", "trainer=cpu", "meta_batch=1", "eval.tasks=2", "eval.steps=1"]
    words += ["max_meta_iterations=1", "eval.val_every=null", f"hydra.run.dir={tmp_path / 'run'}"]
    fewstep.train(words)
    assert "curves.png could not be drawn (RuntimeError: no such font)" in capsys.readouterr().err
    assert (tmp_path / "run" / "results.json").is_file()
