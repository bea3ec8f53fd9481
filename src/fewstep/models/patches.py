"""A convolution with stride 2 as patches of the image times a matrix.

For the paper's Omniglot images a CPU spends longer on preparing a library's convolution, and on
its gradients with stride 2 above all, than on the products themselves; on a GPU the same holds for
the convolutions of many tasks at once. Taking patches is linear, and its transpose adds them up
again, so that each is the other's derivative, to any order.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def strided_conv2d(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """A 3x3 convolution with stride 2 and TensorFlow's SAME padding.

    Args:
        x: [B, C, H, W].
        weight: [O, C, 3, 3].
        bias: [O], or None.

    Returns:
        [B, O, ceil(H / 2), ceil(W / 2)] in channels-last memory.
    """
    images = x.permute(0, 2, 3, 1)
    # Contiguous where that costs little: the gradient of a short matrix takes its memory order.
    kernel = weight.permute(2, 3, 1, 0).reshape(-1, len(weight))
    kernel = kernel.contiguous() if len(kernel) < len(weight) else kernel
    patches = _Patches.apply(images)
    outputs = patches @ kernel if bias is None else torch.addmm(bias, patches, kernel)
    height, width = _halved(images.shape)
    return outputs.view(len(x), height, width, len(weight)).permute(0, 3, 1, 2)


class _Patches(torch.autograd.Function):
    """Images [B, H, W, C] to patches [B * h * w, 9 * C]."""

    generate_vmap_rule = True

    @staticmethod
    def forward(images: Tensor) -> Tensor:
        return _patches(images)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.shape = inputs[0].shape

    @staticmethod
    def backward(ctx: Any, patches: Tensor) -> Tensor:
        return _Images.apply(patches, ctx.shape)


class _Images(torch.autograd.Function):
    """Its transpose: every patch added to the image at its place."""

    generate_vmap_rule = True

    @staticmethod
    def forward(patches: Tensor, shape: torch.Size) -> Tensor:
        return _images(patches, shape)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, torch.Size], output: Tensor) -> None:
        """Linear: its derivative depends on nothing."""

    @staticmethod
    def backward(ctx: Any, images: Tensor) -> tuple[Tensor, None]:
        return _Patches.apply(images), None


def _halved(shape: torch.Size) -> tuple[int, int]:
    """(h, w): rows and columns of the outputs."""
    return -(-shape[1] // 2), -(-shape[2] // 2)


def _patches(images: Tensor) -> Tensor:
    (batch, height, width, channels), (h, w) = images.shape, _halved(images.shape)
    # An odd pixel of padding goes after the image, and an output reaches one pixel past its pair.
    padded = images.new_zeros(batch, 2 * h + 1, 2 * w + 1, channels)
    padded[:, 2 * h - height : 2 * h, 2 * w - width : 2 * w] = images
    image, row, pixel, _ = padded.stride()
    size, strides = (batch, h, w, 3, 3 * channels), (image, 2 * row, 2 * pixel, row, 1)
    return padded.as_strided(size, strides).reshape(-1, 9 * channels)


def _images(patches: Tensor, shape: torch.Size) -> Tensor:
    """Pairs of rows and columns partition the image: each patch sets one such square, and what
    its third row and third column hold is added to the squares below and to the right."""
    (batch, height, width, channels), (h, w) = shape, _halved(shape)
    patch = patches.reshape(batch, h, w, 3, 3, channels)
    squares = patches.new_empty(batch, h, 2, w, 2, channels)
    of_patch = squares.permute(0, 1, 3, 2, 4, 5)  # [batch, h, w, 2, 2, channels]
    of_patch.copy_(patch[:, :, :, :2, :2])
    of_patch[:, 1:, :, 0].add_(patch[:, :-1, :, 2, :2])
    of_patch[:, :, 1:, :, 0].add_(patch[:, :, :-1, :2, 2])
    of_patch[:, 1:, 1:, 0, 0].add_(patch[:, :-1, :-1, 2, 2])
    images = squares.view(batch, 2 * h, 2 * w, channels)
    return images[:, 2 * h - height :, 2 * w - width :]
