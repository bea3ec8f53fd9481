"""FocuSFT and HARMONY as whole runs: resumed, on two ranks, swept, with W&B, reported; and what
their full sizes and their neighbours say."""

from __future__ import annotations

import json
import os
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from fewstep.commands import report, train
from fewstep.run import assembly, checkpoint


DATA = os.environ.get("FEWSTEP_DATA", "none")
SHORT = ["trainer=cpu", "max_meta_iterations=2", "log_every=1", "checkpoint_every=1"]
SMALL = ["model.sizes=[2,16,2,16]", "dataset.length=12", "dataset.needles=2", "dataset.far=20"]
FRESH = "dataset.fresh={blocks.1.mlp.gate.lora_A:[2,16]}"
TUNED = [*SHORT, *SMALL, "eval.tasks=4"]


def words_of(system: str, tmp_path: Path) -> list[str]:
    """A tiny run of a system; of FocuSFT from a fine-tuning on the spot."""
    if system == "harmony":
        if not Path(DATA, "omniglot-py").exists():
            pytest.skip("$FEWSTEP_DATA has no omniglot-py")
        small = ["model.sizes=[4,8,12]", "algorithm.inner.steps=2", "eval.steps=1"]
        return ["experiment=harmony", *SHORT, *small, f"dataset.root={DATA}"]
    folder = f"hydra.run.dir={tmp_path}/sft"
    assert train.main(["experiment=recall_sft", *TUNED, "meta_batch=2", folder]) == 0
    words = ["experiment=focusft_recall", *TUNED, "meta_batch=4", "model.rank=2", f"~{FRESH[:13]}"]
    return [*words, f"+{FRESH}", f"init={tmp_path}/sft"]


@pytest.mark.run
@pytest.mark.slow
@pytest.mark.parametrize(
    ("system", "picture"), [("focusft", "needles.png"), ("harmony", "clients.png")]
)
def test_a_system_resumes_spreads_sweeps_and_is_reported(
    system: str, picture: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", sys.argv)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("WANDB_MODE", "offline")
    words = words_of(system, tmp_path)
    one, two, again = (tmp_path / name for name in ("one", "two", "again"))
    assert train.main([*words, "logger=wandb", f"hydra.run.dir={one}"]) == 0
    assert (one / picture).read_bytes()[:4] == b"\x89PNG"
    assert list(one.glob("**/*.wandb"))
    assert train.main([*words, "trainer=ddp_cpu", f"hydra.run.dir={two}"]) == 0
    short = [*words, "max_meta_iterations=1", f"hydra.run.dir={again}"]
    assert train.main(short) == 0
    assert train.main([f"resume={again}", "max_meta_iterations=2"]) == 0

    def saved(folder: Path) -> dict[str, torch.Tensor]:
        return torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]

    for name, value in saved(one).items():
        torch.testing.assert_close(saved(two)[name], value, rtol=1e-4, atol=1e-6)
        assert torch.equal(saved(again)[name], value)
    told = [json.loads((folder / "results.json").read_text()) for folder in (one, two)]
    assert told[1]["world_size"] == 2
    assert told[0]["results"][0]["episodes_sha256"] == told[1]["results"][0]["episodes_sha256"]
    if system == "focusft":
        check_lora(saved(one), saved(tmp_path / "sft"), told[0]["results"][0])
        config = checkpoint.read(one / "checkpoints" / "last.ckpt")["fewstep"]["config"]
        start = assembly.draft(config).learner.state_dict()
        assert all(torch.equal(start[n], t) for n, t in saved(one).items() if "lora" in n)
    else:
        assert told[0]["results"][0].keys() > {"acc", "server_own", "server_others", "cka"}

    swept = [*words, "seed=0,1", "-m", f"hydra.sweep.dir={tmp_path / 'swept'}"]
    assert train.main(swept) == 0
    assert report.main([str(tmp_path / "swept"), str(one)]) == 0


def check_lora(ours: dict, before: dict, result: dict) -> None:
    """After a training, what tasks adapt is as it was, and what is fine-tuned is not."""
    lora = {name for name in ours if "lora" in name}
    assert lora == ours.keys() - before.keys()
    assert all(not ours[name].any() for name in lora if name.endswith("lora_B"))
    assert all(not torch.equal(ours[name], value) for name, value in before.items())
    assert {"needle_mass", "far_acc"} < result.keys()


REFUSED = {
    "experiment=focusft_recall": "init=outputs/runs/recall_sft: there is no such initialization, "
    "run or checkpoint.",
    "experiment=focusft_recall init=glyphs": "init=glyphs: 18 of its 18 tensors do not fit model._",
    "algorithm=harmony": "algorithm.inner.fixed=[server.*]: no parameter of the model is called ",
    "algorithm=focusft": "algorithm.inner.reset=[*lora*]: no parameter of the model is called ",
    "experiment=harmony dataset.widths=[1,1,0.5,0.5,0.25,0.01]": "model.widths[5]=0.01: must be ",
    "experiment=harmony meta_batch=5": "meta_batch=5: a round of harmony has each of the 6 clients "
    "of dataset=clients once. Use meta_batch=6",
    "dataset=recall dataset.needles=0": "dataset.needles=0: must be from 1 to 8",
}
if not (find_spec("peft") and find_spec("transformers")):
    REFUSED["experiment=focusft_qwen"] = "model.name=Qwen/Qwen2.5-7B: needs "


@pytest.mark.parametrize("words", REFUSED)
def test_what_cannot_run_says_so(words: str, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    assert train.main(words.split()) == 2
    (said,) = [line for line in capsys.readouterr().err.splitlines() if line]
    assert said.startswith(f"fewstep: {REFUSED[words]}")
    assert not list(tmp_path.iterdir())
