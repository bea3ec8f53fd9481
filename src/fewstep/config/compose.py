"""Hydra's composition, with messages that name the fix. Nothing here imports torch."""

from __future__ import annotations

import copy
import operator
import re
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.util import find_spec
from typing import Any, cast

import omegaconf
from hydra import compose
from hydra.errors import HydraException
from omegaconf import DictConfig, ListConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from fewstep.config.explain import explained, no_logger, no_plugin
from fewstep.config.groups import at_least, initialized, search_path
from fewstep.config.names import network_part
from fewstep.config.own_conf import UNREADABLE, check_all, check_chosen
from fewstep.messages.errors import ConfigError, first_line


MANDATORY = {
    "dataset.root": "a folder with one folder of images a class, or a zip or tar of one",
    "subject_files.root": "a folder of .npz files, a subject each, with betas and embeddings",
    "checkpoint": "a .ckpt file, a run directory of fewstep train, or glyphs or omniglot",
}
"""What a value without a default is to be, for messages: by its key, or a dataset's name in it."""


_register: Callable[..., None] = (
    OmegaConf.register_resolver  # 2.4 gives an old name back to what it now means
    if at_least(omegaconf.__version__, 2, 4)
    else OmegaConf.register_new_resolver
)
_register("minus", operator.sub, replace=True)
"""`${minus:20,${point.tail_shots}}`: for keys of a sweep that follow from others."""

_register("network", network_part, replace=True)
"""`${network:MODEL,DATASET}`: tells runs of other networks by their names."""

FAILS = (ValueError, AssertionError)
"""What Hydra and OmegaConf raise beside errors of their own."""

PARTS = ("algorithm.inner", "algorithm.outer", "algorithm.eval")
"""Of the configuration, beside the groups."""

RESOLVERS = ("minus", "network", "now", "oc.select")
"""Those that our files use. Others tell of the user's environment, or are somebody's functions."""


def compose_config(name: str, overrides: Sequence[str], complete: bool = True) -> DictConfig:
    """The composed configuration `name` (train or evaluate); writes nothing.

    Raises:
        ConfigError: an unknown group, option or key, and where it is to be `complete`, a
            mandatory value that is missing or an interpolation that leads nowhere.
    """
    config = _compose(name, overrides, hydra=False)
    if complete:
        _check_complete(config)
    return config


def compose_run(name: str, overrides: Sequence[str]) -> DictConfig:
    """A configuration with Hydra's own part in it, as a run is started from.

    Raises:
        ConfigError: as `compose_config`, or a plugin that is not installed.
    """
    composed = compose_hydra(name, overrides)
    _check_complete(own_part(composed))
    return composed


def own_part(composed: DictConfig) -> DictConfig:
    """A configuration without Hydra's own part."""
    config = copy.copy(composed)
    with open_dict(config):
        del config["hydra"]
    return config


def compose_hydra(name: str, overrides: Sequence[str]) -> DictConfig:
    """A configuration that says besides what Hydra does: its launcher, its sweeper, its folders.

    Raises:
        ConfigError: as `compose_config`, or a plugin that is not installed.
    """
    config = _compose(name, overrides, hydra=True)
    for kind in ("launcher", "sweeper"):
        part = config.hydra.get(kind)
        if not isinstance(part, DictConfig) or not part.get("_target_"):
            raise ConfigError(
                f"hydra.{kind}={part}: is no {kind}. Choose one, for example hydra/{kind}=basic"
            )
        _check_plugin(f"hydra/{kind}={config.hydra.runtime.choices[f'hydra/{kind}']}", part)
    _check_verbose(config.hydra.verbose)
    return config


def _compose(name: str, overrides: Sequence[str], hydra: bool) -> DictConfig:
    check_chosen(overrides)
    words = [*search_path(), *overrides]
    with initialized():
        try:
            return compose(name, words, return_hydra_config=hydra)
        except (HydraException, OmegaConfBaseException, *FAILS, *UNREADABLE) as error:
            if not isinstance(error, HydraException) or not str(error):
                check_all()
            raise ConfigError(explained(name, list(overrides), error)) from None


def _check_plugin(choice: str, config: DictConfig) -> None:
    module = config._target_.rpartition(".")[0]
    if plugin := re.match(r"hydra_plugins\.hydra_([a-z]+)_", module):
        with suppress(ModuleNotFoundError):
            if find_spec(module):
                return
        raise ConfigError(no_plugin(choice, plugin.group(1)))


def _check_verbose(given: Any) -> None:
    """Refuse a module that is not there: Hydra would tell nothing more, and say nothing."""
    if isinstance(given, bool):
        return
    for name in given if isinstance(given, ListConfig) else [given]:
        top = name.partition(".")[0] if isinstance(name, str) else ""
        if not top.isidentifier() or not (top in sys.modules or find_spec(top)):
            raise ConfigError(
                f"hydra.verbose={given}: must be true, false or modules whose logs are wanted in "
                f"full, and there is no module {name}. For example hydra.verbose=[fewstep]"
            )


def _check_parts(config: DictConfig) -> None:
    """Refuse a value in the place of a part, and keys of a logger where none is chosen."""
    for part in PARTS:
        value = OmegaConf.select(config, part)
        if value is not None and not isinstance(value, DictConfig):
            raise ConfigError(
                f"{part}={value}: has keys of its own, which are given as {part}.KEY=VALUE. "
                "`fewstep train --cfg job` prints them"
            )
    logger = config.get("logger")
    # A run that is resumed has words which an earlier version took.
    if isinstance(logger, DictConfig) and "_target_" not in logger and not config.get("resume"):
        for name, value in plain(logger, resolve=False).items():
            raise ConfigError(no_logger(f"logger.{name}={value}"))


def _check_complete(config: DictConfig) -> None:
    _check_parts(config)
    try:
        missing = sorted(OmegaConf.missing_keys(config))
        OmegaConf.to_container(config, resolve=True)
    except OmegaConfBaseException as error:
        key = error.full_key or "configuration"
        raise ConfigError(f"{key}: {first_line(error)}. Give it a value, as {key}=...") from None
    for key in missing:
        own = key.replace("dataset", str(config.get("dataset", {}).get("name")), 1)
        what = MANDATORY.get(own) or MANDATORY.get(key, "it has no default")
        raise ConfigError(f"{key} is missing: {what}. Give it, as {key}=...")


def plain(config: DictConfig, resolve: bool = True) -> dict[str, Any]:
    """The configuration as plain dictionaries and lists, and resolved unless asked otherwise."""
    return cast(dict[str, Any], OmegaConf.to_container(config, resolve=resolve))
