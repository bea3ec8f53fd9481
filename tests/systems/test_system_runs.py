"""The seven systems as whole runs, tiny: with W&B offline, on two ranks, resumed, evaluated, swept
and reported, each with its picture and what stands beside it; and what they say that cannot run."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Sequence, Set
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch

from fewstep.commands import evaluate, report, train
from fewstep.run.construction import assembly
from fewstep.run.stored import checkpoint
from tiers import slow_but


TINY = ["trainer=cpu", "max_meta_iterations=2", "eval.tasks=4", "log_every=1", "checkpoint_every=1"]
LEARNED = ["meta_batch=2", "algorithm.outer.final_lr=null", "algorithm.outer.schedule=linear"]
RECALL = ["model.sizes=[2,16,2,16]", "dataset.length=12", "dataset.needles=2", "dataset.far=20"]
FRESH = "dataset.fresh={blocks.1.mlp.gate.lora_A:[2,16]}"
STEPS = "eval.settings=[{shots: 5, steps: 3, batch_size: null}]"
RADIO = ["meta_batch=2", "model.d=8", "model.layers=1", "eval.queries=2", "eval.curve_tasks=2"]
GROUND = ["meta_batch=2", "model.hidden=8", "algorithm.inner.steps=2", "dataset.nt=60"]


class System(NamedTuple):
    """What makes a run of it tiny, and what it must leave."""

    words: list[str]
    picture: str
    beside: Set[str] = frozenset()
    """What is tested beside the trained network."""
    measured: Set[str] = frozenset()
    """Beside the loss."""
    before: Sequence[str] = ()
    """The training that it starts from."""
    near: tuple[float, float] = (1e-4, 1e-6)
    """How far weights may be from those of one rank: a share, and as they are."""


SYSTEMS = {
    "omniglot_hebbian": System(
        [
            *LEARNED,
            "dataset=glyphs",
            "dataset.classes=120",
            "model.width=16",
            "algorithm.queries=2",
        ],
        "written.png",
        near=(1e-3, 1e-4),
    ),
    "titans_recall": System(
        [*LEARNED, "shots.shots=70", "shots.train_shots=6", "shots.queries=2", "model.chunk=4"],
        "recall.png",
        {"least_squares"},
        near=(1e-3, 1e-4),
    ),
    "subjects": System(
        [*LEARNED, "dataset.voxels=[4,8]", "dataset.test_voxels=8", "model.width=8"],
        "retrieved.png",
        {"ridge", "weighted_ridge"},
        near=(1e-3, 1e-4),
    ),
    "harmony": System(
        ["model.sizes=[4,8,12]", "algorithm.inner.steps=2", "eval.steps=1"],
        "clients.png",
        measured={"acc", "server_own", "server_others", "cka"},
    ),
    "focusft_recall": System(
        [*RECALL, "meta_batch=4", "model.rank=2", f"~{FRESH[:13]}", f"+{FRESH}"],
        "needles.png",
        {"start"},
        {"needle_mass", "far_acc"},
        ["experiment=recall_sft", *RECALL, "meta_batch=2"],
    ),
    "rf_prompt": System(
        [
            *RADIO,
            "algorithm.inner.steps=2",
            "eval.settings=[{shots: 5, steps: 3, batch_size: null}]",
        ],
        "constellations.png",
        {"start", "joint"},
        before=["experiment=rf_pretrain", *RADIO],
    ),
    "ifwi": System(
        [*GROUND, "eval.curve_tasks=2", "eval.settings=[{shots: 3, steps: 2, batch_size: null}]"],
        "velocity.png",
        {"random"},
        {"velocity_rmse"},
    ),
}


def told(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "results.json").read_text())


def weights(folder: Path) -> dict[str, torch.Tensor]:
    saved = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    return saved["state_dict"]


@pytest.mark.run
@pytest.mark.slow
@pytest.mark.process
@pytest.mark.parametrize("name", SYSTEMS)
def test_a_system_runs_wherever_others_do(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", sys.argv)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("WANDB_MODE", "offline")
    if name == "ifwi" and find_spec("deepwave") is None:
        pytest.skip("fewstep[seismic] is not installed")
    system = SYSTEMS[name]
    words = [f"experiment={name}", *TINY, *system.words]
    if name == "harmony":
        words.append(f"dataset.root={request.getfixturevalue('real_data')}")
    if system.before:
        before = tmp_path / "before"
        assert train.main([*system.before, *TINY, f"hydra.run.dir={before}"]) == 0
        words.append(f"init={before}")

    whole = tmp_path / "whole"
    assert train.main([*words, "logger=wandb", f"hydra.run.dir={whole}"]) == 0
    found = told(whole)["results"]
    assert {entry["init"] for entry in found} == {"trained", *system.beside}
    assert all(entry.keys() >= system.measured for entry in found)
    assert (whole / system.picture).read_bytes()[:4] == b"\x89PNG"
    assert (whole / "curves.png").exists()
    assert list(tmp_path.rglob("*.wandb"))
    if name == "focusft_recall":
        check_lora(whole, weights(before))

    part = tmp_path / "part"
    assert train.main([*words, "max_meta_iterations=1", f"hydra.run.dir={part}"]) == 0
    assert train.main([f"resume={part}", "max_meta_iterations=2"]) == 0
    two = tmp_path / "two"
    assert train.main([*words, "trainer=ddp_cpu", f"hydra.run.dir={two}"]) == 0
    for parameter, value in weights(whole).items():
        assert torch.equal(weights(part)[parameter], value)
        near = {"rtol": system.near[0], "atol": system.near[1]}
        torch.testing.assert_close(weights(two)[parameter], value, **near)
    assert told(two)["world_size"] == 2
    assert told(two)["results"][0]["episodes_sha256"] == found[0]["episodes_sha256"]

    again = tmp_path / "again"
    assert evaluate.main([f"checkpoint={whole}", f"hydra.run.dir={again}"]) == 0
    first, second = (
        [entry["loss"] for entry in results if entry["init"] == "trained"]
        for results in (found, told(again)["results"])
    )
    assert second == pytest.approx(first, rel=1e-4)  # in another execution
    swept = tmp_path / "swept"
    assert train.main(["-m", *words, "seed=0,1", f"hydra.sweep.dir={swept}"]) == 0
    assert report.main([str(swept), str(whole), "--out", str(tmp_path / "report")]) == 0
    assert (tmp_path / "report" / "report.html").exists()


def check_lora(folder: Path, before: dict[str, torch.Tensor]) -> None:
    """After a training, what tasks adapt is as it was, and what is fine-tuned is not."""
    ours = weights(folder)
    lora = {name for name in ours if "lora" in name}
    assert lora == ours.keys() - before.keys()
    assert all(not ours[name].any() for name in lora if name.endswith("lora_B"))
    assert all(not torch.equal(ours[name], value) for name, value in before.items())
    config = checkpoint.read(folder / "checkpoints" / "last.ckpt")["fewstep"]["config"]
    start = assembly.draft(config).learner.state_dict()
    assert all(torch.equal(start[name], ours[name]) for name in lora)


REFUSED = {
    "experiment=focusft_recall": "init=outputs/runs/recall_sft: there is no such initialization, "
    "run or checkpoint.",
    "experiment=focusft_recall init=glyphs": "init=glyphs: 18 of its 18 tensors do not fit model._",
    "algorithm=harmony dataset.classes=60": "algorithm.inner.fixed=[server.*]: no parame",
    "algorithm=focusft dataset.classes=60": "algorithm.inner.reset=[*lora*]: no paramet",
    "experiment=harmony dataset.widths=[1,1,0.5,0.5,0.25,0.01]": "model.widths[5]=0.01: must be ",
    "experiment=harmony meta_batch=5": "meta_batch=5: a round of harmony has each of the 6 clients "
    "of dataset=clients once. Use meta_batch=6",
    "experiment=harmony eval.tasks=20": "eval.tasks=20: dataset=clients has 6 test tasks, and more "
    "would count some of them again. Use eval.tasks=6",
    "experiment=recall_sft eval.steps=2": "eval.settings[0].steps=2: the queries of dataset=recall "
    "are its support set, and a step would be shown the answers",
    "algorithm=focusft dataset=recall model.rank=2 +dataset.fresh={lora_A:[2,48]}": "algorithm."
    "inner.reset: the tasks bring fresh.lora_A, and start no such parameter anew: these are blocks",
    "dataset=conversations model=recall_decoder model.rank=2": "dataset.file=None: bring "
    "conversations of your own, an .npz file",
    "dataset=recall dataset.needles=0": "dataset.needles=0: must be from 1 to 8",
    "experiment=rf_prompt init=nowhere": "init=nowhere: there is no such initialization",
    "experiment=rf_prompt_lwm": "init=LWM.ckpt: there is no such initialization",
    "experiment=rf_prompt_lwm init=glyphs": "dataset._target_=my_signals.Signals: cannot be impor",
    "experiment=subjects_nsd": "dataset.root is missing: a folder of .npz files, a subject each, ",
    "experiment=hebbian_swin": "dataset.root is missing: a folder with one folder of images a cl",
    "experiment=ifwi_full": "dataset.file=MODELS.npy: no such file. It is a .npy of models",
}
if not (find_spec("peft") and find_spec("transformers")):
    REFUSED["experiment=focusft_qwen"] = "model.name=Qwen/Qwen2.5-7B: needs "
if find_spec("deepwave"):
    mapped = shlex.join(["experiment=ifwi", "execution=vmap", *TINY, *GROUND])
    REFUSED[mapped] = "execution=vmap: model=fewstep.models.VelocityModel or its data cannot be "


QUICK = [words for words in REFUSED if not words.startswith(("experiment=rf", "experiment=ifwi"))]


@pytest.mark.parametrize("words", slow_but(*QUICK, of=REFUSED))
def test_what_cannot_run_says_so(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    assert train.main(shlex.split(words)) == 2
    *_, said = filter(None, capfd.readouterr().err.splitlines())
    assert said.startswith(f"fewstep: {REFUSED[words]}")
    assert not list(tmp_path.iterdir())
