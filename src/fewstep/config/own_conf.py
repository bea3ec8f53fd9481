"""The files of a user's own `./conf`: what is wrong with one, in a line that names it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from fewstep.messages.errors import ConfigError


UNREADABLE = (yaml.YAMLError, OSError, UnicodeError)
"""What Hydra lets through of a file that is no configuration."""


def own_conf() -> Path:
    """Where a user keeps options of their own."""
    return Path.cwd() / "conf"


def check_chosen(overrides: Sequence[str]) -> None:
    """Refuse the files that overrides name as the options of groups, as far as they are no
    configurations.

    Raises:
        ConfigError: naming the file, the place in it and the fix.
    """
    for word in overrides:
        group, _, option = word.lstrip("+").partition("=")
        file = own_conf() / group.partition("@")[0] / f"{option}.yaml"
        try:
            there = file.exists() or file.is_symlink()
        except (OSError, ValueError):  # too long a name, or a value that is none
            continue
        if option and there:
            check_file(file)


def check_all() -> None:
    """Find the file that Hydra could not read: another one may have named it.

    Raises:
        ConfigError: naming the file, the place in it and the fix.
    """
    for file in sorted(own_conf().rglob("*.yaml")):
        check_file(file)


def check_file(file: Path) -> None:
    """Refuse a file that is no configuration.

    Raises:
        ConfigError: naming the file, the place in it and the fix.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
        content = OmegaConf.load(io.StringIO(text))
    except UnicodeError:
        raise ConfigError(f"{file}: is no text in UTF-8. Save it as one") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{file}{_what(error)}. Mend it there") from None
    except OmegaConfBaseException as error:
        reason = " ".join(str(error).split()) or "an interpolation ${...} that cannot be read"
        raise ConfigError(f"{file}: {reason}. Mend it there") from None
    except OSError as error:
        if error.errno is None:  # OmegaConf's, of a text or a number
            raise ConfigError(_no_keys(file, "a single value")) from None
        raise ConfigError(
            f"{file}: cannot be read ({error.strerror}). It must be a file that you may read"
        ) from None
    if not isinstance(content, DictConfig):
        raise ConfigError(_no_keys(file, "a list"))
    if len(content) == 1 and ":" not in text:  # a single word, of which OmegaConf makes a key
        raise ConfigError(_no_keys(file, "a single value"))
    for key in content:
        if not isinstance(key, str):
            raise ConfigError(f"{file}: the key {key} is no name. Put it into quotes")


def _no_keys(file: Path, what: str) -> str:
    return f"{file}: holds {what}, and must hold keys with their values, for example name: mine"


def _what(error: yaml.YAMLError) -> str:
    """The line and what is wrong in it."""
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    place = f", line {mark.line + 1}" if mark else ""
    text = " ".join(str(problem or error).split())
    return f"{place}: {text}" + (" (a tab; indent with spaces)" if "'\\t'" in text else "")
