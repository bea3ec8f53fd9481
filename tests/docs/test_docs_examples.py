"""The examples of the documentation train as they stand there."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from fewstep.commands import train


ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs" / "extend").glob("[!i]*.md"))
FILE = re.compile(r"^`([\w/]+\.(?:py|yaml))`\n\n```\w+\n(.*?)```", re.S | re.M)
SMALL = ["max_meta_iterations=3", "eval.tasks=4", "eval.curve_tasks=0", "eval.val_every=null"]
SMALL += ["eval.steps=3", "execution=serial"]  # threads trace a program first


def cases() -> list[object]:
    """The example of the README and the objective's are quick; the others are run by CI as well."""
    slow = {
        page: () if page.stem in ("algorithm", "objective") else pytest.mark.slow for page in PAGES
    }
    return [pytest.param(page, id=page.stem, marks=slow[page]) for page in PAGES]


@pytest.mark.slow
@pytest.mark.parametrize("page", cases())
def test_the_example_of_a_page_trains(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = page.read_text()
    files = FILE.findall(text)
    for name, content in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    monkeypatch.chdir(tmp_path)
    commands = re.findall(r"^fewstep train (.*)$", text, re.M)
    for command in commands:
        fewer = [] if "dataset=" in command else ["dataset.classes=60"]
        assert train.main([*shlex.split(command), *fewer, *SMALL]) == 0
    results = [*tmp_path.glob("outputs/runs/*/*/results.json")]
    assert len(results) == len(commands)
    assert {json.loads(file.read_text())["meta_iterations"] for file in results} == {3}
    modules = [name.removesuffix(".py") for name, _ in files if name.endswith(".py")]
    assert modules
    configs = "".join((file.parent / "config.yaml").read_text() for file in results)
    assert all(f"{module}." in configs for module in modules)


def test_there_is_a_page_for_everything_that_can_be_added() -> None:
    assert {page.stem for page in PAGES} >= {
        *("algorithm", "rule", "network", "dataset", "objective", "outer")
    }
