"""Training from Python: the same run, and nothing of the caller's is touched."""

from __future__ import annotations

import json
import logging
import sys

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

import fewstep


WORDS = ["dataset=sine", "trainer=cpu", "meta_batch=2", "eval.tasks=2", "eval.steps=1"]
WORDS += ["eval.curve_tasks=1", "eval.val_every=null", "max_meta_iterations=2"]


@pytest.mark.run
def test_a_training_returns_its_results_and_its_directory(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = fewstep.train([*WORDS, "name=mine"])
    assert done.folder.parent == tmp_path / "outputs" / "runs" / "mine"
    assert done.results == json.loads((done.folder / "results.json").read_text())
    assert done.results["results"][0]["tasks"] == 2


@pytest.mark.run
def test_the_callers_hydra_logging_numbers_and_path_stay(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    own = tmp_path / "own"
    own.mkdir()
    (own / "mine.yaml").write_text("x: 1\n")
    handler, root = logging.NullHandler(), logging.getLogger()
    root.addHandler(handler)
    try:
        with initialize_config_dir(str(own), version_base="1.3"):
            torch.manual_seed(3)
            state, path, level = torch.get_rng_state(), [*sys.path], root.level
            threads = torch.get_num_threads()
            fewstep.train(WORDS)
            assert GlobalHydra.instance().is_initialized()
            assert compose("mine") == {"x": 1}
            assert torch.equal(torch.get_rng_state(), state)
            assert (sys.path, root.level, torch.get_num_threads()) == (path, level, threads)
            assert handler in root.handlers
    finally:
        root.removeHandler(handler)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["seed=x"], "seed=x: must be a whole number"),
        (["-m", "seed=1,2"], "fewstep.train runs one training"),
        (["--cfg", "job"], "fewstep.train runs one training"),
    ],
)
def test_what_cannot_run_is_an_error_and_writes_nothing(words, text, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=text):
        fewstep.train(words)
    assert not any(tmp_path.iterdir())


def test_one_text_is_no_list() -> None:
    with pytest.raises(TypeError, match=r"train takes a list of words: \['seed=1'\]"):
        fewstep.train("seed=1")
