"""Test-time augmentation: what stands for a picture, and what its answers are the mean of."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from fewstep.adapters.copies import averaged, copies_of, moved, with_copies
from fewstep.adapters.gradient import InnerLoop
from fewstep.adapters.meta_test import Setting, evaluate_task, predict
from fewstep.core.net import Net
from fewstep.core.problem import Problem
from fewstep.core.rules import SGD
from fewstep.core.types import Episode, EpisodeSpec, Start
from fewstep.models import OmniglotConv
from problems import CLASSIFICATION, image_episode


SPEC = EpisodeSpec(3, 4, 2, 3, 4)
PROTOCOLS = ("inductive", "transductive", "support")


def network(norm: str) -> Net:
    torch.manual_seed(0)
    return Net(OmniglotConv(3, channels=8, norm=norm).double())


def measured(net: Net, episode: Episode, shift: int) -> dict[str, dict[str, Tensor]]:
    return evaluate_task(
        net,
        Start(net.params(), {}),
        episode,
        inner=InnerLoop(SGD(0.1), 3),
        objective=CLASSIFICATION,
        setting=Setting(SPEC, PROTOCOLS, (0, 3), shift),
    )


def test_copies_are_moved_by_each_number_of_pixels_and_as_many_at_the_border_as_it_takes() -> None:
    x = torch.arange(2 * 3 * 4 * 5.0).reshape(2, 3, 4, 5)
    copies = moved(x, 1).reshape(2, 9, 3, 4, 5)
    assert copies_of(1) == 9
    for place, (down, right) in enumerate((i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)):
        for row in range(4):
            for column in range(5):
                here = min(max(row + down, 0), 3), min(max(column + right, 0), 4)
                assert torch.equal(copies[:, place, :, row, column], x[:, :, *here])
    assert torch.equal(moved(x, 0), x)


def test_every_copy_of_a_picture_is_of_its_class_and_in_its_minibatches() -> None:
    episode = image_episode()
    wide = with_copies(episode, 1)
    assert with_copies(episode, 0) is episode
    assert torch.equal(wide.support_y.reshape(-1, 9), episode.support_y[:, None].expand(-1, 9))
    assert torch.equal(wide.query_y, episode.query_y)
    for rows, few in zip(wide.batches, episode.batches, strict=True):
        assert rows.tolist() == [9 * row + copy for row in few.tolist() for copy in range(9)]


def test_an_answer_is_the_mean_over_copies_of_tensors_and_of_what_holds_them() -> None:
    outputs = torch.randn(18, 3)
    by_hand = torch.stack([outputs[:9].mean(0), outputs[9:].mean(0)])
    torch.testing.assert_close(averaged(outputs, 1), by_hand)
    torch.testing.assert_close(averaged({"a": (outputs,)}, 1)["a"][0], by_hand)
    assert averaged(outputs, 0) is outputs


@pytest.mark.parametrize("norm", ["batch", "group"])
def test_a_plain_picture_is_its_own_copy(norm: str) -> None:
    """Where all pixels of each picture are alike, moving changes nothing: neither what an inner
    step learns from a minibatch, nor the statistics of a batch, nor an answer."""
    episode, net = image_episode(), network(norm)
    plain = episode._replace(
        support_x=episode.support_x.mean((1, 2, 3), keepdim=True).expand_as(episode.support_x),
        query_x=episode.query_x.mean((1, 2, 3), keepdim=True).expand_as(episode.query_x),
    )
    alone, copies = measured(net, plain, 0), measured(net, plain, 1)
    for protocol in PROTOCOLS if norm == "group" else ("transductive", "support"):
        for name, values in alone[protocol].items():
            torch.testing.assert_close(copies[protocol][name], values, rtol=1e-9, atol=1e-9)


def test_by_hand() -> None:
    """Gradient steps on all copies of a minibatch's pictures, and means of logits, in loops."""
    episode, net = image_episode(), network("group")
    params = {name: p.clone() for name, p in net.params().items()}
    for rows in episode.batches.tolist():
        x = torch.cat([moved(episode.support_x[row : row + 1], 1) for row in rows])
        y = torch.cat([episode.support_y[row].repeat(9) for row in rows])

        def loss(p: dict[str, Tensor], x: Tensor = x, y: Tensor = y) -> Tensor:
            return nn.functional.cross_entropy(net(p, x), y)

        grads = torch.func.grad(loss)(params)
        params = {name: p - 0.1 * grads[name] for name, p in params.items()}
    logits = torch.stack([net(params, moved(q[None], 1)).mean(0) for q in episode.query_x])
    want = nn.functional.cross_entropy(logits, episode.query_y)
    for protocol in PROTOCOLS:
        found = measured(net, episode, 1)[protocol]["loss"][-1]
        torch.testing.assert_close(found, want, rtol=1e-10, atol=1e-12)
    without = measured(net, episode, 0)["support"]["loss"][-1]
    assert abs(float(without - want)) > 1e-3


def test_no_query_sees_another_one() -> None:
    """Batch norm, each query alone: the others may be anything."""
    episode, net = with_copies(image_episode(), 1), network("batch")
    others = episode._replace(query_x=episode.query_x.flip(0))
    one, other = (
        averaged(predict(Problem(net, CLASSIFICATION), net.params(), e, "inductive"), 1)
        for e in (episode, others)
    )
    torch.testing.assert_close(one, other.flip(0), rtol=1e-9, atol=1e-9)
