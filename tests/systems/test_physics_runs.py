"""RFPrompt and Meta-IFWI as whole runs: resumed, on two ranks, swept, with W&B, reported."""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from fewstep.commands import report, train


pytestmark = [pytest.mark.run, pytest.mark.slow]

SHORT = ["trainer=cpu", "max_meta_iterations=2", "meta_batch=2", "log_every=1", "eval.tasks=4"]
SHORT += ["eval.curve_tasks=2", "checkpoint_every=1"]
RADIO = ["model.d=8", "model.layers=1", "algorithm.inner.steps=2", "eval.queries=2"]
GROUND = ["model.hidden=8", "algorithm.inner.steps=2", "dataset.nt=60"]
GROUND += ["eval.settings=[{shots: 3, steps: 2, batch_size: null}]"]


def words_of(system: str, tmp_path: Path) -> list[str]:
    """A tiny run of a system; of RFPrompt from a network that was trained on the spot."""
    if system == "ifwi":
        if find_spec("deepwave") is None:
            pytest.skip("fewstep[seismic] is not installed")
        return ["experiment=ifwi", *SHORT, *GROUND]
    clean = ["experiment=rf_pretrain", *SHORT, *RADIO[:2], "eval.queries=2"]
    assert train.main([*clean, f"hydra.run.dir={tmp_path}/clean"]) == 0
    steps = "eval.settings=[{shots: 5, steps: 3, batch_size: null}]"
    return ["experiment=rf_prompt", *SHORT, *RADIO, steps, f"init={tmp_path}/clean"]


@pytest.mark.parametrize(
    ("system", "picture"), [("rf_prompt", "constellations.png"), ("ifwi", "velocity.png")]
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
    longer = [*words, f"resume={again}", f"hydra.run.dir={tmp_path / 'longer'}"]
    assert train.main(longer) == 0
    weights = [
        torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
        for folder in (one, two)
    ]
    for name, value in weights[0].items():
        torch.testing.assert_close(weights[1][name], value, rtol=1e-4, atol=1e-6)
    told = [json.loads((folder / "results.json").read_text()) for folder in (one, two)]
    assert told[1]["world_size"] == 2
    assert told[0]["results"][0]["episodes_sha256"] == told[1]["results"][0]["episodes_sha256"]

    swept = [*words, "seed=0,1", "-m", f"hydra.sweep.dir={tmp_path / 'swept'}"]
    assert train.main(swept) == 0
    assert report.main([str(tmp_path / "swept"), str(one)]) == 0


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["experiment=rf_prompt", "init=nowhere"], "init=nowhere: there is no such initialization"),
        (["experiment=rf_prompt_lwm"], "init=LWM.ckpt: there is no such initialization"),
        (["experiment=ifwi_full"], "dataset.file=MODELS.npy: no such file. It is a .npy of models"),
        pytest.param(
            ["experiment=ifwi", "execution=vmap", *SHORT, *GROUND],
            "execution=vmap: model=fewstep.models.VelocityModel or its data cannot be mapped over",
            marks=pytest.mark.skipif(find_spec("deepwave") is None, reason="fewstep[seismic]"),
        ),
    ],
)
def test_full_sizes_say_what_they_lack(
    words: list[str], line: str, tmp_path: Path, capfd: pytest.CaptureFixture, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert train.main(words) == 2
    (said,) = [text for text in capfd.readouterr().err.splitlines() if text]
    assert said.startswith(f"fewstep: {line}")
    assert not list(tmp_path.iterdir())
