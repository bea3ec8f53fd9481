"""Every mistake is answered at once, by key, value, limit and fix, and leaves nothing behind."""

from __future__ import annotations

import copy
import errno
import importlib.util
import os
import resource
import subprocess
import sys
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import torch
from PIL import Image

from fewstep.commands import dashboard, episodes, evaluate, report, train
from fewstep.config import compose
from fewstep.config.compose import compose_config, plain
from fewstep.config.groups import options
from fewstep.run.construction import assembly, libraries


COMMANDS = {"train": train.main, "evaluate": evaluate.main, "report": report.main}
COMMANDS |= {"dashboard": dashboard.main, "episodes": episodes.main}

Refused = Callable[..., str]


@pytest.fixture
def refused(tmp_path, monkeypatch, capfd) -> Refused:
    """Runs a command in an empty folder, expects it to be refused there, returns its message."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", sys.argv)
    monkeypatch.setattr(sys, "path", list(sys.path))

    def run(command: str, *words: str) -> str:
        try:
            status = COMMANDS[command](words)
        except SystemExit as stop:
            status = stop.code
        out, message = capfd.readouterr()
        assert status not in (0, None), out
        assert message.startswith("fewstep: ")
        assert "Traceback" not in message
        assert not out
        assert not (tmp_path / "outputs").exists()
        assert not list(tmp_path.rglob("results.json"))
        return message

    return run


def names(message: str, *parts: str) -> None:
    for part in parts:
        assert part in message


# --- command lines


@pytest.mark.parametrize(
    ("word", "parts"),
    [
        (
            "algorithm=mamml",
            ["algorithm=mamml", "Did you mean maml?", "imaml, joint, maml, mamlpp"],
        ),
        ("dataset=glyph", ["dataset=glyph", "Did you mean glyphs?", "conf/dataset/glyph.yaml"]),
        ("algorithm=[maml,reptile]", ["algorithm=[maml,reptile]", "one option of anil"]),
        ("algorithm=null", ["algorithm=null", "one option of anil"]),
        ("algorithm=", ["algorithm=", "one option of anil"]),
        ("experiment=mine", ["experiment=mine", "quickstart", "conf/experiment/mine.yaml"]),
        ("sed=1", ["sed=1", "no key sed", "Did you mean seed?", "--cfg job"]),
        ("algoritm=maml", ["algoritm=maml", "Did you mean algorithm?"]),
        ("algorithm.inner.lrr=1", ["no key algorithm.inner.lrr", "mean algorithm.inner.lr?"]),
        ("+sed=1", ["sed=1", "no key sed", "Did you mean seed?"]),
        ("+eval.taks=1", ["eval.taks=1", "Did you mean tasks?"]),
        ("+benchmark=lake", ["benchmark=lake: there is no key benchmark. Known are algorithm"]),
        ("+shots.kueries=1", ["shots.kueries=1", "Did you mean queries?"]),
        (
            "+algorithm.outer.momentum=0.9",
            ["algorithm.outer.momentum=0.9", "lr, optimizer, options"],
        ),
        ("+algorithm.inner.step=3", ["algorithm.inner.step=3", "Did you mean steps?"]),
        ("+algorithm.tale=3", ["algorithm.tale=3", "Reptile takes no such argument"]),
        ("+model.width=3", ["model.width=3", "OmniglotConv takes no such argument", "channels"]),
        ("algorithm.outer.options={momentum: 0.9}", ["+algorithm.outer.options.NAME=VALUE"]),
        ("~eval.tasks", ["eval.tasks is missing", "eval.tasks=1000"]),
        ("~logger", ["logger is missing"]),
        ("seed=[1", ["seed=[1", "cannot be parsed", "brackets"]),
        ("name=a=b", ["name=a=b", "cannot be parsed", "quote"]),
        ("=3", ["=3", "no key", "seed=1"]),
        ("seed=1,2", ["seed=1,2", "fewstep train -m seed=1,2"]),
        ("maml", ["maml", "key=value", "Did you mean algorithm=maml?"]),
        ("", ["key=value", "--help"]),
        ("--seed", ["--seed", "no such flag", "key=value"]),
        ("-x", ["-x", "no such flag"]),
        ("-m=3", ["-m=3: -m takes no value. Give it as -m alone"]),
        ("model.norm=group", ["no file that was chosen has model.norm. +model.norm=group adds it"]),
        ("dataset.split=all", ["has dataset.split. +dataset.split=all adds it"]),
        ("--cfg", ["--cfg needs a value", "job"]),
    ],
)
def test_words_that_no_training_takes(refused, word, parts):
    names(refused("train", word), *parts)


@pytest.mark.parametrize(
    ("word", "parts"),
    [
        ("algorithm.inner.lr=fast", ["algorithm.inner.lr=fast", "a number above 0", "lr=0.001"]),
        ("algorithm.inner.lr=-1", ["algorithm.inner.lr=-1", "a number above 0", "lr=0.001"]),
        ("algorithm.inner.lr=0", ["algorithm.inner.lr=0", "above 0"]),
        ("algorithm.inner.lr=nan", ["algorithm.inner.lr=nan", "above 0"]),
        ("algorithm.inner.lr=inf", ["algorithm.inner.lr=inf", "above 0"]),
        ("algorithm.inner.lr=true", ["algorithm.inner.lr=True", "a number"]),
        ("algorithm.inner.steps=0", ["algorithm.inner.steps=0", "at least 1", "steps=5"]),
        ("algorithm.inner.steps=1.5", ["algorithm.inner.steps=1.5", "whole number"]),
        ("algorithm.inner.batch_size=0", ["algorithm.inner.batch_size=0", "at least 1 or null"]),
        ("algorithm.inner.loss=max", ["algorithm.inner.loss=max", "one of mean, sum"]),
        (
            "algorithm.inner.fixed=[head.*]",
            ["algorithm.inner.fixed=[head.*]: ", "Reptile learns nothing but what"],
        ),
        ("algorithm.inner.fixed=head", ["algorithm.inner.fixed=head", "a list of parameter names"]),
        ("algorithm.inner.fixed=[1]", ["algorithm.inner.fixed=[1]", "[features.*]"]),
        ("algorithm.inner.state=keep", ["inner.state=keep", "one of carry, reset, sequential"]),
        ("algorithm.inner.rule=sdg", ["inner.rule=sdg", "one of sgd, adam", "Did you mean sgd?"]),
        ("algorithm.inner.rule=no.Rule", ["inner.rule=no.Rule", "cannot be imported", "path"]),
        (
            "+algorithm.checkpoint_steps=0",
            ["algorithm.checkpoint_steps=0", "at least 1 or null", "steps=2"],
        ),
        ("+algorithm.checkpoint_steps=2", ["checkpoint_steps=2", "Reptile takes no such"]),
        ("algorithm.outer.lr=-1", ["algorithm.outer.lr=-1", "above 0"]),
        ("algorithm.outer.optimizer=Adm", ["outer.optimizer=Adm", "Did you mean Adam?"]),
        ("+algorithm.outer.options.speed=1", ["outer.options={'speed': 1}", "SGD refuses"]),
        ("+algorithm.inner.options.beta2=x", ["algorithm.inner.options.beta2=x", "a number"]),
        (
            "+algorithm.inner.options.beta=1",
            ["algorithm.inner.options.beta=1", "Did you mean beta2?"],
        ),
        ("algorithm._target_=no.Class", ["algorithm._target_=no.Class", "cannot be imported"]),
        ("meta_batch=0", ["meta_batch=0", "at least 1", "meta_batch=5"]),
        ("meta_batch=", ["meta_batch=", "whole number", "meta_batch=5"]),
        ("max_meta_iterations=0", ["max_meta_iterations=0", "at least 1"]),
        ("seed=-1", ["seed=-1", "at least 0"]),
        ("seed=99999999999999999999", ["seed=99999999999999999999", "at most 9223372036854775807"]),
        ("name=", ["name=", "a text"]),
        ("execution=fast", ["execution=fast", "one of auto, serial, threads, vmap"]),
        ("trainer.precision=16", ["trainer.precision=16", "one of 32, 64"]),
        ("trainer.accelerator=abacus", ["trainer.accelerator=abacus", "trainer=cpu"]),
        ("+trainer.speed=1", ["trainer.speed=1", "unexpected keyword argument 'speed'"]),
        ("eval.tasks=1", ["eval.tasks=1", "at least 2"]),
        ("eval.curve_tasks=-1", ["eval.curve_tasks=-1", "at least 0"]),
        ("eval.shift=9", ["eval.shift=9", "at least 0 and below 9"]),
        ("eval.steps=-1", ["eval.steps=-1", "at least 0"]),
        ("eval.protocol=seductive", ["eval.protocol=seductive", "inductive, transductive"]),
        ("eval.checkpoint=first", ["eval.checkpoint=first", "best, last or null"]),
        ("eval=5", ["eval=5", "eval.KEY=VALUE"]),
        ("eval.settings=5", ["eval.settings=5", "a list", "{shots: 1, steps: 50, batch_size: 5}"]),
        ("eval.settings=[]", ["eval.settings=[]", "a list of settings"]),
        ("eval.settings=[5]", ["eval.settings[0]=5", "must have shots, steps, batch_size"]),
        ("eval.settings=[{shots: 1}]", ["eval.settings[0]={'shots': 1}", "must have shots, steps"]),
        ("eval.settings=[{shots: 0, steps: 1, batch_size: 5}]", ["eval.settings[0].shots=0"]),
        ("baselines.random=maybe", ["baselines.random=maybe", "true or false"]),
        ("baselines.joint=true", ["baselines.joint=True", "+algorithm@baselines.joint=joint"]),
        ("model.channels=x", ["model.channels=x", "whole number of at least 1", "channels=64"]),
        ("model.channels=0", ["model.channels=0", "at least 1"]),
        ("model.ways=3", ["OmniglotConv", "does not fit", "shots.ways=5", "sizes"]),
        ("dataset.classes=-3", ["dataset.classes=-3", "at least 3"]),
        ("dataset.classes=many", ["dataset.classes=many", "whole number"]),
        ("dataset.channels=3", ["OmniglotConv", "does not fit dataset=glyphs", "1x28x28"]),
        ("dataset.val=1.5", ["dataset.val=1.5", "between 0 and 1"]),
    ],
)
def test_values_out_of_range(refused, word, parts):
    names(refused("train", "dataset.classes=60", word), *parts)


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["algorithm=fomaml", "algorithm.tail=end"], ["tail", "end", "separate"]),
        (["algorithm=maml", "shots.queries=0"], ["shots.queries=0", "maml trains on queries"]),
        (
            [
                "eval.settings=[{shots: 1, steps: 2, batch_size: 5}, "
                "{shots: 1, steps: 2, batch_size: 5}]"
            ],
            ["eval.settings[1]=", "is eval.settings[0] again", "Leave one"],
        ),
        (["+trainer.max_steps=5"], ["trainer.max_steps=5", "max_meta_iterations", "Leave it out"]),
        (["+trainer.inference_mode=true"], ["trainer.inference_mode=True", "needs gradients"]),
        (["+trainer.gradient_clip_val=1"], ["trainer.gradient_clip_val=1", "manual optimization"]),
        (["trainer=ddp_cpu", "meta_batch=1"], ["trainer.devices=2", "meta_batch=1 tasks", "none"]),
        (
            ["algorithm=maml", "algorithm.inner.fixed=[tail.*]"],
            ["called tail.*", "They are features.0.weight,"],
        ),
        (
            ["algorithm=maml", "algorithm.inner.fixed=['*']"],
            ["fixed=[*]: nothing is left for a task to learn"],
        ),
        (
            ["trainer=ddp_cpu", "algorithm.inner.state=sequential"],
            ["inner.state=sequential", "trainer.devices=2 cannot share", "trainer.devices=1"],
        ),
        (
            ["trainer=ddp_cpu", "trainer.devices=4", "eval.tasks=3"],
            ["eval.tasks=3", "trainer.devices=4 makes 4", "eval.tasks=4 or more"],
        ),
        (["trainer.num_nodes=2"], ["trainer.num_nodes=2", "torchrun or srun", "num_nodes=1"]),
        (["+trainer.strategy=fsdp"], ["trainer.strategy=fsdp", "cannot be set", "devices"]),
        (["dataset=sine", "model=omniglot_conv"], ["model.in_channels", "dataset.channels"]),
        (["dataset=sine", "shots=5w1s"], ["shots.ways=5", "one wave", "set it to 1"]),
        (["dataset=sine", "model.activation=step"], ["model.activation", "step", "tanh, relu"]),
        (
            ["+algorithm@baselines.joint=joint", "baselines.joint.outer.lr=0"],
            ["baselines.joint.outer.lr=0", "above 0"],
        ),
        (
            ["dataset=omniglot", "dataset.split=half"],
            ["dataset.split='half'", "one of authors, with_val"],
        ),
    ],
)
def test_values_that_do_not_go_together(refused, words, parts):
    names(refused("train", *words), *parts)


OUTSIDE = {
    "torchrun": {"TORCHELASTIC_RUN_ID": "1", "WORLD_SIZE": "4", "RANK": "1"},
    "srun": {"SLURM_STEP_NUM_TASKS": "4", "SLURM_PROCID": "1"},
}


@pytest.mark.parametrize("starter", OUTSIDE)
def test_ranks_that_something_else_started_are_counted(refused, monkeypatch, starter):
    for name, value in OUTSIDE[starter].items():
        monkeypatch.setenv(name, value)
    words = ["trainer=ddp_cpu", "trainer.devices=2"]
    names(refused("train", *words), "trainer.devices=2", f"{starter} has started 4")
    names(refused("train", "trainer=cpu"), "trainer.devices=1", f"{starter} has started 4")
    names(refused("train", "-m", "seed=1,2", *words), f"{starter} starts the processes of one run")


def test_the_words_of_a_file_are_checked_as_well(refused, tmp_path):
    folder = tmp_path / "conf" / "experiment"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text("# @package _global_\nmax_meta_iteration: 10\n")
    message = refused("train", "experiment=mine")
    names(message, "max_meta_iteration=10", "Did you mean max_meta_iterations?")


def test_each_run_of_a_sweep_is_checked_before_the_first_one_runs(refused):
    message = refused("train", "-m", "dataset.classes=60", "seed=0,1", "meta_batch=2,0")
    names(message, "the sweep's dataset.classes=60 seed=0 meta_batch=0", "at least 1")
    names(refused("train", "--multirun", "algorithm=maml,mamml"), "algorithm=mamml", "mean maml?")
    names(refused("train", "-m", "algorithm=glob(*)", "seed=-1"), "algorithm=anil seed=-1")
    message = refused("train", "sweep=algorithms", "seed=-1")
    names(message, "the sweep's algorithm=reptile shots=5w1s seed=-1", "at least 0")
    names(refused("train", "-m", "seed=range(1,1)"), "seed=range(1,1): has no value", "seed=...")
    names(refused("train", "sweep=algoritms"), "no such sweep", "Did you mean algorithms?")
    names(refused("train", "sweep=algorithms,other"), "one sweep at a time", "sweep=algorithms")


def test_a_search_needs_a_validation_to_go_by(refused):
    words = ["-m", "hydra/sweeper=optuna_val", "algorithm.inner.lr=interval(0.001,0.01)"]
    message = refused("train", *words, "eval.val_every=null")
    names(message, "eval.val_every=None", "meta-validation", "eval.val_every=100")
    short = ["max_meta_iterations=9", "eval.val_every=10"]
    names(refused("train", *words, *short), "eval.val_every=10: a search goes by meta-validation")
    names(refused("train", *words, "meta_batch=0"), "meta_batch=0", "at least 1")


def test_a_launcher_that_is_not_installed_names_its_extra(refused, monkeypatch):
    find = importlib.util.find_spec
    absent = "hydra_plugins.hydra_ray_launcher"
    monkeypatch.setattr(
        compose, "find_spec", lambda name: None if name.startswith(absent) else find(name)
    )
    message = refused("train", "-m", "seed=1,2", "hydra/launcher=ray_cluster")
    names(message, "hydra/launcher=ray_cluster", "pip install 'fewstep[ray]'")
    message = refused("train", "-m", "seed=1,2", "hydra/launcher=submitit_nowhere")
    names(message, "hydra/launcher=submitit_nowhere", "pip install 'fewstep[submitit]'")


# --- data


def test_a_value_without_a_default_is_asked_for(refused):
    names(refused("train", "dataset=image_folder"), "dataset.root", "folder of images a class")
    names(refused("evaluate"), "checkpoint is missing", ".ckpt file", "checkpoint=...")


@pytest.mark.parametrize("dataset", ["image_folder", "cifar_fs", "miniimagenet", "omniglot"])
def test_data_that_is_not_there(refused, dataset):
    message = refused("train", f"dataset={dataset}", "dataset.root=nowhere")
    names(message, "dataset.root", "nowhere")
    assert "exist" in message or "got by hand" in message


@pytest.mark.parametrize("name", [n for n in options("experiment") if n.startswith("miniimagenet")])
def test_an_experiment_without_its_images(refused, name):
    names(refused("train", f"experiment={name}"), "dataset.root=null", "got by hand")


def test_more_ways_than_a_split_has_classes(refused):
    message = refused("train", "dataset.classes=60", "shots.ways=13")
    names(message, "shots.ways=13", "split of glyphs has", "classes; use at most")


def test_ways_that_no_split_has_are_told_by_the_key_that_asks_for_them(refused):
    words = ["dataset.classes=60", "algorithm=proto_fomaml", "model.channels=8"]
    words += ["+model.norm=group", "eval.val_every=null"]
    assert refused("train", *words, "shots.train_ways=99").startswith(
        "fewstep: shots.train_ways=99: the train split of glyphs has 42 classes; use at most 42"
    )
    setting = "eval.settings=[{ways: 30, shots: 1, steps: 1, batch_size: null}]"
    assert refused("train", *words, setting).startswith(
        "fewstep: eval.settings[0].ways=30: the test split of glyphs has 12 classes; use at most 12"
    )


def test_a_validation_split_that_is_too_small_can_be_done_without(refused, tmp_path):
    words = of_folder(drawn(tmp_path / "images", classes=20))  # 3 of them for validation
    words += ["shots.ways=4", "shots.train_shots=5", "shots.shots=1"]
    message = refused("train", *words)
    names(message, "the val split of image_folder has 3", "eval.val_every=null", "dataset.val=0")
    for way_out in ("eval.val_every=null", "dataset.val=0"):
        train.settle(plain(compose_config("train", [*words, way_out, "execution=serial"])))
    message = refused("train", *words, "eval.val_every=null", "shots.ways=5")
    assert "the test split of image_folder has 4" in message
    assert "dataset.val=0" not in message


def test_tensorboard_that_is_not_installed(refused, monkeypatch):
    monkeypatch.setattr(libraries, "find_spec", lambda name: None)
    names(refused("train", "logger=tensorboard"), "not installed", "'fewstep[tensorboard]'")


def test_more_examples_than_a_class_has(refused):
    words = ["dataset.classes=60", "dataset.drawings=7"]
    message = refused("train", *words, "shots.train_shots=8")
    names(message, "class 'glyph", "train split has 7 images", "= 8 + 0 = 8", "lower shots")
    settings = "eval.settings=[{shots: 7, steps: 1, batch_size: 5}]"
    message = refused("train", *words, "shots.train_shots=7", settings)
    names(message, "has 7 images", "shots + queries = 7 + 1 = 8", "lower shots or queries")


def drawn(root: Path, classes: int = 20, images: int = 12) -> Path:
    """A folder of made-up images, a folder a class."""
    for c in range(classes):
        (root / f"class{c:02}").mkdir(parents=True)
        for i in range(images):
            Image.new("L", (9, 9), 10 * c + i).save(root / f"class{c:02}" / f"{i}.png")
    return root


def of_folder(root: Path) -> list[str]:
    return ["dataset=image_folder", f"dataset.root={root}", "dataset.size=16"]


def test_a_zip_file_that_was_cut_short(refused, tmp_path):
    root, path = drawn(tmp_path / "images"), tmp_path / "images.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(root.rglob("*.png")):
            archive.write(file, file.relative_to(root))
    path.write_bytes(path.read_bytes()[:-200])
    message = refused("train", *of_folder(path))
    names(message, str(path), "damaged or not a whole zip file", "fetch it again")


@pytest.mark.parametrize(("place", "value"), [("flags", 1), ("compression", 97)])
def test_a_zip_file_that_python_cannot_unpack(refused, tmp_path, place, value):
    """Encrypted, or compressed by an unknown method: the two header fields that say so."""
    root, path = drawn(tmp_path / "images", classes=3, images=2), tmp_path / "images.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(root.rglob("*.png")):
            archive.write(file, file.relative_to(root))
    data = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = data.find(mark)
        while start >= 0:
            data[start + offset + (2 if place == "compression" else 0)] = value
            start = data.find(mark, start + 4)
    path.write_bytes(data)
    message = refused("train", *of_folder(path))
    names(message, str(path), "encrypted or compressed", "zip it again")


def test_a_file_that_is_no_image(refused, tmp_path):
    root = drawn(tmp_path / "images")
    (root / "class07" / "notes.txt").write_text("not an image")
    message = refused("train", *of_folder(root))
    names(message, "class07/notes.txt", "cannot be read as an image", "remove it")


def test_a_class_without_images(refused, tmp_path):
    root = drawn(tmp_path / "images")
    (root / "class99").mkdir()
    names(refused("train", *of_folder(root)), "class 'class99' has no images", "remove its folder")


# --- checkpoints


@cache
def untrained(*overrides: str) -> dict:
    words = ["dataset.classes=60", "model.channels=4", *overrides]
    config = plain(compose_config("train", words))
    learner = assembly.draft(config).learner
    ours = {"config": config, "meta_iteration": 3, "inner_state": learner.state}
    return {"state_dict": learner.state_dict(), "fewstep": ours}


def content(*overrides: str) -> dict:
    """What a checkpoint of a tiny net holds, untrained."""
    return copy.deepcopy(untrained(*overrides))


@pytest.fixture
def saved(tmp_path) -> Callable[[dict], Path]:
    def save(content: dict) -> Path:
        torch.save(content, tmp_path / "some.ckpt")
        return tmp_path / "some.ckpt"

    return save


LONG = 300 * "x"


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["train", f"resume={LONG}"], f"resume={LONG}"),
        (["train", f"init={LONG}"], f"init={LONG}"),
        (["train", "-m", "seed=1,2", f"init={LONG}"], f"init={LONG}"),
        (["evaluate", f"checkpoint={LONG}"], f"checkpoint={LONG}"),
        (["evaluate", f"resume={LONG}/last.ckpt"], f"resume={LONG}/last.ckpt"),
        (["episodes", f"to={LONG}", "trainer=cpu"], f"to={LONG}"),
        (["report", LONG], LONG),
        (["dashboard", LONG], LONG),
        (["dashboard", "mine", "--offline", LONG], LONG),
    ],
    ids=lambda value: " ".join(value).replace(LONG, "LONG") if isinstance(value, list) else "",
)
def test_a_name_that_no_file_can_have(refused, words, named):
    message = refused(*words)
    assert message.startswith(f"fewstep: {named}")
    names(message, "File name too long")


def test_a_run_that_may_not_be_read(refused, monkeypatch):
    """As in a folder of somebody else's: to root, who runs tests, nothing is forbidden."""
    stat = os.stat

    def forbidden(path, *args, **more):
        if "secret" in str(path):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return stat(path, *args, **more)

    monkeypatch.setattr(os, "stat", forbidden)
    fix = "Permission denied. Name another, or let it be read\n"
    assert refused("train", "resume=secret/run") == f"fewstep: resume=secret/run: {fix}"
    assert refused("evaluate", "checkpoint=secret/run").endswith(fix)
    for words in (["report", "secret/run"], ["dashboard", "mine", "secret/run"]):
        names(refused(*words), "secret/run", "Permission denied")


def test_a_checkpoint_that_is_missing(refused, tmp_path):
    (tmp_path / "empty").mkdir()
    for command, key in (("evaluate", "checkpoint"), ("train", "resume")):
        names(refused(command, f"{key}=no.ckpt"), f"{key}=no.ckpt", "no such file", "Name a .ckpt")
        message = refused(command, f"{key}=empty")
        names(message, f"{key}=empty", "no checkpoints/last.ckpt", "a run directory")


@pytest.mark.parametrize(("command", "key"), [("evaluate", "checkpoint"), ("train", "resume")])
def test_a_checkpoint_that_cannot_be_read(refused, saved, command, key):
    path = saved(content())
    path.write_bytes(path.read_bytes()[:-3000])
    message = refused(command, f"{key}={path}")
    names(message, f"{key}={path}", "cannot be read", "truncated", "another one")
    saved({"weights": torch.ones(3)})
    names(refused(command, f"{key}={path}"), "not written by fewstep train")
    saved({"fewstep": {"meta_iteration": 3}, "state_dict": {}})
    names(refused(command, f"{key}={path}"), "not written by fewstep train")


def test_a_checkpoint_never_runs_what_is_in_it(refused, tmp_path):
    class Touch:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "touched"),)

    torch.save({"fewstep": Touch()}, tmp_path / "evil.ckpt")
    names(refused("evaluate", "checkpoint=evil.ckpt"), "cannot be read")
    assert not (tmp_path / "touched").exists()


def test_a_checkpoint_of_another_model_or_number_of_ways(refused, saved):
    words = [f"resume={saved(content())}", "dataset.classes=60", "execution=serial"]
    message = refused("train", *words, "model.channels=4", "shots.ways=3")
    names(message, "trained for 5 ways", "shots.ways=3", "Use shots.ways=5")
    message = refused("train", *words, "model.channels=8")
    names(message, "another model", "OmniglotConv", "(4, 1, 3, 3)", "(8, 1, 3, 3)")

    changed = content()
    changed["fewstep"]["config"]["model"]["channels"] = 8
    message = refused("evaluate", f"checkpoint={saved(changed)}")
    names(message, "another model", "(4, 1, 3, 3)", "(8, 1, 3, 3)")
    changed = content()
    changed["state_dict"] = content("shots.ways=3")["state_dict"]
    names(refused("evaluate", f"checkpoint={saved(changed)}"), "another model", "head.weight")


def test_a_run_is_resumed_with_its_own_recipe(refused, saved):
    words = [f"resume={saved(content())}", "dataset.classes=60", "model.channels=4"]
    words += ["execution=serial"]
    message = refused("train", *words, "algorithm.inner.lr=0.5")
    names(message, "algorithm.inner.lr was 0.001", "algorithm.inner.lr=0.5", "start a new run")
    names(refused("train", *words, "seed=3"), "seed was 0 in that run", "Resume with seed=0")
    message = refused("train", *words, "max_meta_iterations=2")
    names(message, "max_meta_iterations=2", "has done 3", "more than 3")


def test_a_checkpoint_of_before_there_were_labels_is_still_evaluated(saved):
    old = content()
    for key in ("label", "point"):
        del old["fewstep"]["config"][key]
    evaluate.settle(plain(compose_config("evaluate", [f"checkpoint={saved(old)}"])))


# --- evaluate


@pytest.mark.parametrize(
    "word", ["shots.ways=20", "+shots.ways=20", "algorithm=maml", "seed=1", "model.channels=8"]
)
def test_evaluate_takes_settings_of_evaluation_alone(refused, word):
    message = refused("evaluate", "checkpoint=any.ckpt", word)
    names(message, word.lstrip("+"), "what the checkpoint was trained with", "eval.tasks")
    names(message, "use fewstep train")


@pytest.mark.parametrize(
    ("word", "parts"),
    [
        ("eval.task=3", ["eval.task=3", "Did you mean eval.tasks?"]),
        ("eval.split=train", ["eval.split=train", "one of test, val"]),
        ("eval.tasks=few", ["eval.tasks=few", "whole number", "eval.tasks=1000"]),
        ("eval.steps=-1", ["eval.steps=-1", "at least 0"]),
        ("eval.settings=[{shots: 50, steps: 1, batch_size: 5}]", ["has 20 images", "= 51"]),
        ("dataset.root=/data", ["dataset.root=/data", "Glyphs takes no such argument"]),
    ],
)
def test_evaluations_that_cannot_run(refused, saved, word, parts):
    names(refused("evaluate", f"checkpoint={saved(content())}", word), *parts)


# --- the real command


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.parametrize(
    "words",
    [
        ["-m", "fewstep.cli", "train", "algorithm.inner.lr=fast"],
        ["-m", "fewstep", "train", "dataset=image_folder", "dataset.root=nowhere"],
    ],
)
def test_the_real_command_answers_within_ten_seconds(tmp_path, words):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, *words], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 2
    assert done.stderr.startswith("fewstep: ")
    assert words[-1].replace("=nowhere", "") in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())
    # Processor time, which other processes on the machine cannot stretch.
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 10


@pytest.mark.parametrize("every", ["eval.val_every=null", "eval.val_every=9"])
def test_best_needs_a_validation(every, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert train.main(["eval.checkpoint=best", every, "max_meta_iterations=8"]) == 2
    message = capsys.readouterr().err
    assert "fewstep: eval.checkpoint=best: nothing is validated" in message
    assert "Use eval.checkpoint=last, or eval.val_every=8 or less" in message
    assert not list(tmp_path.iterdir())
