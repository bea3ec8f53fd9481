"""A classifier on disk: a JSON file that people can read, and its tensors; no pickle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save_file
from torch import nn

from fewstep import __version__
from fewstep.config.trust import check_stored
from fewstep.data.images.preparation import Preparation
from fewstep.disk.files import replacing
from fewstep.messages.errors import ConfigError
from fewstep.records.results import write_json
from fewstep.run import parts
from fewstep.use.about import ABOUT, SCHEMA, WEIGHTS, damaged, read
from fewstep.use.classifier import Classifier, Way
from fewstep.use.expected import Expected
from fewstep.use.network import Fixed, with_statistics
from fewstep.use.origin import Origin
from fewstep.use.ways import with_outputs


def save(classifier: Classifier, folder: Path) -> Path:
    """Write a classifier into a folder of its own.

    Raises:
        ConfigError: classes that JSON has no word for, or a network without a configuration.
        CannotWrite: naming the path, the reason and the fix.
    """
    for label in classifier.classes:
        if not isinstance(label, str | int | float | bool):
            raise ConfigError(
                f"classes: {label!r} is a {type(label).__name__}, which a file cannot hold. Adapt "
                "with texts or numbers as labels"
            )
    origin, preparation = classifier.way.origin, classifier.preparation
    if not origin.model:
        raise ConfigError(
            f"{origin.name}: was made from a module, so that nothing says how to make the network "
            "again. Save a classifier of a training (fewstep.load), or pickle this one"
        )
    tensors = {n: t.contiguous().clone() for n, t in classifier.network.state_dict().items()}
    file = folder / WEIGHTS
    with replacing(file) as aside:
        save_file(tensors, aside)
    about = {
        "schema": SCHEMA,
        "classes": classifier.classes,
        "preparation": preparation.told() if preparation else None,
        "network": described(classifier),
        "initialization": {"name": origin.name, "sha256": origin.sha256},
        "temperature": classifier.temperature,
        "expected": asdict(classifier.expected) if classifier.expected else None,
        "weights_sha256": sha256(file.read_bytes()).hexdigest(),
        "versions": {"fewstep": __version__, "torch": str(torch.__version__)},
    }
    write_json(folder / ABOUT, about)
    return folder


def described(classifier: Classifier) -> dict[str, Any]:
    """How the network is made again."""
    made = {"model": dict(classifier.way.origin.model), "outputs": len(classifier.classes)}
    own = classifier.network
    given = own.names if isinstance(own, Fixed) else ()
    shapes = {name: list(own.get_buffer(f"given_{name}").shape) for name in given}
    kinds = {n: str(own.get_buffer(f"given_{n}").dtype).removeprefix("torch.") for n in given}
    return made | {"given": {n: [kinds[n], shapes[n]] for n in given}}


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
    )
    made = Classifier(way, about["classes"], network.eval().requires_grad_(False))
    made.temperature = about["temperature"]
    if found := about["expected"]:
        lists = {n: tuple(found[n]) for n in ("answers", "single")}
        made.expected = Expected(**{**found, **lists})
    return made


def _network(node: Mapping[str, Any], folder: Path) -> nn.Module:
    """The network without its values."""
    if node["model"]["_target_"] == BACKBONE:
        from fewstep.use.backbone.backbone import network_of

        return network_of(node["model"], node["outputs"])
    module = with_outputs(parts.build_model(node["model"]), node["outputs"])
    given = {}
    for name, (kind, shape) in node["given"].items():
        given[name] = torch.zeros(shape, dtype=getattr(torch, kind))
    return Fixed(with_statistics(module), given)


BACKBONE = "fewstep.use.backbone"
"""What stands for a frozen network with a head in the place of a network's class."""


def _learns_no_more(*_: Any) -> Any:
    raise ConfigError("a classifier that was loaded learns no more. Adapt its initialization")
