"""Trainings on the twenty runs of the Omniglot challenge, and within alphabets beside across.

    PYTHONPATH=benchmarks python -m lake.table

Prints both tables from docs/results/lake. An interval of the challenge is the two-way one over its
runs, as clusters of twenty decisions, and over trainings; a difference within a model, whose two
tests have tasks of their own, is over tasks and trainings.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fewstep import report
from fewstep.records.benchmarks import BACKGROUND, LAKE
from fewstep.report.statistics.contrast import contrast
from fewstep.report.statistics.intervals import difference
from fewstep.report.tables.best import Best
from fewstep.report.tables.formats import markdown_table
from fewstep.report.tables.table import Entry


RESULTS = Path(__file__).parents[2] / "docs" / "results" / "lake"
TURNED = "images_background, turned characters as classes"
COPIES = ", 9 copies of each picture"
WHOLE, SHORT = "30,000 episodes", "1,500 episodes"
OWN = {
    "challenge_whole": (WHOLE, "", TURNED),
    "challenge_whole_copies": (WHOLE, COPIES, TURNED),
    "challenge": (SHORT, "", TURNED),
    "challenge_copies": (SHORT, COPIES, TURNED),
    "challenge_upright": (SHORT, "", BACKGROUND),
    "challenge_upright_copies": (SHORT, COPIES, BACKGROUND),
}
"""By folder, how long the training was, what was done to the pictures of the test, and to the
characters of the training."""

LENGTHS = {"_whole": WHOLE, "": SHORT}
"""How the folders of tasks within alphabets and across them end."""


def challenge() -> str:
    """Errors in percent, least first, each with what its training used."""
    rows = [(100 * r["error"], f"{100 * r['error']:.1f}", r["name"], r["training"]) for r in LAKE]
    for folder, (length, tested, training) in OWN.items():
        (entries,) = measured(folder).values()
        found = contrast({"own": 1}, {"own": entries})
        error = 100 - found.mean
        name = f"Proto-FOMAML, {length}, 1 step{tested}, {len(entries)} trainings"
        half_up = error + 1e-9  # never in our favour
        rows.append((error, Best(f"{half_up:.1f} ± {found.half_width:.1f}"), name, training))
    return markdown_table([["errors, %", "who", "trained on"], *(row[1:] for row in sorted(rows))])


def within() -> str:
    """Accuracies in percent by ways: of one alphabet, of any, and the difference in each model."""
    lines = [["trainings", "ways", "within an alphabet", "across alphabets", "difference"]]
    for mark, length in LENGTHS.items():
        inside, across = measured(f"within{mark}"), measured(f"across{mark}")
        for ways in inside:
            curves = {"within": inside[ways], "across": across[ways]}
            each = [difference(contrast({name: 1}, curves)).removeprefix("+") for name in curves]
            apart = difference(contrast({"within": 1, "across": -1}, curves))
            lines.append([f"{len(inside[ways])} of {length}", str(ways), *each, apart])
    return markdown_table(lines)


def measured(folder: str) -> dict[int, Sequence[Entry]]:
    """Of each seed, by ways, in a folder of tests that differ by no more than these.

    Raises:
        ValueError: it has two rows of as many ways.
    """
    found = {}
    for row in report.rows(report.read([RESULTS / folder])):
        if row["ways"] in found:
            raise ValueError(f"docs/results/lake/{folder}: two rows of {row['ways']} ways")
        (found[row["ways"]],) = row.cells.values()
    return dict(sorted(found.items()))


if __name__ == "__main__":
    print(challenge(), within(), sep="\n\n")
