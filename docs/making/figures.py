"""The figures of the pages that follow from committed results, drawn as a report draws them."""

from __future__ import annotations

import json
from pathlib import Path

from matplotlib.figure import Figure

from fewstep import report
from fewstep.report.figures.pictures import draw
from fewstep.report.sections import sections
from fewstep.theory import figures as theory


ROOT = Path(__file__).resolve().parents[2]

THEORY = {"theory_alignment": "theory", "theory_estimators": "theory_estimators"}
"""The pictures of `fewstep theory`, each named by its folder and part, and the folder."""

FIGURES = {
    "gradient_combinations": ("gradient_combinations", "final"),
    "gradient_combinations_curves": ("gradient_combinations", "adaptation"),
    "overlap": ("overlap", "figure_4"),
    "sine_curves": ("sine", "adaptation"),
    "family": ("family", "final"),
    "family_full": ("family_full family_middle", "final"),
    "omniglot_5w_reptile_curves": ("omniglot_5w_reptile", "adaptation"),
}
"""The folders of results that a file of docs/figures follows from, and which picture of theirs."""


def redraw() -> None:
    """Draw every one of them anew."""
    to = ROOT / "docs" / "figures"
    for name in FIGURES:
        drawn(name).savefig(to / f"{name}.png", dpi=150, facecolor="white")
    for name, folder in THEORY.items():
        figures = json.loads((ROOT / "docs" / "results" / folder / "theory.json").read_text())
        part = name.removeprefix("theory_")
        (made,) = theory.draw(to, {part: figures[part]})
        made.replace(to / f"{name}.png")


def drawn(name: str) -> Figure:
    """One of them."""
    folders, picture = FIGURES[name]
    results = [ROOT / "docs" / "results" / folder for folder in folders.split()]
    (section,) = sections(report.read(results))
    return {found.name: found.figure for found in draw(section)}[picture]
