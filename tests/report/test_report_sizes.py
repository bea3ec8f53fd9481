"""Tests whose tasks draw their own ways and shots: a setting of their own, and figures by size."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.report.made_rows import run, section_of

from fewstep.config.checks import check_settings
from fewstep.messages.errors import ConfigError
from fewstep.records import benchmarks, sizes, words
from fewstep.records.results import table
from fewstep.report.parts import Table, parts
from fewstep.report.reproduction import paper
from fewstep.report.runs.expected import read_results
from fewstep.report.runs.gather import Run
from fewstep.report.statistics.left_out import left_out
from fewstep.report.tables import best
from fewstep.report.tables.formats import markdown_text
from fewstep.report.text import text


BY_WAYS = [
    {"ways": 5, "tasks": 400, "acc": 0.9, "acc_ci95": 0.01},
    {"ways": 20, "tasks": 599, "acc": 0.7, "acc_ci95": 0.02},
    {"ways": 21, "tasks": 1, "acc": 0.65, "acc_ci95": None},
]
BY_SHOTS = [{"shots": 1, "tasks": 1000, "acc": 0.8, "acc_ci95": 0.02}]
ANY = "any-way any-shot (up to 20-way 5-shot)"


def fixed(folder: Path, **own: Any) -> Run:
    return run(folder, shots__ways=20, shots__shots=5, **own)


def varied(folder: Path, **own: Any) -> Run:
    found = fixed(folder, **own)
    for entry in found.content["results"]:
        entry |= {"by_ways": [dict(g) for g in BY_WAYS], "by_shots": BY_SHOTS}
    return found


def told(*runs: Run) -> list[Table]:
    section = section_of(runs)
    return [part for part in parts([section], beside_paper=False) if isinstance(part, Table)]


def test_a_varied_test_is_a_setting_of_its_own(tmp_path: Path) -> None:
    runs = fixed(tmp_path / "a", acc=0.7), varied(tmp_path / "b", acc=0.7)
    rows = section_of(runs).rows
    assert [row.setting for row in rows] == ["20-way 5-shot", ANY]
    assert [row.chance for row in rows] == [5.0, None]
    assert best.best(rows) == set()
    assert all(len(group) == 1 for group in best.groups(rows).values())


def test_varied_tests_are_held_against_each_other(tmp_path: Path) -> None:
    runs = [
        varied(tmp_path / name, acc=acc, label=name, algorithm__inner__lr=acc)
        for name, acc in (("a", 0.7), ("b", 0.5))
    ]
    assert {len(group) for group in best.groups(section_of(runs).rows).values()} == {2}


def test_a_varied_test_is_no_counterpart_of_the_papers(tmp_path: Path) -> None:
    own = {"dataset__name": "omniglot", "acc": 0.9}
    assert paper.matches(section_of([fixed(tmp_path / "a", **own)]).rows)
    assert not paper.matches(section_of([varied(tmp_path / "b", **own)]).rows)


def test_a_report_has_a_table_by_ways_and_one_by_shots(tmp_path: Path) -> None:
    _, by_ways, by_shots = told(varied(tmp_path / "a"))
    assert by_ways.title == "By ways of a task"
    assert by_ways.lines == [
        ["ways", "tasks", "inductive", "transductive"],
        ["5", "400", "90.00 ± 1.00", "90.00 ± 1.00"],
        ["20", "599", "70.00 ± 2.00", "70.00 ± 2.00"],
        ["21", "1", "65.00", "65.00"],
    ]
    assert by_shots.lines[1] == ["1", "1,000", "80.00 ± 2.00", "80.00 ± 2.00"]


def test_several_runs_are_told_apart_and_seeds_are_one(tmp_path: Path) -> None:
    seeds = [varied(tmp_path / f"s{seed}", seed=seed) for seed in (0, 1)]
    seeds[1].content["results"][0]["by_ways"][0]["acc"] = 0.8
    (by_ways,) = [t.lines for t in told(*seeds) if t.title == "By ways of a task"]
    assert by_ways[1][2].startswith("85.00 ± 1.00 (seeds ± ")
    other = varied(tmp_path / "o", label="other", algorithm__inner__lr=0.5)
    (both,) = [t.lines for t in told(seeds[0], other) if t.title == "By ways of a task"]
    assert both[0][:2] == ["run", "ways"]
    assert len({line[0] for line in both[1:]}) == 2


def test_where_no_test_is_varied_nothing_is_added(tmp_path: Path) -> None:
    one = fixed(tmp_path / "a")
    assert len(told(one)) == 1
    assert sizes.grids(one.content["results"]) == []


def test_the_report_in_markdown_says_it(tmp_path: Path) -> None:
    written = text(list(parts([section_of([varied(tmp_path / "a")])], beside_paper=False)))
    assert ANY in written
    assert "By ways of a task:" in written
    assert "| 20 | 599 | 70.00 ± 2.00 | 70.00 ± 2.00 |" in written


def test_the_terminal_says_it() -> None:
    entry = {
        **{"init": "trained", "checkpoint": "best", "ways": 20, "shots": 5, "steps": 1},
        **{"batch_size": None, "queries": 1, "tasks": 1000, "protocol": "inductive"},
        **{"acc": 0.8, "acc_ci95": 0.01, "by_ways": BY_WAYS, "by_shots": BY_SHOTS},
    }
    other = {**entry, "init": "random"}
    assert ANY in table([entry])
    by_ways, by_shots = sizes.grids([entry])
    assert by_ways == [
        ["ways", "tasks", "inductive"],
        ["5", "400", "90.00 ± 1.00 %"],
        ["20", "599", "70.00 ± 2.00 %"],
        ["21", "1", "65.00 %"],
    ]
    assert by_shots[0] == ["shots", "tasks", "inductive"]
    assert sizes.grids([entry, other])[0][0] == ["initialization", "ways", "tasks", "inductive"]


@pytest.mark.parametrize(
    ("groups", "complaint"),
    [
        (3, r"results\[0\].by_ways=3: must be a list of groups of tasks"),
        ([{"ways": "x"}], r"results\[0\].by_ways\[0\].ways=x: must be a whole number"),
    ],
    ids=["no list", "no number"],
)
def test_groups_that_are_none_are_refused(tmp_path: Path, groups: Any, complaint: str) -> None:
    content = dict(varied(tmp_path / "a").content)
    content["results"][0]["by_ways"] = groups
    (tmp_path / "results.json").write_text(json.dumps(content))
    with pytest.raises(ConfigError, match=complaint):
        read_results(tmp_path / "results.json")


# --- one step, and one setting


@pytest.mark.parametrize(("steps", "said"), [(1, "inductive, 1 step"), (5, "inductive, 5 steps")])
def test_the_table_of_the_challenge_counts_steps(tmp_path: Path, steps: int, said: str) -> None:
    (tmp_path / "a.csv").write_text("task,loss,acc\n0,1,0.95\n1,1,0.85\n")
    entry = {"per_task_file": "a.csv", "protocol": "inductive", "steps": steps}
    rows = benchmarks.lake([entry], tmp_path, "images_background")
    assert f"this checkpoint, {said}" in [row["name"] for row in rows]


def test_a_setting_of_the_runs_own_ways_is_the_one_without() -> None:
    one = {"shots": 1, "steps": 5, "batch_size": None}
    told = r"eval.settings\[1\]=.*: is eval.settings\[0\] again. Leave one of them out"
    for pair in ([one, {"ways": 5, **one}], [{"ways": 5, **one}, one], [one, one]):
        with pytest.raises(ConfigError, match=told):
            check_settings(pair, ways=5)
        if pair[0] != pair[1]:
            check_settings(pair, ways=20)


DRAWN = {
    "within one alphabet": {"config": {"dataset": {"within": "alphabet"}}},
    "the list 1a2b3c4d": {"config": {"manifest_sha256": "1a2b3c4d" * 8}},
    "the benchmark lake": {"benchmark": {"name": "lake", "rows": []}, "config": {}},
    None: {"config": {"dataset": {"within": None}, "manifest_sha256": None}},
}


@pytest.mark.parametrize("told", DRAWN)
def test_tests_on_tasks_of_another_kind_are_not_held_against_each_other(
    told: str | None, tmp_path: Path
) -> None:
    assert sizes.drawn(DRAWN[told]) == told
    assert sizes.drawn({}) is None  # of a file that says nothing of it
    across, own = (fixed(tmp_path / n, acc=acc, label=n) for n, acc in (("a", 0.9), ("b", 0.7)))
    own.content.update(DRAWN[told])
    rows = section_of([across, own]).rows
    assert bool(best.best(rows)) == (told is None)  # the best of one alone is none
    reason = f"ways in which test tasks are drawn differ ({told}, the baseline's of all classes)"
    said = [f"b, 20-way 5-shot, inductive; b, 20-way 5-shot, transductive: {reason}"]
    assert left_out(rows, "a") == ([] if told is None else said)


def test_an_accuracy_that_is_not_among_classes_has_no_chance() -> None:
    """As that of finding one picture of many."""
    assert [sizes.chance(5, False), sizes.chance(5, True), sizes.chance(1, False)] == [
        20,
        None,
        None,
    ]
    assert words.setting(1, 10, "acc") == "10-shot"
    assert words.setting(1, 10, "loss") == "10 points"


def test_a_name_is_no_markdown() -> None:
    for name, escaped in {
        "__init__": r"\_\_init\_\_",
        "$a$ 2*3*4": r"\$a\$ 2\*3\*4",
        "omniglot_5w_best": "omniglot_5w_best",
    }.items():
        assert markdown_text(name) == escaped
