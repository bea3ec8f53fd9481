"""Writing a classifier: a JSON file that people can read, and its tensors; no pickle."""

from __future__ import annotations

import json
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors.torch import save as tensors_as_bytes
from torch import nn

from fewstep import __version__
from fewstep.data.images.preparation import Preparation
from fewstep.data.row_preparation import RowPreparation
from fewstep.disk.files import filling, writing
from fewstep.messages.errors import ConfigError
from fewstep.messages.printable import printable
from fewstep.records.results import finite_only
from fewstep.use.about import ABOUT, DIGEST, SCHEMA, SHEET, WEIGHTS, digest, not_ours
from fewstep.use.expected import Expected
from fewstep.use.network import Fixed
from fewstep.use.origin import Origin


class Kept(Protocol):
    """What of a classifier is written."""

    classes: list[Any]
    network: nn.Module
    temperature: float
    expected: Expected | None

    @property
    def preparation(self) -> Preparation | None:
        """How pictures become inputs."""
        ...

    @property
    def rows(self) -> RowPreparation | None:
        """How rows become inputs."""
        ...

    @property
    def origin(self) -> Origin:
        """What it was adapted from."""
        ...


def save(classifier: Kept, folder: Path) -> Path:
    """Write a classifier into a folder of its own, all or nothing; one that is there makes room.

    Raises:
        ConfigError: classes that JSON has no word for, or a network without a configuration; or a
            folder that has anything but a classifier in it.
        CannotWrite: naming the path, the reason and the fix.
    """
    for label in classifier.classes:
        if not isinstance(label, str | int | float | bool):
            raise ConfigError(
                f"classes: {label!r} is a {type(label).__name__}, which a file cannot hold. Adapt "
                "with texts or numbers as labels"
            )
    with writing(folder):
        others = not_ours(folder)
    if others:
        raise ConfigError(
            f"folder={folder}: its {printable(others)} is of something else, and a classifier has "
            "a folder of its own. Name one that is not there"
        )
    origin, preparation = classifier.origin, classifier.preparation
    if not origin.model:
        raise ConfigError(
            f"{origin.name}: was made from a module, so that nothing says how to make the network "
            "again. Save a classifier of a training (fewstep.load), or pickle this one"
        )
    tensors = {n: t.contiguous().clone() for n, t in classifier.network.state_dict().items()}
    about = {
        "schema": SCHEMA,
        "classes": classifier.classes,
        "preparation": preparation.as_dict() if preparation else None,
        "rows": rows.as_dict() if (rows := classifier.rows) else None,
        "network": described(classifier),
        "initialization": {"name": origin.name, "sha256": origin.sha256},
        "temperature": classifier.temperature,
        "expected": asdict(classifier.expected) if classifier.expected else None,
        "versions": {"fewstep": __version__, "torch": str(torch.__version__)},
    }
    about = json.loads(json.dumps(finite_only(about), default=str))  # as it will be read
    data = tensors_as_bytes(tensors, {DIGEST: digest(about)})
    about["weights_sha256"] = sha256(data).hexdigest()
    with filling(folder) as aside:
        (aside / WEIGHTS).write_bytes(data)
        (aside / ABOUT).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
        (folder / SHEET).unlink(missing_ok=True)  # of the pictures of one that was there
    return folder


def described(classifier: Kept) -> dict[str, Any]:
    """How the network is made again."""
    made = {"model": dict(classifier.origin.model), "outputs": len(classifier.classes)}
    own = classifier.network
    given = own.names if isinstance(own, Fixed) else ()
    shapes = {name: list(own.get_buffer(f"given_{name}").shape) for name in given}
    kinds = {n: str(own.get_buffer(f"given_{n}").dtype).removeprefix("torch.") for n in given}
    return made | {"given": {n: [kinds[n], shapes[n]] for n in given}}
