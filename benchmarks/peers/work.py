"""What is timed: the rows of the table, their tensors, and the arithmetic they need.

One net for all: the paper's Omniglot net (`fewstep.models.OmniglotConv`), four 3x3 convolutions
with 64 channels, stride 2 and TensorFlow's SAME padding, each followed by batch norm on the
statistics of the batch at hand and a ReLU, then a linear head. All sides get copies of one
initialization and the same episodes. The peers' net convolves with `F.conv2d`, as their users
would; fewstep's own convolution comes with fewstep's net.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fewstep.core.types import Episode
from fewstep.models import OmniglotConv
from fewstep.models.layers import SameConv2d


SIZE, CHANNELS, LAYERS = 28, 64, 4
BETA2 = 0.999


class LibraryConv2d(nn.Conv2d):
    """SAME padding, and PyTorch's convolution."""

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[-1] % 2:  # padded on both sides, which the convolution does by itself
            return F.conv2d(x, self.weight, self.bias, self.stride, padding=1)
        return F.conv2d(F.pad(x, (0, 1, 0, 1)), self.weight, self.bias, self.stride)


@dataclass(frozen=True)
class Work:
    """One row: an algorithm and everything that decides how much there is to compute."""

    key: str
    title: str
    algorithm: str
    """`reptile`, `fomaml`, `maml` or `meta_test`."""
    ways: int
    shots: int
    steps: int
    batch_size: int | None
    """Examples an inner step; None is the whole support set, in order."""
    rule: str
    """`adam` (beta1 = 0, its state carried from task to task) or `sgd`."""
    lr: float
    at_least: float
    """What the issue asks for, against the fastest peer."""
    aim: float
    queries: int = 0
    """Queries a class."""
    tasks: int = 5
    eps: float = 1e-8
    """Adam's."""
    repeats: int = 1
    """Meta-iterations in one timed sample."""

    @property
    def batch(self) -> int:
        """Images an inner step."""
        return self.batch_size or self.ways * self.shots

    def model(self) -> nn.Module:
        """The net at its initialization, the same at every call."""
        with torch.random.fork_rng():
            torch.manual_seed(0)
            return OmniglotConv(self.ways)

    def lean_model(self) -> nn.Module:
        """The net without the biases in front of a batch norm: fewstep asks for no gradient of
        theirs, and neither need others."""
        model = self.model()
        for layer in model.modules():
            if isinstance(layer, SameConv2d):
                layer.bias = None
        return model

    def library_model(self) -> nn.Module:
        """The same of PyTorch's own layers."""
        model = self.lean_model()
        for layer in model.modules():
            if isinstance(layer, SameConv2d):
                layer.__class__ = LibraryConv2d
        return model

    def episodes(self, dtype: torch.dtype = torch.float32) -> list[Episode]:
        """Random black and white images, the same at every call."""
        generator = torch.Generator().manual_seed(1)
        return [self._episode(generator, dtype) for _ in range(self.tasks)]

    def _episode(self, generator: torch.Generator, dtype: torch.dtype) -> Episode:
        def images(count: int) -> Tensor:
            shape = (count, 1, SIZE, SIZE)
            return torch.randint(0, 2, shape, generator=generator).to(dtype)

        classes, support = torch.arange(self.ways), self.ways * self.shots
        if self.batch_size is None:
            batches = torch.arange(support).expand(self.steps, support)
        else:
            passes = -(-self.steps * self.batch_size // support)
            orders = [torch.randperm(support, generator=generator) for _ in range(passes)]
            rows = torch.cat(orders)[: self.steps * self.batch_size]
            batches = rows.view(self.steps, self.batch_size)
        return Episode(
            support_x=images(support),
            support_y=classes.repeat_interleave(self.shots),
            query_x=images(self.ways * self.queries),
            query_y=classes.repeat_interleave(self.queries),
            batches=batches.contiguous(),
        )

    def minibatches(self, episode: Episode) -> Iterator[tuple[Tensor, Tensor]]:
        """The inner loop's images and labels; no row is picked where all are used."""
        for rows in episode.batches:
            if self.batch_size is None:
                yield episode.support_x, episode.support_y
            else:
                yield episode.support_x[rows], episode.support_y[rows]

    def flops(self) -> int:
        """Floating-point operations of the convolutions and the head in one meta-iteration.

        In units of one forward pass: a training step costs 3 (output, and the gradients of input
        and weight), without the gradient of the images. A step that is differentiated a second
        time costs 9: those 3, the 4 products of their own derivatives, and the 2 of the output's.
        """
        first, forward = _forward_flops(self.ways)
        step = 3 * forward - first
        queries = self.ways * self.queries
        if self.algorithm == "maml":
            task = self.steps * self.batch * (9 * forward - 5 * first) + queries * step
        elif self.algorithm == "fomaml":
            task = (self.steps * self.batch + queries) * step
        elif self.algorithm == "meta_test":
            # Transductive: all queries at once. Inductive: each with the support set.
            predicted = queries + queries * (self.ways * self.shots + 1)
            task = self.steps * self.batch * step + predicted * forward
        else:
            task = self.steps * self.batch * step
        return self.tasks * task


def _forward_flops(ways: int) -> tuple[int, int]:
    """Of one image: (the first convolution, the whole net), a product and a sum each."""
    layers, channels, size = [], 1, SIZE
    for _ in range(LAYERS):
        size = -(-size // 2)
        layers.append(2 * 9 * channels * CHANNELS * size * size)
        channels = CHANNELS
    return layers[0], sum(layers) + 2 * CHANNELS * size * size * ways


ROWS = {
    work.key: work
    for work in (
        Work(
            "reptile", "Reptile, 5-way: 5 inner steps x batch 10, Adam beta1 = 0", "reptile",
            ways=5, shots=10, steps=5, batch_size=10, rule="adam", lr=1e-3,
            at_least=1.8, aim=2.5, repeats=5,
        ),
        Work(
            "fomaml", "FOMAML, 5-way 1-shot: 5 steps on 5 images, then 5 queries", "fomaml",
            ways=5, shots=1, steps=5, batch_size=None, rule="sgd", lr=0.1,
            at_least=1.8, aim=2.5, queries=1, repeats=5,
        ),
        Work(
            "maml", "MAML (second order), the same", "maml",
            ways=5, shots=1, steps=5, batch_size=None, rule="sgd", lr=0.1,
            at_least=1.5, aim=2.5, queries=1, repeats=2,
        ),
        Work(
            "reptile20", "Reptile, 20-way: 10 inner steps x batch 20, Adam beta1 = 0", "reptile",
            ways=20, shots=10, steps=10, batch_size=20, rule="adam", lr=5e-4,
            at_least=1.6, aim=2.0, repeats=2,
        ),
        Work(
            "meta_test", "meta-test, 5-way 1-shot: 50 steps x batch 5, both protocols", "meta_test",
            ways=5, shots=1, steps=50, batch_size=5, rule="adam", lr=1e-3,
            at_least=2.0, aim=3.0, queries=1, tasks=64,
        ),
    )
}  # fmt: skip
