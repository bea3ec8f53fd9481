"""Many runs in one table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fewstep import report


def results(seed: int, acc: float | None, **changed) -> dict:
    entry = {"init": "trained", "checkpoint": "last", "ways": 5, "shots": 1, "steps": 50}
    entry |= {"tasks": 1000, "protocol": "inductive", "acc": acc, "acc_ci95": 0.02}
    run = {"schema": 1, "name": "run", "algorithm": "reptile", "dataset": "glyphs", "seed": seed}
    return {**run, "meta_iterations": 2000, "results": [{**entry, **changed}]}


def write(folder: Path, content: dict) -> Path:
    folder.mkdir(parents=True)
    (folder / "results.json").write_text(json.dumps(content))
    return folder


def test_seeds_are_gathered_and_their_intervals_kept_apart(tmp_path: Path, capsys) -> None:
    """80 and 82 %: mean 81; over tasks as each, 2; over seeds 12.706 * sqrt(2) / sqrt(2)."""
    write(tmp_path / "a", results(0, 0.80))
    write(tmp_path / "b", results(1, 0.82))
    write(tmp_path / "c", results(1, 0.5, shots=5))
    assert report.main([str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2] == (
        "| run | 2,000 | trained (last) | 5-way 1-shot | 50 | 1,000 | 0, 1 "
        "| 81.00 ± 2.00 (seeds ± 12.71) |"
    )
    assert lines[3].endswith("| 5-way 5-shot | 50 | 1,000 | 1 | 50.00 ± 2.00 |")
    assert len(lines) == 4


def test_protocols_stand_side_by_side() -> None:
    both = [results(0, 0.7), results(0, 0.9, protocol="transductive")]
    (row,) = report.rows(both)
    assert report.markdown([row]).endswith("| 70.00 ± 2.00 | 90.00 ± 2.00 |")


def table(*runs: dict) -> list[str]:
    return report.markdown(report.rows(runs)).splitlines()[2:]


@pytest.mark.parametrize(
    "changed",
    [{"steps": 5}, {"batch_size": 25}, {"queries": 15}, {"tasks": 99}, {"eval_seed": 7}],
)
def test_another_evaluation_is_no_further_seed(changed: dict) -> None:
    one, other = results(0, 0.7), results(1, 0.9, **changed)
    lines = table(one, other)
    assert len(lines) == 2
    assert "seeds ±" not in "".join(lines)
    assert (
        len({line.rpartition(" | 0 |")[0] or line.rpartition(" | 1 |")[0] for line in lines}) == 2
    )


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
    assert all("| 0, 1 | 70.00 ± 2.00 (seeds ± 0.00) |" in line for line in lines)


def test_a_run_that_was_repeated_is_no_further_seed() -> None:
    (line,) = table(results(0, 0.8), results(0, 0.8))
    assert line.endswith("| 0 | 80.00 ± 2.00 |")


def test_what_diverged_is_not_averaged_away() -> None:
    lost = results(1, None, acc_ci95=None)
    assert table(lost)[0].endswith("| diverged |")
    assert table(results(0, 0.8), lost)[0].endswith("| 0, 1 | diverged (1 of 2 runs) |")
    assert table(results(0, 0.2, loss=None))[0].endswith("| 20.00 ± 2.00 (diverged) |")


def test_the_committed_results_keep_their_recipes_apart() -> None:
    folder = Path(__file__).parents[1] / "docs" / "results"
    lines = report.markdown(report.rows(report.read([folder]))).splitlines()[2:]
    trained = [line.split(" | ")[0] for line in lines if "| trained" in line and "sine" in line]
    assert trained == ["| sine", "| sine [model.activation=relu]"]


def test_a_regression_reports_its_loss() -> None:
    assert report.cell([{"loss": 0.5, "loss_ci95": 0.25}]) == "0.5000 ± 0.2500"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "name what to report"),
        (["nowhere"], "nowhere: no such file or folder"),
        (["."], "no run has finished here"),
    ],
)
def test_errors(words: list[str], message: str, tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    assert report.main(words) == 2
    assert message in capsys.readouterr().err


def test_a_broken_file_is_named(tmp_path: Path, capsys) -> None:
    (tmp_path / "results.json").write_text("{")
    assert report.main([str(tmp_path)]) == 2
    assert "results.json: cannot be read as results" in capsys.readouterr().err
