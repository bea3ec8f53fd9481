"""`fewstep train`: learn an initialization and test it."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def main(words: Sequence[str] | None = None) -> int:
    """Train as the overrides say; the exit status."""
    from fewstep.launch import Command, launch
    from fewstep.resume import resumed

    command = Command("train", check, settle, job, prepare=resumed)
    return launch(command, sys.argv[1:] if words is None else words)


def check(config: dict[str, Any]) -> None:
    """Refuse a configuration that cannot run, whatever the data.

    Raises:
        ConfigError: naming the key, the value, the limit and the fix.
    """
    from fewstep.capacity import check_capacity
    from fewstep.limits import check_sharing, check_training

    check_training(config)  # before torch is imported, which takes seconds
    check_sharing(config)
    check_capacity(config)
    from fewstep import config as builders

    builders.check(config)


def settle(config: dict[str, Any]) -> dict[str, str]:
    """Refuse what cannot run, before a run directory is made; overrides to add.

    Raises:
        ConfigError: naming the key, the value, the limit and the fix.
    """
    check(config)
    from fewstep import checkpoint, handover
    from fewstep import config as builders
    from fewstep.origin import resumed
    from fewstep.preflight import Preflight
    from fewstep.resumable import check_resumable
    from fewstep.trial import check_fixed, check_ways

    path = config["resume"] and checkpoint.find(config["resume"], key="resume")
    content = path and checkpoint.read(path, "resume")
    dataset = builders.build_dataset(config["dataset"])
    check_ways(dataset.task, config)
    splits = builders.open_splits(dataset, config)
    learner = builders.build_learner(config, dataset.task)
    check_fixed(learner)
    preflight = Preflight(learner, config)
    preflight.training(splits["train"])
    preflight.test(splits["test"])
    if not path:
        handover.keep(config, learner)
        return {}
    checkpoint.match(learner, content, path, "resume")
    checkpoint.same_recipe(config, content, path)
    check_resumable(learner, content, path)
    resumed(splits, config)
    added = {"resume": str(path.resolve())}
    if path.resolve().parent.name == "checkpoints":
        added["hydra.run.dir"] = str(path.resolve().parents[1])
    return added


def job(config: dict[str, Any], folder: Path, command: str) -> float | None:
    """Train in a run directory; what a sweeper is to go by."""
    from fewstep import ranks

    report = ranks.run("fewstep.training:train", config, folder, command)
    return objective(report, folder)


def objective(report: dict[str, Any], folder: Path) -> float | None:
    """The meta-validation accuracy (for regression the loss) of what a run reports.

    Of the best validation where that one is tested, else of the last; one that is not finite is
    the worst there is. None where there is none, or where another rank has the results.
    Never the meta-test: nothing is selected by it.
    """
    from fewstep.metrics_file import read_metrics

    if not report["results"]:
        return None
    first = report["results"][0]
    figure = "acc" if "acc" in first else "loss"
    if "selected_by" in first:
        return first["selected_by"][figure]
    _, rows = read_metrics(folder / "metrics.csv")
    last = next((row for row in reversed(rows) if f"val/{figure}" in row), None)
    if last is None:
        return None
    diverged = not all(math.isfinite(last.get(f"val/{n}", 0.0)) for n in ("acc", "loss"))
    return (0.0 if figure == "acc" else math.inf) if diverged else last[f"val/{figure}"]


if __name__ == "__main__":
    from fewstep import console

    sys.exit(console.run(main))
