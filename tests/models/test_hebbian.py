"""Hebbian fast weights: by hand, and what must not change them."""

from __future__ import annotations

import re

import pytest
import torch
from torch import Tensor, nn

from fewstep.core.net import Net
from fewstep.execution.choice import EXECUTIONS
from fewstep.models.hebbian import FastWeights, How, written
from fewstep.models.transformers import HebbianViT


F64 = torch.float64
KEYS = torch.tensor([[1.0, 0.0], [0.0, 1.0]], dtype=F64)
VALUES = torch.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=F64)
QUERY = torch.tensor([0.6, 0.8], dtype=F64)


@pytest.mark.parametrize(
    ("decay", "fast", "read"),
    [
        (1.0, [[0.5, 1.5], [1.0, 2.0]], [1.5, 2.2]),
        (0.9, [[0.45, 1.5], [0.9, 2.0]], [1.47, 2.14]),
    ],
)
def test_what_is_written_by_hand(decay: float, fast: list, read: list) -> None:
    found = 0.5 * written(KEYS, VALUES, decay)
    torch.testing.assert_close(found, torch.tensor(fast, dtype=F64), rtol=0, atol=1e-15)
    torch.testing.assert_close(found @ QUERY, torch.tensor(read, dtype=F64), rtol=0, atol=1e-15)


def test_writing_is_a_step_of_descent_from_nothing() -> None:
    torch.manual_seed(0)
    keys, values, eta = torch.randn(7, 3).double(), torch.randn(7, 4).double(), 0.3
    fast = torch.zeros(4, 3).double().requires_grad_()
    ((keys @ fast.T - values).square().sum() / 2).backward()
    torch.testing.assert_close(eta * written(keys, values), -eta * fast.grad, rtol=0, atol=1e-13)


def vit(where: str = "every", **more) -> HebbianViT:
    torch.manual_seed(0)
    module = HebbianViT(3, size=12, width=16, where=where, **more).double()
    for layer in module.fast.values():  # as after some training, and not alike
        nn.init.normal_(layer.recalled.bias, std=0.3)
    return module


def task(ways: int = 3, shots: int = 2, queries: int = 4) -> tuple[Tensor, Tensor, Tensor]:
    g = torch.Generator().manual_seed(1)
    x = torch.rand(ways * shots + queries, 1, 12, 12, generator=g).double()
    return x[ways * shots :], x[: ways * shots], torch.arange(ways).repeat_interleave(shots)


@pytest.mark.parametrize("head", ["prototypes", "labels"])
def test_the_order_of_the_support_set_means_nothing(head: str) -> None:
    x, support, labels = task()
    module, order = vit(head=head), torch.tensor([3, 0, 5, 1, 4, 2])
    one, other = module(x, support, labels), module(x, support[order], labels[order])
    torch.testing.assert_close(one, other, rtol=0, atol=1e-12)


def test_with_decay_it_does() -> None:
    x, support, labels = task()
    module, order = vit(decay=0.9), torch.tensor([3, 0, 5, 1, 4, 2])
    one, other = module(x, support, labels), module(x, support[order], labels[order])
    assert (one - other).abs().max() > 1e-6


def test_no_query_writes() -> None:
    x, support, labels = task()
    module = vit()
    torch.testing.assert_close(
        module(x, support, labels)[1:], module(x[1:], support, labels), rtol=0, atol=1e-12
    )


def test_without_gain_it_is_the_plain_network_to_the_bit() -> None:
    x, support, labels = task()
    module, plain = vit(), vit("none")
    plain.load_state_dict(module.state_dict(), strict=False)
    assert not torch.equal(module(x, support, labels), plain(x, support, labels))
    for layer in module.fast.values():
        nn.init.zeros_(layer.gain)
    assert torch.equal(module(x, support, labels), plain(x, support, labels))


def test_bound_labels_tell_classes_and_nothing_written_tells_none() -> None:
    """Images that are noise around one of each class."""
    g = torch.Generator().manual_seed(0)
    centres = torch.rand(3, 1, 12, 12, generator=g).double()
    labels = torch.arange(3).repeat_interleave(2)
    noise = 0.02 * torch.randn(36, 1, 12, 12, generator=g).double()
    x = centres[torch.arange(36) % 3] + noise
    support = centres[labels] + noise[:6]
    module = vit("none", head="labels")
    right = (module(x, support, labels).argmax(1) == torch.arange(36) % 3).double().mean()
    assert right > 0.9
    with torch.no_grad():
        module.scale.zero_()  # F = 0
    chances = module(x, support, labels).softmax(1)
    torch.testing.assert_close(chances, torch.full_like(chances, 1 / 3))


@pytest.mark.parametrize("execution", EXECUTIONS)
def test_all_executions_agree(execution: str) -> None:
    x, support, labels = task()
    given = {"support_x": support, "support_y": labels}
    module = vit()

    def logits(net: Net, params: dict, episode: tuple) -> Tensor:
        return net(params, episode[0], given)

    (found,) = EXECUTIONS[execution](module).map(logits, (Net(module).params(),), [(x,)])
    torch.testing.assert_close(found, module(x, support, labels), rtol=1e-10, atol=1e-10)


def test_sizes() -> None:
    counts = [
        sum(p.numel() for p in HebbianViT(20, where=w).parameters()) for w in ("none", "final")
    ]
    assert counts == [89_217, 105_859]
    assert FastWeights(8).memory(torch.zeros(2, 5, 8)).shape == (8, 8)


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"where": "first"}, "model.where=first: must be one of none, final, every"),
        ({"head": "linear"}, "model.head=linear: must be one of prototypes, labels"),
        ({"decay": 0.0}, "model.decay=0.0: must be above 0 and at most 1. For example"),
        ({"width": 20}, "model.width=20: must be a multiple of 16. For example 64"),
    ],
)
def test_what_is_refused(keys: dict, told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        HebbianViT(3, **keys)
    assert How().stages(2) == [1]


def test_swin_wants_timm(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from fewstep.models.transformers import HebbianSwin

    monkeypatch.setitem(sys.modules, "timm.models.swin_transformer", None)
    with pytest.raises(ValueError, match=r"needs timm, which is not installed. pip install 'fewst"):
        HebbianSwin(5)


@pytest.mark.slow
def test_swin_has_fast_weights_after_its_final_stage() -> None:
    pytest.importorskip("timm")
    from fewstep.models.transformers import HebbianSwin

    torch.manual_seed(0)
    module = HebbianSwin(2).eval()
    assert [*module.fast] == ["3"]
    x = torch.rand(4, 3, 224, 224)
    labels = torch.tensor([0, 1])
    with torch.no_grad():
        both, alone = module(x[2:], x[:2], labels), module(x[3:], x[:2], labels)
    assert both.shape == (2, 2)
    torch.testing.assert_close(both[1:], alone, rtol=1e-4, atol=1e-4)
