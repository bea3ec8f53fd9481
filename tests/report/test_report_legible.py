"""The figures of a report where they are hard to read: many series, single points, far chance."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from pathlib import Path

import pytest
from matplotlib.axes import Axes
from tests.report.made_rows import run, section_of, trial
from tests.report.test_report_figures import boxes, cut, over, picture, texts

from fewstep.records.figures.curves import figure_of
from fewstep.records.figures.lines import Line, paint
from fewstep.records.figures.panel import STEP, Panel, notes
from fewstep.records.figures.style import PALETTE, apart, color_of, nth
from fewstep.records.measures import told
from fewstep.report.figures.search import search_of
from fewstep.report.figures.series import SHOWN_LINES, Series, looks_of


FAMILIES = (
    [*["reptile"] * 22, "maml", "mine"],
    ["maml"] * SHOWN_LINES,
    [*["random"] * 14, *["reptile"] * 10],
    [f"mine_{i}" for i in range(13)] + ["reptile"] * 11,
)


@pytest.mark.parametrize("families", FAMILIES)
def test_no_two_series_look_alike(families: Sequence[str]) -> None:
    found = [Series(f"{i}", family) for i, family in enumerate(families)]
    looks = looks_of(found)
    assert len({tuple(look.values()) for look in looks.values()}) == len(found) == SHOWN_LINES
    own = [s for s in found if looks[s]["color"] == color_of(s.family)]
    assert {s.family for s in found} - {f"mine_{i}" for i in range(13)} - {"mine"} <= {
        s.family for s in own
    }


def test_recipes_beyond_the_markers_take_no_other_algorithms_colour() -> None:
    looks = looks_of([Series(f"{i}", "reptile") for i in range(20)] + [Series("", "maml")])
    colors = [look["color"] for s, look in looks.items() if s.family == "reptile"]
    assert colors[:12] == [color_of("reptile")] * 12
    assert color_of("maml") not in colors


def test_what_a_rule_learns_and_baselines_look_unlike_each_other() -> None:
    assert len({tuple(nth(place, PALETTE).values()) for place in range(60)}) == 60
    names = ["mine", "cavia", "joint", "random", "ridge", "oracle", "start", "least_squares"]
    assert len({tuple(look.values()) for look in apart(names).values()}) == len(names)
    assert apart(["cavia", "random"])["cavia"]["color"] == color_of("cavia")


def test_what_is_one_point_is_no_line_in_the_legend(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("meta_iteration,train/acc\n1,0.5\n")
    figure = figure_of(tmp_path, run(tmp_path).content)
    lines = {h.get_label(): h.get_linestyle() for h in figure.legends[0].legend_handles}
    (own,) = [style for label, style in lines.items() if label.startswith("training tasks")]
    assert (own, lines["Reptile"]) == ("None", "-")
    assert cut(figure) == over(figure) == []


def test_single_points_have_bars_and_markers_by_protocol(tmp_path: Path) -> None:
    protocols = ("inductive", "transductive", "support")
    runs = [run(tmp_path, a, steps=(7,), protocols=protocols, algorithm__name=n)
            for n, a in (("reptile", 0.5), ("maml", 0.5))]  # fmt: skip
    figure = picture(runs, "adaptation").figure
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["7"]
    dots = [line for line in axes.lines if line.get_linestyle() == "None"]
    assert len({(d.get_fillstyle(), d.get_markerfacecolor()) for d in dots[:3]}) == 3
    centres = sorted(axes.transData.transform((d.get_xdata()[0], 0))[0] for d in dots)
    widths = max(d.get_markersize() for d in dots) * figure.dpi / 72
    assert min(b - a for a, b in itertools.pairwise(centres)) > widths
    styles = [handle.get_linestyle() for handle in figure.legends[0].legend_handles[:5]]
    assert styles == ["None"] * 5
    assert "bar: 95 % over tasks" in texts(figure)
    assert not [text for text in texts(figure) if text.startswith("band: ")]


@pytest.mark.parametrize("x", [[0, 1, 2], [3]], ids=["bands", "bars"])
def test_two_kinds_of_bands_in_one_figure_are_told_apart(x: list[int]) -> None:
    """One training's is over tasks, that of two or three seeds a range, from four on of a mean."""
    at = [[50.0 + i for i in x]]
    lines = [Line(x, at * seeds, [2.0] * len(x), {"color": "k"}) for seeds in (1, 2, 4)]
    handles = notes([Panel("", STEP, "accuracy, %", "acc", lines)])
    looks = {
        (h.get_linestyle(), h.get_alpha(), h.get_linewidth(), getattr(h, "_markeredgewidth", None))
        for h in handles
    }
    assert len(looks) == len(handles) == 3
    shown = drawn(lines, "acc").collections
    assert len({(*c.get_linewidth(), c.get_alpha(), str(c.get_linestyle())) for c in shown}) == 3


def drawn(lines: Sequence[Line], metric: str = "loss") -> Axes:
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots()
    paint(axes, lines, metric)
    plt.close(figure)
    return axes


@pytest.mark.parametrize("half", [0.2, 1.4, 1.6, 5.0])
@pytest.mark.parametrize("first", [4.0, 400.0])
def test_no_band_of_a_loss_leaves_its_axis(half: float, first: float) -> None:
    """Close to the curve, far below it, to zero and beyond: of few decades and of many."""
    line = Line([0, 1, 2], [[first, 2.0, 1.5]], [0.1, half, half], {"color": "k"})
    axes = drawn([line])
    low, high = axes.get_ylim()
    ends = [v for side in line.ends("loss") for v in side]
    assert low <= min(ends)
    assert max(ends) <= high
    where = axes.transData.transform([(0, v) for v in (low, min(line.y), high)])[:, 1]
    assert 0 <= where[1] - where[0] < 0.5 * (where[2] - where[0])


def test_figures_of_a_panel_have_as_many_decimals() -> None:
    assert told([3.4, 4.26, 3.01], "loss") == ["3.40", "4.26", "3.01"]
    assert told([0.36, 0.367], "loss") == ["0.360", "0.367"]
    assert told([3.4, 0.0204], "loss") == ["3.40", "0.0204"]
    assert told([98.6, 7.0], "acc") == ["98.6", "7.0"]
    assert told([math.nan, 2.0], "loss") == ["nan", "2.00"]
    assert told([0.0, 1234.0], "loss") == ["0", "1234"]
    assert told([], "loss") == []


def test_a_dot_plot_writes_its_figures_alike(tmp_path: Path) -> None:
    made = {"metric": "loss", "dataset__name": "sine", "shots__ways": 1}
    runs = [run(tmp_path, a, algorithm__name=n, **made)
            for n, a in (("reptile", 3.4), ("maml", None), ("fomaml", 4.26))]  # fmt: skip
    (axes,) = picture(runs, "final").figure.axes
    told = {text.get_text() for text in axes.texts}
    assert {"3.40", "4.26"} <= told
    assert "diverged" in told


def test_long_names_keep_off_the_edge_of_the_picture(tmp_path: Path) -> None:
    names = ("Langevin descent, prior one_sided", "ridge regression, sigma 0.5, prior laplace")
    runs = [run(tmp_path, 0.6, label=n, dataset__name=d) for n in names for d in ("sine", "mine")]
    figure = picture(runs, "final").figure
    for _, box in boxes(figure):
        assert box.x0 > 0.1 * figure.dpi
        assert box.x1 < figure.bbox.width - 0.1 * figure.dpi


@pytest.mark.parametrize("steps", [(0, 1, 450), (0, 200, 500), (0, 3)])
def test_numbers_of_inner_steps_do_not_touch(steps: Sequence[int], tmp_path: Path) -> None:
    settings = ("glyphs", "omniglot", "mine")
    runs = [run(tmp_path, dataset__name=name, steps=steps) for name in settings]
    figure = picture(runs, "adaptation").figure
    figure.draw_without_rendering()
    for axes in figure.axes:
        places = [label.get_window_extent() for label in axes.get_xticklabels()]
        assert all(b.x0 - a.x1 > 3 for a, b in itertools.pairwise(places))


def searched(folder: Path, asked: str, rates: Sequence[float]) -> Axes:
    command = f"fewstep train -m name=search 'algorithm.inner.lr={asked}'"
    runs = [
        trial(folder / str(i), 0.2 + 0.1 * i, algorithm__inner__lr=rate)
        for i, rate in enumerate(rates)
    ]
    for made in runs:
        made.content["command"] = command
    (axes,) = picture(runs, "search").figure.axes
    return axes


@pytest.mark.parametrize(
    ("asked", "last", "scale"),
    [
        ("tag(log, interval(0.001, 0.1))", 0.003, "log"),
        ("tag(log,interval(0.001,0.1))", 0.003, "log"),
        ("interval(0.001, 0.1)", 0.09, "linear"),
        ("choice(0.001,0.003)", 0.003, "linear"),
        ("choice(0.001,0.09)", 0.09, "log"),
    ],
)
def test_an_axis_has_the_scale_that_was_proposed(asked, last, scale, tmp_path) -> None:
    assert searched(tmp_path, asked, (0.001, 0.002, last)).get_xscale() == scale


def test_the_scale_may_stand_in_the_configuration_of_the_sweeper(tmp_path: Path) -> None:
    runs = [trial(tmp_path / str(i), 0.5, algorithm__inner__lr=r) for i, r in enumerate((1, 2))]
    file = tmp_path / "0" / ".hydra" / "hydra.yaml"
    asked = "    params:\n      algorithm.inner.lr: tag(log, interval(1, 9))\n"
    file.write_text(file.read_text().replace("  hydra_help", f"{asked}  hydra_help"))
    found = search_of(section_of(runs))
    assert found is not None
    assert found.scales == {"algorithm.inner.lr": True}


def test_panels_of_losses_say_no_protocol_by_their_points() -> None:
    dot = Line([0], [[1.0]], [0.1], {"color": "k"})
    line = Line([0, 1], [[1.0, 2.0]], None, {"color": "k", "ls": "-"})
    found = [Panel("", "inner step", "", "loss", [dot]), Panel("", "inner step", "", "acc", [line])]
    handle, *_ = notes(found, ["inductive"])
    assert handle.get_marker() == "None"


def test_a_regression_whose_protocols_are_one_is_drawn_once(tmp_path: Path) -> None:
    made = run(tmp_path, metric="loss", dataset__name="sine", shots__ways=1, steps=(0,))
    (axes,) = figure_of(tmp_path, made.content).axes
    assert len(made.content["results"]) == 2
    assert len(axes.lines) == 1
