"""The paper's networks: sizes, padding, batch norm and pooling, against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from fewstep.adapters.gradient import InnerLoop
from fewstep.core.net import Net
from fewstep.core.problem import Problem
from fewstep.core.rules import Adam
from fewstep.core.types import Start
from fewstep.models import MAMLOmniglotConv, MiniImagenetConv, OmniglotConv, SineMLP
from fewstep.models.layers import BATCH_NORM_EPS, SameConv2d, _same_padding
from fewstep.models.patches import strided_conv2d
from fewstep.models.prototypes import ProtoNet
from fewstep.models.transformers import HebbianViT
from problems import CLASSIFICATION, image_episode


def count(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_parameter_counts() -> None:
    assert count(OmniglotConv(ways=5)) == 113_221
    assert count(OmniglotConv(ways=20)) == 117_076
    assert count(MAMLOmniglotConv(ways=5)) == 113_221 - 4 * 64 - 192 * 5  # no scale; 64 features
    assert count(MiniImagenetConv(ways=5)) == 34_661
    assert count(SineMLP()) == 64 + 64 + 64 * 64 + 64 + 64 + 1


@pytest.mark.parametrize("value", [0, -3, 1.0, True, "5", float("nan"), None])
def test_sizes_that_count_nothing_are_refused(value: Any) -> None:
    for network, names in (
        (OmniglotConv, ("ways", "in_channels", "size", "channels")),
        (MAMLOmniglotConv, ("ways", "in_channels", "size", "channels")),
        (MiniImagenetConv, ("ways", "in_channels", "size", "channels")),
        (ProtoNet, ("ways", "in_channels", "size", "channels")),
        (HebbianViT, ("ways", "in_channels", "size")),
        (SineMLP, ("hidden",)),
    ):
        for name in names:
            given = {"ways": 5, name: value} if "ways" in names else {name: value}
            with pytest.raises(ValueError, match=f"^model.{name}=.*: must be a whole number of at"):
                network(**given)
    assert count(OmniglotConv(np.int64(5))) == 113_221  # pyright: ignore[reportArgumentType]


def test_features() -> None:
    """Trap 19: SAME pooling leaves 6x6x32 = 1152 features, not 800."""
    assert OmniglotConv(5).head.in_features == 256
    assert MiniImagenetConv(5).head.in_features == 1152
    assert MiniImagenetConv(5)(torch.zeros(2, 3, 84, 84)).shape == (2, 5)
    assert OmniglotConv(5)(torch.zeros(2, 1, 28, 28)).shape == (2, 5)


def numpy_same_conv(x: np.ndarray, kernel: np.ndarray, stride: int) -> np.ndarray:
    """One channel; out[i] sees x[i*stride - before ... + 2], zeros outside, as TensorFlow pads."""
    size = x.shape[0]
    out_size = -(-size // stride)
    before = max((out_size - 1) * stride + 3 - size, 0) // 2
    padded = np.zeros((size + 4, size + 4))
    padded[before : before + size, before : before + size] = x
    return np.array(
        [
            [
                (padded[i * stride : i * stride + 3, j * stride : j * stride + 3] * kernel).sum()
                for j in range(out_size)
            ]
            for i in range(out_size)
        ]
    )


@pytest.mark.parametrize("size", [28, 14, 7, 4, 2, 5])
@pytest.mark.parametrize("stride", [1, 2])
def test_same_padding(size: int, stride: int) -> None:
    rng = np.random.default_rng(0)
    x, kernel = rng.normal(size=(size, size)), rng.normal(size=(3, 3))
    conv = SameConv2d(1, 1, stride).double()
    conv.weight.data = torch.tensor(kernel)[None, None]
    ours = conv(torch.tensor(x)[None, None]).detach().numpy()[0, 0]
    np.testing.assert_allclose(ours, numpy_same_conv(x, kernel, stride), atol=1e-12)


def test_batch_norm_uses_the_batch_and_tensorflows_eps() -> None:
    """Traps 4 and 6: (x - mean) / sqrt(biased variance + 1e-3), never running statistics."""
    net = Net(OmniglotConv(5).features[1].double())  # pyright: ignore[reportIndexIssue]
    x = np.random.default_rng(0).normal(size=(3, 64, 2, 2)) * 0.03 + 5
    mean, var = x.mean((0, 2, 3), keepdims=True), x.var((0, 2, 3), keepdims=True)
    expected = (x - mean) / np.sqrt(var + 1e-3)
    for _ in range(2):  # nothing is remembered from the first pass
        np.testing.assert_allclose(net(net.params(), torch.tensor(x)).detach().numpy(), expected)
    assert BATCH_NORM_EPS == 1e-3
    assert abs(expected / ((x - mean) / np.sqrt(var + 1e-5)) - 1).max() > 0.2


def test_a_module_with_running_statistics_loses_them() -> None:
    """Trap 4, for a user's own network: what it sees now does not depend on what it saw before."""
    net = Net(torch.nn.BatchNorm1d(2))
    assert net.module.running_mean is None
    first, other = torch.tensor([[0.0, 1.0], [2.0, 5.0]]), torch.randn(8, 2)
    before = net(net.params(), first)
    net(net.params(), other)
    assert torch.equal(net(net.params(), first), before)


def test_mini_imagenet_normalizes_before_it_pools() -> None:
    """Trap 19: conv -> batch norm -> pool -> ReLU; pooling first gives other statistics."""
    block = MiniImagenetConv(5, in_channels=1, size=5, channels=1).double().features[:4]
    kernel = np.random.default_rng(1).normal(size=(3, 3))
    block[0].weight.data = torch.tensor(kernel)[None, None]
    x = np.random.default_rng(2).normal(size=(2, 5, 5))
    conv = np.stack([numpy_same_conv(image, kernel, 1) for image in x])

    def norm(values: np.ndarray) -> np.ndarray:
        return (values - values.mean()) / np.sqrt(values.var() + 1e-3)

    def pool(values: np.ndarray) -> np.ndarray:  # 2x2, SAME: 5 -> 3, the last row alone
        padded = np.pad(values, ((0, 0), (0, 1), (0, 1)), constant_values=-np.inf)
        return padded.reshape(2, 3, 2, 3, 2).max((2, 4))

    ours = block(torch.tensor(x)[:, None]).detach().numpy()[:, 0]
    np.testing.assert_allclose(ours, np.maximum(pool(norm(conv)), 0), atol=1e-12)
    assert not np.allclose(ours, np.maximum(norm(pool(conv)), 0), atol=1e-3)


def test_initialization_is_tensorflows() -> None:
    """Glorot uniform: |w| <= sqrt(6 / (fan in + fan out)), biases zero, gamma 1, beta 0."""
    torch.manual_seed(0)
    net = OmniglotConv(5)
    conv, norm = net.features[3], net.features[4]
    bound = (6 / (64 * 9 + 64 * 9)) ** 0.5
    assert 0.99 * bound < float(conv.weight.detach().abs().max()) <= bound
    assert not conv.bias.any()
    assert norm.weight.eq(1).all()
    assert not norm.bias.any()
    assert float(net.head.weight.detach().abs().max()) <= (6 / (256 + 5)) ** 0.5


def test_mamls_network_averages_over_its_last_pixels() -> None:
    torch.manual_seed(0)
    net = MAMLOmniglotConv(ways=50)
    assert net.head.in_features == 64
    assert float(net.head.weight.detach().std()) == pytest.approx(1, abs=0.05)
    scales = [f"features.{i}.weight" for i in (1, 4, 7, 10)]
    assert not Net(net).params().keys() & set(scales)
    assert all(torch.equal(net.get_buffer(name), torch.ones(64)) for name in scales)
    x = torch.randn(2, 1, 28, 28)
    torch.testing.assert_close(net(x), net.head(net.features(x).flatten(2).mean(2)))


@pytest.mark.parametrize("model", [OmniglotConv, MAMLOmniglotConv, MiniImagenetConv])
def test_a_bias_in_front_of_a_batch_norm_stays_at_zero(model: type) -> None:
    """Trap 20: its true gradient is zero, and so is ours: Adam has no rounding to walk along."""
    torch.manual_seed(0)
    net, episode = Net(model(3, in_channels=1, size=12)), image_episode(steps=4, size=12)
    episode = episode._replace(support_x=episode.support_x.float())
    rule = Adam(0.01)
    start = Start(net.params(), rule.init(net.params()))
    adapted = InnerLoop(rule, 4).adapt(Problem(net, CLASSIFICATION), start, episode).params
    for name, before in net.params().items():
        fixed = name.startswith("features") and isinstance(
            net.module.get_submodule(name.rpartition(".")[0]), SameConv2d
        )
        assert adapted[name].equal(before) == (fixed and name.endswith("bias")), name


def test_a_bias_in_front_of_a_batch_norm_has_no_effect() -> None:
    net = OmniglotConv(3).double()
    x = torch.randn(4, 1, 28, 28).double()
    want = net(x)
    for layer in net.modules():
        if isinstance(layer, SameConv2d):
            layer.bias.data.normal_()
            layer.normalized = False
    torch.testing.assert_close(net(x), want)


def test_unknown_activation() -> None:
    with pytest.raises(ValueError, match=r"model.activation='sine': must be one of tanh, relu"):
        SineMLP(activation="sine")


@pytest.mark.parametrize("size", [(7, 7), (4, 6), (5, 2), (1, 3)])
def test_patches_times_a_matrix_are_a_convolution(size: tuple[int, int]) -> None:
    """Forward, and its derivatives to the second order, which MAML needs."""
    torch.manual_seed(0)
    x, weight = torch.randn(2, 3, *size).double(), torch.randn(4, 3, 3, 3).double()
    inputs = [tensor.requires_grad_() for tensor in (x, weight, torch.randn(4).double())]
    (top, bottom), (left, right) = _same_padding(size[0], 2), _same_padding(size[1], 2)
    want = F.conv2d(F.pad(x, (left, right, top, bottom)), weight, inputs[2], stride=2)
    torch.testing.assert_close(strided_conv2d(*inputs), want)
    assert torch.autograd.gradcheck(strided_conv2d, inputs)
    assert torch.autograd.gradgradcheck(strided_conv2d, inputs)
