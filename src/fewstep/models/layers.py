"""The layers of the paper's networks, as TensorFlow has them."""

from __future__ import annotations

from numbers import Integral

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fewstep.models.patches import strided_conv2d


BATCH_NORM_EPS = 1e-3
"""TensorFlow's default, not PyTorch's 1e-5: it matters on Omniglot's flat backgrounds."""

GROUP = 8
"""Channels that are normalized together where the norm is of groups."""

PATCHES_BATCH = 20
"""Images up to which a strided convolution by `patches` is faster than oneDNN's on a CPU: an inner
step takes a quarter less time with 5, a tenth less with 10, the same with 20, a tenth more with
100."""


def check_counts(**counts: int) -> None:
    """Hold the sizes of a network against what they count: of nothing there is none, and torch
    makes a layer without outputs that answers nothing.

    Raises:
        ValueError: one that is no whole number of at least 1, by its key.
    """
    for name, value in counts.items():
        whole = isinstance(value, Integral) and not isinstance(value, bool)
        if not whole or value < 1:
            raise ValueError(f"model.{name}={value}: must be a whole number of at least 1")


def glorot(layer: nn.Conv2d | nn.Linear) -> nn.Conv2d | nn.Linear:
    """TensorFlow 1's default initialization: Glorot uniform kernels, zero biases."""
    nn.init.xavier_uniform_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


class SameConv2d(nn.Conv2d):
    """A 3x3 convolution with TensorFlow's SAME padding: ceil(size / stride) outputs.

    With stride 2 an even input is padded at the bottom and right only, where `padding=1` would
    shift the sampling grid by a pixel.
    """

    def __init__(
        self, in_channels: int, out_channels: int, stride: int, normalized: bool = False
    ) -> None:
        """`normalized`: a batch norm follows. It takes any bias away again, so none is added, and
        the bias that the authors' net has keeps its zeros: its gradient would be rounding, of
        which Adam makes whole steps (trap 20)."""
        super().__init__(in_channels, out_channels, kernel_size=3, stride=stride)
        self.normalized = normalized
        glorot(self)

    def forward(self, x: Tensor) -> Tensor:
        bias = None if self.normalized else self.bias
        if self._has_patches(x):
            outputs = strided_conv2d(x, self.weight, bias)
            if x.is_cuda:  # see `vmap.in_plain_memory`; `contiguous` may leave 1x1 as it is
                return outputs.clone(memory_format=torch.contiguous_format)
            return outputs
        step, (height, width) = self.stride[0], x.shape[-2:]
        (top, bottom), (left, right) = _same_padding(height, step), _same_padding(width, step)
        padding = (top, left)
        if padding != (bottom, right):  # else the convolution pads by itself: one pass less
            x, padding = F.pad(x, (left, right, top, bottom)), (0, 0)
        return F.conv2d(x, self.weight, bias, self.stride, padding)

    def _has_patches(self, x: Tensor) -> bool:
        """Whether our own way is the faster one, with stride 2: on a CPU for few images and one
        task, on a GPU for many tasks at once, for which libraries group their convolutions."""
        if torch.compiler.is_compiling():  # an exported network is for any number of images
            return False
        many = torch._C._are_functorch_transforms_active()
        here = many if x.is_cuda else not many and len(x) <= PATCHES_BATCH
        return self.stride[0] == 2 and here


def _same_padding(size: int, stride: int) -> tuple[int, int]:
    """Pixels before and after for a kernel of 3; the odd one goes after."""
    total = max((-(-size // stride) - 1) * stride + 3 - size, 0)
    return total // 2, total - total // 2


def norm(channels: int, kind: str = "batch") -> nn.Module:
    """`batch`: TensorFlow's batch norm, which normalizes with the batch at hand. `group`: with
    groups of channels of one image, so that no answer depends on another image."""
    if kind == "batch":
        return nn.BatchNorm2d(channels, eps=BATCH_NORM_EPS, track_running_stats=False)
    if kind != "group":
        raise ValueError(f"model.norm={kind}: must be one of batch, group")
    if channels % GROUP:
        raise ValueError(
            f"model.channels={channels}: with model.norm=group they are normalized {GROUP} "
            f"together. Use a multiple of {GROUP}, or model.norm=batch"
        )
    return nn.GroupNorm(channels // GROUP, channels, eps=BATCH_NORM_EPS)
