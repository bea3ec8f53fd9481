"""What an initialization says of itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fewstep.records.statistics.intervals import show


def card_text(about: Mapping[str, Any]) -> str:
    """A model card as text: what it is, how good, and where it does not help."""
    lines = [f"{about['name']}: {about['summary']}", ""]
    for title in ("command", "commit", "seed", "meta_iterations", "dataset", "device"):
        lines.append(f"{title.replace('_', ' '):<16} {about[title]}")
    lines += ["", "accuracy on classes that were not trained on", *_table(about["accuracy"])]
    if about.get("calibration"):
        lines += ["", f"calibration      {about['calibration']}"]
    return "\n".join([*lines, "", *(f"limits: {text}" for text in about["limits"])])


def _table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    head = f"  {'ways':>4} {'shots':>5} {'protocol':<13} {'tasks':>6}  accuracy"
    return [
        head,
        *(
            f"  {r['ways']:>4} {r['shots']:>5} {r['protocol']:<13} {r['tasks']:>6,}  {show(r)}"
            for r in rows
        ),
    ]


def run_card(content: Mapping[str, Any], where: str) -> str:
    """What there is to say of a training of the user's own."""
    config, done = content["fewstep"]["config"], content["fewstep"].get("meta_iteration", "?")
    return "\n".join(
        [
            f"{where}: {config['name']}",
            f"algorithm        {config['algorithm']['name']}, {done} meta-iterations",
            f"dataset          {config['dataset']['name']}",
            f"trained for      {config['shots']['ways']} ways",
            "accuracy         `fewstep evaluate` measures it",
        ]
    )
