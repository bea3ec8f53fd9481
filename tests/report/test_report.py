"""Many runs in one table."""

from __future__ import annotations

import csv
import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from fewstep import report
from fewstep.commands import report as report_command
from fewstep.records.identity import recipe_hash
from fewstep.report.runs.gather import Run, logged, reached
from fewstep.report.statistics.contrast import Contrast
from fewstep.report.statistics.intervals import difference, estimate, p_value, show


def results(seed: int, acc: float | None, **changed) -> dict:
    entry = {"init": "trained", "checkpoint": "last", "ways": 5, "shots": 1, "steps": 50}
    entry |= {"tasks": 1000, "protocol": "inductive", "acc": acc, "acc_ci95": 0.02}
    run = {"schema": 1, "name": "run", "algorithm": "reptile", "dataset": "glyphs", "seed": seed}
    return {**run, "meta_iterations": 2000, "results": [{**entry, **changed}]}


@pytest.fixture(autouse=True)
def somewhere_else(tmp_path_factory: pytest.TempPathFactory, monkeypatch) -> None:
    """Reports go to outputs/reports of the working directory."""
    monkeypatch.chdir(tmp_path_factory.mktemp("working_directory"))


def write(folder: Path, content: dict) -> Path:
    folder.mkdir(parents=True)
    (folder / "results.json").write_text(json.dumps(content))
    return folder


def test_reports_of_one_second_have_folders_of_their_own(tmp_path: Path) -> None:
    write(tmp_path / "a", results(0, 0.8))
    assert report_command.main([str(tmp_path)]) == 0
    (folder,) = Path("outputs", "reports").iterdir()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d-\d{6}", folder.name)


def test_seeds_are_gathered_and_their_intervals_kept_apart(tmp_path: Path, capsys) -> None:
    """80 and 82 %: mean 81; over tasks as each, 2; over seeds 12.706 * sqrt(2) / sqrt(2)."""
    write(tmp_path / "a", results(0, 0.80))
    write(tmp_path / "b", results(1, 0.82))
    write(tmp_path / "c", results(1, 0.5, shots=5))
    assert report_command.main([str(tmp_path)]) == 0
    out = capsys.readouterr().out.splitlines()
    same = "2,000 meta-iterations; initialization trained (last); 50 test steps; 1,000 test tasks"
    assert f"Same in all rows: {same}." in out
    assert [line for line in out if line.startswith("|")] == [
        "| run | setting | seeds | inductive |",
        "| --- | --- | --- | --- |",
        "| run | 5-way 1-shot | 0, 1 | 81.00 ± 2.00 (seeds ± 12.71) |",
        "| run | 5-way 5-shot | 1 | 50.00 ± 2.00 |",
    ]


def test_protocols_stand_side_by_side() -> None:
    (line,) = table(results(0, 0.7), results(0, 0.9, protocol="transductive"))
    assert line.endswith("| 70.00 ± 2.00 | 90.00 ± 2.00 |")


def table(*contents: dict) -> list[str]:
    runs = [report.Run(Path(str(place)), content) for place, content in enumerate(contents)]
    lines = report.markdown(report.rows(runs)).splitlines()
    return [line.replace("*", "") for line in lines if line.startswith("|")][2:]


@pytest.mark.parametrize(
    "changed",
    [{"steps": 5}, {"batch_size": 25}, {"queries": 15}, {"tasks": 99}, {"eval_seed": 7}],
)
def test_another_evaluation_is_no_further_seed(changed: dict) -> None:
    one, other = results(0, 0.7), results(1, 0.9, **changed)
    lines = table(one, other)
    assert len(lines) == 2
    assert "seeds ±" not in "".join(lines)
    alike = table(one, {**other, "seed": 0})
    assert len({line.rpartition(" | ")[0] for line in alike}) == 2


def test_another_recipe_is_no_further_seed() -> None:
    """By its hash; older files have none, and there the command without its seed stands for it."""
    command = "fewstep train experiment=sine seed=0 hydra.run.dir=a"
    one = results(0, 0.7) | {"command": command}
    other = results(1, 0.8) | {"command": "fewstep train experiment=sine seed=1 hydra.run.dir=b"}
    relu = results(2, 0.9) | {"command": f"{command} model.activation=relu"}
    assert [line.split(" | ")[0] for line in table(one, other, relu)] == [
        "| run",
        "| run [model.activation=relu]",
    ]
    sweep = {"command": "fewstep train -m algorithm=reptile,fomaml seed=0,1"}
    jobs = [results(s, 0.7) | sweep | {"recipe_hash": h * 6} for h in "ab" for s in (0, 1)]
    lines = table(*jobs)
    assert [line.split(" | ")[0] for line in lines] == [
        "| run [recipe aaaaaa]",
        "| run [recipe bbbbbb]",
    ]
    assert all("| 70.00 ± 2.00 (seeds ± 0.00) |" in line for line in lines)


def begun(seed: int, weights: str | None) -> report.Run:
    """A run that begins with these weights."""
    config = {"dataset": {}, "trainer": {"precision": 32}, "init_sha256": weights}
    content = results(seed, 0.7) | {"recipe_hash": recipe_hash(config)}
    return report.Run(Path(f"{seed}{weights}"), content, config)


@pytest.mark.parametrize("weights", ["aaa", "abc", "aab"])
def test_seeds_may_each_begin_with_weights_of_their_own(weights: str) -> None:
    (row,) = report.rows([begun(seed, own) for seed, own in enumerate(weights)])
    assert row.seeds == [0, 1, 2]


def test_two_weights_of_one_seed_are_two_recipes_and_none_is_another() -> None:
    two = report.rows([begun(0, "a"), begun(1, "a"), begun(0, "b"), begun(1, "b")])
    assert [row.seeds for row in two] == [[0, 1], [0, 1]]
    three = report.rows([begun(0, "a"), begun(1, "b"), begun(2, None)])
    assert [row.seeds for row in three] == [[0, 1], [2]]


def test_two_datasets_of_one_name_are_two_rows_and_say_which() -> None:
    """49.50 +- 7.65 over one seed is what their mean looked like."""
    recipe = {"recipe_hash": "a" * 12}
    one = results(0, 0.4) | recipe | {"data_sha256": "1a2b3c4d" * 8}
    other = results(0, 0.6) | recipe | {"data_sha256": "5e6f7081" * 8}
    more = results(1, 0.4) | recipe | {"data_sha256": "1a2b3c4d" * 8}
    lines = table(one, other, more)
    assert [line.split(" | ")[:2] for line in lines] == [
        ["| run", "1a2b3c4d"],
        ["| run", "5e6f7081"],
    ]
    assert "| 0, 1 | 40.00" in lines[0]
    assert "| 0 | 60.00" in lines[1]
    assert table(one, more) == table(*({**r, "data_sha256": None} for r in (one, more)))


def test_classes_that_were_split_otherwise_are_another_row() -> None:
    runs = [
        results(s, 0.4) | {"classes_sha256": c * 64, "data_sha256": "1" * 64}
        for s, c in enumerate("ab")
    ]
    assert [line.split(" | ")[1] for line in table(*runs)] == ["aaaaaaaa", "bbbbbbbb"]


def test_older_runs_count_as_of_the_only_data_that_is_known() -> None:
    old, new = results(0, 0.4), results(1, 0.6) | {"data_sha256": "1a2b3c4d" * 8}
    (line,) = table(old, new)
    assert "| 50.00 ± 2.00 (seeds" in line
    lines = table(old, new, results(2, 0.8) | {"data_sha256": "5e6f7081" * 8})
    assert [line.split(" | ")[1] for line in lines] == ["unknown", "1a2b3c4d", "5e6f7081"]


def test_a_test_across_domains_is_no_further_seed() -> None:
    across = {"trained_on": {"dataset": "omniglot", "data_sha256": "9" * 64}}
    lines = table(results(0, 0.4), results(1, 0.6) | across)
    assert [line.split(" | ")[1] for line in lines] == ["", "omniglot 99999999"]


def test_a_run_that_was_repeated_is_no_further_seed() -> None:
    (line,) = table(results(0, 0.8), results(0, 0.8))
    assert line.endswith("| 80.00 ± 2.00 |")


def test_what_diverged_is_not_averaged_away() -> None:
    lost = results(1, None, acc_ci95=None)
    assert table(lost)[0].endswith("| diverged |")
    assert table(results(0, 0.8), lost)[0].endswith("| diverged (1 of 2 runs) |")
    assert table(results(0, 0.2, loss=None))[0].endswith("| 20.00 ± 2.00 (diverged) |")


def test_a_file_without_an_interval_has_not_diverged() -> None:
    bare = results(0, 0.8)
    del bare["results"][0]["acc_ci95"]
    assert table(bare)[0].endswith("| 80.00 |")
    assert table(bare, results(1, 0.9))[0].endswith("| 85.00 (seeds ± 63.53) |")
    assert table(results(0, 0.8, acc_ci95=None))[0].endswith("| diverged |")


def test_a_protocol_that_no_table_has_a_column_for_is_refused(tmp_path: Path, capsys) -> None:
    write(tmp_path / "a", results(0, 0.8, protocol="oracle"))
    assert report_command.main([str(tmp_path)]) == 2
    known = "must be one of inductive, transductive, support. Leave this file out"
    assert f"results.json: results[0].protocol=oracle: {known}" in capsys.readouterr().err


def test_the_committed_results_keep_their_recipes_apart() -> None:
    folder = Path(__file__).parents[2] / "docs" / "results"
    lines = report.markdown(report.rows(report.read([folder]))).splitlines()[2:]
    trained = [
        line.split(" | ")[0] for line in lines if "| trained" in line and line.startswith("| sine")
    ]
    assert trained == [f"| sine [activation {name}]" for name in ("tanh", "relu")]


def test_a_regression_reports_its_loss() -> None:
    assert show(estimate([{"seed": 0, "loss": 0.5, "loss_ci95": 0.25}])) == "0.5000 ± 0.2500"


@pytest.mark.parametrize(
    ("loss", "half", "told"),
    [
        (2.03e-6, 1.4e-7, "2.03e-06 ± 1.4e-07"),
        (3e-5, 6e-5, "3.0e-05 ± 6.0e-05"),
        (0.0123, 1e-5, "0.012300 ± 0.000010"),
        (2.72627e19, 1.1e18, "2.73e+19 ± 1.1e+18"),
        (2e6, 1.5e4, "2.000e+06 ± 1.5e+04"),
        (0.0123, 1e-12, "0.0123 ± 0.0000"),
        (0.0, 0.0, "0.0000 ± 0.0000"),
        (0.0, 2e-7, "0 ± 2.0e-07"),
        (0.0001, 0.0001, "0.0001 ± 0.0001"),
        (999999.0, 3.0, "999999.0000 ± 3.0000"),
    ],
)
def test_four_decimals_of_a_loss_give_way_where_they_would_hide_it(
    loss: float, half: float, told: str
) -> None:
    assert show(estimate([{"seed": 0, "loss": loss, "loss_ci95": half}])) == told


@pytest.mark.parametrize(
    ("mean", "half", "told"),
    [
        (-1e-6, 2e-7, "-1.00e-06 ± 2.0e-07"),
        (2e-5, 0.0034, "+0.0000 ± 0.0034"),
        (-0.25, 0.0142, "-0.2500 ± 0.0142"),
        (3e-7, math.nan, "+3.000e-07 ± nan"),
        (5e19, 1e19, "+5.0e+19 ± 1.0e+19"),
    ],
)
def test_a_difference_of_losses_may_be_zero_within_its_interval(
    mean: float, half: float, told: str
) -> None:
    assert difference(Contrast(mean, half, 0.5, ""), 4) == told


@pytest.mark.parametrize(
    ("half", "told"),
    [(0.25, "0.5000 ± 0.2500 (seeds ± 0.0000)"), (1e-5, "0.500001 ± 0.000010 (seeds ± 0.000006)")],
)
def test_a_small_spread_over_seeds_beside_another_is_none(half: float, told: str) -> None:
    runs = [{"seed": s, "loss": 0.5 + s * 1e-6, "loss_ci95": half} for s in (0, 1)]
    assert show(estimate(runs)) == told


def test_the_files_of_a_report(tmp_path: Path, capsys) -> None:
    curve = {"steps": [0, 1, 5], "acc": [0.2, 0.6, 0.8], "acc_ci95": [0.1, 0.1, None]}
    folder = write(tmp_path / "a", results(0, 0.8, curve=curve))
    (folder / "metrics.csv").write_text(
        "meta_iteration,train/acc,test/acc,test/acc_ci95\n10,0.2,,\n20,0.3,0.5,0.1\n30,0.3,0.6,0.1\n"
    )
    out = tmp_path / "out"
    assert report_command.main([str(folder), "--out", str(out)]) == 0
    heads = {"png": b"\x89PNG", "pdf": b"%PDF-1", "svg": b"<?xml "}
    stems = ("adaptation", "final", "training")
    names = [*(f"{s}.{end}" for s in stems for end in heads), "report.csv", "report.html"]
    assert sorted(file.name for file in out.iterdir()) == sorted([*names, "report.md"])
    told = ", ".join(f"{s}.png/.pdf/.svg" for s in ("final", "training", "adaptation"))
    assert f"{out}: report.md, report.csv, report.html, {told}" in capsys.readouterr().out
    for stem in stems:
        for end, head in heads.items():
            assert (out / f"{stem}.{end}").read_bytes().startswith(head)
    text = (out / "report.md").read_text()
    assert "| 80.00 ± 2.00 |" in text
    assert re.findall(r"\]\((\w+\.png)\)", text) == ["final.png", "training.png", "adaptation.png"]
    (line,) = csv.DictReader((out / "report.csv").read_text().splitlines())
    assert [line[n] for n in ("run", "shots", "protocol", "metric", "seeds")] == [
        *("run", "1", "inductive", "acc", "0")
    ]
    assert (float(line["mean"]), float(line["ci95_over_tasks"])) == (0.8, 0.02)
    assert line["ci95_over_seeds"] == ""


def test_the_page_stands_alone_and_shows_what_there_is(tmp_path: Path) -> None:
    """One well-formed file: the figures, both curves, no script, nothing fetched; its links lead to
    the runs, from where it lies."""
    curve = {"steps": [0, 1, 5], "acc": [0.2, 0.6, 0.8], "acc_ci95": [0.1, 0.1, 0.1]}
    folder = write(tmp_path / "a", results(0, 0.8, curve=curve) | {"name": "<b>&co"})
    (folder / "metrics.csv").write_text("meta_iteration,val/acc\n20,0.5\n30,0.6\n")
    assert report_command.main([str(folder), "--out", str(tmp_path / "out")]) == 0
    page = (tmp_path / "out" / "report.html").read_text()
    assert "80.00 ± 2.00" in page
    assert "<td>&lt;b&gt;&amp;co</td>" in page
    for title in ("glyphs, 5-way 1-shot", "meta-validation accuracy, %", "inner step", "chance"):
        assert title in page
    assert re.findall(r'href="([^"#]*)"', page) == ["../a/"]
    assert "currentColor" in page
    assert not re.search(r"<script|<link|<img|@import|url\((?!#)|src=\"(?!#)", page)
    body = page[page.index("<body>") : page.index("</html>")]
    ElementTree.fromstring(body)


def test_without_out_a_report_goes_where_outputs_go(tmp_path: Path, capsys) -> None:
    write(tmp_path / "a", results(0, 0.8))
    assert report_command.main([str(tmp_path)]) == 0
    (folder,) = Path("outputs", "reports").iterdir()
    assert (folder / "report.html").exists()
    assert str(folder) in capsys.readouterr().out


@pytest.mark.process
def test_a_report_needs_no_torch(tmp_path: Path) -> None:
    folder = write(tmp_path / "a", results(0, 0.8))
    code = (
        "import sys; from fewstep.commands import report; report.main(sys.argv[1:]); "
        "sys.exit(any(name in sys.modules for name in ('torch', 'hydra', 'wandb')))"
    )
    words = [sys.executable, "-c", code, str(folder), "--out", str(tmp_path / "out")]
    assert subprocess.run(words, capture_output=True).returncode == 0


def test_files_beside_the_results_are_not_taken_for_results(tmp_path: Path) -> None:
    folder = write(tmp_path / "a", results(0, 0.8))
    (folder / "wandb" / "media").mkdir(parents=True)
    (folder / "wandb" / "media" / "results_6.json").write_text("{}")
    (folder / "results_of_something.txt").write_text("")
    assert len(report.read([tmp_path, folder, folder / "results.json"])) == 1


def test_runs_behind_links_are_read_and_each_once(tmp_path: Path) -> None:
    """Of a run that is here by two names its own is told, whichever comes first; links that go
    round end."""
    for place in ("shown/z", "else/m", "else/deep/n"):
        write(tmp_path / place, results(0, 0.8))
    shown = tmp_path / "shown"
    (shown / "a").symlink_to("z")
    (shown / "b").symlink_to(tmp_path / "else")
    (tmp_path / "else" / "round").symlink_to(shown)
    (shown / "up").symlink_to(shown)
    found = [str(run.folder.relative_to(shown)) for run in report.read([shown])]
    assert found == ["b/deep/n", "b/m", "z"]


def test_what_cannot_be_read_is_named(tmp_path: Path, monkeypatch, capsys) -> None:
    """A folder that is closed to us, and links to what is gone: any may have been a run; but what
    lies in the directory of a run is no further one."""
    folder = write(tmp_path / "s" / "0", results(0, 0.8))
    write(tmp_path / "s" / "1", results(1, 0.8))
    (folder / "notes").symlink_to("gone")
    for name in ("gone", "self"):
        (tmp_path / "s" / f"to_{name}").symlink_to(f"to_{name}" if name == "self" else name)
    scan = os.scandir

    def closed(path):
        if str(path).endswith("1"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", closed)
    assert report_command.main([str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    top = tmp_path / "s"
    assert "1 of 1 runs finished; 3 folders cannot be read" in lines
    start = lines.index("Without results:")
    assert lines[start + 2 : start + 6] == [
        f"- {top}/1: cannot be read (Permission denied)",
        f"- {top}/to_gone: cannot be read (a link to gone: No such file or directory)",
        f"- {top}/to_self: cannot be read (a link to to_self: Too many levels of symbolic links)",
        "",
    ]
    assert report_command.main([str(top / "1")]) == 2
    assert (
        f"fewstep: {top}/1: cannot be read (Permission denied), and no other run is here. Let it "
        "be read, or leave it out\n"
    ) == capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "name what to report"),
        (["nowhere"], "nowhere: no such file or folder"),
        (["."], "no run has finished here"),
        (["x", "--papr"], "unrecognized arguments: --papr. See fewstep report --help"),
    ],
)
def test_errors(words: list[str], message: str, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    assert report_command.main(words) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "results.json: cannot be read as results"),
        ('{"schema": 2}', "results.json: schema=2: is not a results.json that this version can"),
    ],
)
def test_a_broken_file_is_named(text: str, message: str, tmp_path: Path, capsys) -> None:
    (tmp_path / "results.json").write_text(text)
    assert report_command.main([str(tmp_path)]) == 2
    assert message in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, capsys) -> None:
    folder = write(tmp_path / "a", results(0, 0.8))
    assert report_command.main([str(folder), "--out", str(folder / "results.json")]) == 2
    assert "results.json: cannot be written" in capsys.readouterr().err


def test_a_row_of_metrics_that_was_cut_short_is_no_row(tmp_path: Path) -> None:
    """12 of 1200 and 0.9 of 0.95, as a full disk or a report in the middle of it has them."""
    text = "meta_iteration,val/acc,val/acc_ci95\n600,0.5,\n"
    run = Run(tmp_path, {}, {})
    for end in ("", "12", "1200,0.9"):
        (tmp_path / "metrics.csv").write_text(text + end)
        assert reached(run) == 600
        ((step, value, half),) = logged(run, "val/acc")
        assert (step, value) == (600, 0.5)
        assert math.isnan(half)


def test_a_report_that_cannot_be_ended_leaves_the_one_before(tmp_path: Path, monkeypatch, capsys):
    folder, out = write(tmp_path / "a", results(0, 0.8)), tmp_path / "out"
    words = [str(folder), "--out", str(out)]

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(report_command, "page", full)
        assert report_command.main(words) == 1
    assert f"{out}: cannot be written (No space left on device)" in capsys.readouterr().err
    assert not out.exists()
    assert report_command.main(words) == 0
    before = {file.name: file.read_bytes() for file in out.iterdir()}
    with monkeypatch.context() as patch:
        patch.setattr(report_command, "page", full)
        assert report_command.main(words) == 1
    assert {file.name: file.read_bytes() for file in out.iterdir()} == before
    (out / ".part").mkdir()
    (out / ".part" / "report.md").write_text("of a report that was killed")
    assert report_command.main(words) == 0
    assert {file.name for file in out.iterdir()} == set(before)


def test_a_report_leaves_no_text_of_an_earlier_one_beside_it(tmp_path: Path) -> None:
    folder, out = write(tmp_path / "a", results(0, 0.8)), tmp_path / "out"
    more = {"report.tex", "marl_eval.json"}
    assert report_command.main([str(folder), "--out", str(out), "--latex", "--marl-eval"]) == 0
    assert more <= {file.name for file in out.iterdir()}
    assert report_command.main([str(folder), "--out", str(out), "--marl-eval"]) == 0
    assert more & {file.name for file in out.iterdir()} == {"marl_eval.json"}
    assert report_command.main([str(folder), "--out", str(out)]) == 0
    assert not more & {file.name for file in out.iterdir()}


def test_who_asks_for_a_picture_keeps_the_windows_that_they_have() -> None:
    code = "import matplotlib, fewstep.records.figures.curves, fewstep.report.figures.pictures; "
    code += "print(matplotlib.get_backend())"
    words = [sys.executable, "-c", code]
    done = subprocess.run(
        words, env={**os.environ, "MPLBACKEND": "svg"}, capture_output=True, text=True, check=True
    )
    assert done.stdout == "svg\n"


@pytest.mark.parametrize(
    ("p", "told"),
    [(0.0321, "0.032"), (2.4e-5, "2e-05"), (1e-310, "<1e-300"), (0.0, "<1e-300"), (math.nan, "")],
)
def test_no_chance_is_told_to_be_none(p: float, told: str) -> None:
    assert p_value(p) == told
