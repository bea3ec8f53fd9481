"""Five trainings on the twenty runs of the Omniglot challenge, and within alphabets beside across.

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
from fewstep.report.contrast import Contrast, contrast
from fewstep.report.table import Entry


RESULTS = Path(__file__).parents[2] / "docs" / "results" / "lake"
TURNED = "images_background, turned characters as classes"
OWN = {"challenge": TURNED, "challenge_upright": BACKGROUND}
"""By folder, what was done to the characters of the training."""


def challenge() -> str:
    """Errors in percent, least first, each with what its training used."""
    rows = [(100 * r["error"], f"{100 * r['error']:.1f}", r["name"], r["training"]) for r in LAKE]
    for folder, training in OWN.items():
        for (_, steps), entries in measured(folder).items():
            found = contrast({"own": 1}, {"own": entries})
            step = "1 step" if steps == 1 else f"{steps} steps"
            name = f"Proto-FOMAML, {step}, {len(entries)} trainings"
            error = 100 - found.mean
            rows.append((error, f"**{error:.1f} ± {found.half_width:.1f}**", name, training))
    head = ["| errors, % | who | trained on |", "|---|---|---|"]
    return "\n".join([*head, *(f"| {e} | {who} | {how} |" for _, e, who, how in sorted(rows))])


def within() -> str:
    """Accuracies in percent by ways: of one alphabet, of any, and the difference in each model."""
    head = ["| ways | within an alphabet | across alphabets | difference |", "|---|---|---|---|"]
    inside, across = measured("within"), measured("across")
    rows = []
    for key in inside:
        curves = {"within": inside[key], "across": across[key]}
        cells = [_show(contrast({name: 1}, curves)) for name in curves]
        apart = _show(contrast({"within": 1, "across": -1}, curves), "+")
        rows.append(f"| {key[0]} | {cells[0]} | {cells[1]} | {apart} |")
    return "\n".join([*head, *rows])


def measured(folder: str) -> dict[tuple[int, int], Sequence[Entry]]:
    """Of each seed, by ways and steps."""
    rows = report.rows(report.read([RESULTS / folder]))
    found = {}
    for row in rows:
        (entries,) = row.cells.values()
        found[row["ways"], row["steps"]] = entries
    return dict(sorted(found.items()))


def _show(found: Contrast, sign: str = "") -> str:
    return f"{found.mean:{sign}.2f} ± {found.half_width:.2f}"


if __name__ == "__main__":
    print(challenge(), within(), sep="\n\n")
