"""Hydra's composition, with messages that name the fix. Nothing here imports torch."""

from __future__ import annotations

import copy
import operator
import re
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException, MissingConfigException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from fewstep.config.checks import flatten
from fewstep.config.own_conf import UNREADABLE, check_all, check_chosen, own_conf
from fewstep.messages.errors import ConfigError, did_you_mean
from fewstep.messages.words import quoted


MANDATORY = {
    "dataset.root": "a folder with one folder of images a class, or a zip or tar of one",
    "checkpoint": "a .ckpt file, or a run directory of fewstep train",
}
"""What a value without a default is to be, for messages."""

PLUGINS = ("joblib", "submitit", "ray", "optuna")
"""The extras that bring Hydra's plugins; a plugin's own options begin with these."""

OPEN = re.compile(r"(trainer|logger)\.|.*\.options\.")
"""Where keys may be added that our files do not have: what others' classes take."""

OmegaConf.register_new_resolver("minus", operator.sub, replace=True)
"""`${minus:20,${point.tail_shots}}`: for keys of a sweep that follow from others."""

RESOLVERS = ("minus", "now", "oc.select")
"""Those that our files use. Others tell of the user's environment, or are somebody's functions."""


def conf_dir() -> Path:
    """The configuration of the installed package, or of the checkout that it runs from."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "conf"
    return inside if inside.is_dir() else package.parents[1] / "conf"


def search_path() -> list[str]:
    """The override that lets a user of the installed package add options in `./conf`."""
    own = own_conf()
    if not own.is_dir() or own.resolve() == conf_dir():
        return []
    return [f"hydra.searchpath=[{quoted(f'file://{own}')}]"]


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
    check_plugins(config)
    return config


def check_plugins(config: DictConfig) -> None:
    """Refuse a launcher or sweeper whose plugin is not installed.

    Raises:
        ConfigError: naming the command that installs it.
    """
    for kind in ("launcher", "sweeper"):
        _check_plugin(
            f"hydra/{kind}={config.hydra.runtime.choices[f'hydra/{kind}']}", config.hydra[kind]
        )


def _compose(name: str, overrides: Sequence[str], hydra: bool) -> DictConfig:
    check_chosen(overrides)
    words = [*search_path(), *overrides]
    with initialized():
        try:
            return compose(name, words, return_hydra_config=hydra)
        except (HydraException, OmegaConfBaseException, ValueError, *UNREADABLE) as error:
            if not isinstance(error, HydraException) or not str(error):
                check_all()
            raise ConfigError(_explain(name, list(overrides), error)) from None


def _check_plugin(choice: str, config: DictConfig) -> None:
    module = config._target_.rpartition(".")[0]
    if plugin := re.match(r"hydra_plugins\.hydra_([a-z]+)_", module):
        with suppress(ModuleNotFoundError):
            if find_spec(module):
                return
        raise ConfigError(_no_plugin(choice, plugin.group(1)))


def _no_plugin(choice: str, extra: str) -> str:
    return f"{choice}: its plugin is not installed. Install it with pip install 'fewstep[{extra}]'"


def initialized() -> AbstractContextManager:
    """Hydra's composition in our configuration; inside another one, a fresh start."""
    GlobalHydra.instance().clear()
    return initialize_config_dir(str(conf_dir()), version_base="1.3")


def _check_complete(config: DictConfig) -> None:
    try:
        missing = sorted(OmegaConf.missing_keys(config))
        OmegaConf.to_container(config, resolve=True)
    except OmegaConfBaseException as error:
        key, first = error.full_key or "configuration", str(error).splitlines()[0]
        raise ConfigError(f"{key}: {first}. Give it a value, as {key}=...") from None
    for key in missing:
        what = MANDATORY.get(key, "it has no default")
        raise ConfigError(f"{key} is missing: {what}. Give it, as {key}=...")


def options(group: str) -> list[str]:
    """The names that a group may be set to, in the checkout or package and in `./conf`."""
    files = (file for conf in (conf_dir(), own_conf()) for file in (conf / group).glob("*.yaml"))
    return sorted({file.stem for file in files if file.is_file()})


def groups() -> list[str]:
    """The groups of our own configuration, and those of Hydra's that it adds options to."""
    own = {folder.name for folder in conf_dir().iterdir() if folder.is_dir()}
    return sorted({*own, "hydra/launcher", "hydra/sweeper"} - {"hydra"})


def foreign(name: str, override: str) -> str:
    """What to say of an override that a command other than train does not take."""
    with initialized():
        known = [key for key, _ in flatten(_defaults(name, [], ""))]
    hint = did_you_mean(_key(override), known)
    return (
        f"{override}: {name} keeps what the checkpoint was trained with, and takes settings of the "
        f"evaluation alone: {', '.join(k for k in known if k.startswith(('eval.', 'dataset.')))}, "
        f"name, execution, trainer, logger.{hint} To change what is trained, use fewstep train"
    )


def _explain(name: str, overrides: list[str], error: Exception) -> str:
    """Hydra's complaint about one override, as key, value, limit and fix."""
    text = str(error)
    missing = re.search(r"Could not find '([\w/@.-]+)'", text)
    if isinstance(error, MissingConfigException) and missing:
        group, _, option = missing.group(1).rpartition("/")
        if option.partition("_")[0] in PLUGINS and group in ("hydra/launcher", "hydra/sweeper"):
            chosen = next((o for o in overrides if o.startswith(group)), f"{group}={option}")
            return _no_plugin(chosen, option.partition("_")[0])
        known = options(group)
        return (
            f"{group}={option}: there is no such {group}.{did_you_mean(option, known)} "
            f"Choose one of {', '.join(known)}, or add conf/{group}/{option}.yaml"
        )
    unknown = re.search(r"Could not override '([^']+)'", text)
    if unknown and text.startswith("Could not"):
        key = unknown.group(1)
        override = next((o for o in overrides if _key(o) == key), key)
        if name != "train":
            return foreign(name, override)
        known = [*(k for k, _ in flatten(_defaults(name, overrides, override))), *groups()]
        if key in known:
            return f"{override}: gives {key} a new entry. Use +{key}.NAME=VALUE to add one"
        more = f"; +{override} adds it" if OPEN.match(key) else ""
        return (
            f"{override}: there is no key {key}.{did_you_mean(key, known)} "
            f"`fewstep {name} --cfg job` prints every key{more}"
        )
    override = next((o for o in overrides if o in text or f"'{_key(o)}'" in text), "")
    return ": ".join(part for part in (override, " ".join(text.split())) if part)


def _defaults(name: str, overrides: list[str], without: str) -> dict:
    """The configuration without the override that broke it: what its author may have meant."""
    rest = [o for o in overrides if o != without]
    try:
        return OmegaConf.to_container(compose(name, rest))  # pyright: ignore[reportReturnType]
    except (HydraException, OmegaConfBaseException, ValueError):
        return OmegaConf.to_container(compose(name))  # pyright: ignore[reportReturnType]


def _key(override: str) -> str:
    return override.lstrip("+~").partition("=")[0]


def plain(config: DictConfig) -> dict[str, Any]:
    """The resolved configuration as plain dictionaries and lists."""
    return OmegaConf.to_container(config, resolve=True)  # pyright: ignore[reportReturnType]
