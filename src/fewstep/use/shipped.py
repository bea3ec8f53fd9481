"""The initializations that come with the package."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from fewstep.use.cards import card_text


FOLDER = Path(__file__).resolve().parents[1] / "initializations"
"""A `NAME.safetensors` and a `NAME.json` each; the second says where the first comes from."""


def names() -> list[str]:
    """What there is."""
    return sorted(path.stem for path in FOLDER.glob("*.safetensors"))


def content(name: str) -> tuple[dict[str, Any], str]:
    """A shipped training in the form of a checkpoint, and its card."""
    from safetensors.torch import load_file

    about = json.loads((FOLDER / f"{name}.json").read_text())
    parts = nested(load_file(FOLDER / f"{name}.safetensors"))
    state = {f"module.{n}": value for n, value in parts["weights"].items()}
    ours = {"config": about["config"], "inner_state": parts.get("inner_state", {})}
    return {"state_dict": state, "fewstep": ours}, card_text(about)


def channels(name: str) -> int:
    """Of the pictures that it was trained on."""
    return json.loads((FOLDER / f"{name}.json").read_text())["config"]["dataset"]["channels"]


def nested(flat: Mapping[str, Tensor]) -> dict[str, Any]:
    """`weights.NAME`, `inner_state.ENTRY` and `inner_state.ENTRY.NAME` by part and entry; names of
    parameters keep their dots."""
    parts: dict[str, Any] = {}
    for key, value in flat.items():
        part, _, rest = key.partition(".")
        entry, dot, name = rest.partition(".")
        if part == "inner_state" and dot:
            parts.setdefault(part, {}).setdefault(entry, {})[name] = value
        else:
            parts.setdefault(part, {})[rest] = value
    return parts
