"""A run's name alone means its newest dated folder, wherever a run is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

import fewstep
from fewstep.commands import evaluate
from fewstep.config.arguments import read
from fewstep.launch.resume import resumed
from fewstep.messages.errors import ConfigError
from fewstep.records.run_folders import newest, run_folder
from fewstep.run.stored import checkpoint


DATES = ("2025-12-31_23-59-59-000001", "2026-01-01_10-00-00", "2026-01-01_10-00-00-000002")
"""The last is the newest; those of older commits have no fractions of a second."""


def _run(folder: Path, *, saved: bool = True) -> Path:
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "config.yaml").write_text("{}\n")
    if saved:
        (folder / "checkpoints" / "last.ckpt").touch()
    return folder


@pytest.fixture
def named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A name with three runs, in an order of making that is not that of their dates."""
    monkeypatch.chdir(tmp_path)
    for date in (DATES[2], DATES[0], DATES[1]):
        _run(Path("outputs", "runs", "mine", date))
    (Path("outputs") / "runs" / "mine" / "notes").mkdir()
    return Path("outputs", "runs", "mine")


@pytest.mark.parametrize("key", ["checkpoint", "resume", "init"])
def test_a_name_means_its_newest_run(named: Path, key: str) -> None:
    assert checkpoint.find(named, key) == named / DATES[2] / "checkpoints" / "last.ckpt"
    assert checkpoint.find(named / DATES[0], key).parents[1] == named / DATES[0]


def test_a_training_is_resumed_by_its_name(named: Path) -> None:
    (named / DATES[2] / "overrides.yaml").write_text("- seed=7\n")
    given = f"resume={named}"
    assert resumed("train", read("train", [given])).overrides == ["seed=7", given]


def test_an_evaluation_means_the_run_that_was_newest_when_it_began(named: Path) -> None:
    words = [f"checkpoint={named}", "eval.tasks=9"]
    settled = evaluate.prepared(read("evaluate", words)).overrides
    assert settled == [f"checkpoint='{named / DATES[2]}'", "eval.tasks=9"]
    _run(named / "2026-02-01_00-00-00-000000", saved=False)  # as `find` says of it
    for kept in (f"checkpoint={named / DATES[0]}", "checkpoint=nowhere.ckpt", words[0]):
        assert evaluate.prepared(read("evaluate", [kept])).overrides == [kept]


@pytest.mark.parametrize("key", ["checkpoint", "init"])
def test_a_run_that_never_wrote_a_checkpoint_is_said(named: Path, key: str) -> None:
    _run(named / "2026-02-01_00-00-00-000000", saved=False)
    with pytest.raises(ConfigError) as refusal:
        checkpoint.find(named, key)
    assert str(refusal.value) == (
        f"{key}={named}: its newest run, 2026-02-01_00-00-00-000000, never wrote a checkpoint. "
        f"Name another one, for example {named / DATES[2]}"
    )


def test_where_no_run_is_one_line_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("outputs", "runs", "empty").mkdir(parents=True)
    for key in ("checkpoint", "resume", "init"):
        with pytest.raises(ConfigError) as refusal:
            run_folder(Path("outputs/runs/empty"), key)
        assert str(refusal.value) == (
            f"{key}=outputs/runs/empty: no run is in this folder, it has no checkpoints/last.ckpt. "
            f"Name a run directory of fewstep train, as {key}=outputs/runs/NAME for the newest of "
            "that name, or a .ckpt file"
        )
    with pytest.raises(ConfigError, match="init=outputs/runs/empty: no run is in this folder"):
        fewstep.load("outputs/runs/empty")
    with pytest.raises(ConfigError, match="resume=outputs/runs/empty: no run is in this folder"):
        resumed("train", read("train", ["resume=outputs/runs/empty"]))


def test_a_sweep_is_no_run(tmp_path: Path) -> None:
    for number in ("10", "9"):
        _run(tmp_path / "swept" / number)
    with pytest.raises(ConfigError) as refusal:
        run_folder(tmp_path / "swept", "checkpoint")
    assert str(refusal.value) == (
        f"checkpoint={tmp_path / 'swept'}: is a sweep, whose jobs are runs. Name one of them, for "
        f"example checkpoint={tmp_path / 'swept' / '9'}"
    )
    assert run_folder(tmp_path / "swept" / "10", "checkpoint").name == "10"


def test_a_run_that_holds_folders_with_dates_is_itself(tmp_path: Path) -> None:
    run = _run(tmp_path / "here")
    _run(run / DATES[0])
    assert newest(run) == run_folder(run, "init") == run
    assert newest(tmp_path / "nowhere") == tmp_path / "nowhere"
