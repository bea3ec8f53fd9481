"""What the cards of the algorithms say of the family follows from its files."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from fewstep import report
from fewstep.report.statistics import baseline
from fewstep.report.statistics.contrast import contrast
from fewstep.report.statistics.intervals import difference, estimate


ROOT = Path(__file__).resolve().parents[2]

CARDS = {
    "anil": ["ANIL"],
    "binomial": [f"BinomMAML {k} [outer learning rate 0.001]" for k in (1, 2)],
    "boil": ["BOIL"],
    "eigen_reptile": ["Eigen-Reptile"],
    "imaml": ["implicit MAML [outer learning rate 0.01]"],
    "mamlpp": ["MAML++"],
    "metasgd": ["Meta-SGD"],
    "sign_maml": ["Sign-MAML"],
    "truncated": ["truncated MAML 1"],
}
"""The pages that say so, with the labels that they speak of."""

AGAINST, PROTOCOL = "MAML", "inductive"


@cache
def rows() -> dict[str, report.Row]:
    folders = [ROOT / "docs" / "results" / name for name in ("family_full", "family_middle")]
    return {row.columns["run"]: row for row in report.rows(report.read(folders))}


@cache
def differences() -> dict[str, tuple[str, str]]:
    """The difference and the verdict of each label."""
    head, *lines = baseline.compared(list(rows().values()), AGAINST)
    told = [dict(zip(head, line, strict=True)) for line in lines]
    return {
        one["row"]: (one["difference"], one["verdict"])
        for one in told
        if one["protocol"] == PROTOCOL
    }


def figure(label: str) -> str:
    found = estimate(rows()[label].cells[PROTOCOL])
    return f"{found.mean:.2f} ± {found.tasks:.2f}"


def paragraph(card: str) -> str:
    """The one that tells of it, in one line."""
    text = (ROOT / "docs" / "algorithms" / f"{card}.md").read_text()
    (found,) = (part for part in text.split("\n\n") if "of `sweep=family`" in part)
    return " ".join(found.split())


def test_every_card_that_tells_a_figure_of_the_family_is_looked_at() -> None:
    pages = (ROOT / "docs" / "algorithms").glob("*.md")
    assert {page.stem for page in pages if "task by task" in page.read_text()} == {*CARDS}


@pytest.mark.parametrize("card", CARDS)
def test_the_figures_of_a_card_are_those_of_the_files(card: str) -> None:
    text, labels = paragraph(card), CARDS[card]
    assert all(figure(label) in text for label in labels)
    assert f"MAML has {figure(AGAINST)}" in text
    told = " and ".join(differences()[label][0] for label in labels)
    sentence = text[text.index("task by task") :].partition(":")[0]
    assert sentence.startswith(f"task by task {told} points")
    verdicts = {differences()[label][1] for label in labels}
    said = {"worse": "worse", "better": "better", "not told apart": "told apart"}
    assert [verdict for verdict, words in said.items() if words in sentence] == list(verdicts)
    assert not re.findall(r"[+-]\d+\.\d+ ± \d", text.replace(told, "")), (
        "a figure that nobody checks"
    )


def test_how_far_cavia_is_from_maml_is_what_the_files_say() -> None:
    found = report.rows(report.read([ROOT / "docs" / "results" / "cavia"]))
    trained = [row for row in found if row["init"] == "trained"]
    curves = {row["algorithm"]: next(iter(row.cells.values())) for row in trained}
    own = contrast({"cavia": 1, "maml": -1}, curves)
    text = (ROOT / "docs" / "algorithms" / "cavia.md").read_text()
    assert f"{difference(own, 4)} from MAML (three seeds, p = {own.p:.3f})" in text
