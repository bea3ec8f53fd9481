"""A sweep in a report: told by what was swept, with what failed and what has not finished."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from fewstep import report
from fewstep.commands import report as report_command
from fewstep.config.compose import compose_config, plain
from fewstep.records.identity import hashed, recipe_hash
from fewstep.report.figures.series import SHOWN_LINES
from fewstep.report.runs.swept import distinguishing
from fewstep.report.sections import sections


@pytest.fixture(autouse=True)
def somewhere_else(tmp_path_factory: pytest.TempPathFactory, monkeypatch) -> None:
    """Reports go to outputs/reports of the working directory."""
    monkeypatch.chdir(tmp_path_factory.mktemp("working_directory"))


@pytest.fixture(scope="module")
def configs() -> dict[str, dict[str, Any]]:
    return {n: plain(compose_config("train", [f"algorithm={n}"])) for n in ("reptile", "fomaml")}


def job(folder: Path, config: dict, acc: float | None, **more: Any) -> None:
    """A job of a sweep, with results where there is an accuracy."""
    folder.mkdir(parents=True)
    (folder.parent / "multirun.yaml").touch()
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    (folder / "metrics.csv").write_text("meta_iteration,train/acc\n10,0.3\n1230,0.4\n")
    if acc is None:
        return
    entry = {"init": "trained", "checkpoint": "last", "ways": 5, "shots": 1, "steps": 50}
    entry |= {"tasks": 1000, "protocol": "inductive", "acc": acc, "acc_ci95": 0.02}
    entry |= {"curve": {"steps": [0, 50], "acc": [0.2, acc], "acc_ci95": [0.02, 0.02]}}
    content = {"schema": 1, "name": config["name"], "algorithm": config["algorithm"]["name"]}
    content |= {"dataset": "glyphs", "seed": config["seed"], "meta_iterations": 2000}
    content |= {"recipe_hash": recipe_hash(config), "command": "fewstep train -m ..."}
    (folder / "results.json").write_text(json.dumps(content | more | {"results": [entry]}))


def test_jobs_are_told_by_the_fewest_keys_that_differ(configs) -> None:
    """An algorithm changes dozens of keys; a learning rate beside it is one key more."""
    one, other = configs["reptile"], configs["fomaml"]
    slow = json.loads(json.dumps(one))
    slow["algorithm"]["inner"]["lr"] = 0.5
    assert distinguishing([hashed(one), hashed(other)]) == ["algorithm.name"]
    three = [hashed(one), hashed(other), hashed(slow), hashed({**slow, "seed": 3})]
    assert distinguishing(three) == ["algorithm.name", "algorithm.inner.lr"]
    assert distinguishing([hashed(one)]) == []


def test_a_sweep_is_grouped_by_what_was_swept(tmp_path: Path, configs, capsys) -> None:
    for seed, acc in ((0, 0.6), (1, 0.7)):
        for place, (name, config) in enumerate(configs.items()):
            folder = tmp_path / "sweep" / str(2 * seed + place)
            job(folder, {**config, "seed": seed}, acc if name == "reptile" else acc + 0.1)
    assert report_command.main([str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"## Sweep {tmp_path / 'sweep'}"
    assert "4 of 4 runs finished; swept: algorithm, seed" in lines
    table = [line for line in lines if line.startswith("|")]
    assert table == [
        "| algorithm | inductive |",
        "| --- | --- |",
        "| Reptile | 65.00 ± 2.00 (seeds ± 63.53) |",
        "| FOMAML | **75.00 ± 2.00 (seeds ± 63.53)** |",
    ]
    same = "2,000 meta-iterations; initialization trained (last); 5-way 1-shot; 50 test steps"
    assert f"Same in all rows: {same}; 1,000 test tasks; seeds 0, 1." in lines


def test_what_has_no_results_is_named_with_its_reason(tmp_path: Path, configs, capsys) -> None:
    job(tmp_path / "0", configs["reptile"], 0.6)
    job(tmp_path / "1", configs["fomaml"], None)
    (tmp_path / "1" / "job.json").write_text('{"state": "failed", "reason": "ValueError: boom"}')
    job(tmp_path / "10", {**configs["fomaml"], "seed": 2}, None)
    assert report_command.main([str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "1 of 3 runs finished; swept: algorithm, seed" in out
    far = "at meta-iteration 1,230 of 2,000"
    assert f"- {tmp_path}/1 (FOMAML, seed 0): failed (ValueError: boom), {far}" in out
    assert f"- {tmp_path}/10 (FOMAML, seed 2): unfinished, {far}" in out


def test_a_run_that_went_on_from_its_results_has_not_finished(
    tmp_path: Path, configs, capsys
) -> None:
    """As `fewstep status` says; its figures are there, and told to be of the earlier end."""
    for place, config in enumerate(configs.values()):
        job(tmp_path / str(place), config, 0.6)
        file = tmp_path / str(place) / "results.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), "config": hashed(config)}))
    later = {**configs["fomaml"], "max_meta_iterations": 40000}
    (tmp_path / "1" / "config.yaml").write_text(yaml.safe_dump(later))
    assert report_command.main([str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "1 of 2 runs finished; swept: algorithm" in lines
    assert sum("60.00 ± 2.00" in line for line in lines) == 2
    start = lines.index("Gone on since, and not finished:")
    assert lines[start + 2] == (
        f"- {tmp_path}/1 (FOMAML, seed 0): unfinished, at meta-iteration 1,230 of 40,000; its "
        "figures here are of its earlier end, 2,000 meta-iterations"
    )
    assert "Without results:" not in lines


def test_a_job_that_cannot_be_read_leaves_its_sweep_as_it_is(
    tmp_path: Path, configs, capsys
) -> None:
    """Also where it is the first of several sections."""
    job(tmp_path / "sweep" / "0", configs["reptile"], 0.6)
    job(tmp_path / "sweep" / "1", configs["fomaml"], 0.7)
    (tmp_path / "sweep" / "2").symlink_to("gone")
    (tmp_path / "single").symlink_to("gone")
    found = sections(report.read([tmp_path]))
    assert [section.summary for section in found] == [
        "2 of 2 runs finished; 2 folders cannot be read; swept: algorithm"
    ]
    job(tmp_path / "runs" / "a", configs["reptile"], 0.6)
    (tmp_path / "runs" / "multirun.yaml").unlink()
    found = sections(report.read([tmp_path]))
    assert [[run.folder.name for run in section.unread] for section in found] == [
        ["2"],
        ["single"],
    ]


def test_a_sweep_in_which_nothing_has_finished(tmp_path: Path, configs, capsys) -> None:
    job(tmp_path / "0", configs["reptile"], None)
    assert report_command.main([str(tmp_path), "--paper"]) == 0
    out = capsys.readouterr().out
    assert "0 of 1 runs finished" in out
    assert "report.csv, report.html" in out


def test_single_runs_stand_apart_from_sweeps(tmp_path: Path, configs) -> None:
    job(tmp_path / "sweep" / "0", configs["reptile"], 0.6)
    job(tmp_path / "runs" / "a", configs["reptile"], 0.6)
    (tmp_path / "runs" / "multirun.yaml").unlink()
    found = sections(report.read([tmp_path]))
    assert [s.title for s in found] == [f"Sweep {tmp_path / 'sweep'}", "Runs"]
    assert [len(s.rows) for s in found] == [1, 1]


def test_jobs_come_in_the_order_of_their_numbers(tmp_path: Path, configs) -> None:
    for number in (0, 2, 10):
        job(tmp_path / str(number), {**configs["reptile"], "seed": number}, 0.6)
    assert [run.folder.name for run in report.read([tmp_path])] == ["0", "2", "10"]


def test_a_configuration_that_cannot_be_read_is_named(tmp_path: Path, capsys) -> None:
    (tmp_path / "config.yaml").write_text("{")
    assert report_command.main([str(tmp_path)]) == 2
    assert "config.yaml: cannot be read as a configuration" in capsys.readouterr().err


@pytest.mark.slow
def test_hundreds_of_runs_are_read_once_and_drawn(tmp_path: Path, configs) -> None:
    """More recipes than a picture can tell apart: all are in the table, some in the picture."""
    for number in range(200):
        config = json.loads(json.dumps(configs["reptile"]))
        config["algorithm"]["inner"]["lr"] = number
        job(tmp_path / "sweep" / str(number), config, 0.6)
    assert report_command.main([str(tmp_path), "--out", str(tmp_path / "out")]) == 0
    text = (tmp_path / "out" / "report.md").read_text()
    assert "200 of 200 runs finished; swept: inner learning rate" in text
    assert text.count("| **60.00 ± 2.00** |") == 200
    assert f" {SHOWN_LINES} of 200 are shown." in text
