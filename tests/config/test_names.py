"""Names that become folders, and text that is shown."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from fewstep.commands import evaluate, train
from fewstep.config.compose import compose_config
from fewstep.config.groups import options
from fewstep.config.names import USUAL, check_name, network_part
from fewstep.messages.complaint import complain
from fewstep.messages.errors import ConfigError
from fewstep.messages.printable import caption, printable
from fewstep.run.construction.libraries import check_logger


BAD = ["../../x", "..", ".", "a/../b", "/abs", "a//b", "a/", "", "a\nb", "a\x1b[31m", "a\u202eb"]
BAD += [" a", "a ", "a\tb", "a\x00b", "a\\b", "x" * 256, "ä" * 128, "\ud800"]


@pytest.mark.parametrize("name", BAD)
def test_names_that_lead_elsewhere(name):
    for pieces in (True, False):
        with pytest.raises(
            ConfigError, match=r"^name=.*: must be a name.*For example name=my_name"
        ) as caught:
            check_name("name", name, pieces)
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 400


@pytest.mark.parametrize("name", ["reptile", "5w 1s", "größe", "a.b-c_d", "...a", "-x", "x" * 170])
def test_names_that_are_taken(name):
    check_name("name", name)
    check_name("name", f"group/{name}", pieces=True)
    with pytest.raises(ConfigError, match="must be a name without /"):
        check_name("name", f"group/{name}")


@pytest.mark.parametrize(
    ("main", "word"),
    [
        (train.main, "name=../../x"),
        (train.main, "name='a\nb'"),
        (train.main, "dataset.name=../../x"),
        (train.main, "dataset.name=a/b"),
        (train.main, "algorithm.name=../x"),
        (train.main, "name=/tmp/x"),
        (evaluate.main, "name=../x"),
    ],
)
def test_the_commands_refuse_them(tmp_path, monkeypatch, capfd, main, word):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", sys.argv)
    words = (
        ["checkpoint=x"] if main is evaluate.main else ["dataset=image_folder", "dataset.root=x"]
    )
    assert main([*words, word]) == 2
    said = capfd.readouterr().err
    assert ": must be a name" in said
    assert said.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("key", ["name", "version", "sub_dir"])
def test_tensorboard_stays_in_the_run_directory(key):
    config = {"_target_": "pytorch_lightning.loggers.TensorBoardLogger", key: "../../x"}
    with pytest.raises(ConfigError, match=rf"^logger\.{key}=\.\./\.\./x: must be a name"):
        check_logger(config)


def test_what_cannot_be_seen_is_spelled():
    assert printable("plain ± größe 漢字") == "plain ± größe 漢字"
    assert printable("a\x1b[31m\n\u202e\x9b\u200b\ufeff\ud800\U000e0041\xa0b") == (
        r"a\x1b[31m\n\u202e\x9b\u200b\ufeff\ud800\U000e0041" "\xa0b"
    )
    assert caption("_a$b$") == r" _a\$b\$"


def test_a_list_in_an_error_has_its_lines_and_names_in_it_make_none(capsys):
    assert complain(ValueError("2 files:\n  a\nb.png\n  c\x1b.png")) == 2
    assert capsys.readouterr().err == "fewstep: 2 files:\n  a\\nb.png\n  c\\x1b.png\n"


RESNET = "model._target_=torchvision.models.resnet18"


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ([], "reptile_glyphs_5w1s"),
        (["algorithm=maml", "shots=20w5s"], "maml_glyphs_20w5s"),
        (["model=omniglot_conv", "model.channels=8"], "reptile_glyphs_5w1s"),
        (["dataset=omniglot"], "reptile_omniglot_5w1s"),
        (["dataset=sine"], "reptile_sine_1w10s"),
        (["dataset=sine", "model.hidden=8"], "reptile_sine_1w10s"),
        (["dataset=image_folder", "dataset.root=x"], "reptile_image_folder_5w1s"),
        (["dataset=miniimagenet"], "reptile_miniimagenet_5w1s"),
        (["dataset=cifar_fs"], "reptile_cifar_fs_5w1s"),
        (["model=miniimagenet_conv"], "reptile_glyphs_5w1s_miniimagenetconv"),
        (
            ["dataset=omniglot", "model=maml_omniglot_conv"],
            "reptile_omniglot_5w1s_mamlomniglotconv",
        ),
        ([RESNET], "reptile_glyphs_5w1s_resnet18"),
        (["model._target_=my_net.Res_Net12"], "reptile_glyphs_5w1s_res_net12"),
        (["dataset._target_=mine.Data"], "reptile_glyphs_5w1s"),
        (["dataset._target_=mine.Data", RESNET], "reptile_glyphs_5w1s_resnet18"),
        (["experiment=quickstart", RESNET], "quickstart"),
        ([RESNET, "name=mine"], "mine"),
        (["~model._target_"], "reptile_glyphs_5w1s"),
    ],
)
def test_a_name_says_which_network_where_it_is_not_the_usual_one(words, name: str) -> None:
    assert compose_config("train", words).name == name


@pytest.mark.parametrize("dataset", [n for n in options("dataset") if n != "image_folder"])
def test_the_usual_network_of_a_dataset_is_the_one_that_its_file_chooses(dataset: str) -> None:
    config = compose_config("train", [f"dataset={dataset}", "++dataset.root=somewhere"])
    assert network_part(config.model._target_, config.dataset._target_) == ""
    assert (
        USUAL[config.dataset._target_.removeprefix("fewstep.data.")]
        == config.model._target_.rpartition(".")[2]
    )


@pytest.mark.parametrize("value", [True, float("nan"), ["a"], 3])
def test_a_dashboard_is_told_texts(value: Any) -> None:
    target = "fewstep.loggers.dashboard.Dashboard"
    with pytest.raises(ConfigError, match=r"^logger\.project=.*: must be a text"):
        check_logger({"_target_": target, "project": value})
    check_logger({"_target_": target, "project": "mine", "offline": None, "tags": ["a"]})
