"""The configuration's folders, its groups, and Hydra's composition in them."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import hydra
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from fewstep.config.own_conf import own_conf
from fewstep.messages.words import quoted


def at_least(version: str, major: int, minor: int) -> bool:
    """Whether a version is of this release or a later one, its release candidates included."""
    return tuple(map(int, version.split(".")[:2])) >= (major, minor)


VERSION_BASE: dict[str, Any] = {} if at_least(hydra.__version__, 1, 4) else {"version_base": "1.3"}
"""Hydra 1.3 is to behave as 1.3; from 1.4 on there is nothing to say."""


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


def initialized() -> AbstractContextManager:
    """Hydra's composition in our configuration; inside another one, a fresh start."""
    GlobalHydra.instance().clear()
    return initialize_config_dir(str(conf_dir()), **VERSION_BASE)


def options(group: str) -> list[str]:
    """The names that a group may be set to, in the checkout or package and in `./conf`."""
    files = (file for conf in (conf_dir(), own_conf()) for file in (conf / group).glob("*.yaml"))
    return sorted({file.stem for file in files if file.is_file()})


def groups() -> list[str]:
    """The groups of our own configuration, and those of Hydra's that it adds options to."""
    own = {folder.name for folder in conf_dir().iterdir() if folder.is_dir()}
    return sorted({*own, "hydra/launcher", "hydra/sweeper"} - {"hydra"})
