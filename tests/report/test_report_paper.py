"""A report beside the paper: which cell a result belongs to, what differs, which orderings hold."""

from __future__ import annotations

import copy
import csv
import json
import math
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from fewstep import report
from fewstep.commands import report as report_command
from fewstep.config.checks import flatten
from fewstep.config.compose import compose_config, plain
from fewstep.config.groups import options
from fewstep.messages.errors import ConfigError
from fewstep.records.identity import hashed
from fewstep.report.figures.pictures import draw
from fewstep.report.reproduction import orderings, overlap, paper
from fewstep.report.sections import sections
from fewstep.report.statistics.contrast import Contrast, contrast
from fewstep.report.tables.table import rows


@pytest.fixture(autouse=True)
def somewhere_else(tmp_path_factory: pytest.TempPathFactory, monkeypatch) -> None:
    """Reports go to outputs/reports of the working directory."""
    monkeypatch.chdir(tmp_path_factory.mktemp("working_directory"))


@cache
def composed(experiment: str) -> dict[str, Any]:
    return plain(compose_config("train", [f"experiment={experiment}"]))


@pytest.fixture(scope="module")
def o5() -> dict[str, Any]:
    return hashed(composed("omniglot_5w_reptile"))


def run(acc: float, ci95: float = 0.002, **changed: Any) -> report.Run:
    """The paper's own 5-way 1-shot Reptile, inductive, but for what is changed."""
    entry = {"init": "trained", "checkpoint": "last", "ways": 5, "shots": 1, "queries": 1}
    entry |= {"split": "test", "steps": 50, "batch_size": 5, "tasks": 10000}
    entry |= {"protocol": "inductive", "acc": acc, "acc_ci95": ci95, "loss": 1.0}
    content = {"schema": 1, "name": "run", "algorithm": "reptile", "dataset": "omniglot"}
    content |= {"seed": 0, "dataset_split": "authors", "meta_iterations": 100000}
    config = changed.pop("config", {})
    entry |= {name: changed.pop(name) for name in list(changed) if name in entry}
    return report.Run(Path(), {**content, **changed, "results": [entry]}, config)


def match(*runs: report.Run) -> paper.Match:
    (found,) = paper.matches(rows(runs))
    return found


def test_the_papers_cells_are_those_of_its_tables() -> None:
    """Sums of the four columns of Table 2 and of the two of Table 1, added up by hand."""
    cells = paper.published()["cells"]
    sums: dict[tuple, float] = {}
    for cell in cells:
        place = (cell["table"], cell["ways"], cell["shots"])
        sums[place] = sums.get(place, 0.0) + cell["acc"]
    assert {place: round(total, 2) for place, total in sums.items()} == {
        **{(1, 5, 1): 193.81, (1, 5, 5): 254.99},
        **{(2, 5, 1): 390.07, (2, 5, 5): 397.48, (2, 20, 1): 362.77, (2, 20, 5): 390.57},
    }
    assert len({tuple(cell[n] for n in (*paper.PLACE, "protocol")) for cell in cells}) == 24


def test_the_recipes_of_the_paper_are_those_of_the_experiments() -> None:
    trainings, cells = paper.published()["trainings"], paper.published()["cells"]
    shared = set(trainings) & set(options("experiment"))
    assert len(shared) >= 3
    for name in shared:
        config = composed(name)
        own = dict(flatten(config))
        wanted = {"max_meta_iterations": trainings[name]["meta_iterations"]}
        wanted |= trainings[name]["recipe"]
        assert {key: own[key] for key in wanted} == wanted, name
        for cell in (cell for cell in cells if cell["training"] == name):
            (setting,) = (s for s in config["eval"]["settings"] if s["shots"] == cell["shots"])
            wanted = {n: v for n, v in cell["evaluation"].items() if n in setting}
            assert {n: setting[n] for n in wanted} == wanted, name
            assert own["eval.queries"] == cell["evaluation"]["queries"], name
            assert own.get("dataset.split") == cell["evaluation"]["dataset_split"], name


def test_a_reproduction_differs_in_nothing_and_its_interval_meets(o5) -> None:
    """95.39 ± 0.09 in the paper: 0.29 away is the most that ± 0.20 here allows."""
    for acc, meet in ((0.9510, True), (0.9509, False), (0.9568, True), (0.9569, False)):
        found = match(run(acc, config=o5))
        assert found.differs == []
        assert found.difference == pytest.approx(100 * acc - 95.39)
        assert found.meet is meet, acc


def test_intervals_over_seeds_count_where_they_are_wider(o5) -> None:
    """Seeds at 94 and 94.2 %: 12.706 * 0.1 = 1.27, and 95.39 is 1.29 from their mean."""
    pair = [run(0.940, config=o5), run(0.942, config=o5, seed=1)]
    assert match(*pair).figure.wider == pytest.approx(1.27, abs=0.005)
    assert match(*pair).meet
    assert not match(pair[0]).meet


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"meta_iterations": 2000}, "2,000 of 100,000 meta-iterations"),
        ({"tasks": 1000}, "1,000 of 10,000 tasks"),
        ({"dataset_split": "with_val"}, "dataset_split=with_val, not authors"),
        ({"queries": 15}, "queries=15, not 1"),
        ({"steps": 10}, "steps=10, not 50"),
        ({"checkpoint": "best"}, "checkpoint=best, not last"),
        ({"shift": 1}, "eval.shift=1, not 0"),
    ],
)
def test_what_differs_is_said(changed: dict[str, Any], words: str, o5) -> None:
    assert match(run(0.95, config=o5, **changed)).differs == [words]


def cell_of(experiment: str) -> Mapping[str, Any]:
    return next(c for c in paper.published()["cells"] if c["training"] == experiment)


def differences(experiment: str, *words: str, **changed: Any) -> list[str]:
    """What is said of a whole run of an experiment but for what is changed."""
    config = copy.deepcopy(composed(experiment))
    for word in words:
        key, _, value = word.partition("=")
        *above, name = key.lstrip("+").split(".")
        node = config
        for part in above:
            node = node.setdefault(part, {})
        node[name] = yaml.safe_load(value)
    cell = cell_of(experiment)
    told = {**cell["evaluation"], **{n: cell[n] for n in ("ways", "shots", "protocol")}}
    told |= {"dataset": cell["dataset"], "algorithm": cell["algorithm"]}
    told |= {"meta_iterations": config["max_meta_iterations"], "checkpoint": "last", **changed}
    return match(run(0.9, config=hashed(config), **told)).differs


O5, M5 = "omniglot_5w_reptile", "omniglot_5w1s_maml"
FIXED = "[features.1.*,features.4.*,features.7.*,features.10.*]"


@pytest.mark.parametrize("experiment", paper.published()["trainings"])
def test_an_experiment_differs_in_nothing_from_itself(experiment: str) -> None:
    words = ["seed=3", "eval.seed=4", "eval.test_every=500", "execution=serial", "log_every=7"]
    words += ["baselines.random=true", "name=mine", "label=mine", "eval.curve_tasks=2"]
    assert differences(experiment) == differences(experiment, *words) == []


@pytest.mark.parametrize(
    ("experiment", "word", "told"),
    [
        (O5, "algorithm.outer.optimizer=Adam", "algorithm.outer.optimizer=Adam, not SGD"),
        (O5, "algorithm.inner.state=reset", "algorithm.inner.state=reset, not carry"),
        (O5, "algorithm.inner.loss=sum", "algorithm.inner.loss=sum, not mean"),
        (O5, "dataset.rotations=false", "dataset.rotations=false, not true"),
        (O5, "dataset.split_seed=5", "dataset.split_seed=5, not 0"),
        (O5, "model.channels=128", "model.channels=128, not 64"),
        (
            O5,
            "+algorithm.inner.options.beta2=0.9",
            "algorithm.inner.options.beta2=0.9, not null",
        ),
        (O5, "+algorithm.replacement=true", "algorithm.replacement=true, not null"),
        (O5, "algorithm.inner.batch_size=2", "algorithm.inner.batch_size=2, not 10"),
        (O5, "shots.queries=15", "shots.queries=15, not 0"),
        (O5, "shots.train_shots=5", "shots.train_shots=5, not 10"),
        (O5, "meta_batch=1", "meta_batch=1, not 5"),
        (O5, "trainer.precision=64", "trainer.precision=64, not 32"),
        (O5, "algorithm.outer.final_lr=null", "algorithm.outer.final_lr=null, not 0.0"),
        (
            O5,
            "+algorithm.outer.options.momentum=0.9",
            "algorithm.outer.options.momentum=0.9, not null",
        ),
        (O5, "dataset.size=20", "dataset.size=20, not 28"),
        (
            M5,
            "model._target_=fewstep.models.OmniglotConv",
            "model._target_=fewstep.models.OmniglotConv, not fewstep.models.MAMLOmniglotConv",
        ),
        (M5, "algorithm.inner.fixed=[]", f"algorithm.inner.fixed=[], not {FIXED}"),
        (M5, "algorithm.inner.batch_size=2", "algorithm.inner.batch_size=2, not null"),
        (M5, "shots.queries=15", "shots.queries=15, not 1"),
        (M5, "algorithm.inner.rule=adam", "algorithm.inner.rule=adam, not sgd"),
        (
            M5,
            "algorithm._target_=mine.MAML",
            "algorithm._target_=mine.MAML, not fewstep.algorithms.maml.MAML",
        ),
    ],
)
def test_whatever_was_computed_otherwise_is_said(experiment: str, word: str, told: str) -> None:
    assert differences(experiment, word) == [told]


def test_what_was_selected_is_said_of_every_row() -> None:
    assert differences(M5, checkpoint="best") == ["checkpoint=best, not last"]


def test_another_recipe_is_said_by_configuration_or_by_command(o5) -> None:
    other = json.loads(json.dumps(o5))
    other["algorithm"]["inner"]["lr"] = 0.01
    assert match(run(0.9, config=other)).differs == ["algorithm.inner.lr=0.01, not 0.001"]
    del other["algorithm"]["inner"]["lr"]
    assert match(run(0.9, config=other)).differs == ["algorithm.inner.lr is not recorded"]
    assert match(run(0.9)).differs == ["its recipe is not recorded"]
    command = "fewstep train experiment=omniglot_5w_reptile seed=1 eval.tasks=10 trainer.devices=2"
    assert match(run(0.9, command=command)).differs == []
    for word in ("algorithm.inner.lr=0.01", "dataset.rotations=false", "trainer.precision=64"):
        assert match(run(0.9, command=f"{command} {word}")).differs == [word]
    more = "+algorithm.outer.options.momentum=0.9"
    assert match(run(0.9, command=f"{command} {more}")).differs == [more]


@pytest.mark.parametrize(
    "changed", [{"dataset": "glyphs"}, {"shots": 3}, {"init": "random"}, {"split": "val"}]
)
def test_what_the_paper_has_no_cell_for(changed: dict[str, Any]) -> None:
    assert paper.matches(rows([run(0.9, **changed)])) == []


def test_cells_without_a_counterpart_are_named(tmp_path: Path, capsys) -> None:
    (tmp_path / "results.json").write_text(json.dumps(run(0.9568).content))
    assert report_command.main([str(tmp_path), "--paper"]) == 0
    out = capsys.readouterr().out
    assert "| 95.68 ± 0.20 | 95.39 ± 0.09 | +0.29 | meet | its recipe is not recorded |" in out
    assert (
        "- Table 2, Reptile: omniglot, 5-way 5-shot; omniglot, 20-way 1-shot; "
        "omniglot, 20-way 5-shot"
    ) in out
    assert "- Table 1, MAML + Transduction: miniimagenet, 5-way 1-shot" in out


def curve(folder: Path, label: str, accs: Sequence[float], seed: int = 0) -> report.Run:
    """One curve of Figure 3, with the accuracies of its test tasks in their file."""
    folder.mkdir(parents=True)
    with (folder / "tasks.csv").open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["task", "acc"])
        writer.writerows(enumerate(accs))
    changed = {"name": "gradient_combinations", "label": label, "algorithm": "combination"}
    found = run(float(np.mean(accs)), 1.96 * float(np.std(accs)) / len(accs) ** 0.5, shots=5)
    own = {"per_task_file": "tasks.csv", "episodes_sha256": "same", "tasks": len(accs)}
    found.content["results"][0].update(own)
    (folder / "results.json").write_text(json.dumps({**found.content, **changed, "seed": seed}))
    return report.read([folder])[0]


def entries(*runs: report.Run) -> Mapping[str, Sequence[Any]]:
    return orderings.curves(rows(runs))


def test_a_contrast_pairs_tasks(tmp_path: Path) -> None:
    """Differences 0.2, 0.0, 0.2, 0.0: their mean is 10 points, of which one deviates by 11.5; of
    independent figures, 20 and 30 points are the population's deviations, and the root of 4/3 of
    these are the samples'."""
    low, high = [0.2, 0.8, 0.2, 0.8], [0.4, 0.8, 0.4, 0.8]
    found = entries(curve(tmp_path / "a", "g1", low), curve(tmp_path / "b", "g2", high))
    paired = contrast({"g2": 1, "g1": -1}, found)
    assert (paired.mean, paired.half_width) == pytest.approx((10.0, 3.18245 * 11.5470 / 2))
    assert paired.basis == "paired: one seed, 4 tasks"
    assert paired.effect == pytest.approx(10 / 11.5470)
    (tmp_path / "a" / "tasks.csv").unlink()
    alone = contrast({"g2": 1, "g1": -1}, found)
    assert alone.half_width == pytest.approx(318.245 * (0.3**2 + 0.2**2) ** 0.5 / 3**0.5, rel=1e-4)
    assert alone.basis == "unpaired: one seed, 4 tasks"
    assert alone.effect is None


def test_a_contrast_pairs_seeds_and_tasks(tmp_path: Path) -> None:
    """By seed 10 and 20 points in every task: 12.706 * 5; a third seed, which one lacks, does not
    count."""
    runs = [
        curve(tmp_path / f"{label}{seed}", label, [acc] * 4, seed)
        for label, seed, acc in (
            *(("g1", 0, 0.5), ("g1", 1, 0.6), ("g2", 0, 0.6), ("g2", 1, 0.8)),
            ("g2", 2, 0.1),
        )
    ]
    found = contrast({"g2": 1, "g1": -1}, entries(*runs))
    assert (found.mean, found.half_width) == pytest.approx((15.0, 63.53), abs=0.01)
    assert found.basis == "paired: 2 seeds, 4 tasks"
    for run in runs:
        (run.folder / "tasks.csv").unlink()
    unpaired = contrast({"g2": 1, "g1": -1}, entries(*runs))
    assert (unpaired.mean, unpaired.half_width) == pytest.approx((15.0, 63.53), abs=0.01)
    assert unpaired.basis == "unpaired: 2 seeds, 4 tasks"


def test_curves_without_a_seed_in_common_are_held_against_each_other_by_tasks() -> None:
    found = rows([run(0.6, 0.0196, label="a"), run(0.5, 0.0196, label="b", seed=1)])
    told = contrast({"a": 1, "b": -1}, {row["label"]: row.cells["inductive"] for row in found})
    assert told.mean == pytest.approx(10.0)
    assert told.half_width == pytest.approx(1.96 * 2**0.5, abs=2e-3)
    assert told.basis == "unpaired: one seed each, none shared, 10,000 tasks"


def test_tasks_that_are_not_the_same_are_not_paired(tmp_path: Path) -> None:
    found = entries(curve(tmp_path / "a", "g1", [0.2] * 4), curve(tmp_path / "b", "g2", [0.4] * 4))
    found["g1"][0]["episodes_sha256"] = "other"
    assert contrast({"g2": 1, "g1": -1}, found).basis.startswith("unpaired")


@pytest.mark.parametrize("text", ["task,loss\n0,1\n", "task,acc\n0,\n", "task,acc\n0,x\n", ""])
def test_figures_of_tasks_that_are_none_are_named(text: str, tmp_path: Path) -> None:
    found = entries(curve(tmp_path / "a", "g1", [0.2]), curve(tmp_path / "b", "g2", [0.4]))
    (tmp_path / "a" / "tasks.csv").write_text(text)
    with pytest.raises(ConfigError, match=r"tasks\.csv: has no acc for each task .*Remove it"):
        contrast({"g2": 1, "g1": -1}, found)


def of(mean: float, p: float) -> Contrast:
    return Contrast(mean, 1.0, p, "tasks")


def test_verdicts() -> None:
    """A claim holds by the least certain of its contrasts, and does not by one below, for which
    counts how many there are."""
    for found, shown, p, holds in (
        ([of(5, 0.01), of(6, 0.2)], of(6, 0.2), 0.2, True),
        ([of(5, 0.01), of(6, 0.02)], of(6, 0.02), 0.02, True),
        ([of(5, 0.01), of(-1, 0.6)], of(-1, 0.6), 0.6, False),
        ([of(5, 0.01), of(-3, 0.02), of(-8, 0.2)], of(-3, 0.02), 0.04, False),
        ([of(5, 0.01), of(0, 1.0)], of(0, 1.0), 1.0, True),
        ([of(5, 0.01), of(2, math.nan)], of(2, math.nan), math.nan, True),
    ):
        told = orderings.decide(found)
        assert (told.shown.mean, told.holds) == (shown.mean, holds)
        assert told.p == pytest.approx(p, nan_ok=True)
    assert orderings.decide([of(5, 0.01)]).verdict(0.04) == "holds"
    assert orderings.decide([of(-5, 0.01)]).verdict(0.04) == "does not"
    for p in (0.05, math.nan):
        assert orderings.decide([of(5, 0.01)]).verdict(p) == "cannot be told"


@pytest.mark.parametrize("lost", ["acc", "acc_ci95", "loss"])
def test_a_curve_that_diverged_never_counts(tmp_path: Path, lost: str) -> None:
    """At chance it would be below all others; a seed of two is enough."""
    folders = {label: tmp_path / label.replace("/", "o") for label in orderings.CURVES}
    runs = [curve(folder, label, [0.9] * 2) for label, folder in folders.items()]
    again = curve(tmp_path / "again", "g1", [0.2] * 2, seed=1)
    again.content["results"][0][lost] = None
    told = {line[0]: line[1:3] for line in orderings.grid(entries(*runs, again))}
    assert told["g1 alone is the worst"] == ["cannot be told", "g1 diverged"]
    assert told["g1+g2 is below g2"] == ["cannot be told", "+0.00 ± 0.00"]
    some = {line[0]: line[1:3] for line in orderings.grid(entries(*runs[1:3], again))}
    others = ", ".join(name for name in orderings.CURVES[1:] if name not in ("g2", "g1+g2"))
    assert some["g1 alone is the worst"][1] == f"without {others}; g1 diverged"


def test_curves_of_other_budgets_are_not_held_against_each_other(tmp_path: Path) -> None:
    runs = [curve(tmp_path / name, name, [acc]) for name, acc in (("g1", 0.3), ("g2", 0.6))]
    long = curve(tmp_path / "long", "g2", [0.9])
    long.content["meta_iterations"] = 400_000
    found = entries(long, *runs)
    assert {name: curve[0]["acc"] for name, curve in found.items()} == {"g1": 0.3, "g2": 0.6}
    assert entries(long)["g2"][0]["acc"] == 0.9
    assert entries() == {}


def test_a_diverged_run_is_neither_apart_from_the_paper_nor_drawn() -> None:
    """Its accuracy beside a loss that is not a number is a guess."""
    found = match(run(0.9539, loss=None))
    assert (found.difference, found.meet) == (None, False)
    assert paper.grid([found])[1][5:7] == ["", ""]
    point = {"iterations": 4, "batch_size": 25, "outer_step": 1.0}
    bare = {"config": {"point": point}, "recipe_hash": "of its own"}
    (section,) = sections([run(0.2, loss=None, label="Reptile", **bare)])
    assert [overlap.lines(panel, section.rows) for panel in overlap.PANELS] == [{}, {}, {}]


def test_the_orderings_of_figure_three(tmp_path: Path, capsys) -> None:
    """Curves as the paper has them, but for a sum of four that gains less than the last."""
    heights = [0.3, 0.8, 0.6, 0.6, 0.85, 0.7, 0.7, 0.95, 0.7, 0.6]
    for label, height in zip(orderings.CURVES, heights, strict=True):
        accs = [height - 0.01, height + 0.01] * 50
        curve(tmp_path / label.replace("/", "over"), label, accs)
    assert report_command.main([str(tmp_path), "--paper"]) == 0
    lines = capsys.readouterr().out.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("| the paper's ordering"))
    assert [line.split(" | ")[0:3] for line in lines[start + 2 : start + 8]] == [
        ["| g1 alone is the worst", "holds", "+30.00 ± 0.00"],
        ["| g1+g2 is below g2", "holds", "+20.00 ± 0.00"],
        ["| more minibatches help the last gradient", "holds", "+15.00 ± 0.00"],
        ["| more minibatches help the sum", "holds", "+10.00 ± 0.00"],
        ["| more minibatches help the average", "cannot be told", "+0.00 ± 0.00"],
        ["| the sum gains more by them than the last gradient", "does not", "-5.00 ± 0.00"],
    ]
    assert "10 of its 10 curves are here." in lines


def test_an_ordering_without_its_curves_cannot_be_told(tmp_path: Path) -> None:
    found = entries(curve(tmp_path / "a", "g1", [0.5]), curve(tmp_path / "b", "g2", [0.6]))
    told = {line[0]: line[1:3] for line in orderings.grid(found)}
    assert told["g1+g2 is below g2"] == ["cannot be told", "without g1+g2"]


def test_figure_four_has_each_training_in_its_panels() -> None:
    """A training can be in two panels; one that is alone on its line is drawn, too."""

    def training(label: str, iterations: int, batch: int, step: float, acc: float) -> report.Run:
        point = {"iterations": iterations, "batch_size": batch, "outer_step": step}
        return run(acc, label=label, config={"point": point}, recipe_hash=f"{label}{point}")

    cycle = "shared tail, cycle"
    runs = [
        training(cycle, 4, 25, 1.0, 0.5),
        training(cycle, 6, 25, 1.0, 0.4),
        training(cycle, 4, 100, 1.0, 0.3),
        training(cycle, 4, 100, 0.25, 0.2),
        training("Reptile", 4, 25, 1.0, 0.6),
        training("separate tail", 4, 100, 0.25, 0.7),
    ]
    (section,) = sections(runs)
    found = [
        {
            method: {x: round(figure.mean) for x, figure in at.items()}
            for method, at in overlap.lines(panel, section.rows).items()
        }
        for panel in overlap.PANELS
    ]
    assert found == [
        {cycle: {4: 50, 6: 40}, "Reptile": {4: 60}},
        {cycle: {25: 50, 100: 30}, "Reptile": {25: 60}},
        {"separate tail": {0.25: 70}, cycle: {0.25: 20, 1.0: 30}},
    ]
    (picture,) = draw(section)
    titles = [axes.get_title() for axes in picture.figure.axes]
    assert [title.lower() for title in titles] == [p.title for p in overlap.PANELS]
