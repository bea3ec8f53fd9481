"""Hydra's composition, with messages that name the fix. Nothing here imports torch."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException, MissingConfigException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from fewstep.checks import ConfigError, did_you_mean, flatten


def conf_dir() -> Path:
    """The configuration of the checkout where there is one, else of the installed package."""
    checkout = Path(__file__).resolve().parents[2] / "conf"
    return checkout if checkout.is_dir() else Path(__file__).resolve().parent / "conf"


def search_path() -> list[str]:
    """The override that lets a user of the installed package add options in `./conf`."""
    own = Path.cwd() / "conf"
    if not own.is_dir() or own.resolve() == conf_dir():
        return []
    return [f"hydra.searchpath=[file://{own}]"]


def compose_config(name: str, overrides: Sequence[str]) -> DictConfig:
    """The composed configuration `name` (train or evaluate); writes nothing.

    Raises:
        ConfigError: an unknown group, option or key, a value that does not parse, or a
            mandatory value that is missing.
    """
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        try:
            config = compose(name, [*search_path(), *overrides])
        except (HydraException, OmegaConfBaseException) as error:
            raise ConfigError(_explain(name, list(overrides), error)) from None
    for key in sorted(OmegaConf.missing_keys(config)):
        raise ConfigError(f"{key} is missing: it has no default. Give it, as {key}=...")
    try:
        OmegaConf.to_container(config, resolve=True)
    except OmegaConfBaseException as error:
        first = str(error).splitlines()[0]
        raise ConfigError(f"{error.full_key or 'configuration'}: {first}") from None
    return config


def options(group: str) -> list[str]:
    """The names that a group may be set to, in the checkout or package and in `./conf`."""
    folders = [conf_dir() / group, Path.cwd() / "conf" / group]
    return sorted({file.stem for folder in folders for file in folder.glob("*.yaml")})


def groups() -> list[str]:
    """The groups of our own configuration."""
    return sorted(folder.name for folder in conf_dir().iterdir() if folder.is_dir())


def _explain(name: str, overrides: list[str], error: Exception) -> str:
    """Hydra's complaint about one override, as key, value, limit and fix."""
    text = str(error)
    missing = re.search(r"Could not find '([\w/@.-]+)'", text)
    if isinstance(error, MissingConfigException) and missing:
        group, _, option = missing.group(1).rpartition("/")
        known = options(group)
        return (
            f"{group}={option}: there is no such {group}.{did_you_mean(option, known)} "
            f"Choose one of {', '.join(known)}, or add conf/{group}/{option}.yaml"
        )
    unknown = re.search(r"Could not override '([^']+)'", text)
    if unknown and text.startswith("Could not"):
        key = unknown.group(1)
        override = next((o for o in overrides if _key(o) == key), key)
        known = [*(k for k, _ in flatten(_defaults(name, overrides, override))), *groups()]
        return (
            f"{override}: there is no key {key}.{did_you_mean(key, known)} "
            f"`fewstep {name} --cfg job` prints every key; +{override} adds a new one"
        )
    override = next((o for o in overrides if o in text or f"'{_key(o)}'" in text), "")
    return ": ".join(part for part in (override, " ".join(text.split())) if part)


def _defaults(name: str, overrides: list[str], without: str) -> dict:
    """The configuration without the override that broke it: what its author may have meant."""
    rest = [o for o in overrides if o != without]
    try:
        return OmegaConf.to_container(compose(name, rest))  # pyright: ignore[reportReturnType]
    except (HydraException, OmegaConfBaseException):
        return OmegaConf.to_container(compose(name))  # pyright: ignore[reportReturnType]


def _key(override: str) -> str:
    return override.lstrip("+~").partition("=")[0]
