"""A frozen pretrained network in the place of an initialization: its features, and a head."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fewstep.data.images.preparation import Preparation
from fewstep.messages.errors import ConfigError
from fewstep.run.stored.weights import digest
from fewstep.use.backbone import networks
from fewstep.use.backbone.features import Features, Frozen
from fewstep.use.backbone.heads import HEADS, Head, check_head
from fewstep.use.classifier import Classifier
from fewstep.use.inputs import pixels_of
from fewstep.use.labels import classes_of
from fewstep.use.origin import Origin
from fewstep.use.settings import check_weights, whole
from fewstep.use.surroundings import as_usual
from fewstep.use.threads import one_thread
from fewstep.use.way import Curve, Learn, Way


NODE = "backbone"
"""What stands in a saved classifier where other networks have their class."""


@dataclass(frozen=True)
class Backbone:
    """A pretrained network that stays as it is, and how a head is learned on its features.

    `fewstep.load("timm:NAME")` makes one.
    """

    features: Features
    origin: Origin
    head: str = "prototypes"
    """prototypes, logistic or steps (`fewstep.use.backbone.heads`)."""
    steps: int = 50
    """Gradient steps of the head `steps`."""

    @classmethod
    def named(
        cls, name: str, weights: str | Path | None = None, size: int | None = None
    ) -> Backbone:
        """One of timm's networks; nothing is fetched from the network.

        Args:
            name: as timm calls it, with or without a tag: `tf_efficientnet_lite0.in1k`.
            weights: a file of its weights (`.safetensors`, or `.pth` with tensors alone); None
                looks into timm's own cache.
            size: side of the squares that pictures are squeezed to; None is the network's own.

        Raises:
            ValueError: timm is not installed, or has no such network; or weights that are not
                there, cannot be read, or do not fit. Each with the fix.
        """
        size = None if size is None else whole("backbone.size", size, 1)
        check_weights(weights)
        preparation = networks.preparation_of(name, size)
        network = Frozen(networks.pretrained(name, preparation.size, weights)).eval()
        node = {NODE: name, "size": preparation.size}
        origin = Origin(f"timm:{name}", digest(dict(network.state_dict())), node)
        return cls(Features(network, preparation, f"timm_{name}", origin.sha256), origin)

    @classmethod
    def of(cls, classifier: Classifier) -> Backbone:
        """That of a classifier which was made with one, as saved ones are.

        Raises:
            ValueError: it was made with another kind of initialization.
        """
        origin, preparation = classifier.way.origin, classifier.preparation
        network = frozen_part(classifier.network)
        if network is None or preparation is None:
            raise ConfigError(f"{origin.name}: is no frozen network. fewstep.load gives it")
        name = f"timm_{origin.model[NODE]}"
        return cls(Features(network, preparation, name, origin.sha256), origin)

    @property
    def preparation(self) -> Preparation:
        """How pictures become inputs."""
        return self.features.preparation

    @property
    def card(self) -> str:
        """What it is."""
        side = self.preparation.size
        count = sum(p.numel() for p in self.features.network.parameters())
        return (
            f"{self.origin.name}: a pretrained network of timm's, used as it is\n\n"
            f"parameters       {count:,}, none of which is learned\n"
            f"pictures         squeezed to {side}x{side}\n"
            f"weights          sha256 {self.origin.sha256[:16]}...\n"
            f"head             {self.head}, of {', '.join(HEADS)}"
        )

    def with_settings(self, **changed: Any) -> Backbone:
        """The same with another `head` or other `steps`; None leaves one as it is.

        Raises:
            ValueError: a value that it cannot have, or a setting that a frozen network has not.
        """
        known = {name: value for name, value in changed.items() if value is not None}
        whole("seed", known.pop("seed", 0), 0)  # nothing is drawn
        for name, value in known.items():
            if name not in ("head", "steps"):
                raise ConfigError(
                    f"{name}={value}: {self.origin.name} is frozen, and its head learns from all "
                    f"pictures at once. Leave {name} out"
                )
        count = whole("steps", known.get("steps", self.steps), 0)
        check_head(self.origin.name, known.get("head", self.head), known.get("steps"))
        return replace(self, **{**known, "steps": count})

    def inputs(self, images: Any) -> Tensor:
        """Pictures of any form as they are kept: pixels [n, S, S, C] uint8.

        Raises:
            ValueError: what is no picture, by its place.
        """
        return pixels_of(images, self.preparation)

    def __deepcopy__(self, memo: dict[int, Any]) -> Backbone:
        """Itself: nothing changes a frozen network, and estimators are cloned often."""
        return self

    def adapt(self, images: Any, labels: Any, **settings: Any) -> Classifier:
        """A classifier of the given classes: a plain network, the frozen one and its head.

        Args:
            images: as those of `Initialization.adapt`.
            labels: n hashable values; any number of classes from two, of unequal sizes if need be,
                one picture a class is enough.
            settings: `head`, which is `prototypes` (class means), `logistic` (scikit-learn's
                regression), or `steps` (gradient steps from the prototypes); and `steps`, how many
                of those.

        Raises:
            ValueError: naming what is wrong with which picture or label, and the fix.
        """
        return self.with_settings(**settings).adapt_kept(self.inputs(images), labels)

    @as_usual()
    def adapt_kept(self, kept: Tensor, labels: Any) -> Classifier:
        """The same from pixels [n, S, S, C] uint8, as `inputs` gives them."""
        classes, y = classes_of(labels, len(kept))
        return Classifier.learned(self.way(), classes, kept, y)

    def way(self) -> Way:
        """How its classifiers are learned and asked."""
        learn = partial(_learn, HEADS[self.head], self.steps)
        left_out = partial(_left_out, learn)
        frozen = self.features
        return Way(self.preparation, learn, left_out, self.origin, frozen.network, frozen)


def frozen_part(network: nn.Module) -> Frozen | None:
    """What a classifier's network has in front of its head, where that is frozen."""
    first = network[0] if isinstance(network, nn.Sequential) else None
    return first if isinstance(first, Frozen) else None


def network_of(node: Mapping[str, Any], outputs: int) -> nn.Sequential:
    """The network of a saved classifier, without its values.

    Raises:
        ConfigError: timm is not installed, or has no such network.
        TypeError, KeyError: the node is none of a backbone.
    """
    if not isinstance(node[NODE], str):
        raise TypeError(f"{NODE} must be a name")
    frozen = Frozen(networks.untrained(node[NODE], node["size"])).eval()
    seen = networks.preparation_of(node[NODE], node["size"])
    with torch.no_grad():
        width = frozen(torch.zeros(1, seen.channels, seen.size, seen.size)).shape[1]
    return nn.Sequential(frozen, nn.Linear(width, outputs))


def _learn(head: Head, count: int, x: Tensor, y: Tensor, ways: int) -> tuple[nn.Module, Curve]:
    with one_thread():
        return head(x, y, ways, count)


def _left_out(
    learn: Learn, x: Tensor, y: Tensor, ways: int, parts: Sequence[Tensor]
) -> Iterator[Tensor]:
    """For each part of the features, what a head that learned the others says: [len(part), N]."""
    for part in parts:
        rest = torch.ones(len(x), dtype=torch.bool)
        rest[part] = False
        made, _ = learn(x[rest], y[rest], ways)
        yield made(x[part])
