"""The initializations that come with the package."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor


FOLDER = Path(__file__).resolve().parents[1] / "initializations"
"""A `NAME.safetensors` and a `NAME.json` each; the second says where the first comes from."""


def names() -> list[str]:
    """What there is."""
    return sorted(path.stem for path in FOLDER.glob("*.safetensors"))


def about(name: str) -> dict[str, Any]:
    """What it says of itself."""
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def content(name: str) -> dict[str, Any]:
    """A shipped training in the form of a checkpoint."""
    from safetensors.torch import load_file

    parts = nested(load_file(FOLDER / f"{name}.safetensors"))
    state = {f"module.{n}": value for n, value in parts["weights"].items()}
    ours = {"config": about(name)["config"], "inner_state": parts.get("inner_state", {})}
    return {"state_dict": state, "fewstep": ours}


def channels(name: str) -> int:
    """Of the pictures that it was trained on."""
    return about(name)["config"]["dataset"]["channels"]


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
