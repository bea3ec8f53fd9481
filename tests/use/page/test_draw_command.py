"""`fewstep draw` itself: its words, a port in use, the missing extra, Ctrl-C."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import pytest

from fewstep import cli
from fewstep.commands import draw
from fewstep.use import loading
from fewstep.use.page import server


ROOT = Path(__file__).resolve().parents[3]


def refused(capsys, *words: str) -> str:
    """The one line that a command line gets."""
    assert cli.main(["draw", *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return err.strip()


def test_the_help_names_every_key(capsys):
    assert cli.main(["draw", "--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"  {key}=" in text for key in draw.KEYS)
    assert "'fewstep[web]'" in text


WORDS = {
    "prot=1": "fewstep: prot=1: fewstep draw takes key=value, and knows init, port, open, keep, ",
    "8000": "fewstep: 8000: fewstep draw takes key=value, and knows init, port, open, keep, ",
    "port=x": "fewstep: port=x: must be a whole number of at least 0. For example port=0",
    "port=-1": "fewstep: port=-1: must be a whole number of at least 0. For example port=0",
    "port=70000": "fewstep: port=70000: must be at most 65535. For example port=0",
    "open=yes": "fewstep: open=yes: must be true or false. For example open=true",
    "init=": "fewstep: init=: must be a text. For example init=omniglot",
    "init=x": "fewstep: init=x: there is no such initialization, run or checkpoint. Choose glyphs, "
    "omniglot, a run directory of fewstep train, or a .ckpt file",
    "init=timm:resnet18": "fewstep: init=timm:resnet18: is a network for photographs, and the page "
    "is for drawings. Choose glyphs, omniglot, a run directory of fewstep train, or a .ckpt file",
    "init=omniglto": "fewstep: init=omniglto: there is no such initialization, run or checkpoint. "
    "Did you mean omniglot?",
    "keep=/dev/null/x": "fewstep: keep=/dev/null/x: cannot be written to",
}


@pytest.mark.parametrize(("word", "line"), WORDS.items(), ids=WORDS)
def test_a_word_that_cannot_be_is_refused(word, line, capsys, monkeypatch):
    monkeypatch.setattr(server, "serve", lambda *_, **__: pytest.fail("it was taken"))
    assert refused(capsys, word).startswith(line)


def test_a_port_in_use_is_said(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = f"fewstep: port={port}: is in use. Use port=0, which takes a free one"
        assert refused(capsys, f"port={port}") == line


def test_without_the_extra_it_is_named(capsys, monkeypatch):
    monkeypatch.setattr(draw, "find_spec", lambda name: None)
    line = "fewstep: fewstep draw needs starlette and uvicorn: pip install 'fewstep[web]'"
    assert refused(capsys) == line


def test_an_initialization_for_rows_of_numbers_is_refused(capsys, monkeypatch):
    monkeypatch.setattr(loading, "trained", lambda *_: SimpleNamespace(preparation=None))
    line = "fewstep: init=rows: is for rows of numbers, not for drawings. For example init=omniglot"
    assert refused(capsys, "init=rows") == line


STAND_IN = """
import sys
from fewstep.processes import console
from fewstep.use.page.application import application
from fewstep.use.page.server import listener, serve
from tests.use.page.nearest import Nearest

console.run(lambda _: serve(application(Nearest(), "mine"), listener(0)) or print("ended") or 0)
"""
REAL = ["-m", "fewstep.cli", "draw", "open=false"]


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.parametrize(
    ("words", "number"),
    [
        pytest.param(REAL, signal.SIGINT, id="real-SIGINT"),
        pytest.param(["-c", STAND_IN], signal.SIGTERM, id="SIGTERM"),
    ],
)
def test_a_signal_ends_it_at_once_and_leaves_nothing(words, number, tmp_path):
    path = os.pathsep.join(filter(None, [str(ROOT), str(ROOT / "src")]))
    process = subprocess.Popen(
        [sys.executable, *words],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        address = process.stdout.readline().split()[0]
        assert address.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(address, timeout=20) as page:
            assert b"fewstep draw" in page.read()
        with socket.create_connection(("127.0.0.1", int(address.split(":")[2][:-1]))):
            process.send_signal(number)  # while a connection is open
            out, err = process.communicate(timeout=20)
    finally:
        process.kill()
        process.communicate()
    assert (process.returncode, err) == (0, "")
    assert out in ("ended\n", "stopped; nothing was kept\n")
    assert not [*tmp_path.iterdir()]
