"""Memories and decoders in whole runs: on two ranks, resumed, in a sweep, with W&B offline and in a
report, each with its picture and the answers that stand beside it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from fewstep.commands import evaluate, report, train


SYSTEMS = {
    "omniglot_hebbian": (
        ["dataset=glyphs", "dataset.classes=120", "model.width=16", "algorithm.queries=2"],
        "written.png",
        [],
    ),
    "titans_recall": (
        ["shots.shots=70", "shots.train_shots=6", "shots.queries=2", "model.chunk=4"],
        "recall.png",
        ["least_squares"],
    ),
    "subjects": (
        ["dataset.voxels=[4,8]", "dataset.test_voxels=8", "model.width=8", "eval.queries=5"],
        "retrieved.png",
        ["ridge", "weighted_ridge"],
    ),
}
TINY = ["trainer=cpu", "meta_batch=2", "eval.tasks=4", "checkpoint_every=1", "log_every=1"]
TINY += ["algorithm.outer.final_lr=null", "algorithm.outer.schedule=linear"]  # of any length


def told(folder: Path) -> dict:
    return json.loads((folder / "results.json").read_text())


def weights(folder: Path) -> dict:
    saved = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    return saved["state_dict"]


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.parametrize("name", SYSTEMS)
def test_a_system_runs_wherever_others_do(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    more, picture, beside = SYSTEMS[name]
    words, whole = [f"experiment={name}", *TINY, *more], tmp_path / "whole"
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.chdir(tmp_path)
    steps = "max_meta_iterations=3"
    assert train.main([*words, steps, "logger=wandb", f"hydra.run.dir={whole}"]) == 0
    found = told(whole)
    assert [*dict.fromkeys(entry["init"] for entry in found["results"])] == ["trained", *beside]
    assert {entry["steps"] for entry in found["results"]} == {0}
    assert (whole / picture).stat().st_size > 1000
    assert (whole / "curves.png").exists()
    assert [*tmp_path.rglob("offline-run-*")]

    part = tmp_path / "part"
    assert train.main([*words, "max_meta_iterations=1", f"hydra.run.dir={part}"]) == 0
    assert train.main([f"resume={part}", steps]) == 0
    for parameter, value in weights(whole).items():
        assert torch.equal(weights(part)[parameter], value)
    again = tmp_path / "again"
    assert evaluate.main([f"checkpoint={whole}", f"hydra.run.dir={again}"]) == 0
    first = [e for e in found["results"] if e["init"] == "trained"]
    wanted = pytest.approx([e["loss"] for e in first], rel=1e-4)  # in another execution
    assert [e["loss"] for e in told(again)["results"]] == wanted

    two = tmp_path / "two"
    assert train.main([*words, steps, "trainer=ddp_cpu", f"hydra.run.dir={two}"]) == 0
    assert told(two)["world_size"] == 2
    for parameter, value in weights(whole).items():
        torch.testing.assert_close(weights(two)[parameter], value, rtol=1e-3, atol=1e-4)

    sweep = tmp_path / "sweep"
    assert train.main(["-m", *words, steps, "seed=0,1", f"hydra.sweep.dir={sweep}"]) == 0
    assert report.main([str(sweep), "--out", str(tmp_path / "report")]) == 0
    assert (tmp_path / "report" / "report.html").exists()
