"""What the pages show is what works: commands, links, tables, and the page of every part."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import pytest
import yaml

from fewstep import cli
from fewstep.commands import report as report_command
from fewstep.config.compose import compose_config
from fewstep.config.groups import options
from fewstep.core.rules import RULES


ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "docs"))
from making.figures import FIGURES, drawn  # noqa: E402
from making.parts import pages, refreshed  # noqa: E402

from lake.table import LENGTHS  # noqa: E402
from lake.table import OWN as CHALLENGE  # noqa: E402


PAGES = {str(page.relative_to(ROOT)): page.read_text() for page in pages()}
PAGES |= {"CONTRIBUTING.md": (ROOT / "CONTRIBUTING.md").read_text()}
ALL = "\n".join(PAGES.values())
OWN = re.compile(
    r"late_reptile|half_way|soft_sign|model=tiny|dataset=bars|dataset=saws|robust_sine|sign_outer"
)
"""Commands with parts of the reader's own, which test_docs_examples runs."""


def commands(name: str) -> list[str]:
    """Every command line of the pages, without its remark, once."""
    start = r"(?:fewstep|srun fewstep|  -m fewstep\.cli)"
    blocks = re.findall(rf"^{start} {name} (.*?)(?:\s+#.*)?$", ALL, re.M)
    inline = re.findall(rf"`fewstep {name} ([^`]*)`", ALL)
    return [*dict.fromkeys([*blocks, *inline])]


@pytest.mark.parametrize("name", FIGURES)
def test_the_figures_that_follow_from_results_are_shown_and_can_be_drawn(name) -> None:
    assert f"figures/{name}.png)" in ALL
    assert drawn(name).axes


@pytest.mark.slow
def test_every_training_composes() -> None:
    found = [c for c in commands("train") if not OWN.search(c) and "…" not in c]
    assert len(found) > 40
    choices = set()
    for command in found:
        words = [w for w in shlex.split(command) if "=" in w and "interval(" not in w]
        words = [w for w in words if "{" not in w and not w.startswith("key")]
        choices.add(tuple(re.sub(r"=([^,\[]+),.*", r"=\1", word) for word in words))
    for chosen in choices:
        compose_config("train", chosen)


def test_every_evaluation_composes() -> None:
    found = commands("evaluate")
    assert len(found) > 3
    for command in found:
        words = [word for word in shlex.split(command) if not word.startswith("-")]
        words = [word for word in words if word not in ("...", "logger=wandb")]
        if any(word.startswith("checkpoint=") for word in words):
            assert compose_config("evaluate", words).checkpoint


def test_every_report_is_understood() -> None:
    found = commands("report")
    assert len(found) > 4
    for command in found:
        assert report_command.options(shlex.split(command)).paths


def test_every_command_is_one() -> None:
    named = set(re.findall(r"^fewstep ([a-z]+)", ALL, re.M))
    assert named
    assert named <= {*cli.COMMANDS}


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
    lines = [line for line in ALL.splitlines() if line.startswith("|")]
    if group != "experiment":  # the paper's have a table of their own
        lines = [line for line in lines if line.startswith(f"| `{group}`")]
    named = set(re.findall(r"`([\w]+)`", " ".join(lines))) - {group}
    assert set(options(group)) - {"10p"} <= named


def test_every_rule_is_named() -> None:
    named = re.findall(r"^\| `(\w+)` \|", PAGES["docs/extend/rule.md"], re.M)
    assert set(named) == set(RULES)


def test_every_algorithm_has_a_card_and_every_page_a_place() -> None:
    cards = {page.stem for page in (ROOT / "docs" / "algorithms").glob("*.md")} - {"index", "lgd"}
    assert cards == set(options("algorithm"))  # lgd is MAML through a rule
    listed = (ROOT / "mkdocs.yml").read_text()
    for name in PAGES:
        if name.startswith("docs/"):
            assert f" {name.removeprefix('docs/')}\n" in listed, name


@pytest.mark.parametrize("name", PAGES)
def test_files_that_a_page_names_exist(name: str) -> None:
    folder = (ROOT / name).parent
    for link in re.findall(r"\]\(((?!http)[^)#]+)(?:#[^)]*)?\)", PAGES[name]):
        assert (folder / link).exists(), link


@pytest.mark.parametrize("name", PAGES)
def test_tables_of_results_are_what_the_files_say(name: str) -> None:
    assert refreshed(PAGES[name]) == PAGES[name]


def test_every_result_file_has_a_table() -> None:
    reports = " ".join(re.findall(r"<!-- fewstep report (.*) -->", ALL))
    named = set(re.findall(r"docs/results/(\S+)", reports)) | {"theory"}
    named |= {f"theory_{part}" for part in re.findall(r"<!-- fewstep theory (\w+) -->", ALL)}
    named |= {f"systems/{name}" for name in re.findall(r"<!-- systems (\w+) -->", ALL)}
    named |= {"family_rates"} if "<!-- family.rates -->" in ALL else set()
    if "<!-- lake challenge -->" in ALL and "<!-- lake within -->" in ALL:
        kinds = {f"{kind}{mark}" for kind in ("within", "across") for mark in LENGTHS}
        named |= {f"lake/{test}" for test in kinds | {*CHALLENGE}}
    results = ROOT / "docs" / "results"
    folders = {str(f.parent.relative_to(results)) for f in results.rglob("*.json")}
    assert folders <= named
    assert {name for name in named if not name.startswith("systems/")} <= folders
    assert ALL.count("<!-- fewstep theory -->") == 1


def test_a_system_is_a_few_files_with_as_many_lines_as_its_row_says() -> None:
    page = PAGES["docs/architecture.md"].partition("## What a system costs")[2]
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| ")]
    assert len(rows) == 8
    for system, own, lines, beside in rows[1:]:
        files = re.findall(r"`(\S+)`", own)
        assert length(files) == int(lines) <= 400, system
        assert len(files) <= 3, system
        for part in beside.split("; "):
            *named, told = part.split(", ")
            assert part == "a YAML" or length([n.strip("`") for n in named]) == int(told), part


def length(modules: list[str]) -> int:
    """Lines of some files of the package."""
    files = [ROOT / "src" / "fewstep" / f"{name}.py" for name in modules]
    return sum(len(file.read_text().splitlines()) for file in files)


def test_every_trap_that_the_code_names_has_a_place() -> None:
    page = PAGES["docs/traps.md"]
    told = {int(n) for n in re.findall(r'^<a id="trap-(\d+)"></a>$', page, re.M)}
    heads = {int(n) for n in re.findall(r"^## (\d+)\. ", page, re.M)}
    assert told == heads == set(range(1, 26))
    named = set()
    for folder in ("src", "tests"):
        for file in (ROOT / folder).rglob("*.py"):
            named |= {int(n) for n in re.findall(r"[Tt]raps? (\d+)", file.read_text())}
    assert named
    assert named <= told


def test_nothing_on_a_page_is_fetched_from_elsewhere() -> None:
    for name, text in PAGES.items():
        assert not re.search(r"!\[[^\]]*\]\(https?:|src=.https?:", text), name
