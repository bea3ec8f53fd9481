"""Features are asked for once a picture, whatever asks, and kept on disk by content."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch


pytest.importorskip("timm")

from tiny_backbone import NAME, pictures

from fewstep.disk.cache.contents import VALID, clear, contents
from fewstep.use.backbone import features
from fewstep.use.backbone.backbone import Backbone


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many pictures were in each batch that the network was asked of."""
    seen: list[int] = []
    forward = features.Frozen.forward

    def counted(self, x: torch.Tensor) -> torch.Tensor:
        seen.append(len(x))
        return forward(self, x)

    monkeypatch.setattr(features.Frozen, "forward", counted)
    return seen


def test_the_second_time_nothing_is_computed(backbone, weights: Path, asked: list[int]) -> None:
    kept = backbone.inputs(pictures("ab", 3)[0])
    first = backbone.features(kept)
    assert len(asked) == 1
    assert torch.equal(backbone.features(kept), first)
    again = Backbone.named(NAME, weights, 32)  # as in another process: the disk alone knows
    assert torch.equal(again.features(kept), first)
    turned = again.features(kept.flip(0))
    assert torch.equal(turned, first.flip(0))
    assert len(asked) == 1


def test_adapting_with_every_head_and_leaving_out_asks_once(backbone, asked: list[int]) -> None:
    images, labels = pictures("ab", 3)
    for head in ("prototypes", "logistic", "steps"):
        backbone.adapt(images, labels, head=head).evaluate()
    assert len(asked) == 1


def test_one_picture_more_is_one_picture_asked(backbone, weights: Path, asked: list[int]) -> None:
    kept = backbone.inputs(pictures("ab", 20)[0])
    alone = torch.cat([backbone.features(one[None]) for one in kept[:3]])
    assert len(asked) == 3
    together = Backbone.named(NAME, weights, 32).features(torch.cat([kept, kept[:5]]))
    assert len(asked) == 3 + 3  # 37 pictures, 16 at a time
    assert torch.equal(together[:3], alone)
    assert torch.equal(together[40:], together[:5])
    with torch.no_grad():
        direct = backbone.features.network(backbone.preparation.scaled(kept))
    assert torch.allclose(together[:40], direct, atol=1e-6)


def test_other_weights_and_another_preparation_are_other_features(
    backbone, weights: Path, tmp_path: Path, asked: list[int]
) -> None:
    from safetensors.torch import save_file
    from tiny_backbone import tensors

    kept = backbone.inputs(pictures("ab", 1)[0])
    first = backbone.features(kept)
    changed = tensors()
    name = next(n for n in changed if n.endswith("conv1.weight") or n.endswith("conv1.0.weight"))
    changed[name] = changed[name] + 0.1
    save_file(changed, tmp_path / "changed.safetensors")
    other = Backbone.named(NAME, tmp_path / "changed.safetensors", 32)
    assert not torch.allclose(other.features(kept), first)
    assert other.features.entry != backbone.features.entry
    assert Backbone.named(NAME, weights, 40).features.entry != backbone.features.entry
    assert len(asked) == 2


def test_the_cache_lists_and_clears_them(backbone, own_cache: Path, asked: list[int]) -> None:
    kept = backbone.inputs(pictures("ab", 2)[0])
    backbone.features(kept)
    (entry,) = contents(own_cache)
    assert entry.dataset.startswith(f"timm_{NAME}_")
    assert (entry.state, entry.source) == (VALID, "features of 4 pictures")
    assert entry.called(backbone.features.entry)
    assert clear(entry)
    assert contents(own_cache) == []


def test_what_was_damaged_on_disk_is_computed_again(
    backbone, weights: Path, own_cache: Path, asked: list[int]
) -> None:
    kept = backbone.inputs(pictures("ab", 2)[0])
    first = backbone.features(kept)
    (file,) = own_cache.glob("*.npy")
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    for _ in range(2):  # once from the network, then from the mended entry
        assert torch.equal(Backbone.named(NAME, weights, 32).features(kept), first)
    assert len(asked) == 2


def test_a_cache_that_cannot_be_written_costs_time_alone(
    backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: list[int]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FEWSTEP_CACHE", str(tmp_path / "file" / "below"))
    kept = backbone.inputs(pictures("ab", 2)[0])
    assert torch.equal(backbone.features(kept), backbone.features(kept))
    assert len(asked) == 1
