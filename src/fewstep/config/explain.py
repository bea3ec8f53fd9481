"""What Hydra says of an override, as key, value, limit and fix."""

from __future__ import annotations

import inspect
import re
from contextlib import suppress
from typing import cast

from hydra import compose
from hydra.errors import HydraException, MissingConfigException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from fewstep.config.checks import NOUNS, flatten
from fewstep.config.groups import groups, initialized, options
from fewstep.config.instantiate import locate
from fewstep.config.limits import LATER
from fewstep.messages.errors import ConfigError, did_you_mean, first_line
from fewstep.messages.words import overridden, typed


PLUGINS = ("joblib", "submitit", "ray", "optuna")
"""The extras that bring Hydra's plugins; a plugin's own options begin with these."""


AXES = "hydra.sweeper.params."

OF_TRAINING = ("model", "shots", "algorithm")
"""What an evaluation keeps as the checkpoint has it."""

OPEN = re.compile(r"(trainer|logger)\.|.*\.options\.")
"""Where keys may be added that our files do not have: what others' classes take."""


def no_plugin(choice: str, extra: str) -> str:
    """What to say of a launcher or sweeper whose plugin is missing."""
    return f"{choice}: its plugin is not installed. Install it with pip install 'fewstep[{extra}]'"


def foreign(name: str, override: str) -> str:
    """What to say of an override that a command other than train does not take."""
    with initialized():
        found = [key for key, _ in flatten(_defaults(name, [], ""))]
    known = [key for key in found if key not in OF_TRAINING and not key.endswith("_sha256")]
    hint = did_you_mean(overridden(override), known)
    return (
        f"{override}: {name} keeps what the checkpoint was trained with, and takes settings of the "
        f"evaluation alone: {', '.join(known)}.{hint} To change what is trained, use fewstep train"
    )


def explained(name: str, overrides: list[str], error: Exception) -> str:
    """Hydra's complaint about one override, as key, value, limit and fix."""
    text = str(error)
    axis = next((o for o in overrides if overridden(o).startswith(AXES)), None)
    if axis and isinstance(error, AssertionError):  # no sweep's file has brought any
        own = axis.replace(AXES, "").lstrip("+")
        return f"{axis}: an axis has a name of its own. Give it as -m {own}"
    missing = re.search(r"Could not find '([\w/@.-]+)'", text)
    if isinstance(error, MissingConfigException) and missing:
        group, _, option = missing.group(1).rpartition("/")
        if option.partition("_")[0] in PLUGINS and group in ("hydra/launcher", "hydra/sweeper"):
            chosen = next((o for o in overrides if o.startswith(group)), f"{group}={option}")
            return no_plugin(chosen, option.partition("_")[0])
        known = options(group)
        return (
            f"{group}={option}: there is no such {group}.{did_you_mean(option, known)} "
            f"Choose one of {', '.join(known)}, or add conf/{group}/{option}.yaml"
        )
    unknown = re.search(r"Could not override '([^']+)'", text)
    if unknown and text.startswith("Could not"):
        return _unknown(name, overrides, unknown.group(1))
    if merged := re.match(r"Error merging override (.+)", text, re.DOTALL):
        return _of_another_kind(merged[1], _defaults(name, overrides, merged[1], True), error)
    override = next((o for o in overrides if o in text or f"'{overridden(o)}'" in text), "")
    return ": ".join(part for part in (override, " ".join(text.split())) if part)


def _unknown(name: str, overrides: list[str], key: str) -> str:
    """What to say of a key that is not there."""
    override = next((o for o in overrides if overridden(o) == key), key)
    if key.startswith("hydra."):
        return _of_hydra(name, override, overrides)
    composed = _defaults(name, overrides, override)
    if key.startswith("logger.") and "_target_" not in (composed.get("logger") or {}):
        return no_logger(override)
    if name != "train":
        return foreign(name, override)
    known = [*(k for k, _ in flatten(composed)), *groups()]
    if key in known:
        return _only_elsewhere(override, overrides)
    if inside := _inside(key, known):
        return f"{override}: {key} has no such key, only {', '.join(inside)}"
    if _taken(key, composed):
        return f"{override}: no file that was chosen has {key}. +{override} adds it"
    more = f"; +{override} adds it" if OPEN.match(key) else ""
    return (
        f"{override}: there is no key {key}.{did_you_mean(key, known)} "
        f"`fewstep {name} --cfg job` prints every key{more}"
    )


def no_logger(word: str) -> str:
    """What to say of a logger's key where no logger reads it."""
    return (
        f"{word}: no logger is chosen that would read it. Choose one first, for example "
        f"logger=wandb logger.offline=true, or leave it out"
    )


def _of_hydra(name: str, override: str, overrides: list[str]) -> str:
    """What to say of a key of Hydra's that is not there."""
    key = overridden(override)
    known = [k for k, _ in flatten(_defaults(name, overrides, override, hydra=True))]
    if inside := _inside(key, known):
        return f"{override}: {key} has no such key, only {', '.join(inside)}"
    parts = ("hydra.launcher", "hydra.sweeper")
    part = next((part for part in parts if key.startswith(f"{part}.")), "hydra")
    group, begin = part.replace(".", "/"), len(part) + 1
    below = [k[begin:] for k in known if k.startswith(f"{part}.") and "._" not in k]
    hint = did_you_mean(key[begin:], below).replace("mean ", f"mean {part}.")
    chosen = [o for o in overrides if o.startswith(f"{group}=")]
    if part in parts and not chosen and not hint:
        return (
            f"{override}: no {part.partition('.')[2]} is chosen that has it. Choose one first, as "
            f"{group}=NAME {override}; NAME is one of {', '.join(options(group))}"
        )
    shown = " ".join(["fewstep", name, *chosen, "--cfg hydra --package", part])
    return f"{override}: there is no key {key}.{hint} `{shown}` prints every key"


def _of_another_kind(override: str, composed: dict, error: Exception) -> str:
    """What to say of a value that is not of the kind of what it replaces."""
    key, before = overridden(override), composed
    for name in key.split("."):
        inside, before = before, before.get(name) if isinstance(before, dict) else None
    if isinstance(before, dict) and not override.startswith("~"):
        return f"{override}: has keys of its own. Give them as {key}.KEY=VALUE"
    if isinstance(inside, list):
        parent = key.rpartition(".")[0]
        return (
            f"{override}: {parent} has {len(inside)}, counted from 0. Give the whole list, as "
            f"{parent}=[...]"
        )
    if noun := {**NOUNS, list: "a list"}.get(type(before)):
        plain = isinstance(before, str) and "${" in before
        example = f"'{key}={before}'" if plain else typed(key, before)
        return f"{override}: must be {noun}. For example {example}"
    return f"{override}: cannot be ({first_line(error.__cause__ or error)}). Leave it out"


def _taken(key: str, composed: dict) -> bool:
    """Whether the class that was chosen takes a key that its file does not have."""
    part, _, name = key.rpartition(".")
    if name in LATER.get(part, ()):
        return True
    chosen = composed.get(part)
    if not isinstance(chosen, dict) or "_target_" not in chosen:
        return False
    with suppress(ConfigError, ValueError, TypeError):
        return name in inspect.signature(locate(f"{part}._target_", chosen["_target_"])).parameters
    return False


def _inside(key: str, known: list[str]) -> list[str]:
    """The names that a part has, where a key is one."""
    below = [name[len(key) + 1 :] for name in known if name.startswith(f"{key}.")]
    return list(dict.fromkeys(name.partition(".")[0] for name in below))


def _only_elsewhere(override: str, overrides: list[str]) -> str:
    """What to say of a key that the defaults have, and a file that was chosen does not."""
    group, _, rest = overridden(override).partition(".")
    chosen = next((o for o in overrides if o.startswith(f"{group}=")), "")
    if not rest or not chosen:
        key = overridden(override)
        return f"{override}: gives {key} a new entry. Use +{key}.NAME=VALUE to add one"
    return (
        f"{override}: {chosen} has no {rest}. Leave it out, add it with +{override}, or let "
        f"conf/{group}/{chosen.partition('=')[2]}.yaml begin with the keys of another: "
        f"`defaults: [NAME]`"
    )


def _defaults(name: str, overrides: list[str], without: str, hydra: bool = False) -> dict:
    """The configuration without the override that broke it: what its author may have meant."""
    rest = [o for o in overrides if o != without]
    try:
        composed = compose(name, rest, return_hydra_config=hydra)
    except (HydraException, OmegaConfBaseException, ValueError, AssertionError):
        composed = compose(name, return_hydra_config=hydra)
    return cast(dict, OmegaConf.to_container(composed))
