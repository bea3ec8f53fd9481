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

from fewstep.config.checks import flatten
from fewstep.config.groups import groups, initialized, options
from fewstep.config.instantiate import locate
from fewstep.config.limits import LATER
from fewstep.messages.errors import ConfigError, did_you_mean
from fewstep.messages.words import overridden


PLUGINS = ("joblib", "submitit", "ray", "optuna")
"""The extras that bring Hydra's plugins; a plugin's own options begin with these."""


OPEN = re.compile(r"(trainer|logger)\.|.*\.options\.")
"""Where keys may be added that our files do not have: what others' classes take."""


def no_plugin(choice: str, extra: str) -> str:
    """What to say of a launcher or sweeper whose plugin is missing."""
    return f"{choice}: its plugin is not installed. Install it with pip install 'fewstep[{extra}]'"


def foreign(name: str, override: str) -> str:
    """What to say of an override that a command other than train does not take."""
    with initialized():
        known = [key for key, _ in flatten(_defaults(name, [], ""))]
    hint = did_you_mean(overridden(override), known)
    return (
        f"{override}: {name} keeps what the checkpoint was trained with, and takes settings of the "
        f"evaluation alone: {', '.join(k for k in known if k.startswith(('eval.', 'dataset.')))}, "
        f"name, execution, trainer, logger.{hint} To change what is trained, use fewstep train"
    )


def explained(name: str, overrides: list[str], error: Exception) -> str:
    """Hydra's complaint about one override, as key, value, limit and fix."""
    text = str(error)
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
        key = unknown.group(1)
        override = next((o for o in overrides if overridden(o) == key), key)
        if name != "train":
            return foreign(name, override)
        composed = _defaults(name, overrides, override)
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
    if merged := re.match(r"Error merging override \+*([\w/.@-]+)=", text):
        override = next((o for o in overrides if o in text), text)
        return f"{override}: has keys of its own. Give them as {merged[1]}.KEY=VALUE"
    override = next((o for o in overrides if o in text or f"'{overridden(o)}'" in text), "")
    return ": ".join(part for part in (override, " ".join(text.split())) if part)


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


def _defaults(name: str, overrides: list[str], without: str) -> dict:
    """The configuration without the override that broke it: what its author may have meant."""
    rest = [o for o in overrides if o != without]
    try:
        composed = compose(name, rest)
    except (HydraException, OmegaConfBaseException, ValueError):
        composed = compose(name)
    return cast(dict, OmegaConf.to_container(composed))
