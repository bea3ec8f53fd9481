"""What the columns of a table are called, what is in them, and which rows are in a table at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from tests.report import made_rows as made

from fewstep import report
from fewstep.records import words
from fewstep.records.headings import columns as headed
from fewstep.records.results import table as as_text
from fewstep.report.tables.best import best
from fewstep.report.tables.columns import caption, columns, grid
from fewstep.report.tables.latex import WIDE, escaped, latex
from fewstep.report.tables.work import differences


BOTH = ("inductive", "transductive")


def column(table: list, name: str) -> list[str]:
    head, *body = grid(table)
    return [line[head.index(name)] for line in body]


def test_a_loss_stands_below_its_unit_and_an_accuracy_below_its_protocol() -> None:
    cells = [{"inductive": "90", "transductive": "95"}, {"inductive": "0.5"}, {"support": "0.25"}]
    units = [None, "mean squared error", "mean squared error"]
    assert headed(cells, units, ("inductive", "transductive", "support")) == {
        "inductive": ["90", "", ""],
        "transductive": ["95", "", ""],
        "mean squared error": ["", "0.5", "0.25"],
    }


def test_a_loss_that_differs_by_protocol_says_both() -> None:
    cells = [{"inductive": "0.5", "transductive": "0.4"}, {"inductive": "0.3"}]
    assert headed(cells, ["nats"] * 2, BOTH) == {
        "nats, inductive": ["0.5", "0.3"],
        "nats, transductive": ["0.4", ""],
    }
    assert headed([], [], BOTH) == {}


def test_a_report_of_both_kinds_mixes_no_units(tmp_path: Path) -> None:
    """Nor does it call points shots, or all of it percent."""
    sine = {"dataset__name": "sine", "shots__ways": 1, "shots__shots": 10}
    runs = [made.run(tmp_path / "a"), made.run(tmp_path / "b", 2.4, metric="loss", **sine)]
    table = report.rows(runs)
    assert column(table, "setting") == ["5-way 1-shot", "10 points"]
    assert column(table, "inductive") == ["60.00 ± 2.00", ""]
    assert column(table, "mean squared error") == ["", "2.4000 ± 0.0200"]
    text = latex([made.section_of(runs)])
    assert "Accuracies are in percent." in text
    assert "In percent" not in text


def test_a_run_ends_with_its_loss_said_once() -> None:
    results = [
        {"init": "trained", "checkpoint": "last", "ways": 1, "shots": 10, "steps": 32, "tasks": 5}
        | {"protocol": protocol, "batch_size": 10, "queries": 50, "loss": 2.4, "loss_ci95": 1.0}
        for protocol in BOTH
    ]
    head, _, row = as_text(results, "mean squared error").splitlines()
    assert head.split("  ")[-1] == "mean squared error"
    assert "10 points" in row
    assert row.endswith("2.4 ± 1")
    results[1]["loss"] = 2.5  # with batch norm they are two
    head, _, row = as_text(results, "mean squared error").splitlines()
    assert head.endswith("mean squared error, inductive  mean squared error, transductive")


def test_one_of_anything_is_no_plural(tmp_path: Path) -> None:
    run = made.run(tmp_path, steps=(0, 1), train_seconds=0.2, tasks_seen=1, meta_iterations=1)
    said = caption(report.rows([run]))
    assert "1 meta-iteration;" in said
    assert "; 1 test step;" in said
    assert "; 1 task seen;" in said
    assert "; <1 seconds of training." in said
    assert words.counted("{} Hessian products", 1) == "1 Hessian product"
    assert words.counted("{} Hessian products", 1000) == "1000 Hessian products"
    assert words.setting(1, 1, "loss") == "1 point"


@pytest.mark.parametrize("name", ["joint", "wandb", "checkpoints", "per_task"])
def test_a_run_may_be_called_as_what_is_inside_of_runs(name: str, tmp_path: Path) -> None:
    """Those of a run itself, or of a sweep, hold none; W&B's own config.yaml is of none."""
    for called in (name, "other"):
        folder = tmp_path / "runs" / called / "2026-01-01"
        _write(folder, made.run(folder).content)
        _write(folder / name / "inside", made.run(folder).content)
    found = report.read([tmp_path / "runs"])
    assert sorted(run.folder.parent.name for run in found) == sorted([name, "other"])
    theirs = tmp_path / "runs" / "wandb" / "offline" / "files"
    theirs.mkdir(parents=True)
    keys = {key: {"value": 1} for key in ("algorithm", "dataset", "trainer", "max_meta_iterations")}
    (theirs / "config.yaml").write_text(yaml.safe_dump({"_wandb": {}, **keys}))
    assert len(report.read([tmp_path / "runs"])) == 2


def _write(folder: Path, content: Any) -> None:
    folder.mkdir(parents=True)
    (folder / "results.json").write_text(json.dumps(content))


def test_a_search_has_a_column_for_all_that_it_tried(tmp_path: Path) -> None:
    """A rate drawn from an interval tells all trials apart by itself."""
    tried = [(0.001, 1), (0.002, 5), (0.003, 1)]
    runs = [
        made.trial(
            tmp_path / str(i), 0.5 + i / 10, algorithm__inner__lr=lr, algorithm__inner__steps=k
        )
        for i, (lr, k) in enumerate(tried)
    ]
    section = made.section_of(runs)
    assert section.swept == ["algorithm.inner.lr", "algorithm.inner.steps"]
    assert column(section.rows, "inner learning rate") == ["0.001", "0.002", "0.003"]
    assert column(section.rows, "inner steps") == ["1", "5", "1"]
    (judged,) = (c for c in columns(section.rows) if c.name.startswith("objective"))
    assert judged.name == "objective: meta-validation accuracy, %"
    assert list(judged.cells) == ["50.00", "60.00", "70.00"]
    assert [type(cell).__name__ for cell in judged.cells] == ["str", "str", "Best"]


def test_of_a_search_for_a_loss_the_lowest_is_the_best(tmp_path: Path) -> None:
    runs = [
        made.trial(tmp_path / str(i), value, algorithm__inner__lr=float(i + 1), metric="loss")
        for i, value in enumerate((0.5, 0.25, 0.75))
    ]
    (judged,) = (c for c in columns(made.section_of(runs).rows) if "objective" in c.name)
    assert judged.name == "objective: meta-validation loss"
    assert [type(cell).__name__ for cell in judged.cells] == ["str", "Best", "str"]


def test_a_grid_keeps_the_fewest_keys_that_tell_its_jobs_apart(tmp_path: Path) -> None:
    (tmp_path / "multirun.yaml").touch()
    runs = [
        made.run(tmp_path / str(i), algorithm__name=name, algorithm__inner={"lr": 0.1 * i})
        for i, name in enumerate(("reptile", "maml"))
    ]
    assert made.section_of(runs).swept == ["algorithm.name"]


def test_a_job_without_a_label_is_called_by_its_algorithm(tmp_path: Path) -> None:
    (tmp_path / "multirun.yaml").touch()
    runs = [
        made.run(tmp_path / str(i), seed=i, label=label, recipe_hash=str(i))
        for i, label in enumerate(("one", None))
    ]
    assert column(made.section_of(runs).rows, "label") == ["one", "Reptile"]


def test_no_two_texts_become_one_in_latex() -> None:
    assert escaped("≤ ≥ ≈ × · − →") == (r"$\leq$ $\geq$ $\approx$ $\times$ $\cdot$ $-$ $\to$")
    assert escaped("日本") == "U+65E5U+672C"
    assert escaped("日") != escaped("本")


def test_a_wide_table_in_latex_leaves_what_trainings_cost_to_another(tmp_path: Path) -> None:
    spent = ("tasks_seen", "gradients_taken", "examples_seen", "hessian_products", "peak_bytes")
    runs = [
        made.run(
            tmp_path / str(i), label=f"run {i}", shots__shots=shots, recipe_hash=str(i),
            steps=(0, i + 1), train_seconds=10.0 * i + 1, tasks_per_second=5.0 + i,
            **{name: 10 ** (6 + i) for name in spent},
        )
        for i in range(2)
        for shots in (1, 5)
    ]  # fmt: skip
    rows = report.rows(runs)
    assert len(grid(rows)[0]) > WIDE
    head, *body = grid(rows, costs=True)
    assert head[0] == "run"
    assert "inductive" not in head
    assert len(body) == 2  # a line a training
    assert "examples seen" not in grid(rows, costs=False)[0]
    swept = report.rows(runs, ["label", "shots.shots"])  # each of which is another training
    assert len(grid(swept, costs=True)) == 5
    section = made.section_of(runs)
    text = latex([section])
    assert text.count(r"\begin{table}") == 2
    assert r"\caption{What the trainings cost.}\label{tab:runs-costs}" in text


def test_the_best_are_corrected_for_all_that_the_table_compares(tmp_path: Path) -> None:
    """As a table of differences is: in a table of more settings more cannot be told apart."""

    def of(place: int, name: str, shots: int, shift: float) -> Any:
        rng = np.random.default_rng(shots)  # tasks of a setting are the same
        values = np.clip(0.5 + shift + 0.2 * rng.standard_normal(200), 0, 1)
        noise = 0.14 * np.random.default_rng(100 + place).standard_normal(200)
        values = np.clip(values + noise, 0, 1)
        folder = tmp_path / str(place)
        (folder / "per_task").mkdir(parents=True, exist_ok=True)
        lines = ["task,acc", *(f"{i},{v}" for i, v in enumerate(values))]
        (folder / "per_task" / "a.csv").write_text("\n".join(lines) + "\n")
        run = made.run(folder, float(values.mean()), algorithm__name=name, label=name,
                       shots__shots=shots, recipe_hash=name, protocols=("inductive",))  # fmt: skip
        (entry,) = run.content["results"]
        entry.update(per_task_file="per_task/a.csv", tasks=200, acc_ci95=0.03)
        return run

    runs = [of(0, "a", 1, 0.03), of(1, "b", 1, 0.0)]
    alone = report.rows(runs)
    more = report.rows(
        [*runs, *(of(2 + i, name, 5 + i // 2, 0.0) for i, name in enumerate("abababab"))]
    )
    assert len(best(alone)) == 1
    marked = best(more)
    bold = {(row["shots"], row["label"]) for row in more if (id(row), "inductive") in marked}
    assert bold >= {(1, "a"), (1, "b")}


def test_rows_of_other_classes_of_one_dataset_say_so(tmp_path: Path) -> None:
    runs = [
        made.run(tmp_path / str(i), dataset_split=split, label=split, recipe_hash=split)
        for i, split in enumerate(("authors", "with_val"))
    ]
    assert column(report.rows(runs), "dataset split") == ["authors", "with_val"]
    other = made.run(tmp_path / "x", dataset_split="val", dataset__name="omniglot", label="x")
    assert "dataset split" not in grid(report.rows([runs[0], other]))[0]


def test_where_rows_differ_is_said_of_each_setting(tmp_path: Path) -> None:
    def of(label: str, shots: int, examples: int) -> Any:
        return made.run(tmp_path / f"{label}{shots}", label=label, recipe_hash=label,
                        shots__shots=shots, examples_seen=examples)  # fmt: skip

    runs = [of("a", 1, 960), of("b", 1, 2000), of("a", 5, 2000), of("b", 5, 4800)]
    assert differences(report.rows(runs)) == (
        "Compared rows differ in: 5-way 1-shot in examples seen 960 and 2,000; "
        "5-way 5-shot in examples seen 2,000 and 4,800."
    )
    for run, tasks in zip(runs, (10, 20, 10, 20), strict=True):
        run.content["tasks_seen"] = tasks
    assert differences(report.rows(runs)).startswith(
        "Compared rows differ in: tasks seen 10 and 20; 5-way 1-shot in examples seen"
    )
    same = [of("a", 1, 960), of("b", 1, 2000), of("a", 5, 960), of("b", 5, 2000)]
    assert differences(report.rows(same)) == (
        "Compared rows differ in: examples seen 960 and 2,000."
    )
