"""Whatever network a classifier has, its export answers as torch does."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torchvision.models import resnet18

import fewstep
from fewstep.core.rules import SGD
from fewstep.data.images.preparation import Preparation
from fewstep.disk.files import CannotWrite
from fewstep.models import MiniImagenetConv
from fewstep.use.classifier import Classifier
from fewstep.use.export import Answers, check_target, example, export
from fewstep.use.forms import FORMS
from small_pictures import conv, pictures


class Data(nn.Module):
    """Its outputs hang on the values of what comes before: no exporter can follow that."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(144, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(x.flatten(1)) * (2.0 if float(x.sum()) > 0 else 1.0)


def classifier(module: Callable[[], nn.Module], preparation: Preparation) -> Classifier:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = module()
    init = fewstep.Initialization.of(made, SGD(0.01), ways=3, preparation=preparation, steps=2)
    return init.adapt(*pictures(2))


NETWORKS = {
    "small": lambda: conv().adapt(*pictures(2)),
    "mini_imagenet": lambda: classifier(lambda: MiniImagenetConv(3), Preparation(84, 3)),
    "resnet": lambda: classifier(
        lambda: resnet18(num_classes=3), Preparation(32, 3, mean=(0.5,) * 3, std=(0.2,) * 3)
    ),
}


@pytest.mark.parametrize(
    "name",
    ["small", *(pytest.param(n, marks=pytest.mark.slow) for n in ("mini_imagenet", "resnet"))],
)
def test_onnx_is_torch_in_any_batch(name: str, tmp_path: Path) -> None:
    made, to = NETWORKS[name](), tmp_path / "model.onnx"
    done = export(made, to)
    assert done.difference <= 1e-4
    session = onnxruntime.InferenceSession(str(to))
    p = made.preparation
    shape = (100, p.size, p.size, p.channels)
    pixels = np.random.default_rng(3).integers(0, 256, shape).astype(np.uint8)
    wanted = made.probabilities(torch.from_numpy(pixels)).numpy()
    together = session.run(None, {"pixels": pixels})[0]
    alone = np.concatenate([session.run(None, {"pixels": one[None]})[0] for one in pixels])
    assert np.abs(together - wanted).max() < 1e-4
    assert np.abs(alone - wanted).max() < 1e-4
    about = session.get_modelmeta().custom_metadata_map
    assert Preparation.of(json.loads(about["preparation"])) == p
    assert [file.name for file in done.files] == ["model.onnx", "model_example.py"]


@pytest.mark.slow
def test_the_temperature_goes_with_it(tmp_path: Path) -> None:
    made = conv().adapt(*pictures(2))
    made.temperature = 3.0
    export(made, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"))
    pixels = made.kept(pictures(2)[0])
    found = session.run(None, {"pixels": pixels.numpy()})[0]
    assert np.abs(found - made.probabilities(pixels).numpy()).max() < 1e-5
    made.temperature = 1.0
    assert np.abs(found - made.probabilities(pixels).numpy()).max() > 1e-3


@pytest.mark.slow
def test_what_no_exporter_can_follow_leaves_nothing_behind(tmp_path: Path) -> None:
    made = classifier(Data, Preparation(12, 1))
    with pytest.raises(
        ValueError, match=r"this network cannot be written as .onnx .* Try the other"
    ):
        export(made, tmp_path / "model.onnx")
    assert not any(tmp_path.iterdir())


@pytest.mark.slow
def test_an_export_that_differs_is_not_written(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("fewstep.use.export.TOLERANCE", -1.0)
    with pytest.raises(ValueError, match="its probabilities differ from torch's by"):
        export(conv().adapt(*pictures(2)), tmp_path / "model.onnx")
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["glyphs", "omniglot"])
def test_an_export_of_a_network_that_is_sure_of_all_is_held_against_torch_as_well(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What writes other weights than there are is told from what writes them, even where almost
    all probabilities are 0 and 1."""
    made = fewstep.load(name).adapt(*pictures(2), steps=5)
    shown = []

    def write(module: nn.Module, pixels: Tensor, to: Path, metadata: dict) -> None:
        shown.append(pixels)
        torch.save(module.state_dict(), to)

    def answer_with(change: Callable[[nn.Module], object]) -> Callable:
        def answer(file: Path) -> Callable[[np.ndarray], np.ndarray]:
            module = Answers(made).eval()
            module.load_state_dict(torch.load(file))
            change(module)
            return lambda x: module(torch.from_numpy(np.ascontiguousarray(x))).detach().numpy()

        return answer

    def weights(module: nn.Module) -> list[nn.Parameter]:
        return [p for p in module.network.parameters() if p.ndim > 1]

    spoiled = {
        "first": lambda module: weights(module)[0].data.mul_(1.01),
        "last": lambda module: weights(module)[-1].data.mul_(0.99),
    }
    for place, change in spoiled.items():
        monkeypatch.setitem(FORMS, ".pt2", (write, answer_with(change)))
        with pytest.raises(ValueError, match=r"differ from torch's by .* and their logarithms by"):
            export(made, tmp_path / f"{place}.pt2")
    monkeypatch.setitem(FORMS, ".pt2", (write, answer_with(lambda module: None)))
    assert export(made, tmp_path / "same.pt2").difference < 1e-6
    assert [path.name for path in tmp_path.iterdir()] == ["same.pt2"]
    edges = shown[0][:, 0, 0]
    assert {0, 255} <= {*edges.unique().tolist()}  # paper of both kinds


def test_without_the_extra_one_line_names_it(monkeypatch) -> None:
    monkeypatch.setattr("fewstep.use.export.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"needs onnx, .*: pip install 'fewstep\[export\]'"):
        check_target(Path("model.onnx"))
    check_target(Path("model.pt2"))


def test_the_example_refuses_what_it_would_misread(tmp_path: Path) -> None:
    """Pillow cuts pictures of more than 8 bits off at white, where the library scales them."""
    made = conv().adapt(*pictures(2))
    export(made, tmp_path / "model.onnx")
    for number, picture in enumerate(
        (Image.fromarray(np.full((6, 6), 40_000, np.uint16)), Image.new("F", (6, 6), 0.5))
    ):
        picture.save(tmp_path / f"{number}.tif")
        words = [sys.executable, "model_example.py", f"{number}.tif"]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert done.stderr.strip() == (
            f"{number}.tif: has more than 8 bits a channel; convert it to 8 bits"
        )


def test_the_example_is_short_and_needs_three_packages() -> None:
    text = example(conv().adapt(*pictures(2)), Path("a model.onnx"))
    assert len(text.splitlines()) <= 16
    imports = [line for line in text.splitlines() if line.startswith(("import", "from"))]
    words = " ".join(imports).replace(",", "").split()
    assert set(words) <= {
        "import",
        "from",
        "as",
        "json",
        "pathlib",
        "sys",
        "numpy",
        "np",
        "onnxruntime",
    } | {
        "PIL",
        "Image",
        "ImageOps",
    }


def test_a_full_disk_is_not_the_networks_fault(tmp_path: Path, monkeypatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setitem(FORMS, ".pt2", (full, full))
    with pytest.raises(CannotWrite, match=r"model\.pt2: cannot be written \(No space left on"):
        export(NETWORKS["small"](), tmp_path / "model.pt2")
    assert not list(tmp_path.iterdir())
