"""timm's networks by name, and what is said where one cannot be had."""

from __future__ import annotations

import pickle
import socket
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch


timm = pytest.importorskip("timm")

from tiny_backbone import NAME, tensors, written  # noqa: E402

import fewstep  # noqa: E402
from fewstep.use.backbone import networks  # noqa: E402
from fewstep.use.backbone.backbone import Backbone  # noqa: E402


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No network, and a hub's cache of the test's own."""

    def refused(*_: object) -> None:
        raise AssertionError("something was to be fetched")

    hub = tmp_path / "hub"
    monkeypatch.setattr(socket.socket, "connect", refused)
    for module in ("huggingface_hub.constants", "huggingface_hub.file_download"):
        __import__(module)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(hub))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return hub


def fetched(hub: Path, name: str) -> Path:
    """A file where timm has put it after fetching it."""
    folder = hub / f"models--timm--{name}"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text("abc")
    return written(folder / "snapshots" / "abc" / "model.safetensors", name.partition(".")[0])


def test_weights_that_are_nowhere_are_one_line_with_the_key() -> None:
    with pytest.raises(ValueError, match=r"init=timm:test_resnet") as told:
        fewstep.load(f"timm:{NAME}")
    assert str(told.value) == (
        "init=timm:test_resnet: its weights (timm/test_resnet.r160_in1k) are not in timm's cache, "
        "and nothing is fetched here. Give backbone.weights=FILE, or fetch them once where there "
        "is a network: python -c \"import timm; timm.create_model('test_resnet', pretrained=True)\""
    )


def test_without_timm_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ValueError, match="init=timm") as told:
        fewstep.load("timm:resnet18")
    assert str(told.value) == (
        "init=timm:resnet18: needs timm, not installed here: pip install 'fewstep[vision]'"
    )
    assert networks.at_hand() == []


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("test_resnt", f"timm {timm.__version__} has no such network. Did you mean test_resnet?"),
        ("hf-hub:timm/resnet18", "has no such network"),
        ("local-dir:/tmp", "has no such network"),
        ("", "has no such network"),
        ("test_resnet.r160", "no such weights of test_resnet. Did you mean r160_in1k? It has r160"),
    ],
)
def test_names_that_timm_does_not_know(name: str, part: str) -> None:
    with pytest.raises(ValueError, match="init=timm:") as told:
        Backbone.named(name)
    assert part in str(told.value)


def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    other = written(tmp_path / "other.safetensors", "test_vit")
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(other.read_bytes()[:1000])
    harmful, whole = tmp_path / "harmful.pth", tmp_path / "whole.pth"
    harmful.write_bytes(pickle.dumps({"weight": Path("/")}))
    torch.save(timm.create_model(NAME), whole)
    for file, part in {
        tmp_path / "none.pth": "cannot be read (there is no such file). Give a .safetensors file",
        cut: "cannot be read (",
        harmful: "cannot be read (",
        whole: "cannot be read (it is no file of tensors alone)",
        other: f"do not fit timm's {NAME} (",
    }.items():
        with pytest.raises(ValueError, match="backbone") as told:
            Backbone.named(NAME, file)
        assert str(told.value).startswith(f"backbone.weights={file}: {part}")
        assert "\n" not in str(told.value)


@pytest.mark.parametrize("wrap", [lambda t: t, lambda t: {"state_dict": t}, lambda t: {"model": t}])
def test_files_of_tensors_alone_in_either_form(tmp_path: Path, weights: Path, wrap) -> None:
    torch.save(wrap(tensors()), tmp_path / "same.pth")
    from_pth = Backbone.named(NAME, tmp_path / "same.pth", 32)
    assert from_pth.origin.sha256 == Backbone.named(NAME, weights, 32).origin.sha256


def test_what_timm_has_fetched_before_is_found(alone: Path, tmp_path: Path, weights: Path) -> None:
    assert networks.at_hand() == []
    fetched(alone, "test_vit.r160_in1k")
    fetched(alone, "test_resnet.r160_in1k")
    fetched(alone, "test_resnet.none_such")
    assert sorted(networks.at_hand()) == ["test_resnet.r160_in1k", "test_vit.r160_in1k"]
    found = fewstep.load("timm:test_resnet.r160_in1k")
    assert found.origin.sha256 == Backbone.named(NAME, weights).origin.sha256
    assert found.preparation.size == timm.get_pretrained_cfg(NAME).input_size[1]


def test_pictures_are_prepared_as_the_network_was_trained(weights: Path) -> None:
    told = timm.get_pretrained_cfg(NAME)
    found = networks.preparation_of(NAME)
    assert (found.size, found.channels) == (told.input_size[1], 3)
    assert (found.mean, found.std, found.resample) == (told.mean, told.std, told.interpolation)
    assert Backbone.named(NAME, weights, 48).preparation.size == 48


WHOLE = "must be a whole number of at least 1"


@pytest.mark.parametrize(
    ("size", "text"),
    [(5000, "must be from 1 to 4096 pixels"), *((size, WHOLE) for size in (0, "32", 32.5, True))],
)
def test_sizes_that_no_picture_has(size: Any, text: str) -> None:
    with pytest.raises(ValueError, match=rf"^backbone.size={size}: {text}$"):
        fewstep.load(f"timm:{NAME}", size=size)


def test_a_size_of_numpys_is_saved_as_a_number(tmp_path: Path, weights: Path) -> None:
    found = fewstep.load(f"timm:{NAME}", weights=weights, size=np.int64(32))
    assert type(found.origin.model["size"]) is int


@pytest.mark.parametrize("weights", ["", 3, False, [], b"x"])
def test_weights_that_are_no_file(weights: Any) -> None:
    with pytest.raises(ValueError, match=r"^backbone\.weights=") as told:
        fewstep.load(f"timm:{NAME}", weights=weights)
    assert str(told.value) == (
        f"backbone.weights={weights!r}: must be a file. For example weights='weights.safetensors', "
        "or None for timm's own cache"
    )


@pytest.mark.parametrize(("name", "size"), [("test_vit", 96), ("test_efficientnet", 64)])
def test_a_network_takes_another_size_than_its_own(tmp_path: Path, name: str, size: int) -> None:
    file = written(tmp_path / "weights.safetensors", name)
    network = Backbone.named(name, file, size).features.network
    features = network(torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0)))
    assert torch.allclose(features.norm(dim=1), torch.ones(2))
    assert networks.untrained(name, size).state_dict().keys() == network.network.state_dict().keys()
