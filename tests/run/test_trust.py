"""What a stranger's checkpoint or run directory may name, and that nothing else is ever run."""

from __future__ import annotations

import ast
import copy
import json
import shlex
import sys
from functools import cache
from pathlib import Path

import pytest
import torch
import yaml

import fewstep
from fewstep.commands import evaluate, train
from fewstep.commands.merging import merged
from fewstep.config.arguments import Arguments
from fewstep.config.compose import compose_config, plain
from fewstep.config.groups import conf_dir
from fewstep.config.stored_overrides import read_overrides
from fewstep.config.trust import NAMED, Untrusted, check_stored, check_trust, text_of
from fewstep.launch.resume import resumed
from fewstep.messages.errors import ConfigError
from fewstep.run.construction import assembly
from fewstep.run.learner import MetaLearner


TINY = ["dataset.classes=40", "model.channels=4", "trainer=cpu"]
SMALL = [
    *TINY,
    "max_meta_iterations=2",
    "eval.tasks=4",
    "eval.curve_tasks=2",
    "eval.val_every=null",
]

WITNESS = """\
from pathlib import Path
from torch import nn, optim
import torch, os, subprocess
from fewstep.models import OmniglotConv

Path("marker").write_text("imported")


def run(*args, **kwargs):
    Path("marker").write_text("called")


class Net(OmniglotConv):
    pass
"""
"""A module in the working directory that says when it is so much as imported."""


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """An empty folder to work in, with a module that must not be imported."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", sys.argv)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    (tmp_path / "witness.py").write_text(WITNESS)
    yield tmp_path
    sys.modules.pop("witness", None)


@cache
def composed(command: str, *words: str) -> dict:
    return plain(compose_config(command, words))


def stored() -> dict:
    return copy.deepcopy(composed("train", *TINY))


@cache
def learner() -> MetaLearner:
    own = stored()
    return assembly.draft(own).learner


def change(config: dict, key: str, value: object) -> dict:
    *path, last = key.split(".")
    node = config
    for name in path:
        node = node[name]
    node[last] = value
    return config


def saved(path: Path, config: dict) -> Path:
    """A checkpoint of a tiny net whose stored configuration is another one."""
    ours = {"config": config, "meta_iteration": 3, "inner_state": learner().state}
    watch = {"Stopwatch": {"seconds": 1.0, "meta_iterations": 1}}
    content = {"state_dict": learner().state_dict(), "fewstep": ours, "callbacks": watch}
    torch.save(content, path)
    return path


SHELL = {"_target_": "os.system", "command": "touch marker"}
RUN = {"_target_": "witness.run"}

PAYLOADS = {
    "a shell as the model": ("model", SHELL),
    "a shell as the dataset": ("dataset._target_", "os.system"),
    "a shell as the algorithm": ("algorithm._target_", "subprocess.call"),
    "the builtin exec": ("model", {"_target_": "builtins.exec", "source": "open('marker', 'w')"}),
    "a name without a module": ("model", {"_target_": "eval", "source": "open('marker', 'w')"}),
    "a module that runs at import": ("model", {"_target_": "witness"}),
    "a stranger's class": ("model", {"_target_": "witness.Net"}),
    "a class through a stranger's module": ("model", {"_target_": "witness.nn.Linear"}),
    "a rule": ("algorithm.inner.rule", "witness.run"),
    "an outer optimizer": ("algorithm.outer.optimizer", "witness.run"),
    "a logger": ("logger", RUN),
    "a baseline": ("baselines.joint", {**RUN, "outer": {"optimizer": "SGD"}}),
    "a baseline's optimizer": ("baselines.joint", {"outer": {"optimizer": "witness.run"}}),
    "an argument of a layer": ("model", {"_target_": "torch.nn.Sequential", "layer": RUN}),
    "an entry of a list": ("point", [{"deep": [RUN]}]),
    "a launcher": ("trainer", {"strategy": RUN}),
    "re-exported by fewstep": ("model", {**SHELL, "_target_": "fewstep.launch.os.system"}),
    "re-exported by a room": ("model", {**SHELL, "_target_": "fewstep.disk.cache.cache.os.system"}),
    "re-exported by torch.nn": (
        "model",
        {**SHELL, "_target_": "torch.nn.parallel.distributed.os.system"},
    ),
    "re-exported by torch.optim": (
        "model",
        {"_target_": "torch.optim.lr_scheduler.types.CodeType"},
    ),
    "a program of ours": ("model", {"_target_": "fewstep.cli.main", "words": ["train"]}),
    "a job of ours": ("model", {"_target_": "fewstep.launch.job.run", "command": "x"}),
    "a function of a room": ("model", {"_target_": "fewstep.disk.cache.cache.cached", "name": "x"}),
    "an entry point of ours": ("model", {"_target_": "fewstep.report.__main__"}),
    "a way through an object": ("model", {"_target_": "torch.nn.Linear.__init__.__globals__"}),
    "hub": ("model", {"_target_": "torch.hub.load", "repo_or_dir": "a/b", "model": "c"}),
    "a download": ("model", {"_target_": "torchvision.models._utils.load_state_dict_from_url"}),
    "weights": ("model", {"_target_": "torchvision.models.alexnet", "weights": "DEFAULT"}),
    "old weights": ("model", {"_target_": "torchvision.models.alexnet", "pretrained": True}),
    "a backbone": (
        "model",
        {"_target_": "torchvision.models.detection.retinanet_resnet50_fpn"},
    ),
    "any of its nets": ("model", {"_target_": "torchvision.models.get_model", "name": "alexnet"}),
    "a function of torch.nn": ("model", {"_target_": "torch.nn.init.xavier_uniform_"}),
    "no optimizer": ("algorithm.outer.optimizer", "torch.optim.lr_scheduler.LambdaLR"),
    "loading": ("model", {"_target_": "torch.load", "f": "x"}),
    "numpy": ("model", {"_target_": "numpy.load", "file": "x"}),
    "pkgutil's colon": ("model", {**SHELL, "_target_": "os:system"}),
    "no text": ("model", {"_target_": ["os.system"]}),
    "not a path": ("model", {"_target_": "os.system; x"}),
    "empty": ("model", {"_target_": ""}),
}


@pytest.mark.parametrize(("key", "value"), PAYLOADS.values(), ids=PAYLOADS)
def test_what_a_checkpoint_may_not_name(here, key, value):
    path = saved(here / "stranger.ckpt", change(stored(), key, value))
    config = composed("evaluate", "checkpoint=any")
    with pytest.raises(ConfigError) as caught:
        merged({**config, "checkpoint": str(path)})
    assert str(caught.value).startswith(f"checkpoint={path}: ")
    assert "\n" not in str(caught.value)
    assert not (here / "marker").exists()
    assert "witness" not in sys.modules


def test_the_refusal_names_what_is_named_and_the_command_that_trusts_it(here, capfd):
    path = saved(here / "stranger.ckpt", change(stored(), "model", SHELL))
    assert evaluate.main([f"checkpoint={path}", "trust=[timm]", "eval.tasks=4"]) == 2
    assert capfd.readouterr().err == (
        f"fewstep: checkpoint={path}: names os.system (model._target_). What is stored may name "
        "parts of fewstep, torch.nn, torch.optim and torchvision's models; anything else would run "
        f"as you. If you trust who made it, add trust=[os]: fewstep evaluate checkpoint={path} "
        "eval.tasks=4 'trust=[timm,os]'\n"
    )
    assert not (here / "marker").exists()
    assert not (here / "outputs").exists()


def test_all_names_are_asked_about_at_once():
    config = change(change(stored(), "model", RUN), "algorithm.inner.rule", "mine.rules.Rule")
    with pytest.raises(Untrusted) as caught:
        check_stored(config, "some.ckpt", [])
    assert caught.value.modules == ["mine.rules", "witness"]
    assert "witness.run (model._target_), mine.rules.Rule (algorithm.inner.rule)" in str(
        caught.value
    )
    again = shlex.split(text_of(caught.value, "evaluate", ["checkpoint=some.ckpt"]).split("]: ")[1])
    assert again == ["fewstep", "evaluate", "checkpoint=some.ckpt", "trust=[mine.rules,witness]"]


def test_what_is_trusted_is_what_defines_it(here):
    """Not whatever the trusted module happens to import."""
    node = {"model": {"_target_": "witness.os.system", "command": "touch second"}}
    with pytest.raises(Untrusted, match=r"names witness\.os\.system, which is posix\.system \("):
        check_stored(node, "some.ckpt", ["witness"])
    with pytest.raises(Untrusted, match=r"witness\.subprocess\.call, which is subprocess\.call"):
        check_stored({"_target_": "witness.subprocess.call"}, "some.ckpt", ["witness"])
    for name in ("witness.Net", "witness.run", "witness.nn.Linear", "torch.nn.Linear"):
        check_stored({"_target_": name}, "some.ckpt", ["witness"])
    with pytest.raises(Untrusted, match=r"names witnesses\.Net"):
        check_stored({"_target_": "witnesses.Net"}, "some.ckpt", ["witness"])


@pytest.mark.parametrize(
    "name",
    [
        "fewstep.models.OmniglotConv",
        "fewstep.algorithms.maml.MAML",
        "fewstep.core.rules.SGD",
        "fewstep.data.image_folder.ImageFolder",
        "fewstep.loggers.dashboard.Dashboard",
        "torch.nn.Linear",
        "torch.nn.modules.linear.Linear",
        "torch.optim.AdamW",
        "torch.optim.adamw.AdamW",
        "torchvision.models.alexnet",
        "torchvision.models.alexnet.AlexNet",
        "torchvision.models.resnet.resnet18",
        "torchvision.models.ResNet",
    ],
)
def test_what_needs_no_trust(name):
    check_stored({"part": {"_target_": name, "weights": None}}, "some.ckpt", [])


def test_our_own_files_need_no_trust():
    files = [f for f in conf_dir().rglob("*.yaml") if "hydra" not in f.parts]
    found = [yaml.safe_load(file.read_text()) for file in files]
    assert sum("_target_" in json.dumps(content) for content in found) > 15
    for content in found:
        rule = ((content or {}).get("algorithm") or {}).get("inner", {})
        if isinstance(rule, dict) and "${" in str(rule.get("rule")):
            rule["rule"] = "sgd"  # what it comes to where an algorithm says nothing
        if str((content or {}).get("dataset", {}).get("_target_")) == "my_signals.Signals":
            del content["dataset"]  # which a user brings, and trusts
        check_stored(content or {}, "our own", [])


def test_every_place_that_looks_a_name_up_is_known_to_trust():
    """A key whose value is imported ends in one of `NAMED`, or a stored one would go unasked."""
    calls = [
        (file.name, ast.unparse(node.args[0]))
        for file in Path(fewstep.__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("locate")
    ]
    assert len(calls) >= 4
    for file, key in calls:
        assert file == "trust.py" or key.rstrip("'\"").endswith(tuple(f".{n}" for n in NAMED)), key


@pytest.mark.parametrize("value", ["mine", ["a b"], [3], {"a": 1}, ["os;"], [""], None])
def test_values_of_trust(value):
    with pytest.raises(ConfigError, match=r"^trust=.*: must be a list of modules\. For example"):
        check_trust({"trust": value})
    check_trust({"trust": ["mine", "timm.models"]})


# --- run directories


def run_directory(folder: Path, words: object) -> Path:
    (folder / "checkpoints").mkdir(parents=True)
    saved(folder / "checkpoints" / "last.ckpt", stored())
    text = words if isinstance(words, str) else yaml.safe_dump(words)
    (folder / "overrides.yaml").write_text(text)
    return folder


EVIL = """\
# @package _global_
model: {_target_: witness.run}
"""

OVERRIDES = {
    "a model": ["model._target_=witness.Net"],
    "an added model": ["++model._target_=witness.Net"],
    "a rule": ["algorithm.inner.rule=witness.run"],
    "an optimizer": ["algorithm.outer.optimizer=witness.run"],
    "a dataset": ["dataset._target_=os.system"],
    "a logger": ["+logger._target_=witness.run"],
    "a baseline": ["+algorithm@baselines.joint=joint", "baselines.joint._target_=witness.run"],
    "by interpolation": ["+point.x=witness.run", "model._target_='${point.x}'"],
    "a file elsewhere": ["+experiment=../../stranger/evil"],
    "a file at a path": ["+experiment=/tmp/evil"],
    "a list of files": ["+experiment=[quickstart,../evil]"],
    "the environment": ["label='${oc.env:HOME}'"],
    "the environment, hidden": ["label='${oc.${label}:HOME}'"],
    "somebody's resolver": ["label='${shell:touch marker}'"],
    "a flag": ["--config-dir=/tmp"],
    "no override": ["what is this"],
    "no list": {"a": 1},
    "no text": [1, 2],
    "no YAML": "[",
}


@pytest.mark.parametrize("words", OVERRIDES.values(), ids=OVERRIDES)
def test_what_a_run_directory_may_not_ask_for(here, words):
    run = run_directory(here / "stranger", words)
    (run / "evil.yaml").write_text(EVIL)
    with pytest.raises(ConfigError) as caught:
        resumed("train", Arguments([], [f"resume={run}"]))
    assert str(caught.value).startswith(f"{run / 'overrides.yaml'}: ")
    assert "\n" not in str(caught.value)
    assert not (here / "marker").exists()
    assert "witness" not in sys.modules


@pytest.mark.parametrize(
    "word",
    [
        "hydra.run.dir=elsewhere",
        "+hydra.callbacks.evil._target_=witness.run",
        "++hydra.callbacks={evil: {_target_: witness.run}}",
        "~hydra.run",
        "hydra/launcher=joblib",
        "hydra/launcher@hydra.sweeper=joblib",
        "+algorithm@hydra.callbacks=joint",
        "+algorithm@_global_.hydra.callbacks=joint",
        "hydra.searchpath=[file:///tmp]",
        "++hydra.job.env_set.LD_PRELOAD=x",
        "trust=[witness]",
        "+trust=[witness]",
        "++trust=[witness]",
        "+algorithm@trust=joint",
    ],
)
def test_hydra_and_trust_are_up_to_the_present_command(here, word):
    run = run_directory(here / "stranger", [word, "seed=3"])
    assert read_overrides(run / "overrides.yaml") == {"seed": "seed=3"}


# --- what is the user's own


def one_run(here: Path) -> Path:
    (folder,) = (here / "outputs" / "runs").glob("*/*")
    return folder


@pytest.mark.slow
def test_a_users_own_module_is_asked_about_once(here, capfd):
    words = [*SMALL, "model._target_=witness.Net", "model.channels=4"]
    assert train.main([*words, "resume=auto"]) == 0
    run = one_run(here)
    capfd.readouterr()
    again = [f"resume={run}", "max_meta_iterations=3"]
    assert train.main(again) == 2
    assert capfd.readouterr().err.endswith(
        f"add trust=[witness]: fewstep train {shlex.join(again)} 'trust=[witness]'\n"
    )
    assert train.main([*again, "trust=[witness]"]) == 0
    assert evaluate.main([f"checkpoint={run}"]) == 2
    assert evaluate.main([f"checkpoint={run}", "eval.tasks=4", "trust=[witness]"]) == 0


def test_the_present_command_and_its_files_are_trusted(here):
    """A run of a user's own module goes on when the user names the module again."""
    (here / "conf" / "model").mkdir(parents=True)
    text = (conf_dir() / "model" / "omniglot_conv.yaml").read_text()
    own = text.replace("fewstep.models.OmniglotConv", "witness.Net")
    (here / "conf" / "model" / "own.yaml").write_text(own)
    run = run_directory(here / "run", ["model=own", "seed=3"])
    again = resumed("train", Arguments([], ["model=own", f"resume={run}"]))
    assert again.overrides == ["seed=3", "model=own", f"resume={run}"]
    words = ["model._target_=witness.Net", f"resume={run}"]
    assert resumed("train", Arguments([], words)).overrides == ["model=own", "seed=3", *words]
    words = ["trust=[witness]", f"resume={run}"]
    assert resumed("train", Arguments([], words)).overrides == ["model=own", "seed=3", *words]
    with pytest.raises(Untrusted, match=r"witness\.Net \(model\._target_\)"):
        resumed("train", Arguments([], [f"resume={run}"]))


def test_words_that_need_those_of_the_run_are_trusted_all_the_same(here):
    run = run_directory(here / "run", ["dataset=image_folder", "dataset.root=data"])
    words = ["dataset.test=3", "model._target_=witness.Net", f"resume={run}"]
    assert len(resumed("train", Arguments([], words)).overrides) == 5
    stored = run_directory(here / "other", ["dataset=image_folder", words[1]])
    with pytest.raises(Untrusted, match=r"witness\.Net \(model\._target_\)"):
        resumed("train", Arguments([], ["dataset.root=data", "dataset.test=3", f"resume={stored}"]))


def test_a_sweep_given_again_and_resume_auto_ask_nothing(here, capfd):
    words = [*SMALL, "model._target_=witness.Net", "resume=auto"]
    assert resumed("train", Arguments([], words)).overrides == words[:-1]
    assert capfd.readouterr().out.startswith("resume=auto: no run of this configuration")
    swept = [*SMALL, "model._target_=witness.Net", "resume=somewhere"]
    assert resumed("train", Arguments([], swept, sweep=True)).overrides == swept
