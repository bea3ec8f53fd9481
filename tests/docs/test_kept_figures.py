"""What every test task said is kept beside each committed result, and gives its figures again."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from fewstep.records.packed import packed_beside, unpack
from fewstep.records.statistics.two_way import two_way
from fewstep.report.runs.command import single
from fewstep.report.runs.gather import Run


ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "docs"))
from making.keep import keep_all  # noqa: E402


RESULTS = Path(__file__).resolve().parents[2] / "docs" / "results"
FILES = sorted(RESULTS.rglob("results*.json"))


def test_every_result_has_its_tasks() -> None:
    """Brought along by `python -m making.keep`, for paired figures."""
    assert [file for file in FILES if not packed_beside(file).is_file()] == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_figures_follow_from_the_tasks_that_are_kept(file: Path) -> None:
    """The mean of each result, and the half-width of its interval over tasks."""
    content, kept = json.loads(file.read_text()), unpack(packed_beside(file))
    assert len(kept) == len(content["results"])
    for place, result in enumerate(content["results"]):
        metric = "acc" if "acc" in result else "loss"
        values = np.array(kept[place][metric])
        assert len(values) == result["tasks"]
        assert values.mean() == pytest.approx(result[metric], rel=1e-6)
        half = 1.959964 * values.std() / len(values) ** 0.5
        assert half == pytest.approx(result[f"{metric}_ci95"], rel=1e-5)


def test_a_job_that_is_kept_has_its_own_command(tmp_path: Path) -> None:
    """Not that of its sweep, which its results.json says."""
    job, sweeps = tmp_path / "sweep" / "0", "fewstep train -m seed=1,2"
    job.mkdir(parents=True)
    (job.parent / "multirun.yaml").touch()
    words = ["budget.tasks=9", "seed=1", "max_meta_iterations=3", "hydra.sweep.subdir='0'"]
    (job / "overrides.yaml").write_text(yaml.safe_dump(words))
    (job / "per_task").mkdir()
    (job / "per_task" / "one.csv").write_text("task,loss\n0,1.0\n")
    results = {"protocol": "inductive", "loss": 1.0, "per_task_file": "per_task/one.csv"}
    content = {"schema": 1, "command": sweeps, "label": None, "results": [results]}
    (job / "results.json").write_text(json.dumps(content))
    keep_all(job.parent, tmp_path / "kept")
    (kept,) = (tmp_path / "kept").glob("results*.json")
    assert single(Run(kept.parent, content, {}, kept)) == "fewstep train budget.tasks=9 seed=1"
    assert single(Run(kept.parent, content, {}, kept.with_name("older.json"))) == sweeps


def test_a_paired_interval_is_that_of_the_tasks_that_are_kept() -> None:
    """How far Reptile is below joint training on waves, by the files alone."""
    figures = unpack(RESULTS / "sine" / "results_seed0.per_task.csv.gz")
    content = json.loads((RESULTS / "sine" / "results_seed0.json").read_text())
    trained, joint = (
        np.array(figures[place]["loss"])
        for init in ("trained", "joint")
        for place, result in enumerate(content["results"])
        if result["init"] == init
    )
    found = two_way([joint - trained])
    assert found.mean - found.half_width > 0
    assert found.mean == pytest.approx(joint.mean() - trained.mean())
