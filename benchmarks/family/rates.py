"""python -m family.rates outputs/sweeps/family_rates   # keep what a sweep of outer rates has found

Meta-validation after trainings with each of three outer rates (`sweep=family_rates`): of each
algorithm the best is what `sweep=family` trains it with.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fewstep.records.metrics import read_metrics
from fewstep.records.results import write_json
from fewstep.report.tables.best import Best
from fewstep.report.tables.formats import markdown_table


FILE = Path(__file__).parents[2] / "docs" / "results" / "family_rates" / "rates.json"
SAME = ("command", "git_commit", "seed", "device", "dataset_split")
"""What all jobs of the sweep tell alike, as the file does once."""


def gathered(sweep: Path) -> dict[str, Any]:
    """The last meta-validation of each job, by algorithm and rate.

    Raises:
        ValueError: jobs of several sweeps, or one that was not validated.
    """
    jobs = sorted(sweep.glob("*/results.json"), key=lambda file: int(file.parent.name))
    told = [json.loads(file.read_text()) for file in jobs]
    (same,) = {json.dumps({name: one[name] for name in SAME}) for one in told}
    content: dict[str, Any] = json.loads(same)
    content["val_tasks"] = told[0]["config"]["eval"]["val_tasks"]
    content["rows"] = [_row(file.parent, one) for file, one in zip(jobs, told, strict=True)]
    return content


def _row(folder: Path, told: Mapping[str, Any]) -> dict[str, Any]:
    validated = [row for row in read_metrics(folder / "metrics.csv")[1] if "val/acc" in row]
    if not validated:
        raise ValueError(f"{folder}: was not validated")
    last = validated[-1]
    return {
        "label": told["label"],
        "lr": told["config"]["algorithm"]["outer"]["lr"],
        "meta_iterations": told["meta_iterations"],
        "gradients": told["gradients_taken"],
        "validated_at": last["meta_iteration"],
        "acc": last["val/acc"],
        "acc_ci95": last["val/acc_ci95"],
    }


def rates(content: Mapping[str, Any]) -> dict[str, dict[float, Mapping[str, Any]]]:
    """The rows by algorithm and rate, the smallest rate first."""
    found: dict[str, dict[float, Mapping[str, Any]]] = {}
    for row in sorted(content["rows"], key=lambda row: row["lr"]):
        found.setdefault(row["label"], {})[row["lr"]] = row
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


def best(tried: Mapping[float, Mapping[str, Any]]) -> float:
    """The rate with the highest accuracy; of equals the smaller one."""
    return max(tried, key=lambda rate: tried[rate]["acc"])


def table(content: Mapping[str, Any]) -> str:
    """Accuracies in percent, the best of each algorithm in bold."""
    lines = [["algorithm", "meta-iterations", "lowest rate", "middle rate", "highest rate"]]
    for label, tried in rates(content).items():
        chosen = best(tried)
        cells = []
        for rate, row in tried.items():
            cell = f"{rate:g}: {100 * row['acc']:.1f} ± {100 * row['acc_ci95']:.1f}"
            cells.append(Best(cell) if rate == chosen else cell)
        lines.append([label, f"{row['meta_iterations']:,}", *cells])
    return markdown_table(lines)


if __name__ == "__main__":
    FILE.parent.mkdir(exist_ok=True)
    write_json(FILE, gathered(Path(sys.argv[1])))
    print(table(json.loads(FILE.read_text())))
