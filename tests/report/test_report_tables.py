"""Tables that can be published: what trainings cost, a baseline, LaTeX, and what is the same."""

from __future__ import annotations

import copy
import csv
import gzip
import html
import json
import math
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.report import made_rows as made

from fewstep import report
from fewstep.commands import report as report_command
from fewstep.config.compose import compose_config, plain
from fewstep.messages.errors import ConfigError
from fewstep.records.identity import hashed, recipe_hash
from fewstep.records.packed import pack, unpack
from fewstep.records.results import write_per_task
from fewstep.report.notes import CLOSED, FINITE, OPEN, PERCENT, note
from fewstep.report.sections import sections
from fewstep.report.statistics.baseline import compared
from fewstep.report.statistics.left_out import left_out
from fewstep.report.tables.columns import caption, columns, grid
from fewstep.report.tables.latex import cell, escaped, latex
from fewstep.report.tables.work import counted, differences, work


@pytest.fixture(autouse=True)
def somewhere_else(tmp_path_factory: pytest.TempPathFactory, monkeypatch) -> None:
    """Reports go to outputs/reports of the working directory."""
    monkeypatch.chdir(tmp_path_factory.mktemp("working_directory"))


@pytest.fixture(scope="module")
def configs() -> dict[str, dict[str, Any]]:
    names = ("reptile", "fomaml", "maml")
    return {n: plain(compose_config("train", [f"algorithm={n}"])) for n in names}


def job(folder: Path, config: dict, accs: Sequence[float], **more: Any) -> Path:
    """A job of a sweep with the accuracies of its test tasks; `its` are changes of its result."""
    (folder / "per_task").mkdir(parents=True)
    (folder.parent / "multirun.yaml").touch()
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    write_per_task(folder / "per_task" / "tasks.csv", {"loss": [1.0] * len(accs), "acc": accs})
    mean = sum(accs) / len(accs)
    spread = math.sqrt(sum((acc - mean) ** 2 for acc in accs) / len(accs))
    entry = {"init": "trained", "checkpoint": "last", "ways": 5, "shots": 1, "tasks": len(accs)}
    entry |= {"steps": config["algorithm"]["eval"]["steps"], "protocol": "inductive"}
    entry |= {"acc": mean, "acc_ci95": 1.96 * spread / len(accs) ** 0.5, "loss": 1.0}
    entry |= {"per_task_file": "per_task/tasks.csv", "episodes_sha256": "same"}
    tasks = 2000 * config["meta_batch"]
    content = {"schema": 1, "name": config["name"], "algorithm": config["algorithm"]["name"]}
    content |= {"dataset": "glyphs", "seed": config["seed"], "meta_iterations": 2000}
    content |= {"tasks_seen": tasks, "train_seconds": 12.4, "config": hashed(config)}
    content |= {"recipe_hash": recipe_hash(config), "command": "fewstep train -m x=1,2"}
    content |= {"label": config.get("label")}
    entry |= more.pop("its", {})
    (folder / "results.json").write_text(json.dumps(content | more | {"results": [entry]}))
    return folder


def sweep(top: Path, configs: dict, shifts: dict[str, float], rough: float = 0.0) -> Path:
    """Two seeds of each algorithm: tasks of 0.4 to 0.8, moved by what the algorithm adds, and by
    what is `rough` in the first."""
    for name, shift in shifts.items():
        for seed in (1, 2):
            own = rough * (name == next(iter(shifts)))
            accs = [
                0.4 + 0.1 * (task % 5) + shift + own * ((task * seed) % 3) for task in range(40)
            ]
            folder = top / str(len([*top.glob("*/")]))
            job(folder, {**configs[name], "seed": seed}, accs)
    return top


SHIFTS = {"reptile": 0.1, "fomaml": 0.1, "maml": 0.0}


def told(folder: Path, *words: str, capsys: Any) -> list[str]:
    assert report_command.main([str(folder), *words]) == 0
    return capsys.readouterr().out.splitlines()


def test_what_a_training_cost_is_in_its_row_and_compared_rows_are_told_apart(
    tmp_path: Path, configs, capsys
) -> None:
    """Reptile: 5 tasks of 5 gradients on 10 of 50 examples; MAML: 32 tasks, on 5 and 5 examples."""
    lines = told(sweep(tmp_path / "s", configs, SHIFTS), capsys=capsys)
    assert "Same in all rows: 2,000 meta-iterations; initialization trained (last); " in str(lines)
    assert [line for line in lines if line.startswith("|")] == [
        "| algorithm | test steps | tasks seen | inner gradients | examples seen | inductive |",
        "| --- | --- | --- | --- | --- | --- |",
        "| Reptile | 50 | 10,000 | 50,000 | 500,000 | **70.00 ± 4.58 (seeds ± 0.00)** |",
        "| FOMAML | 3 | 64,000 | 128,000 | 640,000 | **70.00 ± 4.58 (seeds ± 0.00)** |",
        "| MAML | 3 | 64,000 | 128,000 | 640,000 | 60.00 ± 4.58 (seeds ± 0.00) |",
    ]
    assert (
        "Compared rows differ in: tasks seen 10,000 and 64,000, inner gradients 50,000 and "
        "128,000, examples seen 500,000 and 640,000, tasks a meta-batch 5 and 32, training shots "
        "1 and 10, test steps 3 and 50."
    ) in lines


OF_TASKS = {
    "fewer": (lambda lines: lines[:21], "20 of 40 tasks are there"),
    "twice": (lambda lines: [*lines, lines[-1]], "its tasks are out of their order"),
    "turned": (lambda lines: [lines[0], *lines[:0:-1]], "its tasks are out of their order"),
    "cut short": (lambda lines: [*lines[:-1], lines[-1][:4]], "could not|NoneType"),
    "of another test": (
        lambda lines: [line.replace("0.5", "0.7") for line in lines],
        "their mean is 0.74, and the results say 0.7",
    ),
}


@pytest.mark.parametrize(("damage", "reason"), OF_TASKS.values(), ids=OF_TASKS)
def test_differences_are_of_the_tasks_of_their_results(
    damage, reason: str, tmp_path: Path, configs, capsys
) -> None:
    for number, name in enumerate(("reptile", "maml")):
        accs = [0.5 + 0.1 * (task % 5) for task in range(40)]
        job(tmp_path / "s" / str(number), {**configs[name], "seed": 1}, accs)
    file = tmp_path / "s" / "1" / "per_task" / "tasks.csv"
    file.write_text("\n".join(damage(file.read_text().splitlines())))
    assert report_command.main([str(tmp_path / "s"), "--baseline", "reptile"]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"fewstep: {file}: has no acc for each task (")
    assert re.search(reason, said)
    assert not Path("outputs").exists()


def test_tasks_of_a_test_that_is_under_way_are_not_those_of_the_one_before(
    tmp_path: Path, configs, capsys
) -> None:
    """The run has gone on to a later end, and its figures are written over as it is tested there:
    its results stand, and are compared as those whose tasks are gone."""
    for number, name in enumerate(("reptile", "maml")):
        accs = [0.5 + 0.1 * (task % 5) for task in range(40)]
        job(tmp_path / "s" / str(number), {**configs[name], "seed": 1}, accs)
    assert "| paired: " in str(told(tmp_path / "s", "--baseline", "reptile", capsys=capsys))
    later = {**configs["maml"], "seed": 1, "max_meta_iterations": 4000}
    (tmp_path / "s" / "1" / "config.yaml").write_text(yaml.safe_dump(later))
    file = tmp_path / "s" / "1" / "per_task" / "tasks.csv"
    file.write_text(file.read_text().replace("0.5", "0.7"))
    assert "| unpaired: " in str(told(tmp_path / "s", "--baseline", "reptile", capsys=capsys))


@pytest.mark.parametrize("seeds", [1, 2])
def test_a_single_task_whose_file_is_gone_tells_nothing_apart(
    seeds: int, tmp_path: Path, configs, capsys
) -> None:
    for name, acc in (("reptile", 0.5), ("maml", 0.75)):
        for seed in range(seeds):
            folder = tmp_path / "s" / f"{name}{seed}"
            job(folder, {**configs[name], "seed": seed}, [acc], its={"acc_ci95": None})
            shutil.rmtree(folder / "per_task")
    lines = told(tmp_path / "s", "--baseline", "reptile", capsys=capsys)
    (difference,) = [line for line in lines if "| inductive | +25.00 ± nan |" in line]
    assert "| not told apart | unpaired:" in difference


def test_what_results_say_of_their_cost_wins_over_what_a_configuration_lets_expect(
    tmp_path: Path, configs
) -> None:
    said = {"gradients_taken": 7, "examples_seen": 8, "tasks_seen": 6}
    job(tmp_path / "0", configs["reptile"], [0.5, 0.6], **said)
    (row,) = report.rows(report.read([tmp_path]))
    unsaid = dict.fromkeys(("hessian_products", "tasks_per_second", "peak_bytes"))
    assert work(row) == {**said, "train_seconds": 12.4, **unsaid}


def test_products_speed_and_memory_stand_beside_the_figures(tmp_path: Path, configs) -> None:
    """Older files say nothing of them, and of first-order rows alone no products are told."""
    costs = {"tasks_per_second": 53.2, "peak_bytes": 30 * 2**20}
    job(tmp_path / "0", configs["maml"], [0.5, 0.6], **costs, hessian_products=32000)
    job(tmp_path / "1", configs["fomaml"], [0.5, 0.6], **costs, hessian_products=0)
    table = report.rows(report.read([tmp_path]))
    head, *body = grid(table)
    assert [line[head.index("Hessian products")] for line in body] == ["32,000", "0"]
    assert "53 tasks a second; 30 MiB of memory at the peak" in caption(table)
    assert "Hessian" not in str(columns(table[1:]))


def test_rows_of_equal_work_are_said_to_be_equal(tmp_path: Path, configs) -> None:
    for place in range(2):
        config = copy.deepcopy(configs["reptile"])
        config["algorithm"]["inner"]["lr"] = 0.1 + place
        job(tmp_path / str(place), config, [0.5, 0.6])
    table = report.rows(report.read([tmp_path]))
    assert differences(table) == (
        "Compared rows are equal in tasks seen, inner gradients, examples seen, tasks a "
        "meta-batch, training shots, test steps, test tasks, tested checkpoint."
    )
    assert differences(table[:1]) == ""


@pytest.mark.parametrize(
    "words",
    [
        *(["algorithm=reptile"], ["algorithm=joint"], ["algorithm=truncated"]),
        ["algorithm=combination", "algorithm.weights=[1,1]", "algorithm.inner.steps=2"],
        *(["algorithm=maml", "shots=5w5s"], ["algorithm=fomaml"], ["experiment=sine_maml"]),
        ["algorithm=fomaml", "algorithm.tail=cycle", "algorithm.inner.batch_size=3"],
    ],
)
def test_older_results_are_counted_as_the_algorithm_itself_counts(words: list[str]) -> None:
    from fewstep.run.construction.assembly import draft

    config = plain(compose_config("train", words))
    recipe = draft(config).recipe
    algorithm, spec = recipe.algorithm, recipe.spec
    queries = spec.ways * (config["dataset"].get("points") or spec.queries)
    minibatch = spec.batch_size or spec.ways * spec.shots
    gradients = algorithm.batches + algorithm.needs_queries
    examples = algorithm.batches * minibatch + algorithm.needs_queries * queries
    assert counted(hashed(config), 10) == (10 * gradients, 10 * examples)


ODD = {"ways": 5, "train_shots": 1, "queries": 1}


@pytest.mark.parametrize(
    "config",
    [
        *({}, {"algorithm": None}, {"algorithm": {"inner": {"steps": 1}}}),
        {"algorithm": {"_target_": "fewstep.x.MAML", "inner": {"steps": "x"}}, "shots": ODD},
        {"algorithm": {"_target_": "fewstep.x.MAML", "inner": {"steps": 1}}, "shots": ODD},
        {"algorithm": {"_target_": "fewstep.x.MAML", "inner": []}, "shots": {}, "dataset": {}},
    ],
)
def test_what_nobody_wrote_down_is_left_empty(config: dict) -> None:
    assert counted(config, 5) == (None, None)


def test_somebodys_own_algorithm_is_not_guessed_at(configs) -> None:
    config = copy.deepcopy(configs["maml"])
    config["algorithm"]["_target_"] = "mine.MAML"
    assert counted(config, 5) == (None, None)


def test_baselines_of_a_run_cost_what_they_did(tmp_path: Path) -> None:
    """A random network cost nothing; joint training as much as Reptile, its seconds unknown."""
    config = plain(compose_config("train", ["experiment=quickstart"]))
    for init in ("random", "joint"):
        job(tmp_path / f"its_{init}", config, [0.5, 0.6], its={"init": init})
    joint, random = report.rows(report.read([tmp_path]))
    assert {v for v in work(random).values() if v is not None} == {0}
    of_joint = {"tasks_seen": 10000, "gradients_taken": 50000, "examples_seen": 500000}
    assert {n: v for n, v in work(joint).items() if v is not None} == of_joint


def test_a_baseline_is_what_rows_are_held_against(tmp_path: Path, configs, capsys) -> None:
    """Differences of the mean exactly, and of none at all."""
    folder = sweep(tmp_path / "s", configs, SHIFTS)
    lines = told(folder, "--baseline", "maml", capsys=capsys)
    start = lines.index("Differences to MAML:")
    assert [line for line in lines[start:] if line.startswith("|")] == [
        "| row | setting | protocol | difference | effect | p (Holm) | verdict | interval over |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
        *(
            f"| {name} | 5-way 1-shot | inductive | +10.00 ± 0.00 |  | 4e-12 | better | "
            "paired: 2 seeds, 40 tasks |"
            for name in ("Reptile", "FOMAML")
        ),
    ]
    shown = told(folder, "--baseline", "MAML", capsys=capsys)
    assert shown[:-1] == [line.replace("to maml:", "to MAML:") for line in lines[:-1]]
    other = told(folder, "--baseline", "algorithm=reptile", capsys=capsys)
    verdicts = [line.split(" | ")[3:7] for line in other if "paired: " in line]
    assert verdicts == [
        ["+0.00 ± 0.00", "", "1.000", "not told apart"],
        ["-10.00 ± 0.00", "", "4e-12", "worse"],  # of 40 tasks, all of one sign
    ]


def test_of_a_loss_less_is_better(tmp_path: Path, configs, capsys) -> None:
    for place, loss in enumerate((0.5, 0.25)):
        config = {**configs["reptile"], "label": f"run {place}", "max_meta_iterations": place}
        its = {"acc": None, "loss": loss, "loss_ci95": 0.01, "tasks": 1000}
        folder = job(tmp_path / str(place), config, [1.0, 1.0], label=config["label"], its=its)
        content = json.loads((folder / "results.json").read_text())
        del content["results"][0]["acc"], content["results"][0]["per_task_file"]
        content["dataset"] = "sine"
        (folder / "results.json").write_text(json.dumps(content))
    out = "\n".join(told(tmp_path, "--baseline", "run 0", capsys=capsys))
    assert re.search(r"\| -0\.2500 ± 0\.0142 \|  \| \S+ \| better \| unpaired: one seed", out)
    assert "percent" not in out
    assert OPEN in out
    assert CLOSED not in out
    assert "| **0.2500 ± 0.0100** |" in out


def test_differences_of_small_losses_are_not_told_to_be_none(tmp_path: Path) -> None:
    runs = [
        made.run(tmp_path / name, loss, metric="loss", label=name, meta_batch=place)
        for place, (name, loss) in enumerate({"one": 3.02e-6, "other": 2.5e-6}.items())
    ]
    for run in runs:
        for entry in run.content["results"]:
            entry["loss_ci95"] = 1.4e-7
    table = report.rows(runs)
    assert [line[-1] for line in grid(table)[1:]] == ["3.02e-06 ± 1.4e-07", "2.50e-06 ± 1.4e-07"]
    (line,) = compared(table, "one")[1:]
    assert re.fullmatch(r"-5\.2e-07 ± [12]\.\de-07", line[3])
    assert cell(line[3]).startswith(r"$-$$5.2 \cdot 10^{-7}$ $\pm$ $")
    assert cell(grid(table)[1][-1]) in (
        r"$3.02 \cdot 10^{-6}$ $\pm$ $1.4 \cdot 10^{-7}$",
        r"\textbf{\boldmath $3.02 \cdot 10^{-6}$ $\pm$ $1.4 \cdot 10^{-7}$}",
    )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "reptil",
            "fewstep: --baseline reptil: no row is called so. Did you mean reptile? It must be an "
            "algorithm, a label, a run's name or a whole row: reptile, reptile_glyphs_5w1s, "
            "algorithm=reptile, maml, maml_glyphs_5w1s, algorithm=maml\n",
        ),
        (
            "x",
            "fewstep: --baseline x: no row is called so. It must be an algorithm, a label, a run's "
            "name or a whole row: reptile, reptile_glyphs_5w1s, algorithm=reptile, maml, "
            "maml_glyphs_5w1s, algorithm=maml\n",
        ),
    ],
)
def test_a_baseline_that_is_not_there(name: str, message: str, tmp_path, configs, capsys) -> None:
    folder = sweep(tmp_path / "s", configs, {"reptile": 0.1, "maml": 0.0})
    assert report_command.main([str(folder), "--baseline", name]) == 2
    assert capsys.readouterr().err == message
    assert not Path("outputs").exists()


def test_a_baseline_that_is_several(tmp_path: Path, configs, capsys) -> None:
    for place in range(2):
        config = copy.deepcopy(configs["reptile"])
        config["algorithm"]["inner"]["lr"] = 0.1 + place
        job(tmp_path / str(place), config, [0.5, 0.6])
    assert report_command.main([str(tmp_path), "--baseline", "reptile"]) == 2
    assert capsys.readouterr().err == (
        "fewstep: --baseline reptile: 2 rows of one setting are called so: "
        "inner learning rate 0.1, 5-way 1-shot; inner learning rate 1.1, 5-way 1-shot. Name one of "
        "them as it stands here, or report on fewer runs\n"
    )
    assert report_command.main([str(tmp_path), "--baseline", "algorithm.inner.lr=1.1"]) == 0


LEFT_OUT = {
    "other tasks": (
        *({"eval_seed": 7}, {"eval_seed": 8}),
        "inductive: seeds of the test tasks differ (7, the baseline's 8)",
    ),
    "another setting": (
        *({"shots": 5, "queries": 15}, {"queries": 1}),
        "inductive: shots differ (5, the baseline's 1), test queries differ (15, the baseline's 1)",
    ),
    "a lost baseline": ({}, {"loss": None}, "inductive: the baseline diverged"),
    "a lost row": ({"loss": None}, {}, "inductive: diverged"),
    "another protocol": (
        *({"protocol": "transductive"}, {}),
        "transductive: the baseline has no transductive figure",
    ),
}


@pytest.mark.parametrize(("of_row", "of_baseline", "why"), LEFT_OUT.values(), ids=LEFT_OUT)
def test_why_a_row_is_not_held_against_the_baseline(
    of_row: dict, of_baseline: dict, why: str, tmp_path: Path, configs
) -> None:
    job(tmp_path / "0", configs["maml"], [0.4, 0.6], its=of_row)
    job(tmp_path / "1", configs["reptile"], [0.4, 0.6], its=of_baseline)
    table = report.rows(report.read([tmp_path]))
    (row,) = [row for row in table if row["algorithm"] == "maml"]
    assert left_out(table, "reptile") == [f"{row.spoken}, {row.setting}, {why}"]
    assert left_out(table, "anil") == []
    assert compared(table, "reptile")[1:] == []


def test_a_row_of_another_number_of_steps_than_any_baseline_is_told(
    tmp_path: Path, configs
) -> None:
    for name, steps in (("reptile", 5), ("reptile", 50), ("maml", 5), ("fomaml", 7)):
        job(tmp_path / f"{name}{steps}", configs[name], [0.4, 0.6], its={"steps": steps})
    assert left_out(report.rows(report.read([tmp_path])), "reptile") == [
        "fomaml_glyphs_5w1s, 5-way 1-shot, inductive: test steps differ (7, the baseline's 5, 50)"
    ]


def test_a_baseline_that_nothing_may_be_held_against_does_not_go_without_a_word(
    tmp_path: Path, configs, capsys
) -> None:
    """On 20 tasks and on 10, in the text, on the page and in LaTeX; where another row is compared,
    below its table."""
    for name, tasks in (("reptile", 20), ("maml", 10)):
        job(tmp_path / "s" / name, configs[name], [0.4, 0.6] * (tasks // 2))
    out = tmp_path / "out"
    words = ["--baseline", "reptile", "--latex", "--out", str(out)]
    lines = told(tmp_path / "s", *words, capsys=capsys)
    why = "MAML, 5-way 1-shot, inductive: test tasks differ (10, the baseline's 20)"
    start = lines.index("Without a difference to Reptile:")
    assert lines[start + 1 : start + 4] == ["", f"- {why}", ""]
    assert "Differences to" not in str(lines)
    assert f"<li>{why}</li>" in html.unescape((out / "report.html").read_text())
    alone = rf"\noindent Without a difference to Reptile: {escaped(why)}.\par"
    assert alone in (out / "report.tex").read_text()
    job(tmp_path / "s" / "more", configs["fomaml"], [0.5, 0.7] * 10)
    lines = told(tmp_path / "s", *words, capsys=capsys)
    assert [line.split(" | ")[0] for line in lines if "paired: " in line] == ["| FOMAML"]
    assert f"- {why}" in lines
    below = f"Without a difference to Reptile: {escaped(why)}.}}\\label"
    assert below in (out / "report.tex").read_text()


def test_a_baseline_beside_which_there_is_nothing_is_told(tmp_path: Path, configs, capsys) -> None:
    job(tmp_path / "0", configs["reptile"], [0.5, 0.6])
    lines = told(tmp_path, "--baseline", "reptile", capsys=capsys)
    assert lines[lines.index("Without a difference to Reptile:") + 2] == (
        "- the table has no other row"
    )


def test_rows_without_a_difference_are_gathered_by_their_reason(tmp_path: Path, configs) -> None:
    for place in range(10):
        config = {**configs["maml"], "label": f"m{place}", "max_meta_iterations": 1000 + place}
        job(tmp_path / str(place), config, [0.5, 0.6] * 5, label=f"m{place}")
    job(tmp_path / "r", {**configs["reptile"], "label": "r"}, [0.5, 0.6], label="r")
    (line,) = left_out(report.rows(report.read([tmp_path])), "r")
    assert line.startswith("maml_glyphs_5w1s: m0, 5-way 1-shot, inductive; maml_glyphs_5w1s: m1, ")
    assert line.endswith(" and 2 more: test tasks differ (10, the baseline's 2)")


def test_of_another_dataset_its_data_are_no_news(tmp_path: Path, configs) -> None:
    job(tmp_path / "0", configs["maml"], [0.5, 0.6], data_sha256="a" * 64)
    job(tmp_path / "1", configs["reptile"], [0.5, 0.6], dataset="mine", data_sha256="b" * 64)
    (line,) = left_out(report.rows(report.read([tmp_path])), "reptile")
    assert line.endswith(", inductive: datasets differ (glyphs, the baseline's mine)")


def test_a_name_in_words_of_two_rows_is_of_both(tmp_path: Path, configs) -> None:
    for place, name in enumerate(("best", "last")):
        job(tmp_path / str(place), configs["reptile"], [0.5], its={"checkpoint": name})
    job(tmp_path / "2", configs["maml"], [0.5])
    (section,) = sections(report.read([tmp_path]))
    with pytest.raises(ConfigError, match=r"2 rows of one setting .*: Reptile, best checkpoint, 5"):
        compared(section.rows, "Reptile")


def test_two_checkpoints_of_one_run_can_each_be_the_baseline(
    tmp_path: Path, configs, capsys
) -> None:
    for name, acc in (("best", 0.5), ("last", 0.75)):
        its = {"checkpoint": name}
        job(tmp_path / "s" / name, {**configs["reptile"], "name": "evbl"}, [acc] * 9, its=its)
    (tmp_path / "s" / "multirun.yaml").unlink()
    assert report_command.main([str(tmp_path), "--baseline", "evbl"]) == 2
    assert (
        "called so: evbl, best checkpoint, 5-way 1-shot; evbl, last checkpoint, 5-way 1-shot. Name"
    ) in capsys.readouterr().err
    for name in ("evbl, best checkpoint", "evbl, best checkpoint, 5-way 1-shot"):
        lines = told(tmp_path, "--baseline", name, capsys=capsys)
        (line,) = [line for line in lines if "paired: " in line]
        assert line.startswith("| evbl, last checkpoint | 5-way 1-shot | inductive | +25.00 ± 0.00")
    assert report_command.main([str(tmp_path), "--baseline", "evbl, best checkpont"]) == 2
    assert "Did you mean evbl, best checkpoint? It must be" in capsys.readouterr().err


def test_a_baseline_may_be_tested_after_several_numbers_of_steps(
    tmp_path: Path, configs, capsys
) -> None:
    """And each row is held against that of its own number."""
    for name, steps, acc in (
        ("reptile", 5, 0.5),
        ("reptile", 50, 0.6),
        ("maml", 5, 0.2),
        ("maml", 50, 0.4),
        ("fomaml", 7, 0.3),
    ):
        job(tmp_path / f"{name}{steps}", configs[name], [acc, acc] * 9, its={"steps": steps})
    lines = told(tmp_path, "--baseline", "reptile", capsys=capsys)
    found = [line.split(" | ")[:4] for line in lines if "paired: " in line]
    assert found == [
        ["| MAML", "5-way 1-shot, 5 steps", "inductive", "-30.00 ± 0.00"],
        ["| MAML", "5-way 1-shot, 50 steps", "inductive", "-20.00 ± 0.00"],
    ]


def test_copies_of_test_pictures_stand_beside_the_figures(tmp_path: Path, configs, capsys) -> None:
    """And the same tasks are compared, whose pictures are shifted in one row alone."""
    alone, copies = [0.4, 0.6] * 9, {"shift": 1}
    job(tmp_path / "one", {**configs["reptile"], "name": "alone"}, alone)
    job(tmp_path / "two", {**configs["reptile"], "name": "moved"}, [0.5, 0.7] * 9, its=copies)
    lines = told(tmp_path, "--baseline", "alone", capsys=capsys)
    table = [line.split(" | ") for line in lines if line.startswith("| ")]
    assert table[0][:2] == ["| run", "copies"]
    assert [row[1] for row in table[2:4]] == ["", "9"]
    assert "Compared rows differ in: shifts of test pictures 0 and 1." in lines
    assert any("| +10.00 ± 0.00 |" in line for line in lines)


def test_older_runs_are_those_whose_pictures_are_not_shifted(configs) -> None:
    config = configs["reptile"]
    older = {**config, "eval": {n: v for n, v in config["eval"].items() if n != "shift"}}
    moved = {**config, "eval": {**config["eval"], "shift": 1}}
    assert hashed(older) == hashed(config) != hashed(moved)


def test_an_untrained_network_can_be_the_baseline(tmp_path: Path, configs, capsys) -> None:
    job(tmp_path / "a", configs["reptile"], [0.5, 0.6] * 9)
    job(tmp_path / "b", configs["reptile"], [0.2, 0.3] * 9, its={"init": "random"})
    out = told(tmp_path, "--baseline", "random", capsys=capsys)
    assert "| +30.00 ± 0.00 |" in str(out)


def test_what_is_the_same_everywhere_is_said_once(tmp_path: Path, configs) -> None:
    table = report.rows(report.read([sweep(tmp_path / "s", configs, {"reptile": 0.0})]))
    assert grid(table)[0] == ["run", "inductive"]
    assert caption(table) == (
        "2,000 meta-iterations; initialization trained (last); 5-way 1-shot; 50 test steps; "
        "40 test tasks; seeds 1, 2; 10,000 tasks seen; 50,000 inner gradients; "
        "500,000 examples seen; 12 seconds of training."
    )
    assert "train seconds" in [column.name for column in columns(table)]


def test_tasks_of_meta_validation_are_not_called_test_tasks(tmp_path: Path, configs) -> None:
    job(tmp_path / "a", configs["reptile"], [0.5, 0.6] * 9, its={"split": "val"})
    table = report.rows(report.read([tmp_path]))
    assert "; 18 meta-validation tasks; " in caption(table)
    assert any("closed: meta-validation tasks are drawn" in text for text in note(table))
    assert not any("test tasks" in text for text in note(table))
    job(tmp_path / "b", configs["reptile"], [0.5, 0.6] * 8)
    assert "test tasks" in grid(report.rows(report.read([tmp_path])))[0]


def test_the_notes_say_only_what_is_there(tmp_path: Path, configs) -> None:
    table = report.rows(report.read([sweep(tmp_path / "s", configs, {"reptile": 0.0})]))
    assert any(PERCENT in text for text in note(table))
    assert not any("In bold" in text for text in note(table))  # of a single row


def test_a_csv_has_every_column_and_each_jobs_command(tmp_path: Path, configs, capsys) -> None:
    folder = sweep(tmp_path / "s", configs, SHIFTS)
    for place, words in enumerate((["algorithm=reptile", "seed=1", "resume='/x/0'"], ["a b=1"])):
        (folder / str(place) / "overrides.yaml").write_text(yaml.safe_dump(words))
    told(folder, "--out", str(tmp_path / "out"), capsys=capsys)
    lines = [*csv.DictReader((tmp_path / "out" / "report.csv").read_text().splitlines())]
    found = [(line["algorithm"], line["gradients_taken"], line["best"]) for line in lines]
    assert found == [
        ("reptile", "50000.0", "True"),
        ("fomaml", "128000.0", "True"),
        ("maml", "128000.0", "False"),
    ]
    single = "fewstep train algorithm=reptile seed=1; fewstep train 'a b=1'"
    assert lines[0]["commands"] == single
    assert lines[1]["commands"] == "fewstep train -m x=1,2; fewstep train -m x=1,2"
    assert lines[0]["objective"] == ""
    page = (tmp_path / "out" / "report.html").read_text()
    assert "fewstep train algorithm=reptile seed=1<" in page
    assert page.count('best"') == 2


def test_a_search_shows_what_it_went_by(tmp_path: Path, configs, capsys) -> None:
    """Also one that is under way; a grid shows none."""
    for name in ("done", "search", "grid"):
        folder = job(tmp_path / name / "0", configs["reptile"], [0.5, 0.6])
        (folder / ".hydra").mkdir()
        target = "mine.Basic.BasicSweeper" if name == "grid" else "hydra_plugins.optuna.Sweeper"
        text = yaml.safe_dump({"hydra": {"sweeper": {"A": {"b": 1}, "_target_": target}}})
        (folder / ".hydra" / "hydra.yaml").write_text(text)
        record = {"state": "finished", "reason": None, "objective": 0.43219}
        (folder / "job.json").write_text(json.dumps(record))
    (tmp_path / "done" / "optimization_results.yaml").touch()
    (tmp_path / "done" / "0" / ".hydra" / "hydra.yaml").unlink()
    for name in ("done", "search"):
        searched = told(tmp_path / name, capsys=capsys)
        assert "| run | objective: meta-validation accuracy, % | inductive |" in searched
        assert "| reptile_glyphs_5w1s | **43.22** | 55.00 ± 63.53 |" in searched
    assert "objective" not in str(told(tmp_path / "grid", capsys=capsys))


def test_latex_has_the_best_in_bold_and_what_is_the_same_in_its_caption(
    tmp_path: Path, configs, capsys
) -> None:
    folder = sweep(tmp_path / "s_1", configs, SHIFTS)
    out = told(folder, "--latex", "--out", str(tmp_path / "out"), capsys=capsys)
    assert out[-1].endswith(", report.tex")
    text = (tmp_path / "out" / "report.tex").read_text()
    assert r"\begin{tabular}{lrrrrr}" in text
    assert (
        "algorithm & test steps & tasks seen & inner gradients & examples seen & inductive" in text
    )
    best = r"\textbf{70.00 $\pm$ 4.58 ($\pm$ 0.00)} \\"
    assert f"FOMAML & 3 & 64,000 & 128,000 & 640,000 & {best}" in text
    assert r"MAML & 3 & 64,000 & 128,000 & 640,000 & 60.00 $\pm$ 4.58 ($\pm$ 0.00) \\" in text
    assert text.count(r"\begin{table}") == 1
    assert (
        r"\caption{Same in all rows: 2,000 meta-iterations; initialization trained (last)" in text
    )
    assert r"}\label{tab:s_1}\smallskip" in text
    assert str(folder) not in text.replace("\\", "")
    told(folder, "--latex", "--baseline", "maml", "--out", str(tmp_path / "b"), capsys=capsys)
    text = (tmp_path / "b" / "report.tex").read_text()
    assert r"\caption{Differences to MAML. A difference is" in text
    assert r"}\label{tab:s_1-differences}\smallskip" in text


@pytest.mark.parametrize(
    ("dataset", "metric", "says", "told"),
    [
        ("clients", "acc", None, FINITE),
        ("recall", "acc", None, OPEN),
        ("glyphs", "loss", None, CLOSED),
        ("mine", "acc", None, CLOSED),
        ("mine", "loss", None, OPEN),
        ("mine", "acc", "open", OPEN),
        ("glyphs", "acc", "of the moon", CLOSED),
    ],
)
def test_what_an_interval_speaks_of_hangs_on_the_tasks(
    dataset: str, metric: str, says: str | None, told: str, tmp_path: Path
) -> None:
    one = made.run(tmp_path, metric=metric, dataset__name=dataset, interval=says)
    assert [text for text in note(report.rows([one])) if text in (CLOSED, OPEN, FINITE)] == [told]
    other = made.run(tmp_path, dataset__name="omniglot")
    if told != CLOSED:
        assert any(text.startswith("Of Omniglot: ") for text in note(report.rows([one, other])))


@pytest.mark.parametrize(
    ("text", "told"),
    [("0.032", "0.032"), ("2e-05", r"$2 \cdot 10^{-5}$"), ("1e-06", r"$1 \cdot 10^{-6}$"),
     ("3e-09", "$< 10^{-6}$"), ("<1e-300", "$< 10^{-6}$"), ("-1.4 ± 0.9", r"$-$1.4 $\pm$ 0.9")],
)  # fmt: skip
def test_a_small_p_value_in_latex(text: str, told: str) -> None:
    assert cell(text, "p (Holm)") == told


def test_small_numbers_that_were_swept_are_told_apart_in_latex(tmp_path: Path, configs) -> None:
    for place, lr in enumerate((1e-8, 2.5e-7)):
        config = copy.deepcopy(configs["reptile"])
        config["algorithm"]["inner"]["lr"] = lr
        job(tmp_path / str(place), config, [0.5, 0.6])
    text = latex(sections(report.read([tmp_path])))
    assert r"$1 \cdot 10^{-8}$ & " in text
    assert r"$2.5 \cdot 10^{-7}$ & " in text
    assert r"\begin{tabular}{rr}" in text


@pytest.mark.parametrize("name", ["[a] b", "*"])
def test_a_row_of_latex_is_no_option_of_the_one_before(name: str, tmp_path: Path, configs) -> None:
    """TeX takes a bracket or a star behind `\\\\`, also in the next line, for a part of it."""
    for place in (name, "other"):
        job(
            tmp_path / place, {**configs["reptile"], "name": place, "meta_batch": len(place)}, [0.5]
        )
        (tmp_path / "multirun.yaml").unlink()
    assert f"\n    {{}}{name} & " in latex(sections(report.read([tmp_path])))


def test_greek_letters_are_set_in_latex() -> None:
    assert escaped("η = 0.1, λ, Δ") == r"$\eta$ = 0.1, $\lambda$, $\Delta$"


def test_any_text_is_only_text_in_latex() -> None:
    given = r"\input{x} $a_1^2$ 50 % & #1 ~ {} <b> | “x” ü ∂"
    assert escaped(given) == (
        r"\textbackslash{}input\{x\} \$a\_1\textasciicircum{}2\$ 50 \% \& \#1 "
        r"\textasciitilde{} \{\} \textless{}b\textgreater{} \textbar{} ``x'' ü U+2202"
    )


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("pdflatex"), reason="needs pdflatex (texlive-latex-base)")
def test_latex_compiles(tmp_path: Path, configs, capsys) -> None:
    odd = {**configs["maml"], "label": r"[1] \odd_label $^ ~ & % # {} ü <|>"}
    folder = sweep(tmp_path / "s_1", {**configs, "maml": odd}, SHIFTS)
    words = ["--latex", "--baseline", "reptile", "--out", str(tmp_path / "out")]
    told(folder, *words, capsys=capsys)
    document = r"\documentclass{article}\usepackage{booktabs,graphicx}\begin{document}"
    document += r"\input{report}\end{document}"
    (tmp_path / "out" / "paper.tex").write_text(document)
    words = ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "paper.tex"]
    done = subprocess.run(words, cwd=tmp_path / "out", capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:]
    assert not re.search("Overfull|Missing character", done.stdout)


def test_marl_eval_gets_what_it_reads(tmp_path: Path, configs, capsys) -> None:
    """Environment, task, algorithm, run; its curve, as many points in each run, for it refuses
    others; the final figures of each task as absolute metrics."""
    folder = sweep(tmp_path / "s", configs, {"reptile": 0.0, "maml": 0.1})
    head = "meta_iteration,val/acc,val/acc_ci95\n"
    for job_ in range(4):
        points = ([500, 1000, 1500, 2000, 2500], [1000, 2500])[job_ > 0]
        told_ = "".join(f"{x},{x / 10000},0.1\n" for x in points)
        (folder / str(job_) / "metrics.csv").write_text(head + told_)
    out = told(folder, "--marl-eval", "--out", str(tmp_path / "out"), capsys=capsys)
    assert out[-1].endswith("marl_eval.json")
    content = json.loads((tmp_path / "out" / "marl_eval.json").read_text())
    (algorithms,) = content["glyphs"].values()
    assert list(content["glyphs"]) == ["5-way 1-shot, inductive"]
    assert {name: list(runs) for name, runs in algorithms.items()} == {
        "reptile": ["seed_1", "seed_2"],
        "maml": ["seed_1", "seed_2"],
    }
    first, second = algorithms["reptile"].values()
    assert first["step_0"] == {"step_count": 1000, "accuracy": [0.1]}
    assert first["step_1"] == {"step_count": 2500, "accuracy": [0.25]}
    assert [*first] == [*second] == ["step_0", "step_1", "absolute_metrics"]
    assert second["step_1"]["step_count"] == 2500
    assert len(second["absolute_metrics"]["accuracy"]) == 40


def test_marl_eval_gets_every_row_also_where_two_are_called_the_same(
    tmp_path: Path, configs, capsys
) -> None:
    """By the checkpoint, by the training's length, or else by a number."""
    for name, acc in (("best", 0.5), ("last", 0.75)):
        job(tmp_path / name / "0", configs["reptile"], [acc] * 4, its={"checkpoint": name})
    job(tmp_path / "long" / "0", configs["reptile"], [0.25] * 4, meta_iterations=4000)
    job(tmp_path / "again" / "0", configs["reptile"], [1.0] * 4, its={"checkpoint": "best"})
    told(tmp_path, "--marl-eval", "--out", str(tmp_path / "out"), capsys=capsys)
    content = json.loads((tmp_path / "out" / "marl_eval.json").read_text())
    (algorithms,) = content["glyphs"].values()
    found = {
        name: run["seed_0"]["absolute_metrics"]["accuracy"][0] for name, run in algorithms.items()
    }
    assert sorted(found.values()) == [0.25, 0.5, 0.75, 1.0]
    name = "reptile_glyphs_5w1s"
    assert found[f"{name}; last checkpoint; 4000 meta-iterations"] == 0.25
    assert found[f"{name}; last checkpoint; 2000 meta-iterations"] == 0.75
    assert not any("," in name for name in found)


def test_figures_of_tasks_can_be_kept_beside_a_result(tmp_path: Path, configs, capsys) -> None:
    """A baseline's differences are those of the run directories, and so are the bytes twice."""
    folder = sweep(tmp_path / "s", configs, {"reptile": 0.003, "maml": 0.0}, rough=0.02)
    kept = tmp_path / "kept"
    kept.mkdir()
    for run in folder.glob("*/"):
        results = kept / f"results_{run.name}.json"
        shutil.copy(run / "results.json", results)
        first = pack(results, run).read_bytes()
        assert pack(results, run).read_bytes() == first
        assert len(unpack(kept / f"results_{run.name}.per_task.csv.gz")[0]["acc"]) == 40
    tables = []
    for place in (folder, kept):
        lines = told(place, "--baseline", "maml", capsys=capsys)
        tables.append([line.split(" | ")[1:] for line in lines if "paired: 2 seeds" in line])
    assert tables[0] == tables[1] != []


OUT_OF_ORDER = gzip.compress(b"result,task,acc\n0,5,0.1\n", mtime=0)
DAMAGED = [b"", b"no gzip", b"\x1f\x8b\x08\x00", OUT_OF_ORDER, OUT_OF_ORDER[:10] + b"\xff" * 20]


@pytest.mark.parametrize("content", DAMAGED, ids=["empty", "text", "short", "order", "inside"])
def test_kept_figures_that_are_none_are_named(content: bytes, tmp_path, configs, capsys) -> None:
    folder = sweep(tmp_path / "s", configs, {"reptile": 0.1, "maml": 0.0})
    for run in folder.glob("*/"):
        (run / "results.per_task.csv.gz").write_bytes(content)
        shutil.rmtree(run / "per_task")
    assert report_command.main([str(folder), "--baseline", "maml"]) == 2
    assert "results.per_task.csv.gz: has no acc for each task" in capsys.readouterr().err


def test_what_a_setting_says_is_no_column_of_its_own(tmp_path: Path) -> None:
    for place, (shots, tested) in enumerate((("5w1s", 1), ("5w5s", 5))):
        config = plain(compose_config("train", [f"shots={shots}"]))
        job(tmp_path / str(place), config, [0.5, 0.6], its={"shots": tested})
    (section,) = sections(report.read([tmp_path]))
    assert section.swept == ["shots.shots"]
    assert grid(section.rows)[0] == ["setting", "inductive"]
    text = (tmp_path / "0" / "results.json").read_text().replace('"shots": 1,', '"shots": 3,', 1)
    (tmp_path / "0" / "results.json").write_text(text)


def test_what_an_objective_measures_besides_is_told_in_words(tmp_path: Path) -> None:
    """By seeds; empty of rows that have none, and with the protocol where there are several."""
    alone = {"protocols": ("transductive",)}
    runs = [made.run(tmp_path, seed=seed, label="one", **alone) for seed in (0, 1)]
    runs.append(made.run(tmp_path, label="other", shots__shots=1, algorithm__name="maml", **alone))
    for run, share in zip(runs, (0.25, 0.27), strict=False):
        run.content["results"][0].update(server_others=share, cka=10 * share, my_own=None)
    runs[0].content["results"][0]["my_own"] = 0.123456
    head, *body = grid(report.rows(runs))
    assert head[-3:] == ["server on others' classes, %", "CKA", "my own"]
    assert body[0][-3:] == ["26.00 (seeds ± 12.71)", "2.60 (seeds ± 1.27)", "0.123"]
    assert body[1][-3:] == ["", "", ""]
    both = made.run(tmp_path, label="both")
    for entry in both.content["results"]:
        entry["far_acc"] = 0.5
    (head, cells) = grid(report.rows([both]))
    told = dict(zip(head, cells, strict=True))
    for protocol in ("inductive", "transductive"):
        assert told[f"accuracy in long contexts, %, {protocol}"] == "50.00"
