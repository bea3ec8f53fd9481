"""The figures of a report: looked at by measure, whatever the runs are."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from tests.report.made_rows import run, section_of, trial

from fewstep.records import words
from fewstep.records.figures.curves import figure_of
from fewstep.records.figures.lines import Line
from fewstep.records.figures.style import FURTHER, PALETTE, color_of
from fewstep.report.figures.pictures import Picture, draw
from fewstep.report.figures.search import search_of
from fewstep.report.figures.series import Series, looks_of, place, series_of
from fewstep.report.runs.gather import Run
from tiers import slow_but


LONG = "a learning rate that its author has described at length, in more words than a line can hold"
ALGORITHMS = ("reptile", "fomaml", "maml")


def several(folder: Path, count: int = 3, **changed) -> list[Run]:
    """Algorithms, ours first, by shots and by seeds."""
    names = [*ALGORITHMS, *(f"own_{i}" for i in range(count))][:count]
    return [
        run(folder, 0.4 + 0.03 * a + 0.1 * (shots > 1) + 0.01 * seed, seed, **{
            "algorithm__name": name, "shots__shots": shots, **changed,
        })
        for (a, name), shots, seed in itertools.product(enumerate(names), (1, 5), (1, 2, 3))
    ]  # fmt: skip


def recipes(folder: Path, count: int = 12) -> list[Run]:
    """One algorithm at many rates, under long labels."""
    rates = [0.0003 * 1.5**i for i in range(count)]
    return [
        run(folder, 0.99 - 0.05 * i, algorithm__inner__lr=rate, label=f"{i} {LONG}")
        for i, rate in enumerate(rates)
    ]


def regression(folder: Path) -> list[Run]:
    return [
        run(
            folder,
            0.3 + 0.1 * seed + 0.05 * a,
            seed,
            metric="loss",
            unit="mean squared error",
            algorithm__name=name,
            dataset__name="sine",
            shots__ways=1,
            shots__shots=10,
        )
        for a, name in enumerate(ALGORITHMS)
        for seed in (1, 2)
    ]


def mixed(folder: Path) -> list[Run]:
    return [
        *several(folder, 2),
        *several(
            folder, 2, dataset__name="my_own_dataset_with_a_name_that_goes_on_" + "and_on_" * 6
        ),
        *regression(folder),
    ]


def baselines(folder: Path) -> list[Run]:
    return [run(folder, acc, init=init) for acc, init in ((0.9, "trained"), (0.3, "random"))]


def search(folder: Path) -> list[Run]:
    rates = (0.0001, 0.003, 0.1, 0.5)
    return [
        trial(folder / str(i), None if i == 3 else 0.2 + 0.1 * i, algorithm__inner__lr=rate,
              algorithm__inner__steps=5 - i, algorithm__name=("reptile", "fomaml")[i % 2])
        for i, rate in enumerate(rates)
    ]  # fmt: skip


def trained(folder: Path) -> list[Run]:
    folder.joinpath("metrics.csv").write_text(
        "meta_iteration,val/acc,val/acc_ci95,test/acc,test/acc_ci95\n"
        "10,0.3,0.1,,\n20,0.99,0.1,0.5,0.1\n"
    )
    return [run(folder, 0.99)]


CASES: dict[str, tuple[Callable[[Path], Sequence[Run]], set[str]]] = {
    "one run": (lambda f: [run(f)], {"final", "adaptation"}),
    "one that was validated": (trained, {"final", "training", "adaptation"}),
    "baselines": (baselines, {"final", "adaptation"}),
    "three algorithms": (several, {"final", "adaptation"}),
    "twelve algorithms": (lambda f: several(f, 12), {"final", "adaptation"}),
    "twelve recipes, long labels": (recipes, {"final", "adaptation"}),
    "one point": (lambda f: several(f, 2, steps=(0,)), {"final", "adaptation"}),
    "no curves": (lambda f: several(f, steps=()), {"final"}),
    "a support protocol": (lambda f: [run(f, protocols=("inductive", "support"))],
                           {"final", "adaptation"}),
    "regression": (regression, {"final", "adaptation"}),
    "mixed datasets": (mixed, {"final", "adaptation"}),
    "one diverged": (lambda f: [run(f), run(f, None, 1), run(f, 0.5, algorithm__name="maml")],
                     {"final", "adaptation"}),
    "all diverged": (lambda f: [run(f, None)], {"final"}),
    "a search": (search, {"final", "search", "adaptation"}),
}  # fmt: skip


@pytest.mark.parametrize("case", slow_but("mixed datasets", "a search", "regression", of=CASES))
def test_no_text_is_cut_no_legend_is_over_data_and_nothing_is_empty(case, tmp_path) -> None:
    made, names = CASES[case]
    pictures = draw(section_of(made(tmp_path)))
    assert {picture.name for picture in pictures} == names
    for picture in pictures:
        assert cut(picture.figure) == []
        assert over(picture.figure) == []
        seen = [(a.get_title(), a.get_xlabel(), a.get_ylabel()) for a in picture.figure.axes]
        assert len(set(seen)) == len(seen) > 0
        assert not [a.get_title() for a in picture.figure.axes if not filled(a)]
        assert not [text for text in texts(picture.figure) if "=" in text or "_target_" in text]
        accuracies = [
            a for a in picture.figure.axes if "accuracy" in a.get_ylabel() + a.get_xlabel()
        ]
        assert all(any(is_chance(a, line) for line in a.lines) for a in accuracies)
        assert not accuracies or "chance" in texts(picture.figure)


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text) if shown(text)]


def shown(text: object) -> bool:
    return isinstance(text, Text) and text.get_visible() and bool(text.get_text().strip())


def boxes(figure: Figure) -> list[tuple[str, Bbox]]:
    """Every text that is drawn, in pixels. Ticks beyond the limits of their axis are not."""
    figure.draw_without_rendering()
    ticks = {t for a in figure.axes for t in (*a.get_xticklabels(which="both"),
                                              *a.get_yticklabels(which="both"))}  # fmt: skip
    drawn = {
        label
        for axes in figure.axes
        for axis in (axes.xaxis, axes.yaxis)
        for tick in axis._update_ticks()
        for label in (tick.label1,)
    }
    found = [t for t in figure.findobj(Text) if shown(t) and (t not in ticks or t in drawn)]
    return [(text.get_text(), text.get_window_extent()) for text in found]


def cut(figure: Figure) -> list[str]:
    """Texts that leave the figure."""
    width, height = figure.bbox.width, figure.bbox.height
    return [
        text
        for text, box in boxes(figure)
        if box.x0 < -0.5 or box.y0 < -0.5 or box.x1 > width + 0.5 or box.y1 > height + 0.5
    ]


def over(figure: Figure) -> list[str]:
    """Legends over axes, and texts over each other."""
    legends = [legend.get_window_extent() for legend in figure.legends]
    inside = [axes.get_window_extent() for axes in figure.axes]
    found = ["legend" for a, b in itertools.product(legends, inside) if a.overlaps(b)]
    for (one, a), (other, b) in itertools.combinations(boxes(figure), 2):
        both = Bbox.intersection(a, b)
        if both is not None and min(both.width, both.height) > 1.5:
            found.append(f"{one} | {other}")
    return found


def filled(axes: Axes) -> bool:
    """Whether there is anything in it but the line of chance; or it says what became of it."""
    lines = [line for line in axes.lines if not is_chance(axes, line)]
    points = (v for line in lines for v in np.asarray(line.get_ydata(), float))
    return any(map(math.isfinite, points)) or any("diverged" in t.get_text() for t in axes.texts)


def is_chance(axes: Axes, line: Line2D) -> bool:
    """Whether a line goes from edge to edge of its axes, which axhline's and axvline's alone do."""
    ends = line.get_xdata(), line.get_ydata()
    return line.get_transform() != axes.transData and [0, 1] in [list(end) for end in ends]


def picture(runs: Sequence[Run], name: str) -> Picture:
    (found,) = [p for p in draw(section_of(runs)) if p.name == name]
    return found


def test_the_words_of_series_and_panels(tmp_path) -> None:
    table = section_of(several(tmp_path)).rows
    told = [series.words for series in series_of(table)]
    assert told == ["Reptile", "Reptile", "FOMAML", "FOMAML", "MAML", "MAML"]
    assert {place(row) for row in table} == {"glyphs, 5-way 1-shot", "glyphs, 5-way 5-shot"}
    rates = [
        run(tmp_path, algorithm__inner__lr=lr, seed=seed) for lr in (0.01, 0.1) for seed in (1, 2)
    ]
    told = [series.words for series in series_of(section_of(rates).rows)]
    assert told == ["Reptile, inner learning rate 0.01", "Reptile, inner learning rate 0.1"]
    deep = [
        run(tmp_path, model___target_=f"fewstep.models.{name}") for name in ("ResNet12", "Conv4")
    ]
    told = [series.words for series in series_of(section_of(deep).rows)]
    assert told == ["Reptile, ResNet12", "Reptile, Conv4"]
    (row,) = section_of(regression(tmp_path)[:1]).rows
    assert place(row) == "sine waves, 10 points"


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("algorithm.name", "fomaml", "FOMAML"),
        ("algorithm.inner.lr", 0.013291, "inner learning rate 0.01329"),
        ("model._target_", "fewstep.models.resnet.ResNet12", "ResNet12"),
        ("shots.shots", 5, "5-shot"),
        ("dataset.name", "omniglot", "Omniglot"),
        ("algorithm.inner.batch_size", None, "inner batch size none"),
        ("algorithm.weights", [1, 0.5], "weights (1, 0.5)"),
        ("algorithm.my_own.key_of_mine", True, "key of mine on"),
        ("model", "my_net", "my_net"),
    ],
)
def test_a_key_in_words(key, value, told) -> None:
    assert words.assigned(key, value) == told


def test_an_algorithm_has_one_colour_everywhere(tmp_path) -> None:
    """In a report of three, in one of one, and in the picture of a run."""
    every = several(tmp_path)
    for runs in (every, [r for r in every if r.content["algorithm"] == "maml"]):
        for name in ("final", "adaptation"):
            axes = picture(runs, name).figure.axes[0]
            assert color_of("maml") in {line.get_color() for line in axes.lines}
    own = run(tmp_path, algorithm__name="maml").content
    (axes,) = figure_of(tmp_path, own).axes
    assert color_of("maml") in {line.get_color() for line in axes.lines}


def test_as_many_algorithms_as_there_are_colours_have_as_many() -> None:
    """Those of ours keep theirs, whoever comes beside; further ones are told apart by markers."""
    names = ["maml", "reptile", *(f"mine_{letter}" for letter in "abcdefghijkl")]
    for count in range(1, len(PALETTE) + len(FURTHER) + 1):
        looks = looks_of([Series(name, name) for name in names[:count]])
        told = {series.family: look["color"] for series, look in looks.items()}
        assert len({*told.values()}) == len(told) == count
        assert all(told[name] == color_of(name) for name in ("maml", "reptile") if name in told)
    looks = looks_of([Series(name, name) for name in names])
    assert len({tuple(look.values()) for look in looks.values()}) == len(names)
    turned = looks_of([Series(name, name) for name in reversed(names)])
    assert {s: turned[s] for s in looks} == looks
    alone = looks_of([Series("mine_b", "mine_b")], names)
    assert alone[Series("mine_b", "mine_b")] == looks[Series("mine_b", "mine_b")]


def test_colours_are_told_apart_on_white_and_dark_and_without_one_kind_of_cone() -> None:
    """Machado, Oliveira and Fernandes 2009, severity 1, by distance in OKLab (0.02 can be seen)."""
    blind = {
        "none": np.eye(3),
        "red": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                [-0.003882, -0.048116, 1.051998]],
        "green": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                  [-0.011820, 0.042940, 0.968881]],
        "blue": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
                 [0.004733, 0.691367, 0.303900]],
    }  # fmt: skip
    colors = linear(PALETTE)
    for matrix in blind.values():
        lab = oklab(np.clip(colors @ np.array(matrix).T, 0, 1))
        apart = np.linalg.norm(lab[:, None] - lab[None], axis=2) + np.eye(len(lab))
        assert apart.min() > 0.11
    luminance = colors @ [0.2126, 0.7152, 0.0722]
    (dark,) = linear(["#14181f"]) @ [0.2126, 0.7152, 0.0722]
    assert ((1.05 / (luminance + 0.05)) > 2.9).all()
    assert (((luminance + 0.05) / (dark + 0.05)) > 2.9).all()


def linear(colors: Sequence[str]) -> np.ndarray:
    values = np.array([[int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)] for c in colors])
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def oklab(colors: np.ndarray) -> np.ndarray:
    """Ottosson 2020."""
    cones = [[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566],
             [0.0883024619, 0.2817188376, 0.6299787005]]  # fmt: skip
    axes = [[0.2104542553, 0.7936177850, -0.0040720468],
            [1.9779984951, -2.4285922050, 0.4505937099],
            [0.0259040371, 0.7827717662, -0.8086757660]]  # fmt: skip
    return np.cbrt(colors @ np.array(cones).T) @ np.array(axes).T


def test_bands_stay_in_the_range_of_an_accuracy_and_few_seeds_show_theirs() -> None:
    one = Line([0, 1], [[1.0, 99.0]], [5.0, 5.0])
    assert one.ends("acc") == ([0.0, 94.0], [6.0, 100.0])
    two = Line([0, 1], [[90.0, 92.0], [99.0, 91.0]])
    assert (two.note, two.ends("acc")) == ("range", ([90.0, 91.0], [99.0, 92.0]))
    four = Line([0], [[90.0], [91.0], [92.0], [99.0]], [30.0])
    assert (four.note, four.ends("acc")) == ("seeds", ([63.0], [100.0]))
    lost = Line([0], [[50.0]], [math.nan])
    assert all(math.isnan(end) for ends in lost.ends("acc") for end in ends)


def test_the_interval_of_two_seeds_does_not_blow_up_a_panel(tmp_path) -> None:
    """12.7 standard errors: 64 points on each side of 65 %."""
    runs = [run(tmp_path, acc, seed) for seed, acc in ((1, 0.6), (2, 0.7))]
    for name in ("final", "adaptation"):
        axes = picture(runs, name).figure.axes[0]
        low, high = axes.get_xlim() if name == "final" else axes.get_ylim()
        assert 10 < low < high < 80


def test_no_interval_hides_another_or_is_hidden_by_its_marker(tmp_path) -> None:
    runs = [run(tmp_path, acc, seed) for seed, acc in enumerate((0.6, 0.7, 0.65))]
    axes = picture(runs, "final").figure.axes[0]
    bars = [line for line in axes.lines if len(line.get_xdata()) == 2 and not is_chance(axes, line)]
    solid = [line for line in bars if line.get_linestyle() == "-"]
    assert len({line.get_ydata()[0] for line in solid}) == len(solid) == 4  # two protocols
    ends = {line.get_ydata()[0] for line in bars if line.get_marker() == "|"}
    assert ends == {line.get_ydata()[0] for line in solid}
    markers = [line for line in axes.lines if len(line.get_xdata()) == 1]
    assert max(m.get_zorder() for m in markers) < min(line.get_zorder() for line in bars)
    assert all(
        line.get_markersize() > markers[0].get_markersize()
        for line in bars
        if line.get_marker() == "|"
    )


def test_the_axis_is_broken_where_chance_would_leave_no_room(tmp_path) -> None:
    """80 and 95 % of five ways beside a line at 20; 30 and 95 % share the axis with it."""
    for low, broken in ((0.80, True), (0.30, False)):
        runs = [
            run(tmp_path, acc, algorithm__name=n) for n, acc in (("maml", low), ("reptile", 0.95))
        ]
        figure = picture(runs, "final").figure
        axes = figure.axes[0]
        assert bool(axes.get_xlim()[0] > 60) is broken
        (line,) = [line for line in axes.lines if is_chance(axes, line)]
        ticks = dict(
            zip(axes.get_xticks(), (t.get_text() for t in axes.get_xticklabels()), strict=True)
        )
        assert ticks[line.get_xdata()[0]] == "20"
        assert bool(line.get_xdata()[0] == pytest.approx(20)) is not broken
        others = [at for at, text in ticks.items() if text != "20"]
        assert all(float(ticks[at]) == pytest.approx(at) for at in others)
        assert axes.spines["bottom"].get_visible() is not broken
        assert cut(figure) == over(figure) == []


def test_a_regression_has_one_protocol_and_a_unit(tmp_path) -> None:
    (axes,) = picture(regression(tmp_path), "adaptation").figure.axes
    assert axes.get_ylabel() == "mean squared error"
    assert {line.get_linestyle() for line in axes.lines} == {"-"}
    assert len(axes.lines) == 3


def test_a_search_shows_each_parameter_with_the_best_marked(tmp_path) -> None:
    runs = search(tmp_path)
    found = search_of(section_of(runs))
    assert found is not None
    assert list(found.keys) == ["algorithm.inner.lr", "algorithm.inner.steps", "algorithm.name"]
    assert found.best.run.folder.name == "2"
    rate, steps, algorithm = picture(runs, "search").figure.axes
    assert (rate.get_xscale(), steps.get_xscale()) == ("log", "linear")
    assert rate.get_title() == "best: inner learning rate 0.1"
    stars = [line for line in rate.lines if line.get_marker() == "*"]
    assert [(list(s.get_xdata()), list(s.get_ydata())) for s in stars] == [([0.1], [40.0])]
    assert [label.get_text() for label in algorithm.get_xticklabels()] == ["Reptile", "FOMAML"]
    assert algorithm.get_xlabel() == "algorithm"
    assert search_of(section_of(several(tmp_path))) is None


def test_a_search_shows_nothing_that_nobody_searched(tmp_path) -> None:
    """Where a job went on, and how long its budget is; nor a trial that diverged."""
    runs = search(tmp_path)
    before = search_of(section_of(runs))
    words = runs[0].folder / "overrides.yaml"
    words.write_text(words.read_text() + "- resume=null\n")
    record = before.first[1].run.folder / "job.json"
    record.write_text(json.dumps({"state": "finished", "objective": 0.0}))
    found = search_of(section_of(runs))
    assert list(found.keys) == list(before.keys)
    one, other = (sum(math.isnan(t.objective) for t in s.trials) for s in (before, found))
    assert other == one + 1


def test_the_picture_of_a_run_says_what_training_tasks_are(tmp_path) -> None:
    rows = "meta_iteration,train/acc,val/acc,val/acc_ci95\n10,0.5,,\n20,0.6,0.4,0.1\n"
    (tmp_path / "metrics.csv").write_text(rows)
    for name, told in (
        ("reptile.Reptile", "last minibatch, just before"),
        ("maml.MAML", "queries, after adapting"),
    ):
        recipe = {"_target_": f"fewstep.algorithms.{name}", "inner": {"batch_size": 10}}
        figure = figure_of(tmp_path, run(tmp_path, config={"algorithm": recipe}).content)
        assert [axes.get_title() for axes in figure.axes] == [
            *("5-way 1-shot, during training", "5-way 1-shot: 200 unseen tasks")
        ]
        assert any(told in text for text in texts(figure))
        assert cut(figure) == over(figure) == []
