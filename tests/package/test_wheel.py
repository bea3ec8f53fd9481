"""The wheel: everything is in it, and it works from any folder, with options of the user's own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from fewstep.config.groups import conf_dir


ROOT = Path(__file__).resolve().parents[2]

pytestmark = [pytest.mark.slow, pytest.mark.alone, pytest.mark.process]

MINE_YAML = """\
defaults:
  - reptile
name: mine
_target_: mine.Halfway
share: 0.5
"""
MINE_PY = '''\
"""Reptile that trusts its tasks half as much."""

from dataclasses import dataclass

from fewstep.algorithms.reptile import Reptile


@dataclass(frozen=True)
class Halfway(Reptile):
    share: float = 0.5

    def direction(self, problem, start, episode):
        direction, state, metrics = super().direction(problem, start, episode)
        return {name: self.share * d for name, d in direction.items()}, state, metrics
'''
TINY = """dataset.classes=60 model.channels=4 meta_batch=2 max_meta_iterations=2 eval.tasks=4
eval.steps=2 eval.val_every=null trainer=cpu execution=serial"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(folder)]
    done = subprocess.run([*build, str(ROOT)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("fewstep-*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def python(installed: Path, where: Path, *words: str) -> subprocess.CompletedProcess:
    """Run the wheel's package, and not the checkout's, in a folder."""
    env = {**os.environ, "PYTHONPATH": str(installed)}
    return subprocess.run(
        [sys.executable, *words], cwd=where, env=env, capture_output=True, text=True, timeout=300
    )


def test_the_wheel_has_what_the_package_reads(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    ours = [p.relative_to(conf_dir()) for p in conf_dir().rglob("*.yaml")]
    assert len(ours) > 20
    assert {f"fewstep/conf/{path.as_posix()}" for path in ours} <= names
    for dataset in ("cifar_fs", "miniimagenet"):
        for split in ("train", "val", "test"):
            assert f"fewstep/data/splits/{dataset}_{split}.txt" in names
    assert any(name.endswith("/entry_points.txt") for name in names)
    assert any(name.endswith("/LICENSE") for name in names)
    assert not [name for name in names if name.startswith(("tests", "benchmarks", "outputs"))]


def test_the_wheel_reads_its_own_configuration(installed, tmp_path):
    code = "import fewstep.config.groups as c; print(c.__file__, c.conf_dir())"
    file, conf = python(installed, tmp_path, "-c", code).stdout.split()
    assert file == str(installed / "fewstep" / "config" / "groups.py")
    assert conf == str(installed / "fewstep" / "conf")
    done = python(installed, tmp_path, "-m", "fewstep.cli", "train", "--cfg", "job")
    assert done.returncode == 0, done.stderr
    assert "name: reptile" in done.stdout
    assert not list(tmp_path.iterdir())


def test_an_algorithm_of_ones_own_is_one_file_and_one_yaml(installed, tmp_path):
    (tmp_path / "conf" / "algorithm").mkdir(parents=True)
    (tmp_path / "conf" / "algorithm" / "mine.yaml").write_text(MINE_YAML)
    (tmp_path / "mine.py").write_text(MINE_PY)
    help_text = python(installed, tmp_path, "-m", "fewstep.cli", "train", "--help").stdout
    assert ", mine, " in help_text

    # By its entry point, which unlike `python -m` does not look for modules in this folder.
    run = "import sys; sys.path.remove(''); from fewstep.cli import main; sys.exit(main())"
    words = ["train", "algorithm=mine", *TINY.split()]
    done = python(installed, tmp_path, "-c", run, *words)
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "outputs" / "runs").glob("*/*")
    results = json.loads((folder / "results.json").read_text())
    assert results["algorithm"] == "mine"
    assert results["meta_iterations"] == 2
    assert "fewstep train algorithm=mine" in results["command"]

    refused = python(installed, tmp_path, "-c", run, *words, "algorithm.share=half")
    assert refused.returncode == 2
    assert "algorithm.share=half: must be a number" in refused.stderr
