"""Whole trainings that must learn what the paper says they learn. Slow: minutes each."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fewstep.commands import train


pytestmark = pytest.mark.slow


def results(folder: Path, *overrides: str) -> list[dict]:
    assert train.main([*overrides, f"hydra.run.dir={folder}"]) == 0
    return json.loads((folder / "results.json").read_text())["results"]


def pick(entries: list[dict], **wanted) -> dict:
    (found,) = (e for e in entries if all(e[name] == value for name, value in wanted.items()))
    return found


def test_quickstart_beats_both_baselines_beyond_the_intervals(tmp_path: Path) -> None:
    entries = results(tmp_path / "run", "experiment=quickstart")
    for protocol in ("inductive", "transductive"):
        ours = pick(entries, init="trained", protocol=protocol)
        for init in ("random", "joint"):
            other = pick(entries, init=init, protocol=protocol)
            assert ours["acc"] - ours["acc_ci95"] > other["acc"] + other["acc_ci95"]
            assert ours["episodes_sha256"] == other["episodes_sha256"]


def test_sine_is_ten_times_below_joint_training(tmp_path: Path) -> None:
    """Section 4, Figure 1: squared error on the grid after 32 steps, 1,000 tasks."""
    entries = results(tmp_path / "run", "experiment=sine")
    ours, joint = pick(entries, init="trained"), pick(entries, init="joint")
    assert ours["tasks"] == 1000
    assert joint["loss"] > 10 * ours["loss"]
    assert (tmp_path / "run" / "waves.png").exists()


def test_omniglot_learns_as_fast_as_it_should(tmp_path: Path, real_data: Path) -> None:
    """400 of the paper's meta-iterations, annealed: far above chance, far below the full run."""
    entries = results(
        tmp_path / "run",
        "experiment=omniglot_5w_reptile",
        f"dataset.root={real_data}",
        "max_meta_iterations=400",
        "eval.tasks=100",
        "eval.curve_tasks=2",
    )
    one = pick(entries, shots=1, protocol="inductive")
    five = pick(entries, shots=5, protocol="inductive")
    assert 0.55 < one["acc"] < 0.80
    assert 0.75 < five["acc"] < 0.95
    assert pick(entries, shots=5, protocol="transductive")["acc"] > five["acc"] - 0.02
