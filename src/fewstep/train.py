"""`fewstep train`: learn an initialization and test it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def main(arguments: Sequence[str] | None = None) -> int:
    """Train as the overrides say; the exit status."""
    from fewstep.launch import launch

    arguments = sys.argv[1:] if arguments is None else arguments
    return launch("train", arguments, settle, _job)


def settle(config: dict[str, Any]) -> dict[str, str]:
    """Refuse what cannot run, before a run directory is made; overrides to add.

    Raises:
        ConfigError: naming the key, the value, the limit and the fix.
    """
    from fewstep import checkpoint, config as builders

    builders.check(config)
    dataset = builders.build_dataset(config["dataset"])
    builders.open_splits(dataset, config)
    learner = builders.build_learner(config, dataset.task)
    if not config["resume"]:
        return {}
    path = checkpoint.find(config["resume"], key="resume")
    checkpoint.match(learner, checkpoint.read(path, "resume"), path, "resume")
    run = path.resolve().parents[1]
    return {"hydra.run.dir": str(run)} if path.resolve().parent.name == "checkpoints" else {}


def _job(config: dict[str, Any], folder: Path, command: str) -> float | None:
    from fewstep.training import train

    report = train(config, folder, command)
    return next((r.get("acc") for r in report["results"]), None)


if __name__ == "__main__":
    sys.exit(main())
