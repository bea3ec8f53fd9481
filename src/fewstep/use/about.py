"""What a saved classifier says of itself, checked before anything relies on it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from fewstep import __version__
from fewstep.data.images.preparation import Preparation
from fewstep.data.row_preparation import RowPreparation
from fewstep.disk.files import PART
from fewstep.disk.litter import is_litter
from fewstep.messages.errors import ConfigError
from fewstep.messages.printable import printable


SCHEMA = 1
ABOUT, WEIGHTS, SHEET = "classifier.json", "weights.safetensors", "expected.png"
"""The files of a classifier; the last one has the pictures that it was adapted to."""
KEYS = ("schema", "classes", "preparation", "network", "initialization", "temperature")
KEYS += ("expected", "weights_sha256", "versions")
DIGEST = "about_sha256"
"""Where the file of the weights has the digest of what is said of them."""
LARGEST = 64 << 20
"""Bytes of a `classifier.json`; a larger one is none."""


def not_ours(folder: Path) -> str | None:
    """A file of somebody else's in a folder, if there is one: of pictures, say, or a file that is
    called as one of a classifier and is none.

    Raises:
        OSError: the folder cannot be read.
    """
    inside = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    there = [name for name in inside if not is_litter(name)]
    for name in there:
        if name.removesuffix(PART) not in (ABOUT, WEIGHTS, SHEET):  # of a save that was killed
            return name
    if not there:
        return None
    try:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return there[0]
    return None if isinstance(about, dict) and {*KEYS} <= about.keys() else there[0]


def read(folder: Path) -> dict[str, Any]:
    """What `classifier.json` says, checked.

    Raises:
        ConfigError: it is missing, damaged, or of a later version.
    """
    file = folder / ABOUT
    if not file.is_file():
        raise ConfigError(
            f"classifier={folder}: has no {ABOUT}. Name a folder that fewstep adapt or "
            "Classifier.save has written"
        )
    try:
        if file.stat().st_size > LARGEST:
            raise ValueError(f"it has {file.stat().st_size:,} bytes")
        about = json.loads(file.read_text(encoding="utf-8-sig"))  # as editors leave it
        if not isinstance(about, dict):
            raise ValueError("it holds no mapping")
    except (OSError, ValueError, RecursionError) as error:
        raise damaged(folder, ABOUT, error) from None
    schema = about.get("schema")
    if isinstance(schema, int) and schema > SCHEMA:
        made_by = printable(about.get("versions"))
        raise ConfigError(
            f"classifier={folder}: is of schema {schema}, and this fewstep {__version__} reads up "
            f"to {SCHEMA}. Use the version that wrote it ({made_by}) or a later one"
        )
    if schema is not None and (type(schema) is not int or schema < 1):
        raise damaged(folder, ABOUT, f"schema={printable(schema)}: must be {SCHEMA}")
    if missing := [key for key in KEYS if key not in about]:
        raise damaged(folder, ABOUT, f"{', '.join(missing)} is missing")
    _check(about, folder)
    return about


def _check(about: Mapping[str, Any], folder: Path) -> None:
    classes, node, temperature = about["classes"], about["network"], about["temperature"]
    kinds = str | int | float | bool
    if not isinstance(classes, list) or len(classes) < 2:
        raise damaged(folder, ABOUT, "classes must be a list of two or more")
    plain = all(isinstance(label, kinds) and label == label for label in classes)  # no NaN
    if not plain or len(set(classes)) < len(classes):
        raise damaged(folder, ABOUT, "classes must be texts or numbers, each once")
    if isinstance(temperature, bool) or not isinstance(temperature, int | float):
        raise damaged(folder, ABOUT, f"temperature={printable(temperature)}: must be a number")
    if not 0 < temperature < 1e6:
        raise damaged(folder, ABOUT, f"temperature={temperature}: must be above 0")
    first = about["initialization"]
    named = isinstance(first, dict) and (first.get("name"), first.get("sha256"))
    if not named or not all(isinstance(text, str) for text in named):
        raise damaged(folder, ABOUT, "initialization must have a name and a sha256")
    model = node.get("model") if isinstance(node, dict) else None
    if not isinstance(model, dict) or not {"_target_", "backbone"} & model.keys():
        raise damaged(folder, ABOUT, "network must say how it is made")
    if node.get("outputs") != len(classes) or not isinstance(node.get("given"), dict):
        raise damaged(folder, ABOUT, f"network.outputs={node.get('outputs')}: must be the classes")
    for key, kind in (("preparation", Preparation), ("rows", RowPreparation)):
        if about.get(key) is not None:  # older ones say nothing of rows
            try:
                kind.of(about[key])
            except (ValueError, TypeError, KeyError) as error:
                raise damaged(folder, ABOUT, error) from None


def digest(about: Mapping[str, Any]) -> str:
    """SHA-256 of what it says, however it is set out; without the digest of the weights, whose file
    holds this one."""
    own = {name: value for name, value in about.items() if name != "weights_sha256"}
    return sha256(json.dumps(own, sort_keys=True).encode()).hexdigest()


def check_unchanged(about: Mapping[str, Any], weights: bytes, folder: Path) -> None:
    """Hold it against the digest that the file of the weights has; older ones have none.

    Raises:
        ConfigError: it was changed by hand: answers would have other classes' names.
    """
    head = json.loads(weights[8 : 8 + int.from_bytes(weights[:8], "little")])
    wanted = head.get("__metadata__", {}).get(DIGEST)
    if wanted is not None and wanted != digest(about):
        raise damaged(folder, ABOUT, f"it was changed after {WEIGHTS} was written with it")


def damaged(folder: Path, name: str, reason: Any) -> ConfigError:
    """What is said of a file that cannot be used."""
    return ConfigError(
        f"classifier={folder}: {name} cannot be used ({printable(reason)}). Adapt again with "
        "fewstep adapt"
    )
