"""What the tests of hands share: small initializations, and pictures that are easy to tell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

import fewstep
from fewstep.core.rules import SGD
from fewstep.data.images.preparation import Preparation
from fewstep.models import OmniglotConv


SMALL = Preparation(12, 1, paper="light")


def conv(ways: int = 3, steps: int = 4) -> fewstep.Initialization:
    """An untrained network with batch norm, for pictures of 12 pixels."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = OmniglotConv(ways, size=12, channels=8)
    return fewstep.Initialization.of(
        module, SGD(0.05), ways=ways, steps=steps, batch_size=4, preparation=SMALL
    )


class Bars(nn.Module):
    """A network without batch norm."""

    def __init__(self, ways: int = 2) -> None:
        super().__init__()
        self.head = nn.Linear(144, ways)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(x.flatten(1))


def pictures(each: int = 4, classes: int = 3, seed: int = 0) -> tuple[list[np.ndarray], list[str]]:
    """Dark bars on light paper, a direction a class, with some noise: [12, 12] uint8."""
    generator, images, labels = np.random.default_rng(seed), [], []
    for i in range(each * classes):
        image = np.full((12, 12), 230)
        place, kind = generator.integers(3, 9), i % classes
        if kind == 0:
            image[place - 1 : place + 1] = 20
        elif kind == 1:
            image[:, place - 1 : place + 1] = 20
        else:
            image[2:10, 2:10] = 20 if kind == 2 else 120
        noise = generator.integers(-15, 15, image.shape)
        images.append(np.clip(image + noise, 0, 255).astype(np.uint8))
        labels.append(f"kind {kind}")
    return images, labels


def folder(root: Path, each: int = 3, classes: int = 3, seed: int = 0) -> Path:
    """The same as files, a folder a class."""
    for i, (image, label) in enumerate(zip(*pictures(each, classes, seed), strict=True)):
        (root / label).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(root / label / f"{i:03}.png")
    return root
