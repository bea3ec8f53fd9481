"""What a shell sees: pipes that nobody reads, closed streams, modules that shadow Python's own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from fewstep.config.compose import compose_config
from fewstep.config.groups import options
from fewstep.messages.errors import ConfigError
from fewstep.processes import children


pytestmark = pytest.mark.process


COMMAND = f"{sys.executable} -P -m fewstep.cli"


def shell(line: str, where: Path) -> tuple[list[int], str]:
    """The statuses of the commands in a pipe, and what came to the file `err` or to stderr."""
    text = f'{line}\necho "${{PIPESTATUS[@]}}" >status'
    done = subprocess.run(["bash", "-c", text], cwd=where, capture_output=True, text=True)
    said = (where / "err").read_text() if (where / "err").exists() else ""
    return [int(word) for word in (where / "status").read_text().split()], said + done.stderr


# --- streams


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        ("--help 2>err | head -0", 0, ""),
        ("train --help 2>err | head -1 >/dev/null", 0, ""),
        ("--help >&- 2>err", 0, ""),
        ("--help >/dev/full 2>err", 1, "fewstep: the output is lost (No space left on device)\n"),
        ("nonsense 2>&-", 2, ""),
        ("nonsense <&- >&- 2>&-", 2, ""),
        ("train sed=1 2>err | head -0", 2, "fewstep: sed=1: there is no key sed."),
        ("train --cfg job 2>err | head -1 >/dev/null", 0, ""),
        ("report nowhere 2>&1 | head -0", 2, ""),
    ],
)
def test_nobody_who_reads_is_nobodys_error(words, status, says, tmp_path):
    statuses, said = shell(f"{COMMAND} {words}", tmp_path)
    assert statuses[0] == status
    assert said.startswith(says)
    assert bool(said) == bool(says)


ASCII = ("LC_ALL=C PYTHONUTF8=0 PYTHONCOERCECLOCALE=0", "PYTHONIOENCODING=ascii")


@pytest.mark.parametrize("setting", ASCII)
def test_what_a_terminal_cannot_write_is_spelled(setting, tmp_path):
    code = (
        "import sys; from pathlib import Path; from fewstep.processes import console\n"
        "from fewstep.records.results import read_per_task, write_json\n"
        "def main(words):\n"
        "    write_json(Path('a.json'), {'name': '\u00b1'}); print('80 \u00b1 2')\n"
        "    return print('\u00b1', file=sys.stderr) or 0\n"
        "sys.exit(console.run(main))"
    )
    (tmp_path / "it.py").write_text(code, encoding="utf-8")
    assert shell(f"{setting} {sys.executable} it.py >out 2>err", tmp_path) == ([0], "\\xb1\n")
    assert (tmp_path / "out").read_text() == "80 \\xb1 2\n"


def test_another_spelling_that_was_asked_for_is_kept(tmp_path):
    (tmp_path / "it.py").write_text(
        "import sys; from fewstep.processes import console\n"
        "sys.exit(console.run(lambda words: print('\u00b1') or 0))"
    )
    line = f"PYTHONIOENCODING=ascii:replace {sys.executable} it.py >out"
    assert shell(line, tmp_path) == ([0], "")
    assert (tmp_path / "out").read_text() == "?\n"


@pytest.mark.slow
@pytest.mark.parametrize("streams", ["2>err | head -0", ">&- 2>&- <&-", "2>&1 | head -1"])
def test_a_training_that_nobody_reads_reaches_its_end(streams, tmp_path):
    words = "trainer=cpu dataset.classes=60 model.channels=4 meta_batch=2 eval.tasks=2"
    words += " eval.steps=1 eval.curve_tasks=2 max_meta_iterations=2 eval.val_every=null"
    statuses, said = shell(f"{COMMAND} train {words} hydra.run.dir=run {streams}", tmp_path)
    assert statuses[0] == 0
    assert "Traceback" not in said
    assert (tmp_path / "run" / "results.json").exists()


def test_the_file_that_is_opened_next_does_not_take_a_closed_streams_number(tmp_path):
    code = (
        "import sys; from fewstep.processes import console\n"
        "def main(words):\n"
        "    with open('data', 'w') as file: file.flush(); print('text'); sys.stdout.flush()\n"
        "    return 0\n"
        "sys.exit(console.run(main))"
    )
    (tmp_path / "it.py").write_text(code)
    assert shell(f"{sys.executable} it.py >&- 2>&- <&-", tmp_path) == ([0], "")
    assert (tmp_path / "data").read_text() == ""


# --- modules of the working directory


SHADOWS = ("types", "random", "json", "torch", "signal", "numpy", "yaml")


@pytest.fixture
def shadowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with modules that must not be imported, and one that must be found."""
    for name in SHADOWS:
        (tmp_path / f"{name}.py").write_text("raise ImportError('a user has a file of this name')")
    imports = f"import {', '.join(name for name in SHADOWS if name != 'torch')}\n"
    (tmp_path / "mine_too.py").write_text(f"{imports}print('found', flush=True)")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    children.here_last()
    return tmp_path


def test_the_working_directory_comes_last(shadowed):
    assert sys.path[-1] == str(shadowed)
    assert str(shadowed) not in sys.path[:-1]


def test_a_process_of_ours_finds_pythons_modules_and_the_users(shadowed, capfd):
    with children.start("mine_too", [], {}) as child:
        assert child.wait() == 0
    assert capfd.readouterr().out == "found\n"


def test_so_does_a_process_that_a_launcher_starts(shadowed):
    before = dict(os.environ)
    with children.same_modules():
        words = [sys.executable, "-m", "mine_too"]
        done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "found\n"
    assert dict(os.environ) == before


TINY = [
    *("trainer=cpu", "dataset.classes=60", "model.channels=4", "meta_batch=2", "eval.tasks=4"),
    *("eval.steps=1", "eval.curve_tasks=2", "max_meta_iterations=2", "eval.val_every=null"),
    *("algorithm=mine", "execution=serial"),
]
LAUNCHERS = {
    "ranks": ["trainer=ddp_cpu", "hydra.run.dir=run"],
    "basic": ["-m", "seed=1,2", "hydra.sweep.dir=run"],
    "joblib": ["-m", "seed=1,2", "hydra.sweep.dir=run", "hydra/launcher=local_joblib"],
    "submitit": ["-m", "seed=1,2", "hydra.sweep.dir=run", "hydra/launcher=local_submitit"],
}


@pytest.mark.slow
@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_every_launcher_does(launcher: str, shadowed: Path) -> None:
    tiny = [word for word in TINY if launcher != "ranks" or word != "trainer=cpu"]
    words: Sequence[str] = [*tiny, *LAUNCHERS[launcher]]
    (shadowed / "conf" / "algorithm").mkdir(parents=True)
    recipe = "defaults: [reptile]\nname: mine\n_target_: mine.Mine\n"
    (shadowed / "conf" / "algorithm" / "mine.yaml").write_text(recipe)
    mine = "from fewstep.algorithms.reptile import Reptile\n\nclass Mine(Reptile):\n    pass\n"
    (shadowed / "mine.py").write_text(mine)
    command = [sys.executable, "-P", "-m", "fewstep.cli", "train", *words]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(list((shadowed / "run").rglob("results.json"))) == (1 if launcher == "ranks" else 2)


# --- files in ./conf


BROKEN = {
    "syntax": (b"a: [1\n", "line 2: expected ',' or ']'"),
    "tabs": (b"a:\n\t- b: 1\n", "line 2: found character '\\t' that cannot start any token (a tab"),
    "twice": (b"name: x\nname: y\n", "line 2: found duplicate key name"),
    "alias": (b"a: *x\n", "line 1: found undefined alias 'x'"),
    "code": (b"a: !!python/object/apply:os.system [id]\n", "line 1: could not determine"),
    "interpolation": (b"name: ${nope\n", "'${nope'"),
    "list": (b"- 1\n- 2\n", "holds a list, and must hold keys with their values"),
    "scalar": (b"hello\n", "holds a single value, and must hold keys"),
    "number": (b"3: 4\n", "the key 3 is no name. Put it into quotes"),
    "null": (b"null: 4\n", "Incompatible key type"),
    "binary": (bytes(range(256)), "is no text in UTF-8. Save it as one"),
    "latin": ("name: caf\xe9\n".encode("latin-1"), "is no text in UTF-8"),
    "utf16": ("name: x\n".encode("utf-16"), "is no text in UTF-8"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_named(name, tmp_path, monkeypatch):
    content, reason = BROKEN[name]
    refused(name, reason, tmp_path, monkeypatch, lambda file: file.write_bytes(content))


def test_what_is_no_file_is_named(tmp_path, monkeypatch):
    refused("folder", "cannot be read (Is a directory)", tmp_path, monkeypatch, Path.mkdir)
    assert "folder" not in options("experiment")
    refused("link", "(No such file", tmp_path, monkeypatch, lambda f: f.symlink_to("/nowhere/x"))


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_file_without_permission_is_named(tmp_path, monkeypatch):
    refused("mine", "(Permission denied)", tmp_path, monkeypatch, lambda file: file.touch(0))


def refused(name, reason, where, monkeypatch, make) -> None:
    monkeypatch.chdir(where)
    file = where / "conf" / "experiment" / f"{name}.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    make(file)
    with pytest.raises(ConfigError) as refusal:
        compose_config("train", [f"experiment={name}"])
    assert str(refusal.value).startswith(str(file))
    assert reason in str(refusal.value)
    assert "\n" not in str(refusal.value)
    compose_config("train", ["experiment=sine"])  # it is in nobody's way


def test_a_broken_file_that_another_one_names_is_found(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "conf" / "experiment"
    folder.mkdir(parents=True)
    (folder / "first.yaml").write_text("defaults:\n  - second\n")
    (folder / "second.yaml").write_text("a: [1\n")
    with pytest.raises(ConfigError, match=r"second.yaml, line 2: expected"):
        compose_config("train", ["experiment=first"])
