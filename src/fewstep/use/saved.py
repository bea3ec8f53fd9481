"""A classifier on disk: a JSON file that people can read, and its tensors; no pickle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import nn

from fewstep.config.trust import check_stored
from fewstep.data.images.preparation import Preparation
from fewstep.messages.errors import ConfigError
from fewstep.run import parts
from fewstep.use.about import ABOUT, WEIGHTS, damaged, read
from fewstep.use.backbone.backbone import NODE, frozen_part, network_of
from fewstep.use.classifier import Classifier
from fewstep.use.expected import Expected
from fewstep.use.network import Fixed, with_statistics
from fewstep.use.origin import Origin
from fewstep.use.way import Way
from fewstep.use.ways import with_outputs


def load_classifier(folder: str | Path, trust: Sequence[str] = ()) -> Classifier:
    """A classifier that was saved.

    Args:
        folder: that of `classifier.json` and `weights.safetensors`.
        trust: modules that it may name beside parts of fewstep.

    Raises:
        ValueError: files that are missing, damaged, cut short, of a later version, or that do not
            fit each other; or a network that is not trusted.
    """
    folder = Path(folder).expanduser()
    about = read(folder)
    node = about["network"]
    check_stored({"model": node["model"]}, f"classifier={folder}", trust)
    try:
        data = (folder / WEIGHTS).read_bytes()
        tensors = load(data)
    except (OSError, SafetensorError, ValueError) as error:
        raise damaged(folder, WEIGHTS, error) from None
    if sha256(data).hexdigest() != about["weights_sha256"]:
        raise damaged(folder, WEIGHTS, f"its bytes are not those that {ABOUT} was written with")
    network = _network(node, folder)
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise damaged(folder, WEIGHTS, str(error).splitlines()[-1].strip()) from None
    told = about["preparation"]
    way = Way(
        None if told is None else Preparation.of(told),
        _learns_no_more,
        _learns_no_more,
        Origin(about["initialization"]["name"], about["initialization"]["sha256"], node["model"]),
        frozen_part(network),
    )
    made = Classifier(way, about["classes"], network.eval().requires_grad_(False))
    made.temperature = about["temperature"]
    if found := about["expected"]:
        lists = {n: tuple(found[n]) for n in ("answers", "single")}
        made.expected = Expected(**{**found, **lists})
    return made


def _network(node: Mapping[str, Any], folder: Path) -> nn.Module:
    """The network without its values."""
    if NODE in node["model"]:
        try:
            return network_of(node["model"], node["outputs"])
        except (KeyError, TypeError) as error:
            raise damaged(folder, ABOUT, f"network: {error!r}") from None
    module = with_outputs(parts.build_model(node["model"]), node["outputs"])
    given = {}
    for name, (kind, shape) in node["given"].items():
        given[name] = torch.zeros(shape, dtype=getattr(torch, kind))
    return Fixed(with_statistics(module), given)


def _learns_no_more(*_: Any) -> Any:
    raise ConfigError("a classifier that was loaded learns no more. Adapt its initialization")
