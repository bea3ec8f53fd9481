"""The command itself: help, completion, what it prints without running anything."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest
import yaml

from fewstep import __version__, cli
from fewstep.commands.completion import query
from fewstep.config.groups import groups, options


COMMANDS = ("train", "evaluate", "completion")


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"], ["help"]])
def test_help_names_every_command(capsys, words):
    assert cli.main(words) == 0
    text = capsys.readouterr().out
    for command in cli.COMMANDS:
        assert f"fewstep {command}" in text


def test_version(capsys):
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"fewstep {__version__}\n"


def test_the_help_of_train_has_every_group_and_option(capsys):
    assert cli.main(["train", "--help"]) == 0
    text = capsys.readouterr().out
    for group in groups():
        for option in options(group):
            assert option in text
    assert "fewstep train algorithm=maml" in text
    assert "max_meta_iterations: 2000" in text


def test_the_help_of_evaluate_has_its_keys(capsys):
    assert cli.main(["evaluate", "-h"]) == 0
    text = capsys.readouterr().out
    assert "checkpoint: ???" in text
    assert "settings: null" in text


@pytest.mark.process
@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_a_module_prints_the_help_of_its_command(command):
    words = [sys.executable, "-m", "fewstep", command, "--help"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout == import_module(f"fewstep.commands.{command}").help_text()


def test_an_unknown_command_is_refused(capsys):
    assert cli.main(["trian"]) == 2
    message = capsys.readouterr().err
    assert "'trian'" in message
    assert "train, evaluate" in message


def test_cfg_prints_the_configuration_and_runs_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", sys.argv)
    monkeypatch.setattr(sys, "path", list(sys.path))
    assert cli.main(["train", "algorithm=maml", "--cfg", "job", "dataset=image_folder"]) == 0
    config = yaml.safe_load(capsys.readouterr().out)
    assert config["algorithm"]["name"] == "maml"
    assert config["dataset"]["root"] == "???"
    assert cli.main(["evaluate", "--cfg=job"]) == 0  # a value that is missing may be
    assert yaml.safe_load(capsys.readouterr().out)["checkpoint"] == "???"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("fewstep ", ["train ", "evaluate ", "completion "]),
        ("fewstep adapt ini", ["init="]),
        ("fewstep adapt init=o", ["init=omniglot "]),
        ("fewstep draw open=", ["open=false "]),
        ("fewstep adapt max_mega", ["max_megapixels="]),
        ("fewstep predict max_mega", ["max_megapixels="]),
        ("fewstep bench algorithm=fo", ["algorithm=focusft ", "algorithm=fomaml "]),
        ("fewstep bench algorithm.inner.st", ["algorithm.inner.state=", "algorithm.inner.steps="]),
        ("fewstep export x=", []),
        ("fewstep tr", ["train "]),
        ("fewstep train alg", ["algorithm.", "algorithm="]),
        (
            "fewstep train algorithm=m",
            ["algorithm=maml ", "algorithm=mamlpp ", "algorithm=metasgd "],
        ),
        ("fewstep train algorithm.inner.l", ["algorithm.inner.loss=", "algorithm.inner.lr="]),
        ("fewstep train algorithm=fomaml algorithm.ta", ["algorithm.tail="]),
        ("fewstep train algorithm.ta", []),
        ("fewstep train nonsense=1 see", ["seed="]),
        (
            "fewstep train execution=",
            [f"execution={e} " for e in ("auto", "serial", "threads", "vmap")],
        ),
        ("fewstep train baselines.random=t", ["baselines.random=true "]),
        ("fewstep train resume=/some/wh", []),
        (
            "fewstep train -m algorithm=reptile,fo",
            ["algorithm=reptile,focusft ", "algorithm=reptile,fomaml "],
        ),
        ("fewstep train -m algorithm=reptile,fomaml,fo", ["algorithm=reptile,fomaml,focusft "]),
        ("fewstep train -m seed=1,", []),
        ("fewstep train hydra/launcher=local_joblib hydra.launcher.n", ["hydra.launcher.n_jobs="]),
        ("fewstep train hydra.laun", ["hydra.launcher."]),
        ("fewstep evaluate hydra.run.", ["hydra.run.dir="]),
        (
            "fewstep train eval.protocol=",
            [f"eval.protocol={p} " for p in ("both", "inductive", "transductive", "support")],
        ),
        ("fewstep train eval.val_every=", ["eval.val_every=auto "]),
        ("fewstep train --", ["--cfg ", "--multirun ", "--package ", "--resolve "]),
        ("fewstep evaluate --p", ["--package "]),
        ("fewstep train --cfg ", ["job ", "hydra ", "all "]),
        ("fewstep bench --", []),
        (
            "fewstep report --",
            [f"--{w} " for w in ("baseline", "latex", "marl-eval", "out", "paper")],
        ),
        ("fewstep report ou", []),
        ("fewstep dashboard --", ["--offline "]),
        ("fewstep nonsense --", []),
        ("fewstep theory co", ["coefficients "]),
        ("fewstep theory slopes da", ["dataset=", "dataset.root="]),
        ("fewstep theory dataset=o", ["dataset=omniglot "]),
        ("fewstep evaluate che", ["checkpoint=", "checkpoint_sha256="]),
        ("fewstep evaluate eval.set", ["eval.settings="]),
        ("fewstep evaluate algo", []),
        ("fewstep evaluate dataset=gl", ["dataset=glyphs "]),
    ],
)
def test_completion(line, expected):
    assert query(line, COMMANDS) == expected


@pytest.mark.process
def test_completion_in_bash(tmp_path):
    """The function that bash calls, with a `fewstep` that is this interpreter's."""
    script = f"""
fewstep() {{ {sys.executable} -m fewstep.cli "$@"; }}
{cli.BASH}
complete -p fewstep | grep -c -- "-F _fewstep fewstep"
COMP_LINE="fewstep train algorithm=ma and more"; COMP_POINT=26
_fewstep; echo "[${{COMPREPLY[*]}}]"
COMP_WORDBREAKS=" "; _fewstep; echo "[${{COMPREPLY[*]}}]"
"""
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.splitlines() == [
        "1",
        "[maml  mamlpp ]",
        "[algorithm=maml  algorithm=mamlpp ]",
    ]


def test_completion_knows_bash_alone(capsys):
    assert cli.main(["completion", "bash"]) == 0
    assert capsys.readouterr().out == cli.BASH
    assert cli.main(["completion", "fish"]) == 2
    assert "bash" in capsys.readouterr().err


def test_a_current_folder_that_is_gone(tmp_path, monkeypatch, capsys):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert cli.main(["report", "outputs"]) == 2
    assert capsys.readouterr().err == (
        "fewstep: the current folder is out of reach (No such file or directory). Change to one "
        "that is there, as with cd ~\n"
    )
