"""What follows from the keys of a configuration, before a run is made: how long it is, what it
begins with, and what it is tested on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from fewstep.messages.errors import ConfigError


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
    found = dict(_task_list(config))
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
    """`checkpoint_sha256` of the file that is tested, and `manifest_sha256` of the list of tasks
    that it is tested on; nothing without these.

    Raises:
        ConfigError: one that is not there, or none, or not the one that it says.
    """
    return {**_checkpoint(config), **_task_list(config)}


def _task_list(config: Config) -> Config:
    test, wanted = config["eval"], config.get("manifest_sha256")
    name = test.get("manifest") if isinstance(test, Mapping) else None
    if not name and not wanted:
        return {}
    from fewstep.run.stored import task_list

    return task_list.sha256(name, wanted)


def _checkpoint(config: Config) -> Config:
    name, wanted = config.get("checkpoint"), config.get("checkpoint_sha256")
    if not isinstance(name, str) or not name:
        return {}
    from fewstep.run.stored import checkpoint, pinned

    try:
        file = checkpoint.find(name)
    except ConfigError:  # which is said where the rest is checked
        return {}
    try:
        found = sha256(file.read_bytes()).hexdigest()
    except OSError as error:
        raise ConfigError(
            f"checkpoint={name}: cannot be read ({error.strerror or error})"
        ) from None
    told = "is another file", "this evaluation is to be of", "that one"
    pinned.check(f"checkpoint={name}", found, "checkpoint_sha256", wanted, told)
    return {"checkpoint_sha256": found}
