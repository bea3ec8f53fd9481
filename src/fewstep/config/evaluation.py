"""What an evaluation may be asked for: its own keys, and which of them cannot go together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fewstep.config.checks import Check
from fewstep.config.limits import EVAL
from fewstep.messages.errors import ConfigError


BENCHMARKS = ("lake",)
EVALUATE = {
    "eval.split": Check(str, choices=("test", "val"), example="test"),
    "eval.trained_classes": Check(str, choices=("refuse", "leave_out"), example="refuse"),
    "benchmark": Check(str, choices=BENCHMARKS, optional=True, example="lake"),
    "other_data": Check(bool, example=True),
}
"""Keys that `evaluate` alone has, or that it has as well."""
OF_EVALUATION = {*EVAL, *EVALUATE, "eval.settings", "name", "execution", "trust", "checkpoint"}
OF_EVALUATION |= {"benchmark", "model", "shots", "algorithm", "logger"}  # nothing by default
"""All keys that an evaluation has, but those inside of the parts that it chooses."""


def check_tasks(config: Mapping[str, Any]) -> None:
    """Hold an evaluation's benchmark against what else says on which tasks it tests.

    Raises:
        ConfigError: naming both.
    """
    benchmark, test = config["benchmark"], config["eval"]
    if benchmark is None:
        return
    split = config["dataset"].get("split")
    others = {
        f"eval.manifest={test['manifest']}": test["manifest"] is not None,
        f"eval.split={test['split']}": test["split"] != "test",
        f"dataset.within={config['dataset'].get('within')}": bool(config["dataset"].get("within")),
    }
    if "_target_" not in config["dataset"]:  # else its file has chosen one
        others[f"dataset.split={split}"] = split not in (None, "background")
    for key, given in others.items():
        if given:
            raise ConfigError(
                f"benchmark={benchmark}, {key}: the benchmark is a list of tasks of its own. Leave "
                "one of them out"
            )
