"""What the README shows is what works."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
import yaml

from fewstep import report
from fewstep.commands import report as report_command
from fewstep.commands import train
from fewstep.config.compose import compose_config, options
from fewstep.report import formats, paper


ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()


def test_the_algorithm_of_the_readme_trains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, block in re.findall(r"`([\w/]+\.(?:py|yaml))`\n\n```\w+\n(.*?)```", README, re.S):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block)
    assert (tmp_path / "late_reptile.py").exists()
    small = ["dataset.classes=60", "max_meta_iterations=3", "eval.tasks=4", "eval.val_every=null"]
    assert train.main(["algorithm=late_reptile", *small]) == 0
    (results,) = tmp_path.glob("outputs/runs/*/*/results.json")
    assert json.loads(results.read_text())["algorithm"] == "late_reptile"


def test_every_command_of_the_readme_composes() -> None:
    commands = re.findall(
        r"^(?:fewstep|srun fewstep|  -m fewstep\.cli) train (.*?)(?:\s+#.*)?$", README, re.M
    )
    assert len(commands) > 5
    for command in commands:
        words = [w for w in shlex.split(command) if "=" in w and "interval(" not in w]
        if "late_reptile" in command or "settings" in command:
            continue
        chosen = [re.sub(r"=([^,]+),.*", r"=\1", word) for word in words]
        compose_config("train", chosen)


def test_every_evaluation_of_the_readme_composes() -> None:
    commands = re.findall(r"^fewstep evaluate (.*?)(?:\s+#.*)?$", README, re.M)
    assert len(commands) > 0
    for command in commands:
        words = [word for word in shlex.split(command) if not word.startswith("-")]
        config = compose_config("evaluate", words)
        assert any(word.startswith("checkpoint=") for word in words)
        assert config.checkpoint


def test_every_report_of_the_readme_is_understood() -> None:
    commands = re.findall(r"^fewstep report (.*?)(?:\s+#.*)?$", README, re.M)
    assert len(commands) > 2
    for command in commands:
        assert report_command.options(shlex.split(command)).paths


def test_the_sweep_file_of_wandb_composes() -> None:
    sweep = yaml.safe_load((ROOT / "docs" / "wandb_sweep.yaml").read_text())
    command, last = sweep["command"][:-1], sweep["command"][-1]
    assert (command[:2], last) == (["fewstep", "train"], "${args_no_hyphens}")
    chosen = [f"{key}={values['values'][-1]}" for key, values in sweep["parameters"].items()]
    config = compose_config("train", [*command[2:], *chosen])
    assert (config.algorithm.name, config.algorithm.inner.lr, config.seed) == ("maml", 0.002, 3)
    assert config.logger.project == sweep["project"]


GROUPS = ["algorithm", "dataset", "experiment", "model", "logger", "shots", "sweep", "trainer"]


@pytest.mark.parametrize("group", GROUPS)
def test_the_table_of_groups_is_whole(group: str) -> None:
    lines = [line for line in README.splitlines() if line.startswith("|")]
    if group != "experiment":  # the paper's have a table of their own
        lines = [line for line in lines if line.startswith(f"| `{group}`")]
    named = set(re.findall(r"`([\w]+)`", " ".join(lines))) - {group}
    assert set(options(group)) - {"10p"} <= named


def test_files_that_the_readme_names_exist() -> None:
    links = re.findall(r"\]\(((?!http)[^)]+)\)", README)
    assert len(links) > 8
    for link in links:
        assert (ROOT / link).exists(), link


def test_the_results_are_what_the_result_files_say() -> None:
    tables = re.findall(r"<!-- fewstep report (\S+)( --paper)? -->\n((?:\|.*\n)+)", README)
    assert len(tables) >= 3
    for folder, beside_paper, table in tables:
        rows = report.rows(report.read([ROOT / folder]))
        lines = paper.grid(paper.matches(rows)) if beside_paper else formats.grid(rows)
        assert table.strip() == formats.markdown_table(lines), folder
    named = {folder for folder, *_ in tables}
    named |= {"docs/results/theory"}  # by test_theory_command
    assert named == {f"docs/results/{f.name}" for f in (ROOT / "docs" / "results").iterdir()}
