"""Networks as people have them, for what a module may hold; all take images [B, 1, 12, 12]."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import numpy as np
import timm
import torch
import torchvision
from torch import Tensor, nn
from torch.nn.utils import parametrizations, prune
from torch.nn.utils import weight_norm as old_weight_norm
from torch.utils.checkpoint import checkpoint


SIZE = 12
PIXELS = SIZE * SIZE


def mlp(*layers: nn.Module, ways: int = 5, hidden: int = 6) -> nn.Sequential:
    """Pixels to logits, with layers in between."""
    return nn.Sequential(nn.Flatten(), nn.Linear(PIXELS, hidden), *layers, nn.Linear(hidden, ways))


class Colour(nn.Module):
    """A network for colour images."""

    def __init__(self, net: nn.Module, size: int = SIZE) -> None:
        super().__init__()
        self.net, self.size = net, size

    def forward(self, x: Tensor) -> Tensor:
        return self.net(nn.functional.interpolate(x, size=self.size).expand(-1, 3, -1, -1))


def frozen_features(ways: int) -> nn.Module:
    net = mlp(nn.Tanh(), ways=ways)
    net[1].requires_grad_(False)
    return net


def frozen_vector(ways: int) -> nn.Module:
    """One frozen entry among trainable ones, in front of them."""
    net = mlp(nn.Tanh(), ways=ways)
    net[1].weight.requires_grad_(False)
    return net


class Tied(nn.Module):
    """An autoencoder's matrix, used twice and registered under two names."""

    def __init__(self, ways: int) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(PIXELS, PIXELS, bias=False), nn.Linear(PIXELS, PIXELS)
        self.second.weight = self.first.weight
        self.head = nn.Linear(PIXELS, ways)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.second(torch.tanh(self.first(x.flatten(1)))))


def shared_layer(ways: int) -> nn.Module:
    layer = nn.Linear(6, 6)
    return mlp(layer, nn.Tanh(), layer, ways=ways)


class Unused(nn.Module):
    def __init__(self, ways: int) -> None:
        super().__init__()
        self.spare = nn.Linear(3, 3)
        self.net = mlp(nn.Tanh(), ways=ways)

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


class WholeNumbers(nn.Module):
    """An integer parameter, which nobody can learn, chooses among columns."""

    def __init__(self, ways: int) -> None:
        super().__init__()
        self.chosen = nn.Parameter(torch.arange(0, PIXELS, 2), requires_grad=False)
        self.head = nn.Linear(PIXELS // 2, ways)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(x.flatten(1)[:, self.chosen])


class TwoPrecisions(nn.Module):
    """A float32 trunk and a float64 head."""

    def __init__(self, ways: int) -> None:
        super().__init__()
        self.trunk, self.head = nn.Linear(PIXELS, 6), nn.Linear(6, ways).double()

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.tanh(self.trunk(x.flatten(1).to(self.trunk.weight.dtype))).double())


def narrow(ways: int) -> nn.Module:
    return mlp(nn.Tanh(), ways=ways).bfloat16()


class Scaled(nn.Module):
    """A buffer that forward reads, one that is not saved, and one of integers."""

    def __init__(self, ways: int) -> None:
        super().__init__()
        self.register_buffer("scale", torch.full((PIXELS,), 0.5))
        self.register_buffer("shift", torch.full((PIXELS,), 0.1), persistent=False)
        self.register_buffer("order", torch.randperm(PIXELS))
        self.head = nn.Linear(PIXELS, ways)

    def forward(self, x: Tensor) -> Tensor:
        return self.head((x.flatten(1) * self.scale + self.shift)[:, self.order])


class Counting(nn.Module):
    """A buffer that forward writes in place, in both modes, and that scales the output."""

    def __init__(self, ways: int) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(()))
        self.head = nn.Linear(PIXELS, ways)

    def forward(self, x: Tensor) -> Tensor:
        self.seen += 1
        return self.head(x.flatten(1)) / self.seen


class Remembering(nn.Module):
    """A buffer that forward replaces in training and reads in evaluation: a running mean."""

    def __init__(self, ways: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(PIXELS))
        self.head = nn.Linear(PIXELS, ways)

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        if self.training:
            self.mean = 0.9 * self.mean + 0.1 * x.mean(0).detach()
        return self.head(x - self.mean)


class Attributes(nn.Module):
    """What forward keeps in attributes: a number, a list, the last activation."""

    def __init__(self, ways: int) -> None:
        super().__init__()
        self.calls, self.log, self.last = 0, [], None
        self.head = nn.Linear(PIXELS, ways)

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        self.log.append(self.calls)
        self.last = self.head(x.flatten(1))
        return self.last * (1 + 0.1 * len(self.log))


class Deep(nn.Module):
    """State below the outermost container, in an array and in an object of one's own."""

    class Box:
        times = 0

    def __init__(self, ways: int) -> None:
        super().__init__()
        self.log, self.array, self.box = {"a": {"n": 0}}, np.zeros(1), Deep.Box()
        self.head = nn.Linear(PIXELS, ways)

    def forward(self, x: Tensor) -> Tensor:
        self.log["a"]["n"] += 1
        self.array += 0.05
        self.box.times += 1
        factor = 1 + 0.1 * (self.log["a"]["n"] + float(self.array[0]) + self.box.times)
        return self.head(x.flatten(1)) * factor


class SomeSizes(nn.Module):
    """Dropout for minibatches of one size alone."""

    def __init__(self, ways: int) -> None:
        super().__init__()
        self.head = nn.Linear(PIXELS, ways)

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        return self.head(nn.functional.dropout(x, 0.5) if len(x) == 4 and self.training else x)


class OtherInEvaluation(nn.Module):
    """A temperature that is on in evaluation alone."""

    def __init__(self, ways: int) -> None:
        super().__init__()
        self.head = nn.Linear(PIXELS, ways)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(x.flatten(1)) * (1.0 if self.training else 0.5)


class OwnMode(nn.Module):
    """A `train` of its own, which keeps a part in evaluation, as people freeze their norms."""

    def __init__(self, ways: int) -> None:
        super().__init__()
        self.part, self.head = OtherInEvaluation(6), nn.Linear(6, ways)

    def train(self, mode: bool = True) -> nn.Module:
        super().train(mode)
        self.part.eval()
        return self

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.part(x))


class Noise(nn.Module):
    """Gaussian noise from PyTorch, a coin from Python and one from NumPy."""

    def __init__(self, ways: int) -> None:
        super().__init__()
        self.head = nn.Linear(PIXELS, ways)

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        if self.training:
            x = x * (0.5 + random.random()) + 0.1 * np.random.rand() + 0.1 * torch.randn_like(x)
        return self.head(x)


class Noisy(nn.Sequential):
    """A function of one number, with dropout."""

    def __init__(self) -> None:
        super().__init__(nn.Linear(1, 8), nn.Tanh(), nn.Dropout(0.1), nn.Linear(8, 1))


class AlwaysDropout(nn.Module):
    """Dropout that is on in evaluation as well."""

    def __init__(self, ways: int) -> None:
        super().__init__()
        self.head = nn.Linear(PIXELS, ways)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(nn.functional.dropout(x.flatten(1), 0.5, training=True))


class Recurrent(nn.Module):
    def __init__(self, ways: int) -> None:
        super().__init__()
        self.rows, self.head = nn.LSTM(SIZE, 6, batch_first=True), nn.Linear(6, ways)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.rows(x[:, 0])[0][:, -1])


class Attention(nn.Module):
    def __init__(self, ways: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.rows = nn.TransformerEncoderLayer(SIZE, 2, 16, dropout, batch_first=True)
        self.head = nn.Linear(SIZE, ways)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.rows(x[:, 0]).mean(1))


def normalized(norm: Callable[[int], nn.Module], ways: int) -> nn.Module:
    head = nn.Linear(8 * PIXELS // 4, ways)
    return nn.Sequential(nn.Conv2d(1, 8, 3, 2, 1), norm(8), nn.ReLU(), nn.Flatten(), head)


def pruned(ways: int) -> nn.Module:
    net = mlp(nn.Tanh(), ways=ways)
    prune.l1_unstructured(net[1], "weight", amount=0.5)
    return net


def spectral(ways: int) -> nn.Module:
    net = mlp(nn.Tanh(), ways=ways)
    parametrizations.spectral_norm(net[1])
    return net


def with_norm(weight_norm: Callable[[nn.Module], nn.Module], ways: int) -> nn.Module:
    net = mlp(nn.Tanh(), ways=ways)
    weight_norm(net[1])
    return net


def parts(ways: int) -> nn.Module:
    """Parameters in lists and dictionaries of PyTorch's."""

    class Parts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.maps = nn.ParameterList([nn.Parameter(torch.randn(PIXELS, 6) / 12)])
            self.heads = nn.ParameterDict({"one": nn.Parameter(torch.randn(6, ways) / 3)})

        def forward(self, x: Tensor) -> Tensor:
            return torch.tanh(x.flatten(1) @ self.maps[0]) @ self.heads["one"]

    return Parts()


def timm_net(name: str, ways: int) -> nn.Module:
    return Colour(timm.create_model(name, num_classes=ways), size=32)


NETWORKS: dict[str, Callable[[int], nn.Module]] = {
    "frozen features": frozen_features,
    "frozen vector": frozen_vector,
    "tied": Tied,
    "shared layer": shared_layer,
    "unused": Unused,
    "whole numbers": WholeNumbers,
    "two precisions": TwoPrecisions,
    "bfloat16": narrow,
    "buffers read": Scaled,
    "buffer written": Counting,
    "buffer replaced": Remembering,
    "attributes written": Attributes,
    "attributes deep inside written": Deep,
    "dropout for one size": SomeSizes,
    "other in evaluation": OtherInEvaluation,
    "mode of its own": OwnMode,
    "dropout": lambda ways: mlp(nn.Tanh(), nn.Dropout(0.5), ways=ways),
    "alpha dropout": lambda ways: mlp(nn.SELU(), nn.AlphaDropout(0.3), ways=ways),
    "rrelu": lambda ways: mlp(nn.RReLU(), ways=ways),
    "noise of three kinds": Noise,
    "dropout always": AlwaysDropout,
    "lstm": Recurrent,
    "attention": Attention,
    "attention with dropout": lambda ways: Attention(ways, 0.2),
    "batch norm": lambda ways: normalized(nn.BatchNorm2d, ways),
    "group norm": lambda ways: normalized(lambda n: nn.GroupNorm(2, n), ways),
    "instance norm": lambda ways: normalized(
        lambda n: nn.InstanceNorm2d(n, affine=True, track_running_stats=True), ways
    ),
    "pruned": pruned,
    "spectral norm": spectral,
    "weight norm": lambda ways: with_norm(parametrizations.weight_norm, ways),
    "old weight norm": lambda ways: with_norm(old_weight_norm, ways),
    "parameter containers": parts,
}
"""Accepted, small."""

LARGE: dict[str, Callable[[int], nn.Module]] = {
    "torchvision squeezenet": lambda ways: Colour(
        torchvision.models.squeezenet1_1(num_classes=ways), 32
    ),
    "torchvision shufflenet": lambda ways: Colour(
        torchvision.models.shufflenet_v2_x0_5(num_classes=ways), 32
    ),
    "torchvision mobilenet": lambda ways: Colour(
        torchvision.models.mobilenet_v3_small(num_classes=ways), 32
    ),
    "timm resnet": lambda ways: timm_net("test_resnet", ways),
    "timm efficientnet": lambda ways: timm_net("test_efficientnet", ways),
    "timm convnext": lambda ways: timm_net("test_convnext", ways),
}
"""Accepted, of libraries."""


def named(name: str, ways: int) -> nn.Module:
    """One of them; what a configuration's `model._target_` names."""
    return {**NETWORKS, **LARGE}[name](ways)


# --- refused when they are tried


class Checkpointed(nn.Module):
    """Computes a block again on the way back."""

    def __init__(self, ways: int) -> None:
        super().__init__()
        self.block, self.head = mlp(nn.Tanh(), ways=6), nn.Linear(6, ways)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(checkpoint(self.block, x, use_reentrant=False))


class Closed(nn.Module):
    """Calls its layer through a lambda, which a copy would share."""

    def __init__(self, ways: int) -> None:
        super().__init__()
        self.layer = nn.Linear(PIXELS, ways)
        self.call = lambda x: self.layer(x)

    def forward(self, x: Tensor) -> Tensor:
        return self.call(x.flatten(1))


class Elsewhere(nn.Linear):
    """Counts its calls in its class."""

    calls = 0

    def __init__(self, ways: int) -> None:
        super().__init__(PIXELS, ways)

    def forward(self, x: Tensor) -> Tensor:
        Elsewhere.calls += 1
        return super().forward(x.flatten(1)) * (1 + 0.1 * Elsewhere.calls)


TRIED = {
    Checkpointed: "Checkpointed does not go by the block.",
    Closed: "Closed does not go by the layer.weight that a task lends it",
    Elsewhere: "Elsewhere remembers something outside of itself",
}


# --- refused


class Complex(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.zeros(2, dtype=torch.complex64))


class OwnGenerator(nn.Module):
    def __init__(self, source: object) -> None:
        super().__init__()
        self.head, self.source = nn.Linear(2, 2), source


class Overlapping(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.whole = nn.Parameter(torch.randn(4))
        self.part = nn.Parameter(self.whole.data[:2])


class Sparse(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.eye(3).to_sparse())


def all_frozen() -> nn.Module:
    return nn.Linear(2, 2).requires_grad_(False)


def averaged() -> nn.Module:
    return torch.optim.swa_utils.AveragedModel(nn.Linear(2, 2))


REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "complex": (Complex, "the parameter w is torch.complex64: inner rules are for real numbers"),
    "sparse": (Sparse, "the parameter w is sparse or quantized: keep it dense"),
    "overlapping": (Overlapping, "whole share memory without being one parameter"),
    "float16": (lambda: nn.Linear(2, 2).half(), "weight is torch.float16: too narrow"),
    "meta": (lambda: nn.Linear(2, 2, device="meta"), "weight is on the device meta"),
    "all frozen": (all_frozen, "Linear has nothing to learn: they all have requires_grad=False"),
    "no parameters": (nn.ReLU, "ReLU has nothing to learn: it has no parameters"),
    "own generator": (
        lambda: OwnGenerator(torch.Generator()),
        "OwnGenerator draws from a generator of its own",
    ),
    "own generator of NumPy": (
        lambda: OwnGenerator(np.random.default_rng(0)),
        "OwnGenerator draws from a generator of its own",
    ),
    "own generator of Python": (
        lambda: OwnGenerator(random.SystemRandom()),
        "OwnGenerator draws from a generator of its own",
    ),
    "sparse gradients": (
        lambda: nn.Sequential(nn.Embedding(3, 2, sparse=True)),
        "the layer 0 (Embedding) has sparse gradients",
    ),
    "synchronized": (
        lambda: nn.Sequential(nn.Linear(2, 2), nn.SyncBatchNorm(2)),
        "the layer 1 (SyncBatchNorm) gathers statistics over devices",
    ),
    "averaged": (averaged, "AveragedModel is a wrapper around a network"),
    "compiled": (lambda: torch.compile(nn.Linear(2, 2)), "OptimizedModule is a wrapper"),
    "observer": (
        lambda: nn.Sequential(nn.Linear(2, 2), torch.ao.quantization.MinMaxObserver()),
        "the layer 1 (MinMaxObserver) gathers statistics over tasks",
    ),
    "no network": (lambda: math, "gives a module, and a network is a torch.nn.Module"),
}
