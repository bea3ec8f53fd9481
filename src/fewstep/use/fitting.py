"""A classifier for pictures on disk, from the initialization that is asked for or the best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import torch

from fewstep.data.images.decode import Reading
from fewstep.data.images.decoding import Picture
from fewstep.data.images.preparation import Preparation
from fewstep.messages.errors import ConfigError
from fewstep.use.classifier import Classifier
from fewstep.use.loading import BACKBONE, load
from fewstep.use.pictures import prepared
from fewstep.use.reading import reading_of


Found = Mapping[str, Sequence[Picture]]
LOOK = Preparation(32, 3)
"""How pictures are looked at to tell colour from grey."""
COLOURED = 12
"""From this spread of the channels on, of 255 and on average, a picture is coloured."""


def fitted(found: Found, values: Mapping[str, Any]) -> tuple[Classifier, list[str]]:
    """A classifier of the classes found, and what there is to say of it.

    Args:
        found: the pictures of each class.
        values: the keys of `fewstep adapt`.

    Raises:
        ConfigError: an initialization that is not there, or pictures that cannot be used.
    """
    if values["init"] == "auto":
        return _best(found, values)
    init = load(
        values["init"], values["trust"], values["backbone.weights"], values["backbone.size"]
    )
    classifier = _fit(_with_settings(init, values), Sorted(found, reading_of(values)), values)
    return classifier, [f"from {classifier.origin.name}"]


class Sorted:
    """The pictures of each class, read once for each preparation."""

    def __init__(self, found: Found, reading: Reading) -> None:
        self.pictures = [picture for some in found.values() for picture in some]
        self.labels = [name for name, some in found.items() for _ in some]
        self.pixels = cache(lambda preparation: prepared(self.pictures, preparation, reading))
        """[n, S, S, C] uint8, by a preparation."""


def _with_settings(init: Any, values: Mapping[str, Any]) -> Any:
    return init.with_settings(**{n: values[n] for n in ("steps", "batch_size", "head", "seed")})


def _fit(init: Any, pictures: Sorted, values: Mapping[str, Any]) -> Classifier:
    if init.preparation is None:
        raise ConfigError(
            f"init={values['init']}: takes rows of numbers, not pictures. Use it from Python: "
            "fewstep.load(...).adapt(rows, labels)"
        )
    classifier = init.adapt_kept(pictures.pixels(init.preparation), pictures.labels)
    if values["evaluate"]:
        classifier.evaluate(progress=True)
    return classifier


def _check_auto(values: Mapping[str, Any]) -> None:
    given = [n for n in ("steps", "batch_size", "head") if values[n] is not None]
    if given:
        raise ConfigError(
            f"{given[0]}={values[given[0]]}: is a setting of one initialization, and init=auto "
            "tries several. Name one, as init=omniglot"
        )


def _best(found: Found, values: Mapping[str, Any]) -> tuple[Classifier, list[str]]:
    """What leaving pictures out says is best of what is available."""
    from fewstep.use.backbone import auto

    _check_auto(values)
    reading = reading_of(values)
    colour, pictures = coloured(found, reading), Sorted(found, reading)
    possible = auto.candidates(colour, values["backbone.weights"], None, values["backbone.size"])
    size, networks = values["backbone.size"], [n for n, _ in possible if n.startswith(BACKBONE)]
    if size is not None and not networks:
        raise ConfigError(
            f"backbone.size={size}: is of pretrained networks, and none is at hand. Name one, as "
            "init=timm:NAME, or leave it out"
        )
    tried = []
    for name, make in possible if values["evaluate"] else possible[:1]:
        classifier = _fit(_with_settings(make(), values), pictures, values)
        tried.append((name, classifier, classifier.expected))
    place = auto.best(tried) if len(tried) > 1 else 0
    lines = [auto.comparison(tried)] if len(tried) > 1 else []
    if len(possible) > len(tried):
        lines.append(
            f"the first of {len(possible)} that could be tried: with evaluate=false none is held "
            "against the others"
        )
    if colour and not networks:
        lines.append(
            "these are colour pictures, and no pretrained network is at hand, which tells "
            "photographs far better: pip install 'fewstep[vision]', and init=timm:NAME"
        )
    return tried[place][1], [f"from {tried[place][0]}", *lines]


def coloured(found: Found, reading: Reading) -> bool:
    """Whether the pictures have colours: of the first of each class, for one in ten at least."""
    first = [some[0] for some in found.values()]
    pixels = prepared(first, LOOK, reading).float()
    spread = (pixels.amax(-1) - pixels.amin(-1)).mean((1, 2))
    return bool(torch.mean((spread >= COLOURED).float()) >= 0.1)
