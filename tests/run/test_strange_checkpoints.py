"""Checkpoints that are damaged, of another program, or of a training that went wrong."""

from __future__ import annotations

import copy
import io
import math
import pickle
import zipfile
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch

from fewstep.commands.merging import merged
from fewstep.config.compose import compose_config, plain
from fewstep.data.classes.split import ClassSplit
from fewstep.messages.errors import ConfigError
from fewstep.run.checks.counted import check_counted, check_sound
from fewstep.run.checks.resumable import check_resumable
from fewstep.run.checks.splits import check_validation
from fewstep.run.construction import assembly
from fewstep.run.learner import MetaLearner
from fewstep.run.stored import checkpoint
from fewstep.run.stored.spent import stopwatch


WORDS = ["dataset.classes=60", "model.channels=4", "trainer=cpu"]


@cache
def config(command: str, *words: str) -> dict:
    return plain(compose_config(command, words))


@cache
def learner() -> MetaLearner:
    own = config("train", *WORDS)
    return assembly.draft(own).learner


def content() -> dict:
    """A good one."""
    ours = {"config": config("train", *WORDS), "meta_iteration": 3, "recent": []}
    ours["inner_state"] = learner().state
    watch = {"seconds": 1.5, "meta_iterations": 3}
    (optimizer,), (schedule,) = learner().configure_optimizers()
    return copy.deepcopy(
        {
            "state_dict": learner().state_dict(),
            "fewstep": ours,
            "callbacks": {"Stopwatch": watch, "Checkpoints": {}},
            "optimizer_states": [optimizer.state_dict()],
            "lr_schedulers": [schedule.state_dict()],
            "global_step": 3,
            "epoch": 0,
            "pytorch-lightning_version": pl.__version__,
        }
    )


def put(content: dict, key: str, value: object) -> dict:
    *path, last = key.split("/")
    node = content
    for name in path:
        node = node[int(name) if isinstance(node, list) else name]
    if value is ...:
        del node[last]
    else:
        node[last] = value
    return content


def evaluated(path: Path) -> dict:
    """What of `fewstep evaluate` comes before the data."""
    given = {**config("evaluate", "checkpoint=any"), "checkpoint": str(path)}
    base, file = merged(given)
    assembly.check(base)
    restored = checkpoint.restore(assembly.draft(base).learner, file)
    stopwatch(restored, file, "checkpoint")
    return restored


def refusal(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        evaluated(path)
    message = str(caught.value)
    assert message.startswith(f"checkpoint={path}: ")
    assert "\n" not in message
    return message


FILLED = torch.ones(5, 4)
HUGE = torch.ones(1).expand(2**40)

CASES = {
    "no configuration": ("fewstep/config", {}, "fewstep.config must be the configuration"),
    "a list of it": ("fewstep/config", [1], "fewstep.config must be the configuration"),
    "a text of it": ("fewstep/config", "x", "fewstep.config must be the configuration"),
    "no model": ("fewstep/config/model", ..., "fewstep.config.model=None: must be a part"),
    "a list as dataset": (
        "fewstep/config/dataset",
        [],
        "config.dataset=[]: must be a part",
    ),
    "a text as eval": ("fewstep/config/eval", "x", "fewstep.config.eval=x: must be a part"),
    "no settings": ("fewstep/config/eval/settings", ..., "eval.settings=None: must be a list"),
    "odd settings": ("fewstep/config/eval/settings", [3], "eval.settings=[3]: must be a list"),
    "no ways": ("fewstep/config/shots/ways", ..., "fewstep.config.shots.ways is missing"),
    "no precision": ("fewstep/config/trainer/precision", ..., "trainer.precision is missing"),
    "no target": ("fewstep/config/model/_target_", ..., "model._target_ is missing"),
    "a negative count": (
        "fewstep/meta_iteration",
        -1,
        "meta_iteration=-1: must be a whole",
    ),
    "a text as count": (
        "fewstep/meta_iteration",
        "3",
        "meta_iteration='3': must be a whole",
    ),
    "no count": ("fewstep/meta_iteration", ..., "meta_iteration=None: must be a whole"),
    "true as count": (
        "fewstep/meta_iteration",
        True,
        "meta_iteration=True: must be a whole",
    ),
    "no inner state": ("fewstep/inner_state", ..., "inner_state must be the state"),
    "a list as inner state": ("fewstep/inner_state", [1], "inner_state must be the state"),
    "an empty inner state": ("fewstep/inner_state", {}, "its inner_state has"),
    "another inner state": ("fewstep/inner_state", {"a": FILLED}, "its inner_state has"),
    "odd figures": ("fewstep/recent", [3], "recent must be the figures"),
    "odd classes": ("fewstep/classes", {"train": 3}, "classes must be the class names"),
    "an odd digest": ("fewstep/data_sha256", ["x"], "data_sha256=['x']: must be a digest"),
    "figures of vectors": (
        "fewstep/recent",
        [{"acc": FILLED}],
        "recent must be the figures",
    ),
    "a list of tensors": ("state_dict", [FILLED], "state_dict must hold the network's tensors"),
    "no tensor": ("state_dict/x", 3, "state_dict.x: must be a tensor"),
    "a sparse tensor": ("state_dict/x", FILLED.to_sparse(), "state_dict.x: must be a tensor"),
    "a nested one": ("state_dict/x", {"y": FILLED}, "state_dict.x: must be a tensor"),
    "one more": ("state_dict/more", FILLED, "is of another model"),
    "what another rule learns": (
        "state_dict/learned.more",
        FILLED,
        "is of another inner rule (adam, learned.more (5, 4)) than adam (absent). Use the",
    ),
    "a huge one": (
        "state_dict/more",
        HUGE,
        "state_dict.more: must be a tensor",
    ),
    "a huge state": ("fewstep/inner_state", {"a": HUGE}, "inner_state must"),
    "a time of texts": ("callbacks/Stopwatch", {"seconds": "x"}, "callbacks.Stopwatch={'seconds'"),
    "a time before": ("callbacks/Stopwatch/seconds", -1.0, "must have the seconds"),
    "no end of time": ("callbacks/Stopwatch/seconds", math.inf, "must have the seconds"),
    "all time a text": ("callbacks/Stopwatch/all_seconds", "x", "must have the seconds"),
    "a list of callbacks": ("callbacks", [3], "callbacks.Stopwatch=[3]: must have the seconds"),
    "an escape": ("fewstep/config/model", "\x1b[2J", r"fewstep.config.model=\x1b[2J: must be"),
}


@pytest.mark.parametrize(("key", "value", "message"), CASES.values(), ids=CASES)
def test_contents_that_are_refused(tmp_path, key, value, message):
    path = tmp_path / "some.ckpt"
    torch.save(put(content(), key, value), path)
    assert message in refusal(path)


@pytest.mark.parametrize("part", ["inner", "outer"])
@pytest.mark.parametrize("value", ["x", -1, [1], 3.5])
def test_options_that_are_none(tmp_path, part, value):
    torch.save(
        put(content(), f"fewstep/config/algorithm/{part}/options", value), tmp_path / "a.ckpt"
    )
    with pytest.raises(
        ConfigError, match=rf"^algorithm\.{part}\.options=.*: must be names and val"
    ):
        evaluated(tmp_path / "a.ckpt")


@pytest.mark.parametrize("kind", [torch.int64, torch.complex64, torch.bool])
@pytest.mark.parametrize("place", ["state_dict", "fewstep/inner_state"])
def test_another_kind_of_number(tmp_path, kind, place):
    changed = content()
    node = changed["state_dict"] if place == "state_dict" else changed["fewstep"]["inner_state"]
    while not isinstance(next(iter(node.values())), torch.Tensor):
        node = next(iter(node.values()))
    name = next(name for name, value in node.items() if value.is_floating_point())
    node[name] = node[name].to(kind)
    torch.save(changed, tmp_path / "some.ckpt")
    assert f" {str(kind).removeprefix('torch.')}" in refusal(tmp_path / "some.ckpt")


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("place", ["state_dict", "inner_state"])
def test_a_training_that_diverged(tmp_path, value, place):
    """It would be tested without a word, at chance."""
    changed = content()
    tree = changed["state_dict"] if place == "state_dict" else changed["fewstep"]["inner_state"]
    leaves = [leaf for leaf in torch.utils._pytree.tree_leaves(tree) if leaf.is_floating_point()]
    leaves[-1].view(-1)[-1:] = value
    torch.save(changed, tmp_path / "some.ckpt")
    message = refusal(tmp_path / "some.ckpt")
    assert "has values that are not finite: this training has diverged. Use another" in message


def test_the_good_one_is_taken_in_any_precision(tmp_path):
    saved = content()
    saved["state_dict"] = {n: t.double() for n, t in saved["state_dict"].items()}
    del saved["callbacks"]  # how long it took is unknown then
    torch.save(saved, tmp_path / "some.ckpt")
    assert evaluated(tmp_path / "some.ckpt")["fewstep"]["meta_iteration"] == 3


def bomb(path: Path) -> None:
    """Some kilobytes that torch would unpack into 64 MB."""
    buffer = io.BytesIO()
    torch.save(content(), buffer)
    with zipfile.ZipFile(buffer) as whole, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for member in whole.infolist():
            out.writestr(member.filename, whole.read(member))
        out.writestr("archive/data/999", bytes(2**26))


FILES = {
    "empty": (lambda path: path.write_bytes(b""), "the file is empty"),
    "a folder": (lambda path: path.mkdir(), "it is a folder, or no plain file"),
    "a bomb": (bomb, "bytes that would become"),
    "zeros": (lambda path: path.write_bytes(bytes(5000)), "cannot be read as a checkpoint"),
    "a zip": (lambda path: zipfile.ZipFile(path, "w").close(), "cannot be read as a checkpoint"),
    "text": (lambda path: path.write_text("hello\n" * 99), "cannot be read as a checkpoint"),
}


@pytest.mark.parametrize(("make", "message"), FILES.values(), ids=FILES)
def test_files_that_are_none(tmp_path, make, message):
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    make(folder / "last.ckpt")
    with pytest.raises(ConfigError) as caught:
        checkpoint.read(checkpoint.find(tmp_path, "resume"), "resume")
    said = str(caught.value)
    assert said.startswith(f"resume={folder / 'last.ckpt'}: ")
    assert message in said
    assert "\n" not in said
    assert "BytesIO" not in said


RESUMED = {
    "no step": ("global_step", ..., "global_step"),
    "a text as step": ("global_step", "x", "global_step"),
    "no loops": ("loops", ..., "loops"),
    "odd loops": ("loops", {"fit_loop": 3}, "loops"),
    "no optimizer": ("optimizer_states", [], "optimizer_states"),
    "another optimizer": ("optimizer_states", [{"state": {}, "param_groups": []}], "optimizer_st"),
    "a text as optimizer": ("optimizer_states", ["x"], "optimizer_states"),
    "no schedule": ("lr_schedulers", ..., "lr_schedulers"),
    "no callbacks": ("callbacks", ..., "callbacks"),
    "half of them": ("callbacks", {"Checkpoints": {}}, "callbacks"),
    "no version": ("pytorch-lightning_version", ..., "pytorch-lightning_version"),
    "an odd version": ("pytorch-lightning_version", "x", "pytorch-lightning_version"),
    "a text as peak": ("callbacks/Peak", "x", "callbacks"),
    "a text as its bytes": ("callbacks/Peak", {"bytes": "x", "left": 3}, "callbacks"),
    "a list as best": ("callbacks/Checkpoints", [1], "callbacks"),
}


@pytest.mark.parametrize(("key", "value", "name"), RESUMED.values(), ids=RESUMED)
def test_what_cannot_be_gone_on_with(key, value, name):
    good = content()
    good["loops"] = {"fit_loop": pl.Trainer(accelerator="cpu", logger=False).fit_loop.state_dict()}
    check_resumable(learner(), good, Path("some.ckpt"))
    with pytest.raises(ConfigError, match=rf"^resume=some\.ckpt: {name}.* cannot be restored \("):
        check_resumable(learner(), put(good, key, value), Path("some.ckpt"))


STEPS = "epoch_loop.manual_optimization.optim_step_progress"
WEIGHTS = "state_dict/module.head.weight"


def counted(done: int = 3) -> dict:
    """A good one to go on from, as a training leaves it after so many meta-iterations."""
    good = content()
    loops = pl.Trainer(accelerator="cpu", logger=False).fit_loop.state_dict()
    loops[STEPS]["total"]["completed"] = done
    good |= {"loops": {"fit_loop": loops}, "global_step": done}
    good["lr_schedulers"][0]["last_epoch"] = good["fewstep"]["meta_iteration"] = done
    return good


COUNTED = {
    "another count": (
        "fewstep/meta_iteration",
        5,
        "global_step=3: must be fewstep.meta_iteration, wh",
    ),
    "fewer steps": (
        "global_step",
        2,
        "global_step=2: must be fewstep.meta_iteration, which is 3. Use",
    ),
    "true as steps": (
        "global_step",
        True,
        "global_step=True: must be fewstep.meta_iteration, which",
    ),
    "other loops": (
        f"loops/fit_loop/{STEPS}/total/completed",
        "x",
        f"loops.fit_loop.{STEPS}='x': must be fewstep.meta_iteration, which is 3. Use another",
    ),
    "another schedule": (
        "lr_schedulers/0/last_epoch",
        7,
        "lr_schedulers.last_epoch=7: must be fewstep.meta_iteration, which is 3. Use another one",
    ),
    "an average of more": (
        "fewstep/average",
        {"steps": 9, "params": {}},
        "fewstep.average.steps=9: must be at most fewstep.meta_iteration=3. Use another one",
    ),
    "an epoch before": ("epoch", -3, "epoch=-3: must be a whole number of at least 0. Use another"),
    "a best of texts": (
        "callbacks/Checkpoints",
        {"acc": "x"},
        "callbacks.Checkpoints={'acc': 'x'}: must be the figures of a meta-validation. Use",
    ),
    "a best to come": (
        "callbacks/Checkpoints",
        {"acc": 0.5, "meta_iteration": 9},
        "callbacks.Checkpoints.meta_iteration=9: must be at most fewstep.meta_iteration=3. Use",
    ),
    "more that was timed": (
        "callbacks/Stopwatch/meta_iterations",
        9,
        "callbacks.Stopwatch.meta_iterations=9: must be at most fewstep.meta_iteration=3. Use",
    ),
    "less than no memory": (
        "callbacks/Peak",
        {"bytes": -1, "left": 0},
        "callbacks.Peak.bytes=-1: must be a whole number of at least 0 or null. Use",
    ),
    "more figures": (
        "fewstep/recent",
        [{"loss": 1.0}] * 4,
        "fewstep.recent must be the loss and the like of at most 3 meta-iterations. Use another",
    ),
    "other figures": (
        "fewstep/recent",
        [{"x": 1.0}],
        "fewstep.recent must be the loss and the like of at most 3 meta-iterations. Use another",
    ),
    "another rate": (
        "optimizer_states/0/param_groups/0/initial_lr",
        math.nan,
        "optimizer_states.param_groups[0].initial_lr=nan: must be 1.0, as algorithm.outer has it.",
    ),
    "other steps": (
        "optimizer_states/0/state",
        {0: {"step": torch.tensor(7.0)}},
        "optimizer_states.step=7: must be fewstep.meta_iteration, which is 3. Use another one of",
    ),
}


@pytest.mark.parametrize(("key", "value", "message"), COUNTED.values(), ids=COUNTED)
def test_counts_that_disagree(key, value, message):
    """The training would end early, or train on tasks again, and report it as the whole."""
    check_counted(learner(), counted(), Path("some.ckpt"))
    with pytest.raises(ConfigError) as caught:
        check_counted(learner(), put(counted(), key, value), Path("some.ckpt"))
    assert str(caught.value).startswith(f"resume=some.ckpt: {message}")
    assert "\n" not in str(caught.value)


def test_a_peak_that_was_not_measured_yet_is_no_fault():
    """A training may be stopped after its first meta-iteration."""
    for early in ({"bytes": None}, {}, None):
        check_counted(learner(), put(counted(), "callbacks/Peak", early), Path("some.ckpt"))


DIVERGED = {
    "weights": (WEIGHTS, torch.full((5, 4), math.nan), "module.head.weight"),
    "the inner rule": (
        "fewstep/inner_state/v/head.bias",
        torch.full((5,), math.inf),
        "v.head.bias",
    ),
    "the optimizer": (
        "optimizer_states/0/state",
        {0: {"exp_avg": torch.tensor([math.nan])}},
        "optimizer_states.exp_avg",
    ),
}


@pytest.mark.parametrize(("key", "value", "name"), DIVERGED.values(), ids=DIVERGED)
def test_a_training_that_diverged_is_not_gone_on_with(tmp_path, key, value, name):
    changed, path, left = put(counted(), key, value), tmp_path / "last.ckpt", 2000 - 3
    check_sound(learner(), counted(), path)
    with pytest.raises(ConfigError) as caught:
        check_sound(learner(), changed, path)
    again = "rain it again with a lower algorithm.inner.lr or algorithm.outer.lr"
    said = (
        f"resume={path}: {name} has values that are not finite: this training has diverged, and "
        f"the {left} meta-iterations that are left would learn nothing. "
    )
    assert str(caught.value) == f"{said}T{again}"
    (tmp_path / "best.ckpt").touch()
    with pytest.raises(ConfigError) as caught:
        check_sound(learner(), changed, path)
    best = f"fewstep evaluate checkpoint={tmp_path / 'best.ckpt'}"
    assert str(caught.value) == f"{said}Test what meta-validation chose with {best}, or t{again}"


def test_one_at_its_end_is_tested_though_it_diverged(tmp_path):
    """What meta-validation chose of it is as good as ever."""
    check_sound(learner(), put(counted(2000), WEIGHTS, torch.tensor([math.nan])), tmp_path / "a")


class Foreign:
    """Of another program."""


FILES = {
    "a text": (b"hello", "it is a text file"),
    "a pickle": (pickle.dumps({"a": 1}), "it is a Python pickle"),
    "a beginning": (b"PK\x03\x04" + bytes(600), "its end is missing"),
}


@pytest.mark.parametrize(("data", "reason"), FILES.values(), ids=FILES)
def test_a_file_that_torch_did_not_write(data, reason, tmp_path, recwarn):
    (tmp_path / "a.ckpt").write_bytes(data)
    assert f"cannot be read as a checkpoint, it may be truncated ({reason}). " in refusal(
        tmp_path / "a.ckpt"
    )
    assert not recwarn.list


def test_nobody_is_told_to_run_what_a_file_holds(tmp_path):
    torch.save({"fewstep": Foreign()}, tmp_path / "a.ckpt")
    message = refusal(tmp_path / "a.ckpt")
    assert "(it holds Python objects, and only tensors and plain values are ever made" in message
    assert "weights_only" not in message


@pytest.mark.parametrize("part", ["train", "test"])
def test_a_checkpoint_whose_classes_are_too_few_for_its_run_is_refused(part: str) -> None:
    made = assembly.with_data(assembly.draft(config("train", *WORDS, "eval.val_every=null")))
    split = made.splits[part]
    assert isinstance(split, ClassSplit)
    few = {**made.splits, part: split.having(part, [])}
    with pytest.raises(ConfigError, match=rf"^resume=x\.ckpt: shots\.ways=5: the {part} split of "):
        check_validation(replace(made, splits=few, resume=Path("x.ckpt")))
