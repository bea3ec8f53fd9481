"""The initializations that come with the package."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from fewstep.run.construction.parts import dataset_of
from fewstep.run.stored.checkpoint_contents import BEFORE


FOLDER = Path(__file__).resolve().parents[2] / "initializations"
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

    parts = nested(load_file(file(name)))
    state = {f"module.{n}": value for n, value in parts["weights"].items()}
    ours = {"config": about(name)["config"], "inner_state": parts.get("inner_state", {})}
    return {"state_dict": state, "fewstep": ours}


def file(name: str) -> Path:
    """Where its tensors are, by which a test of it is named."""
    return FOLDER / f"{name}.safetensors"


def called(path: Path) -> str:
    """The name of one of these by its file, and any other file's path."""
    return path.stem if path.parent == FOLDER else str(path)


def training(name: str) -> dict[str, Any]:
    """The same as a test needs it: with all keys of a training, which it has of its experiment
    where it says none itself, its length, and the names of the classes that it has met."""
    from fewstep.config.compose import compose_config, plain  # Hydra: nobody else waits for it

    made, said = content(name), about(name)
    own = said["config"]
    config = _over(plain(compose_config("train", [f"experiment={own['name']}"])), own)
    done, seen = said["meta_iterations"], dataset_of(config).trained_on
    ours = {**made["fewstep"], "config": config, "meta_iteration": done, BEFORE: list(seen)}
    return {**made, "fewstep": ours}


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


def _over(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with what is `own`, key by key."""
    trees = {n: _over(base[n], v) for n, v in own.items() if isinstance(v, dict) and base.get(n)}
    return {**base, **own, **trees}
