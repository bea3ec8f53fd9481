"""A saved classifier, opened again: its JSON file and its tensors; no pickle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

from fewstep.config.trust import check_stored
from fewstep.core.chance import untouched
from fewstep.data.images.preparation import Preparation
from fewstep.data.row_preparation import RowPreparation
from fewstep.disk.homes import expanded
from fewstep.messages.errors import ConfigError
from fewstep.messages.printable import printable
from fewstep.run.construction import parts
from fewstep.use.about import ABOUT, WEIGHTS, check_unchanged, damaged, read
from fewstep.use.backbone.backbone import NODE, frozen_part, network_of
from fewstep.use.classifier import Classifier
from fewstep.use.expected import Expected
from fewstep.use.network import Fixed, as_precise, with_statistics
from fewstep.use.origin import Origin
from fewstep.use.other_ways import with_outputs
from fewstep.use.settings import modules
from fewstep.use.surroundings import as_usual
from fewstep.use.way import Way


@as_usual()
def load_classifier(folder: str | Path, trust: Sequence[str] = ()) -> Classifier:
    """A classifier that was saved.

    Args:
        folder: that of `classifier.json` and `weights.safetensors`.
        trust: modules that it may name beside parts of fewstep.

    Raises:
        ValueError: files that are missing, damaged, cut short, of a later version, or that do not
            fit each other; or a network that is not trusted.
    """
    folder, trust = expanded(folder, "classifier"), modules(trust)
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
    network = _network(node, tensors, folder)
    try:
        as_precise(network, tensors).load_state_dict(tensors)
    except RuntimeError as error:
        raise damaged(folder, WEIGHTS, str(error).splitlines()[-1].strip()) from None
    preparation, rows = about["preparation"], about.get("rows")  # which older ones do not have
    way = Way(
        None if preparation is None else Preparation.of(preparation),
        _learns_no_more,
        _learns_no_more,
        Origin(about["initialization"]["name"], about["initialization"]["sha256"], node["model"]),
        frozen_part(network),
        rows=None if rows is None else RowPreparation.of(rows),
    )
    made = Classifier(way, about["classes"], network.eval().requires_grad_(False))
    made.temperature = about["temperature"]
    made.expected = _expected(about["expected"], folder)
    _try(made, folder)
    check_unchanged(about, data, folder)
    return made


def _expected(found: Any, folder: Path) -> Expected | None:
    """What `evaluate` found when the classifier was made."""
    if found is None:
        return None
    try:
        lists = {n: tuple(found[n]) for n in ("answers", "single")}
        made = Expected(**{**found, **lists})
        right = 0 <= made.right <= made.of and made.temperature > 0
    except (TypeError, KeyError):
        right = False
    if not right:
        raise damaged(folder, ABOUT, f"expected={printable(found)[:80]}: is none of evaluate's")
    return made


def _try(made: Classifier, folder: Path) -> None:
    """Hold the network against the preparation and the classes that are named beside it."""
    if (p := made.preparation) is None:
        return
    blank = torch.zeros(1, p.size, p.size, p.channels, dtype=torch.uint8)
    try:
        with torch.no_grad():
            shape = tuple(made.network(made.way.inputs(blank)).shape)
    except RuntimeError as error:  # whatever a network says of what it does not take
        said = f"its network does not take {p.channels}x{p.size}x{p.size}"
        raise damaged(folder, ABOUT, f"{said}: {str(error)[:120]}") from None
    if shape != (1, len(made.classes)):
        raise damaged(folder, ABOUT, f"its network gives {shape}, for {len(made.classes)} classes")


def _network(node: Mapping[str, Any], tensors: Mapping[str, Tensor], folder: Path) -> nn.Module:
    """The network, of whose values only those are there that it takes besides inputs."""
    if NODE in node["model"]:
        try:
            return network_of(node["model"], node["outputs"])
        except (KeyError, TypeError) as error:
            raise damaged(folder, ABOUT, f"network: {error!r}") from None
    if missing := [n for n in node["given"] if f"given_{n}" not in tensors]:
        raise damaged(folder, ABOUT, f"network.given: {WEIGHTS} has no {printable(missing[0])}")
    try:
        with untouched():
            module = with_outputs(parts.build_model(node["model"]), node["outputs"])
    except ConfigError as error:
        raise damaged(folder, ABOUT, error) from None
    return Fixed(with_statistics(module), {n: tensors[f"given_{n}"] for n in node["given"]})


def _learns_no_more(*_: Any) -> Any:
    raise ConfigError("a classifier that was loaded learns no more. Adapt its initialization")
