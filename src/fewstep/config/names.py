"""Names that become folders and files: of runs, datasets and algorithms."""

from __future__ import annotations

import re
from typing import Any

from fewstep.messages.errors import ConfigError
from fewstep.messages.printable import printable


LONGEST = 255
"""Bytes in the name of a folder or file, on nearly every system."""

SHOWN = 60
"""Characters of a bad name that are shown."""

ROOM = 80
"""Bytes that we add to a name which stands in the name of a file."""


USUAL = {
    "glyphs.Glyphs": "OmniglotConv",
    "omniglot.Omniglot": "OmniglotConv",
    "image_folder.ImageFolder": "MiniImagenetConv",
    "miniimagenet.MiniImageNet": "MiniImagenetConv",
    "cifar_fs.CifarFS": "MiniImagenetConv",
    "sine.Sine": "SineMLP",
    "linear.Linear": "LinearChains",
    "streams.Streams": "NeuralMemory",
    "subjects.Subjects": "InContextDecoder",
    "subject_files.SubjectFiles": "InContextDecoder",
    "recall.Recall": "Decoder",
    "clients.Clients": "Split",
    "conversations.Conversations": "LanguageModel",
    "modulation.Modulation": "SignalTransformer",
    "ground.Ground": "VelocityModel",
}
"""The network that each dataset of ours is learned with unless another is chosen."""
OF_ALGORITHMS = ("ProtoNet",)
"""Networks that an algorithm brings along."""
MODELS, DATA = (f"fewstep.{package}." for package in ("models", "data"))


def network_part(model: str, dataset: str) -> str:
    """What the name of a run says of its network, by dotted paths: `_resnet18`; nothing of the one
    that is usual for the dataset, which for one of a user's own is any of ours."""
    name = str(model).rpartition(".")[2]
    usual = USUAL.get(str(dataset).removeprefix(DATA), name)
    plain = re.sub(r"\W", "", name).lower()
    is_usual = str(model).startswith(MODELS) and name in (usual, *OF_ALGORITHMS)
    return "" if is_usual or not plain else f"_{plain}"


def check_name(key: str, value: Any, pieces: bool = False) -> None:
    """Refuse a name that would lead elsewhere, or that no folder can have.

    With `pieces`, it may be several with `/` between them: folders inside each other.

    Raises:
        ConfigError: naming the key, the value and the limit.
    """
    parts = str(value).split("/") if pieces else [str(value)]
    longest = LONGEST if pieces else LONGEST - ROOM
    if all(_fits(part, longest) for part in parts):
        return
    shown = printable(value)
    shown = shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}..."
    what = "a name, or several with / between them" if pieces else "a name without /"
    raise ConfigError(
        f"{key}={shown}: must be {what}: no .., no backslash, no control character, no space at "
        f"either end, and at most {longest} bytes each. For example {key}=my_{key.split('.')[0]}"
    )


def _fits(name: str, longest: int) -> bool:
    return (
        name not in ("", ".", "..")
        and name == name.strip()
        and printable(name) == name
        and not set(name) & {"/", "\\"}
        and len(name.encode(errors="replace")) <= longest
    )
