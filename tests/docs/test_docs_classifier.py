"""The page from photographs to an ONNX file, followed as it is written."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from fewstep import cli


ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "classifier.md").read_text()
PHOTOGRAPHS = Path(os.environ.get("FEWSTEP_DATA", "none"), "caltech84.zip")
CLASSES = ("anchor", "dragonfly", "helicopter", "kangaroo", "sunflower", "windsor_chair")


def unpack(folder: Path) -> None:
    """Six classes: five photographs of each to adapt to, and six others."""
    with zipfile.ZipFile(PHOTOGRAPHS) as packed:
        for name in CLASSES:
            inside = sorted(n for n in packed.namelist() if f"/{name}/" in f"/{n}" and n[-1] != "/")
            for i, member in enumerate(inside[:11]):
                file = folder / ("photos" if i < 5 else "others") / name / Path(member).name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(packed.read(member))


@pytest.mark.slow
@pytest.mark.skipif(not PHOTOGRAPHS.exists(), reason="$FEWSTEP_DATA has no caltech84.zip")
def test_the_page_is_followed_from_photographs_to_onnx(tmp_path, monkeypatch) -> None:
    unpack(tmp_path)
    monkeypatch.chdir(tmp_path)
    commands = re.findall(r"^(fewstep .*|python .*)$", PAGE, re.M)
    assert [command.split()[1] for command in commands[:3]] == ["adapt", "predict", "export"]
    for command in commands:
        program, *words = shlex.split(command)
        if program == "python":
            words = [w for word in words for w in (sorted(map(str, Path().glob(word))) or [word])]
            done = subprocess.run([sys.executable, *words], capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            assert done.stdout.count("\n") == 6
            continue
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            assert cli.main(words) == 0, command
    assert {"classifier.json", "weights.safetensors", "expected.png"} <= {
        file.name for file in Path("mine").iterdir()
    }
    lines = Path("found.csv").read_text().splitlines()
    assert len(lines) == 37
    right = sum(line.split(",")[1] == Path(line.split(",")[0]).parent.name for line in lines[1:])
    assert right > 9  # six by chance


@pytest.mark.slow
def test_the_python_of_the_page_runs(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    drawings = np.random.default_rng(0).integers(0, 256, (8, 40, 40)).astype(np.uint8)
    given = {"images": drawings[:6], "labels": [1, 2, "c", 1, 2, "c"], "others": drawings[6:]}
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(code, given)
    assert "expected accuracy" in said.getvalue()
    assert "omniglot: handwritten characters" in said.getvalue()
