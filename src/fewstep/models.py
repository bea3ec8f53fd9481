"""The paper's networks, as the authors' code has them (models.py), and its regression MLP.

What differs from a first guess at "the same CNN as Finn et al." is listed where it happens; a
pair of implementations that differ in one of these do not give the same numbers.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fewstep.patches import strided_conv2d


BATCH_NORM_EPS = 1e-3
"""TensorFlow's default, not PyTorch's 1e-5: it matters on Omniglot's flat backgrounds."""

PATCHES_BATCH = 20
"""Images up to which a strided convolution by `patches` is faster than oneDNN's on a CPU: an inner
step takes a quarter less time with 5, a tenth less with 10, the same with 20, a tenth more with
100."""


def _glorot(layer: nn.Conv2d | nn.Linear) -> nn.Conv2d | nn.Linear:
    """TensorFlow 1's default initialization: Glorot uniform kernels, zero biases."""
    nn.init.xavier_uniform_(layer.weight)
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
        _glorot(self)

    def forward(self, x: Tensor) -> Tensor:
        bias = None if self.normalized else self.bias
        if self._has_patches(x):
            outputs = strided_conv2d(x, self.weight, bias)
            if x.is_cuda:  # see `execution.in_plain_memory`; `contiguous` may leave 1x1 as it is
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
        many = torch._C._are_functorch_transforms_active()
        here = many if x.is_cuda else not many and len(x) <= PATCHES_BATCH
        return self.stride[0] == 2 and here


def _same_padding(size: int, stride: int) -> tuple[int, int]:
    """Pixels before and after for a kernel of 3; the odd one goes after."""
    total = max((-(-size // stride) - 1) * stride + 3 - size, 0)
    return total // 2, total - total // 2


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=BATCH_NORM_EPS, track_running_stats=False)


class OmniglotConv(nn.Module):
    """Four times {3x3 convolution, stride 2, SAME -> batch norm -> ReLU}, then a linear head.

    28 -> 14 -> 7 -> 4 -> 2: 256 features and 113,221 parameters at 5 ways (models.py:17-30).
    """

    def __init__(self, ways: int, in_channels: int = 1, size: int = 28, channels: int = 64) -> None:
        """`size` is the height and width of the images in pixels."""
        super().__init__()
        blocks = []
        for _ in range(4):
            blocks += [SameConv2d(in_channels, channels, stride=2, normalized=True)]
            blocks += [_norm(channels), nn.ReLU()]
            in_channels, size = channels, -(-size // 2)
        self.features = nn.Sequential(*blocks)
        self.head = _glorot(nn.Linear(channels * size * size, ways))

    def forward(self, x: Tensor) -> Tensor:
        """Logits [B, ways] of images [B, C, H, W]."""
        return self.head(self.features(x).flatten(1))


class MAMLOmniglotConv(OmniglotConv):
    """The network of Finn et al. 2017 (cbfinn/maml: maml.py:185-225, utils.py:26-41).

    Its batch norm has an offset and no scale, and the head gets the mean over the last pixels, 64
    features, by weights from N(0, 1). Their inner learning rates of 0.1 and 0.4 belong to it: on
    256 features, each some ten times as much, a step of that size is too long for FOMAML.
    """

    def __init__(self, ways: int, in_channels: int = 1, size: int = 28, channels: int = 64) -> None:
        """`size` is the height and width of the images in pixels."""
        super().__init__(ways, in_channels, size, channels)
        for layer in self.features:
            if isinstance(layer, nn.BatchNorm2d):
                del layer.weight
                # Ones that nobody trains: without any, PyTorch cannot differentiate it twice.
                layer.register_buffer("weight", torch.ones(channels), persistent=False)
        self.head = _glorot(nn.Linear(channels, ways))
        nn.init.normal_(self.head.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Logits [B, ways] of images [B, C, H, W]."""
        return self.head(self.features(x).mean((2, 3)))


class MiniImagenetConv(nn.Module):
    """Four times {3x3 convolution -> batch norm -> 2x2 max pool, SAME -> ReLU}, then a head.

    84 -> 42 -> 21 -> 11 -> 6: 1,152 features and 34,661 parameters at 5 ways (models.py:37-51).
    Batch norm comes before the pool (trap 19), and the pool rounds up.
    """

    def __init__(self, ways: int, in_channels: int = 3, size: int = 84, channels: int = 32) -> None:
        """`size` is the height and width of the images in pixels."""
        super().__init__()
        blocks = []
        for _ in range(4):
            blocks += [SameConv2d(in_channels, channels, stride=1, normalized=True)]
            blocks += [_norm(channels), nn.MaxPool2d(2, ceil_mode=True), nn.ReLU()]
            in_channels, size = channels, -(-size // 2)
        self.features = nn.Sequential(*blocks)
        self.head = _glorot(nn.Linear(channels * size * size, ways))

    def forward(self, x: Tensor) -> Tensor:
        """Logits [B, ways] of images [B, C, H, W]."""
        return self.head(self.features(x).flatten(1))


ACTIVATIONS: dict[str, type[nn.Module]] = {"tanh": nn.Tanh, "relu": nn.ReLU}


class SineMLP(nn.Module):
    """1 -> 64 -> 64 -> 1, for the sine waves of section 4.

    The authors' published script uses tanh and says that the paper used ReLU. Initialized as
    `nn.Linear` is, like that script.
    """

    def __init__(self, hidden: int = 64, activation: str = "tanh") -> None:
        super().__init__()
        if activation not in ACTIVATIONS:
            known = ", ".join(ACTIVATIONS)
            raise ValueError(f"model.activation={activation!r}: must be one of {known}")
        act = ACTIVATIONS[activation]
        self.layers = nn.Sequential(
            nn.Linear(1, hidden), act(), nn.Linear(hidden, hidden), act(), nn.Linear(hidden, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Values [B, 1] at points [B, 1]."""
        return self.layers(x)
