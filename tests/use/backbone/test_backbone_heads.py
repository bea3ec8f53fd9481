"""The heads against what they are said to be."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from sklearn.linear_model import LogisticRegression


pytest.importorskip("timm")

from tiny_backbone import pictures

from fewstep.use.backbone import heads
from fewstep.use.expected import folds


def examples(ways: int, each: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(ways)
    centres = torch.randn(ways, 12, generator=generator)
    y = torch.arange(ways).repeat(each)
    x = centres[y] + torch.randn(len(y), 12, generator=generator)
    return torch.nn.functional.normalize(x), y


def test_prototypes_are_the_nearest_class_means() -> None:
    x, y = examples(4, 3)
    layer, curve = heads.prototypes(x, y, 4, 0)
    means = torch.stack([x[y == c].mean(0) for c in range(4)])
    distances = -torch.cdist(x, means).square() * heads.SCALE
    assert torch.allclose(torch.softmax(layer(x), 1), torch.softmax(distances, 1), atol=1e-5)
    assert [step for step, _ in curve] == [0]


@pytest.mark.parametrize("ways", [2, 5])
def test_logistic_is_scikit_learns(ways: int) -> None:
    x, y = examples(ways, 6)
    layer, _ = heads.logistic(x, y, ways, 0)
    theirs = LogisticRegression(C=heads.PENALTY, max_iter=1000).fit(x.double(), y)
    ours = torch.softmax(layer(x), 1)
    assert torch.allclose(ours, torch.tensor(theirs.predict_proba(x)).float(), atol=1e-5)


def test_steps_start_at_the_prototypes_and_lower_the_loss() -> None:
    x, y = examples(5, 6)
    layer, curve = heads.steps(x, y, 5, 20)
    assert [step for step, _ in curve] == list(range(21))
    assert curve[0] == heads.prototypes(x, y, 5, 0)[1][0]
    assert all(later < before for (_, before), (_, later) in pairwise(curve))
    loss = torch.nn.functional.cross_entropy(layer(x), y)
    assert curve[-1][1] == pytest.approx(float(loss))
    start = heads.steps(x, y, 5, 0)[0]
    assert torch.equal(start.weight, heads.prototypes(x, y, 5, 0)[0].weight)


@pytest.mark.parametrize("head", heads.HEADS)
@pytest.mark.parametrize("each", [3, 12])  # one by one, and a tenth at a time
def test_leaving_out_is_refitting_without(backbone, head: str, each: int) -> None:
    images, labels = pictures("abc", each)
    chosen = backbone.with_settings(head=head)
    x = backbone.features(backbone.inputs(images))
    y = torch.tensor([ord(label) - ord("a") for label in labels])
    parts = folds(y)
    said = list(chosen.way().left_out(x, y, 3, parts))
    assert len(said) == len(parts) == (9 if each == 3 else 10)
    for part, logits in zip(parts, said, strict=True):
        rest = [i for i in range(len(y)) if i not in part.tolist()]
        by_hand = chosen.adapt([images[i] for i in rest], [labels[i] for i in rest])
        wanted = by_hand.network(by_hand.way.inputs(backbone.inputs(images[part.numpy()])))
        assert torch.allclose(logits, wanted, atol=1e-4)
