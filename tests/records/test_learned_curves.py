"""What the inner rule learned is a panel of a run's curves.png: as it was logged, and only then."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from tests.report.made_rows import run

from fewstep.records.figures.curves import draw_curves, figure_of
from fewstep.records.figures.style import color_of


TITLE = "learned by the inner rule"
RATES = "meta_iteration,train/acc,train/inner_lr_min,train/inner_lr_mean,train/inner_lr_max\n"
STRENGTHS = (
    "meta_iteration,train/loss,"
    + ",".join(f"train/inner_{n}_{k}" for n in ("log_kappa", "m") for k in ("min", "mean", "max"))
    + "\n"
)
SPREAD = RATES + "10,0.3,0.09,0.1,0.11\n20,0.4,0.08,0.2,0.31\n30,0.5,0.01,0.3,0.9\n"


def drawn(folder: Path, metrics: str, name: str = "metasgd") -> Figure:
    (folder / "metrics.csv").write_text(metrics)
    return figure_of(folder, run(folder, algorithm__name=name).content)


def panel(figure: Figure) -> Axes:
    (found,) = [axes for axes in figure.axes if axes.get_title() == TITLE]
    return found


def band(axes: Axes) -> list[tuple[float, float]]:
    """The corners of the only band."""
    (found,) = axes.collections
    return [(float(x), float(y)) for x, y in found.get_paths()[0].vertices]


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_the_mean_and_all_of_the_values_are_what_was_logged(tmp_path: Path) -> None:
    figure = drawn(tmp_path, SPREAD)
    axes = panel(figure)
    (line,) = axes.lines
    assert list(line.get_xdata()) == [10, 20, 30]
    assert list(line.get_ydata()) == [0.1, 0.2, 0.3]
    corners = {(10, 0.09), (10, 0.11), (20, 0.08), (20, 0.31), (30, 0.01), (30, 0.9)}
    assert corners <= set(band(axes))
    assert axes.get_yscale() == "log"  # from 0.01 to 0.9
    assert {"learned: inner learning rate", "band: lowest to highest value"} <= set(legend(figure))
    assert len(figure.axes) == 3
    others = {color_of(name) for name in ("metasgd", "random")}
    assert line.get_color() not in others


@pytest.mark.parametrize(
    "rows", ["10,0.3,0.09,0.1,0.11\n", "10,0.3,-0.09,0.1,9.0\n"], ids=["narrow", "negative"]
)
def test_an_axis_is_logarithmic_only_of_positive_values_far_apart(rows: str, tmp_path) -> None:
    assert panel(drawn(tmp_path, RATES + rows)).get_yscale() == "linear"


def test_each_entry_has_a_line_and_one_value_has_no_band(tmp_path: Path) -> None:
    rows = "10,0.3,2.3,2.3,2.3,-0.4,0.1,0.5\n20,0.2,2.5,2.5,2.5,-0.5,0.2,0.6\n"
    figure = drawn(tmp_path, STRENGTHS + rows, "maml")
    axes = panel(figure)
    assert [list(line.get_ydata()) for line in axes.lines] == [[2.3, 2.5], [0.1, 0.2]]
    assert len({line.get_color() for line in axes.lines}) == 2
    assert {"learned: log kappa", "learned: m"} <= set(legend(figure))
    assert (20, -0.5) in band(axes)  # of m alone
    alone = drawn(tmp_path, RATES + "10,0.3,0.1,0.1,0.1\n20,0.3,0.2,0.2,0.2\n")
    assert not panel(alone).collections
    assert "band: lowest to highest value" not in legend(alone)


@pytest.mark.parametrize(
    "rows", ["", RATES + "10,0.3,,,\n", RATES + "10,0.3,nan,nan,nan\n"], ids=["no", "empty", "nan"]
)
def test_where_nothing_was_learned_there_is_no_panel(rows: str, tmp_path: Path) -> None:
    figure = drawn(tmp_path, rows or "meta_iteration,train/acc\n10,0.3\n")
    assert TITLE not in {axes.get_title() for axes in figure.axes}
    assert not [label for label in legend(figure) if "learned" in label]


def test_neither_what_diverged_nor_a_pause_nor_a_torn_line_breaks_it(tmp_path: Path) -> None:
    """A run that went on logs only some columns at once, and one that was cut off half a line."""
    rows = "10,0.3,0.09,0.1,0.11\n20,0.4,,,\n30,,0.1,0.1,\n40,nan,nan,nan,nan\n50,0.3,inf,inf,inf\n"
    figure = drawn(tmp_path, RATES + rows + "60,0.4,0.0")
    (line,) = panel(figure).lines
    found = list(line.get_ydata())
    assert (list(line.get_xdata()), found[:2]) == ([10, 30, 40, 50], [0.1, 0.1])
    assert all(map(math.isnan, found[2:]))
    content = run(tmp_path, None, algorithm__name="metasgd").content
    assert draw_curves(tmp_path, content).stat().st_size > 0


def test_an_answer_of_the_dataset_does_not_go_by_the_name_of_the_algorithm(tmp_path: Path) -> None:
    made = [
        run(tmp_path, init=init, metric="loss", shots__ways=1) for init in ("trained", "oracle")
    ]
    content = made[0].content
    content = {**content, "results": [r for one in made for r in one.content["results"]]}
    assert {"Reptile", "the dataset's own answer"} <= set(legend(figure_of(tmp_path, content)))
