"""Tasks that were written down, in the place of those that are drawn: what cannot go together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fewstep.messages.errors import ConfigError


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
