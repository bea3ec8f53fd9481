"""Results, metrics and names as a stranger, a full disk or a spreadsheet's enemy leaves them."""

from __future__ import annotations

import copy
import csv
import json
import math
import os
from pathlib import Path

import pytest
import yaml

from fewstep.commands import report as report_command
from fewstep.records.job_record import read_record
from fewstep.report.runs.gather import read


CURVE = {"steps": [0, 1], "acc": [0.2, 0.8], "acc_ci95": [0.01, 0.02], "tasks": 10}
ENTRY = {"init": "trained", "checkpoint": "last", "ways": 5, "shots": 1, "steps": 1, "tasks": 1000}
ENTRY |= {"protocol": "inductive", "acc": 0.8, "acc_ci95": 0.02, "curve": CURVE}
GOOD = {"schema": 1, "name": "run", "algorithm": "reptile", "dataset": "glyphs", "seed": 0}
GOOD |= {"meta_iterations": 2000, "label": None, "command": "fewstep train", "results": [ENTRY]}


@pytest.fixture(autouse=True)
def somewhere_else(tmp_path_factory, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("working_directory"))


def changed(**entries: object) -> dict:
    """Keys with `__` are of the result, with `curve__` of its curve."""
    content = copy.deepcopy(GOOD)
    for key, value in entries.items():
        node, name = content, key
        if key.startswith("curve__"):
            node, name = content["results"][0]["curve"], key.removeprefix("curve__")
        elif key.startswith("its__"):
            node, name = content["results"][0], key.removeprefix("its__")
        if value is ...:
            del node[name]
        else:
            node[name] = value
    return content


TEXTS = {
    "empty": ("", "cannot be read as results"),
    "cut short": (json.dumps(GOOD)[:-40], "cannot be read as results"),
    "bytes": ("\x00\x01", "cannot be read as results"),
    "deep": ("[" * 100_000, "cannot be read as results"),
    "a list": ("[]", "schema=None: is not a results.json"),
    "a number": ("3", "schema=None: is not a results.json"),
    "another schema": ('{"schema": 2}', "schema=2: is not a results.json"),
    "a long schema": (json.dumps({"schema": "x" * 999}), f"schema={'x' * 60}...: is not"),
}
CHANGES = {
    "no results": ({"results": ...}, "results=None: must be a list of at least one result"),
    "none of them": ({"results": []}, "results=[]: must be a list of at least one result"),
    "results by name": ({"results": {"a": 1}}, "results={'a': 1}: must be a list"),
    "a text as result": ({"results": ["x"]}, "results[0]=x: must be a result"),
    "no seed": ({"seed": ...}, "seed is missing"),
    "a text as seed": ({"seed": "0"}, "seed=0: must be a whole number"),
    "no name": ({"name": ...}, "name is missing"),
    "a list as name": ({"name": []}, "name=[]: must be a text"),
    "a number as label": ({"label": 3}, "label=3: must be a text"),
    "a text of iterations": ({"meta_iterations": "many"}, "meta_iterations=many: must be a whole"),
    "true iterations": ({"meta_iterations": True}, "meta_iterations=True: must be a whole number"),
    "a list as command": ({"command": []}, "command=[]: must be a text"),
    "a list as the config's seed": ({"config": {"seed": []}}, "config.seed=[]: must be a whole"),
    "a number as digest": ({"data_sha256": 5}, "data_sha256=5: must be a text"),
    "a text as other data": ({"trained_on": "x"}, "trained_on=x: must be a dictionary"),
    "no float": ({"train_seconds": 10**400}, "train_seconds=1000"),
    "a list as config": ({"config": [1]}, "config=[1]: must be a configuration"),
    "a text of seconds": ({"train_seconds": "x"}, "train_seconds=x: must be a number of at least"),
    "a text of tasks": ({"tasks_seen": "x"}, "tasks_seen=x: must be a whole number"),
    "half a gradient": ({"gradients_taken": 0.5}, "gradients_taken=0.5: must be a whole number"),
    "a list of episodes": ({"its__episodes_sha256": []}, "results[0].episodes_sha256=[]: must be"),
    "no protocol": ({"its__protocol": ...}, "results[0].protocol is missing"),
    "no figure": ({"its__acc": ...}, "results[0]: must have acc or loss"),
    "a text as figure": (
        {"its__acc": "80"},
        "results[0].acc=80: must be a number from 0 to 1 or null",
    ),
    "percent": ({"its__acc": 17.0}, "results[0].acc=17.0: must be a number from 0 to 1 or null."),
    "less than chance": ({"its__acc": -0.5}, "results[0].acc=-0.5: must be a number from 0 to 1"),
    "no tasks": ({"its__tasks": 0}, "results[0].tasks=0: must be a whole number of at least 1."),
    "fewer tasks": ({"its__tasks": -5}, "results[0].tasks=-5: must be a whole number of at least"),
    "no ways": ({"its__ways": 0}, "results[0].ways=0: must be a whole number of at least 1"),
    "steps back": ({"its__steps": -1}, "results[0].steps=-1: must be a whole number of at least 0"),
    "no width": ({"its__acc_ci95": -0.1}, "acc_ci95=-0.1: must be a number of at least 0 or null"),
    "a curve in percent": ({"curve__acc": [20, 80]}, "results[0].curve.acc: must have a number fr"),
    "time turned": ({"train_seconds": -1.0}, "train_seconds=-1.0: must be a number of at least 0"),
    "a list as tasks": ({"its__tasks": [1]}, "results[0].tasks=[1]: must be a whole number"),
    "a text as half-width": ({"its__acc_ci95": "x"}, "results[0].acc_ci95=x: must be a number"),
    "half a step": ({"its__steps": 1.5}, "results[0].steps=1.5: must be a whole number"),
    "a list as curve": ({"its__curve": [1]}, "results[0].curve: must have steps"),
    "a short curve": ({"curve__acc": [0.1]}, "curve.acc: must have a number from 0 to 1 or null"),
    "a curve without": ({"curve__acc_ci95": ...}, "results[0].curve.acc_ci95: must have a number"),
    "a curve of texts": ({"curve__acc": ["a", "b"]}, "results[0].curve.acc: must have a number"),
    "a path outside": ({"its__per_task_file": "../x"}, "must be a path in the run directory"),
    "an absolute path": ({"its__per_task_file": "/etc/passwd"}, "must be a path in the run dir"),
}
CASES = TEXTS | {name: (json.dumps(changed(**c)), text) for name, (c, text) in CHANGES.items()}


@pytest.mark.parametrize(("text", "message"), CASES.values(), ids=CASES)
def test_results_that_cannot_be_used(tmp_path, capsys, text, message):
    file = tmp_path / "results.json"
    file.write_text(text)
    assert report_command.main([str(tmp_path)]) == 2
    out, said = capsys.readouterr()
    assert said.startswith(f"fewstep: {file}: ")
    assert message in said
    assert said.count("\n") == 1
    assert not out
    assert not Path("outputs").exists()


def test_the_good_one_is_reported(tmp_path, capsys):
    (tmp_path / "results.json").write_text(json.dumps(GOOD))
    assert report_command.main([str(tmp_path)]) == 0
    assert "| 80.00 ± 2.00 |" in capsys.readouterr().out


def test_a_mark_in_front_is_no_fault(tmp_path, capsys):
    (tmp_path / "results.json").write_text(json.dumps(GOOD), encoding="utf-8-sig")
    assert report_command.main([str(tmp_path)]) == 0
    assert "| 80.00 ± 2.00 |" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["report.md", "report.csv", "report.html", "final.pdf"])
def test_a_report_is_not_written_through_a_link(tmp_path, name, capsys):
    (tmp_path / "results.json").write_text(json.dumps(GOOD))
    (tmp_path / "victim").write_text("precious")
    out = tmp_path / "out"
    out.mkdir()
    (out / name).symlink_to(tmp_path / "victim")
    assert report_command.main([str(tmp_path), "--out", str(out)]) == 2
    assert f"{name} is a link or no plain file" in capsys.readouterr().err
    assert (tmp_path / "victim").read_text() == "precious"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, None])
def test_what_is_not_finite_has_diverged(tmp_path, capsys, value):
    content = changed(its__acc=value, its__acc_ci95=value, curve__acc=[0.2, value])
    (tmp_path / "results.json").write_text(json.dumps(content))
    assert report_command.main([str(tmp_path)]) == 0
    assert "| diverged |" in capsys.readouterr().out


def test_no_plain_file(tmp_path, capsys):
    os.mkfifo(tmp_path / "results.json")  # reading it would wait for ever
    assert report_command.main([str(tmp_path)]) == 2
    assert "results.json: is no plain file" in capsys.readouterr().err


@pytest.mark.parametrize(
    "text", ["meta_iteration,val/acc\nx,y\n", "meta_iteration,val/acc\n1,z\n", "\x00,\n1\n"]
)
def test_metrics_that_are_none(tmp_path, capsys, text):
    (tmp_path / "results.json").write_text(json.dumps(GOOD))
    (tmp_path / "metrics.csv").write_text(text)
    status = report_command.main([str(tmp_path)])
    said = capsys.readouterr().err
    assert (status, said.count("\n")) in ((2, 1), (0, 0))
    assert status == 0 or said.startswith(f"fewstep: {tmp_path / 'metrics.csv'}: is no metrics.csv")


@pytest.mark.parametrize("name", ["algorithm", "dataset", "trainer", "max_meta_iterations"])
@pytest.mark.parametrize("value", [None, "x", [1], {"a": {"b": 1}}])
def test_a_configuration_that_is_none(tmp_path, capsys, name, value):
    good = {"algorithm": {}, "dataset": {}, "trainer": {"precision": 32}, "max_meta_iterations": 9}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({**good, name: value}))
    status = report_command.main([str(tmp_path)])
    said = capsys.readouterr().err
    if status:
        assert said.startswith(f"fewstep: {tmp_path / 'config.yaml'}: is not the configuration of")
    assert said.count("\n") == (1 if status else 0)


@pytest.mark.parametrize("text", ["[]", "3", "", "{", '"x"', '{"state": "failed"}'])
def test_a_record_that_is_none(tmp_path, text):
    (tmp_path / "job.json").write_text(text)
    assert isinstance(read_record(tmp_path), dict)
    (tmp_path / "config.yaml").write_text(
        yaml.safe_dump(
            {"algorithm": {}, "dataset": {}, "trainer": {"precision": 32}, "max_meta_iterations": 9}
        )
    )
    (run,) = read([tmp_path])
    assert run.failure in (None, "None")


# --- names and labels

ODD = {
    "mathematics": r"$\frac{$",
    "more mathematics": r"$x^2$ and \$5",
    "hidden from legends": "_private",
    "an escape sequence": "\x1b[31mred\x1b[0m",
    "turned around": "abc\u202egpj.exe",
    "invisible": "a\u200bb\u2066c\ufeff",
    "a forged line": "a\n\n# Everything holds\n| a | b |",
    "a bell and more": "a\x07\x08\x7f\x9b31m\r",
    "a row of a table": "a | b \\| c",
    "HTML": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "a link": "[click](javascript:alert(1)) ![](http://example.org/x.png)",
    "code": "`a` and ``` b",
    "half a character": "\ud800",
    "a formula": "=HYPERLINK(1)",
    "other formulas": "@SUM(A1)",
}


@pytest.mark.slow
@pytest.mark.parametrize("label", ODD.values(), ids=ODD)
def test_odd_labels_in_a_report(tmp_path, capsys, label):
    for seed, own in enumerate((label, "other")):
        (tmp_path / str(seed)).mkdir()
        content = changed(label=own, name=label, dataset=label, seed=seed)
        (tmp_path / str(seed) / "results.json").write_text(json.dumps(content))
    assert report_command.main([str(tmp_path), "--out", "told"]) == 0
    printed = capsys.readouterr().out
    markdown = Path("told", "report.md").read_text()
    for text in (printed, markdown):
        assert all(line.isprintable() for line in text.splitlines())
        assert "\n# Everything" not in text
        assert "](j" not in text
        assert "](h" not in text
        assert "<script" not in text.replace("\\<script", "")
        rows = [line for line in text.splitlines() if line.startswith("|")]
        bars = {line.replace("\\\\", "").replace("\\|", "").count("|") for line in rows}
        assert len(rows) == 4
        assert len(bars) == 1
    html = Path("told", "report.html").read_text()
    assert "<script" not in html
    assert "onerror=alert(1)>" not in html
    assert not set(html) & set("\x1b\u202e\u200b\u2066\x07\x9b")
    with Path("told", "report.csv").open(newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert not any(cell.startswith(("=", "@", "+", "\t")) for cell in cells)
    assert Path("told", "final.png").stat().st_size > 1000


def test_numbers_stay_numbers_in_a_table(tmp_path):
    from fewstep.messages.printable import cell

    assert [cell(v) for v in (-0.5, 3, None, "a=b", "=1", "@x", "+1+2", "-x", "\t1", "")] == [
        *(-0.5, 3, None, "a=b", "'=1", "'@x", "'+1+2", "'-x", r"'\t1", "")
    ]
    for name in ("-1", "+1", "-", "+", "=", "-0.5"):  # as classes are called, and no formula
        assert cell(name) == name
