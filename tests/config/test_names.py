"""Names that become folders, and text that is shown."""

from __future__ import annotations

import sys

import pytest

from fewstep.commands import evaluate, train
from fewstep.config.names import check_name
from fewstep.messages.complaint import complain
from fewstep.messages.errors import ConfigError
from fewstep.messages.printable import caption, printable
from fewstep.run.libraries import check_logger


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
    assert printable("a\nb\x07", keep="\n") == "a\nb" + r"\x07"
    assert caption("_a$b$") == r" _a\$b\$"


def test_a_list_in_an_error_has_its_lines_and_names_in_it_make_none(capsys):
    assert complain(ValueError("2 files:\n  a\nb.png\n  c\x1b.png")) == 2
    assert capsys.readouterr().err == "fewstep: 2 files:\n  a\\nb.png\n  c\\x1b.png\n"
