"""Whose code runs: what a file may name that came from somebody else.

A name in a configuration is imported and called. The words of the present command line and the
files of `./conf` are the user's own and name what they like. A checkpoint, a run directory or a
classifier may be a stranger's: it names the parts below, or what the user has said to trust.
"""

from __future__ import annotations

import inspect
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from fewstep.config.instantiate import locate
from fewstep.messages.errors import ConfigError
from fewstep.messages.printable import printable


KEY = "trust"
IN_PYTHON = " (in Python "
"""Begins what a command line need not be told."""

NAMED = ("_target_", "rule", "optimizer", "schedule")
"""The last piece of every key whose value may be a dotted path."""

OURS = ("algorithms", "data", "models", "core.rules", "loggers", "run.pictures")
"""The modules of fewstep whose classes a stored configuration may name: making one of them does
nothing but hold its arguments. The others have functions that start programs or write files."""

ROOMS = (*(f"fewstep.{name}" for name in OURS), "torch.nn", "torch.optim", "torchvision.models")
"""Where a name that needs no trust begins. Importing is running code, so this comes first."""

LISTED = {"pytorch_lightning.loggers.TensorBoardLogger"}
"""Targets of our own configurations that lie in no room."""

DOWNLOADS = ("weights", "pretrained")
"""How the arguments begin by which torchvision's models fetch a file."""


class Untrusted(ConfigError):
    """A file names what the user has not said to trust."""

    def __init__(self, source: str, doubted: Sequence[str], modules: Iterable[str]) -> None:
        self.modules = sorted(set(modules))
        super().__init__(
            f"{source}: names {', '.join(doubted)}. What is stored may name parts of fewstep, "
            "torch.nn, torch.optim and torchvision's models; anything else would run as you. If "
            f"you trust who made it, add {KEY}=[{','.join(self.modules)}]{IN_PYTHON}"
            f"{KEY}={self.modules})"
        )


def text_of(error: ConfigError, command: str, words: Sequence[str]) -> str:
    """What an error says, with the user's own command as it is to be where a file needs trust."""
    if not isinstance(error, Untrusted):
        return str(error)
    given = [word for word in words if word.lstrip("+").startswith(f"{KEY}=")]
    before = [m.strip() for w in given for m in w.partition("=")[2].strip("[]").split(",")]
    modules = ",".join(dict.fromkeys([*filter(None, before), *error.modules]))
    rest = [word for word in words if word not in given]
    line = str(error).partition(IN_PYTHON)[0]
    return f"{line}: {shlex.join(['fewstep', command, *rest, f'{KEY}=[{modules}]'])}"


def check_trust(config: Mapping[str, Any]) -> None:
    """Refuse a value of `trust` that is no list of modules.

    Raises:
        ConfigError: naming the value and the form.
    """
    value = config.get(KEY, [])
    if not isinstance(value, list) or not all(isinstance(m, str) and _dotted(m) for m in value):
        raise ConfigError(
            f"{KEY}={value}: must be a list of modules. For example {KEY}=[my_models,timm]"
        )


def check_stored(
    stored: Mapping[str, Any],
    source: str,
    trusted: Sequence[str],
    own: Mapping[str, Any] | None = None,
) -> None:
    """Refuse a stored configuration that names anything but our parts and what is `trusted`.

    `source` is how messages call its file; `own` are the `names` of the user's own configuration,
    which are not asked about. Nothing outside of what is allowed is imported.

    Raises:
        Untrusted: naming each of them, its key, and the modules to trust.
        ConfigError: a name that is no dotted path, or that leads nowhere.
    """
    doubted, modules = [], []
    for key, path, arguments in _named(stored):
        if own and own.get(key) == path and not _fetched(path, arguments):
            continue
        if not isinstance(path, str) or not _dotted(path):
            raise ConfigError(f"{source}: {key}={printable(path)}: must be a dotted path")
        if doubt := _doubt(f"{source}: {key}", path, arguments, trusted):
            doubted.append(f"{doubt[0]} ({printable(key)})")
            modules.append(doubt[1])
    if doubted:
        raise Untrusted(source, doubted, modules)


def names(config: Mapping[str, Any]) -> dict[str, Any]:
    """The dotted paths of a configuration by their keys, however deep."""
    return {key: path for key, path, _ in _named(config)}


def _named(node: Any, prefix: str = "") -> Iterator[tuple[str, Any, Mapping[str, Any]]]:
    """`(key, dotted path, the entries beside it)` of a configuration, however deep."""
    if isinstance(node, Mapping):
        for name, value in node.items():
            # A rule or an optimizer without a dot is one of a table of ours.
            if name == "_target_" or (name in NAMED and isinstance(value, str) and "." in value):
                yield f"{prefix}{name}", value, node
            else:
                yield from _named(value, f"{prefix}{name}.")
    elif isinstance(node, (list, tuple)):
        for place, value in enumerate(node):
            yield from _named(value, f"{prefix}{place}.")


def _doubt(
    key: str, path: str, arguments: Mapping[str, Any], trusted: Sequence[str]
) -> tuple[str, str] | None:
    """What to call a name that needs trust, and the module to trust; None where it needs none."""
    if path in LISTED:
        return None
    public = not any(part.startswith("_") for part in path.split("."))
    if not _within(path, trusted) and not (_within(path, ROOMS) and public):
        return path, path.rpartition(".")[0] or path
    found = locate(key, path)
    home = str(getattr(found, "__module__", None) or type(found).__module__)
    if _within(home, trusted):
        return None
    if not _part(found, home):
        name = f"{home}.{getattr(found, '__qualname__', type(found).__qualname__)}"
        return (path if name == path else f"{path}, which is {name}"), home
    if fetched := _fetched(path, arguments):
        return f"{path} with {fetched}, which is downloaded", home
    return None


def _part(found: Any, home: str) -> bool:
    """Whether an object is a part of ours, a layer, an optimizer, or one of torchvision's nets."""
    from torch import nn, optim

    is_class = inspect.isclass(found)
    if home.startswith("fewstep."):
        return is_class and _within(home, ROOMS)
    if _within(home, ["torch.nn"]):
        return is_class and issubclass(found, nn.Module)
    if _within(home, ["torch.optim"]):
        return is_class and issubclass(found, optim.Optimizer)
    # Those of detection, segmentation and so on fetch a backbone without being asked.
    if home.startswith("torchvision.models.") and home.count(".") == 2:
        from torchvision import models

        build = map(models.get_model_builder, models.list_models(module=models))
        return issubclass(found, nn.Module) if is_class else any(found is b for b in build)
    return False


def _fetched(path: Any, arguments: Mapping[str, Any]) -> str | None:
    """The argument by which a net of torchvision's would fetch its weights."""
    given = (n for n, v in arguments.items() if str(n).startswith(DOWNLOADS) and v)
    return next(given, None) if str(path).startswith("torchvision.") else None


def _within(path: str, modules: Iterable[str]) -> bool:
    return any(f"{path}.".startswith(f"{module}.") for module in modules)


def _dotted(path: str) -> bool:
    return all(part.isidentifier() for part in path.split("."))
