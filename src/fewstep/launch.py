"""From a command line to a run directory: everything that can be refused is refused first.

Hydra makes the run directory before our code runs, so configuration, data and checkpoints are
settled here, before Hydra is asked to start.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from fewstep.checks import ConfigError
from fewstep.compose import compose_config, conf_dir, search_path


Config = dict[str, Any]
Job = Callable[[Config, Path, str], Any]
"""What runs in a run directory, given the resolved configuration and the user's command."""


def plain(config: DictConfig) -> Config:
    """The resolved configuration as plain dictionaries and lists."""
    return OmegaConf.to_container(config, resolve=True)  # pyright: ignore[reportReturnType]


def launch(
    name: str,
    arguments: Sequence[str],
    settle: Callable[[Config], Mapping[str, str]],
    job: Job,
) -> int:
    """Run a command (`train` or `evaluate`) and return its exit status.

    `settle` checks the composed configuration, raising `ConfigError`, and returns overrides to
    add. Flags of Hydra's own (`--cfg job`, `--multirun`, ...) are passed on to it.
    """
    overrides = [a for a in arguments if not a.startswith("-") and "=" in a]
    sweep = any(a in ("-m", "--multirun") for a in arguments)
    asks_hydra = any(a.startswith("-") and a not in ("-m", "--multirun") for a in arguments)
    added: list[str] = []
    try:
        if not (sweep or asks_hydra):
            extra = settle(plain(compose_config(name, overrides)))
            added = [f"{key}={value}" for key, value in extra.items()]
    except ConfigError as error:
        return complain(error)
    command = " ".join(["fewstep", name, *arguments])
    sys.argv = [f"fewstep-{name}", *arguments, *search_path(), *added]
    _hydra_main(name, command, settle if sweep else None, job)
    return 0


def complain(error: Exception) -> int:
    """Tell the user what to change, without a traceback; the exit status."""
    print(f"fewstep: {error}", file=sys.stderr)
    return 2


def _hydra_main(
    name: str, command: str, settle: Callable[[Config], Any] | None, job: Job
) -> None:
    @hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name=name)
    def start(composed: DictConfig) -> Any:
        config, folder = plain(composed), Path(HydraConfig.get().runtime.output_dir)
        try:
            if settle:  # a job of a sweep: its own values are known only now
                settle(config)
            (folder / "config.yaml").write_text(OmegaConf.to_yaml(config))
            return job(config, folder, command)
        except ConfigError as error:
            if HydraConfig.get().mode == RunMode.MULTIRUN:
                raise
            sys.exit(complain(error))

    os.environ.setdefault("HYDRA_FULL_ERROR", "0")
    start()
