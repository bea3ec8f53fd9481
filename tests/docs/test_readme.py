"""The README is short, and what it shows is what works."""

from __future__ import annotations

import json
import re
from pathlib import Path

import yaml

import fewstep
from fewstep import report
from fewstep.report.reproduction import paper


ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()


def test_it_is_a_screen_and_a_half() -> None:
    assert len(README.splitlines()) < 110
    assert len(README.split()) < 900
    (commands,) = re.findall(r"## Use\n\n```sh\n(.*?)```", README, re.S)
    assert len(commands.splitlines()) == 6


def test_its_table_has_five_rows_of_the_result_files() -> None:
    known = set()
    for folder in ("omniglot_5w_reptile", "omniglot_5w_maml"):
        for match in paper.matches(report.rows(report.read([ROOT / "docs" / "results" / folder]))):
            budget = paper.published()["trainings"][match.cell["training"]]["meta_iterations"]
            told = f"{match.row['meta_iterations']:,} of {budget:,}"
            _, _, _, here, theirs, *_ = paper.grid([match])[1]
            shots = f"{match.cell['shots']}-shot"
            known.add(f"| {match.cell['row']} | {shots} | {here} | {theirs} | {told} |")
    (rows,) = re.findall(r"<!-- rows of: .* -->\n\|.*\n\|.*\n((?:\|.*\n)+)", README)
    assert len(rows.splitlines()) == 5
    assert not {*rows.splitlines()} - known


def test_its_example_is_that_of_the_page() -> None:
    def example(text: str) -> list[tuple[str, str]]:
        return re.findall(r"^`([\w/]+\.\w+)`\n\n```\w+\n(.*?)```", text, re.S | re.M)

    page = (ROOT / "docs" / "extend" / "algorithm.md").read_text()
    assert len(example(README)) == 2
    assert example(README) == example(page)[:2]


def test_the_citation_is_of_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == fewstep.__version__
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()


def test_contributing_names_what_ci_runs() -> None:
    told = (ROOT / "CONTRIBUTING.md").read_text()
    runs = re.findall(r"^ *make (\S+)$", (ROOT / ".ci" / "run").read_text(), re.M)
    assert runs
    assert all(f"make {target} " in told for target in runs)
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M)
    assert {*re.findall(r"make ([a-z-]+)", told + README)} - {"all"} <= {*targets}


def test_the_best_figures_are_those_of_their_file() -> None:
    files = (ROOT / "docs" / "results" / "omniglot_5w_best").glob("results_*_copies.json")
    trainings = [json.loads(file.read_text())["results"] for file in files]
    assert len(trainings) == 3
    for same in zip(*trainings, strict=True):
        lower = min(same, key=lambda result: result["acc"])
        assert f"{100 * lower['acc']:.2f} ± {100 * lower['acc_ci95']:.2f}" in README
