"""What is compared, each as a function of the places of pictures."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from fewstep.use.backbone.backbone import Backbone
from fewstep.use.backbone.heads import HEADS, Head, prototypes
from fewstep.use.classifier import Classifier
from fewstep.use.initialization import Initialization
from hands.tasks import Method


def frozen(backbone: Backbone, kept: Tensor) -> dict[str, Method]:
    """A method a head, on features that are asked for once."""
    x = backbone.features(kept)
    return {f"frozen, {name}": _headed(head, x, backbone.steps) for name, head in HEADS.items()}


def pixels(kept: Tensor) -> Mapping[str, Method]:
    """Class means of the pixels themselves."""
    return {"pixels, prototypes": _headed(prototypes, kept.flatten(1).float() / 255, 0)}


def adapted(name: str, init: Initialization, kept: Tensor) -> Mapping[str, Method]:
    """An initialization of fewstep's, adapted to the given pictures as it is meant to be."""

    def method(given: Tensor, y: Tensor, ways: int, asked: Tensor) -> Tensor:
        made = Classifier.learned(init.way(), range(ways), kept[given], y)
        return made.probabilities(kept[asked]).argmax(1)

    return {name: method}


def _headed(head: Head, x: Tensor, steps: int) -> Method:
    def method(given: Tensor, y: Tensor, ways: int, asked: Tensor) -> Tensor:
        layer, _ = head(x[given], y, ways, steps)
        return layer(x[asked]).argmax(1)

    return method
