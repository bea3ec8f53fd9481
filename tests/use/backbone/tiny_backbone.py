"""A tiny network of timm's with weights of chance, and pictures that it can tell apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import timm
import torch
from safetensors.torch import save_file


NAME = "test_resnet"


def tensors(name: str = NAME) -> dict[str, torch.Tensor]:
    """Those of a whole network."""
    torch.manual_seed(0)
    return timm.create_model(name).state_dict()


def written(file: Path, name: str = NAME) -> Path:
    """A file of them."""
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors(name), file)
    return file


def pictures(classes: str, each: int, seed: int = 0) -> tuple[np.ndarray, list[str]]:
    """`each` noisy pictures [40, 50, 3] of every letter, which has a colour and stripes."""
    rng = np.random.default_rng(seed)
    made, labels = [], []
    for place, label in enumerate(sorted(classes)):
        for _ in range(each):
            stripes = 80 * (np.arange(50) // (2 + place) % 2)
            base = np.array([40 * place, 160 - 40 * place, 90])
            noise = rng.integers(0, 15, (40, 50, 3))
            made.append(np.clip(base + stripes[None, :, None] + noise, 0, 255).astype(np.uint8))
            labels.append(label)
    return np.stack(made), labels
