"""What follows from the keys of a configuration, before a run is made: how long it is, what it
begins with, and what it is tested on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


Config = Mapping[str, Any]


def of_training(config: Config, words: Sequence[str] = ()) -> Config:
    """`max_meta_iterations` as the budget of a configuration has it, `init_sha256` of the weights
    that it starts from, and `manifest_sha256` of the list of tasks that it is tested on; nothing
    without these.

    Raises:
        ConfigError: a budget that is none or too small, or weights or a list that are not there; or
            `words` that say the length beside a budget, or of a list of tasks what is its own.
    """
    from fewstep.config.budget import LENGTH, asked, check_alone, check_budget
    from fewstep.config.evaluation import check_words

    check_words(config, words)
    found = dict(of_evaluation(config))
    if config.get("init") or config.get("init_sha256"):
        from fewstep.run.stored import starting

        found |= starting.sha256(config)
    check_budget(config)
    check_alone(config, words)
    if asked(config):
        from fewstep.run.construction.budget import meta_iterations

        found |= {LENGTH: meta_iterations(config)}
    return found


def of_evaluation(config: Config, words: Sequence[str] = ()) -> Config:
    """`manifest_sha256` of the list of tasks that is tested on; nothing without one.

    Raises:
        ConfigError: a list that is not there, or none, or not the one that it says.
    """
    test, wanted = config["eval"], config.get("manifest_sha256")
    name = test.get("manifest") if isinstance(test, Mapping) else None
    if not name and not wanted:
        return {}
    from fewstep.run.stored import task_list

    return task_list.sha256(name, wanted)
