"""The overrides that a run directory keeps: a user's own mostly, and a stranger's words perhaps."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Override
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from fewstep.config.arguments import parsed
from fewstep.config.compose import RESOLVERS, compose_config
from fewstep.config.groups import options
from fewstep.config.renamed import renamed_word
from fewstep.config.trust import KEY, check_stored, check_trust, names
from fewstep.disk.plain import plain_yaml
from fewstep.messages.errors import ConfigError
from fewstep.messages.printable import printable


NOT_ADOPTED = ("hydra", KEY)
"""Where a run goes, who starts it and whom to trust is up to the present command line."""

WAY_OUT = "Leave it out of that file, and give what it is for on the command line"


def read_overrides(file: Path) -> dict[str, str]:
    """The overrides of a run directory, by their keys as they are written; not Hydra's own.

    Raises:
        ConfigError: no list of overrides, or one that reaches beyond the configuration.
    """
    try:
        words = plain_yaml(file)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file}: cannot be read as overrides ({printable(error)})") from None
    words = [] if words is None else words
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise ConfigError(f"{file}: must be a list of key=value, as fewstep writes it")
    found = {}
    for word in words:
        try:
            override = parsed(word)
        except ConfigError as error:
            raise ConfigError(f"{file}: {printable(error)}") from None
        if not _own_business(override):
            _check_word(override, file)
            found[override.get_key_element()] = renamed_word(word)
    return found


def check_added(command: str, added: Sequence[str], words: Sequence[str], file: Path) -> None:
    """Refuse overrides of `file`, for a command, that name code which neither we nor the user's own
    `words` have.

    Raises:
        Untrusted: naming it.
        ConfigError: the overrides do not make a configuration together.
    """
    own, trusted = _own(command, words)
    config: Any = OmegaConf.to_container(compose_config(command, [*added, *words]), resolve=True)
    check_stored(config, str(file), trusted, own)


def _own(command: str, words: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """The names in what the user's words make, and the modules that they trust."""
    try:
        config: Any = OmegaConf.to_container(compose_config(command, words), resolve=True)
        own = names(config)
    except (ConfigError, OmegaConfBaseException):  # they need those of the run beside them
        config = own = {o.key_or_group: o.value() for o in map(parsed, words)}
    check_trust(config)
    return own, config.get(KEY) or []


def _own_business(override: Override) -> bool:
    places = re.split(r"[./]", f"{override.key_or_group}/{override.package or ''}")
    return any(place in NOT_ADOPTED for place in places)


def _check_word(override: Override, file: Path) -> None:
    """Hold a stored override to our own files and to resolvers that tell nothing of the user's."""
    word = override.input_line or ""
    key, value = override.key_or_group, override.value()
    chooses = override.package is not None or "/" in key or bool(options(key))
    chosen = [str(option) for option in (value if isinstance(value, list) else [value])]
    # Hydra follows `model=../../elsewhere/model` out of the configuration.
    if chooses and any(o.startswith(("/", "~")) or ".." in o.split("/") for o in chosen):
        raise ConfigError(f"{file}: {printable(word)}: leads out of the configuration. {WAY_OUT}")
    for found in re.finditer(r"\$\{([^:{}]*)(.?)", word):
        name, end = found[1].strip(), found[2]
        if end != "}" and not (end == ":" and name in RESOLVERS):
            raise ConfigError(
                f"{file}: {printable(word)}: only {', '.join(RESOLVERS)} may be called by what is "
                f"stored, not {printable(name) or 'what it works out'}. {WAY_OUT}"
            )
