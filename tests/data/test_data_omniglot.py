"""Omniglot as the authors prepare it: their split, their pixels, and data that is not whole."""

from __future__ import annotations

import hashlib
import io
import os
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from fewstep.core.types import EpisodeSpec
from fewstep.data import omniglot
from fewstep.data import omniglot_drawings as drawings
from fewstep.data.omniglot import Omniglot, character_order


SPEC = EpisodeSpec(ways=5, shots=1, queries=1, steps=0)


def png(seed: int) -> bytes:
    pixels = np.random.RandomState(seed).rand(105, 105) > 0.07
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def tiny(tmp_path, monkeypatch) -> Path:
    """A root with 3 + 2 characters of 20 drawings, and a package that expects just that."""
    monkeypatch.setattr(omniglot, "PARTS", {"images_background": 3, "images_evaluation": 2})
    whole = {"train": (0, 3), "test": (3, 5)}
    monkeypatch.setattr(omniglot, "SPLITS", {"authors": whole, "with_val": whole})
    for part, characters in omniglot.PARTS.items():
        with zipfile.ZipFile(tmp_path / f"{part}.zip", "w") as zipped:
            for c in range(characters):
                for d in range(20):
                    name = f"{part}/Al_{part[7:10]}/character{c:02}/{c:04}_{d:02}.png"
                    zipped.writestr(name, png(100 * c + d))
    return tmp_path


def test_the_authors_split():
    order = character_order(0)
    assert order[:8] == [820, 1436, 946, 1161, 886, 204, 1206, 662]
    assert order[1200:1205] == [1062, 1139, 806, 1309, 16]
    assert hashlib.sha256(str(order).encode()).hexdigest()[:16] == "85b884fffa0499b3"
    test = sorted(order[1200:])
    assert hashlib.sha256(str(test).encode()).hexdigest()[:16] == "4483ca4d47fe69c9"
    assert character_order(1) != order


@pytest.mark.parametrize("where", [".", "omniglot-py"])
@pytest.mark.parametrize("extracted", [False, True])
def test_every_place_and_form_gives_the_same_pixels(tiny, tmp_path_factory, where, extracted):
    root = tmp_path_factory.mktemp("root")
    (root / where).mkdir(exist_ok=True)
    for part in omniglot.PARTS:
        with zipfile.ZipFile(tiny / f"{part}.zip") as zipped:
            if extracted:
                zipped.extractall(root / where)
            else:
                (root / where / f"{part}.zip").write_bytes((tiny / f"{part}.zip").read_bytes())
    expected = Omniglot(tiny).open()["train"]
    found = Omniglot(root).open()["train"]
    assert found.pixels.equal(expected.pixels)
    assert found.class_names == expected.class_names
    assert not list(tiny.glob("*/"))  # nothing was extracted


def extracted(tiny: Path, root: Path) -> Path:
    for part in omniglot.PARTS:
        with zipfile.ZipFile(tiny / f"{part}.zip") as zipped:
            zipped.extractall(root)
    return root


def test_an_extracted_folder_that_changed_is_read_again(tiny, tmp_path_factory):
    root = extracted(tiny, tmp_path_factory.mktemp("root"))
    before = Omniglot(root).open()["train"].pixels
    drawing = next(root.rglob("character00/0000_00.png"))
    drawing.write_bytes(png(12345))
    os.utime(drawing, ns=(time.time_ns(), time.time_ns() + 1))
    assert not Omniglot(root).open()["train"].pixels.equal(before)
    drawing.unlink()
    with pytest.raises(ValueError, match="character00 has 19"):
        Omniglot(root).open()


def test_looking_at_a_folder_counts_its_files_at_every_depth(tiny, tmp_path_factory):
    root = extracted(tiny, tmp_path_factory.mktemp("root"))
    path, files, size, digits = omniglot.folder_fingerprint(root)
    found = [f.stat() for f in root.rglob("*.png")]
    assert (path, files) == (str(root.resolve()), 5 * 20)
    assert size == sum(f.st_size for f in found)
    os.utime(next(root.rglob("*.png")), ns=(5, 7))
    assert omniglot.folder_fingerprint(root)[3] != digits


@pytest.mark.parametrize("mode", ["L", "RGB", "P"])
def test_a_drawing_in_grey_or_colour_is_cut_at_half(mode):
    ramp = np.tile(np.arange(28, dtype=np.uint8) * 9, (28, 1))  # 0 .. 243; dithered, it would mix
    file = io.BytesIO()
    Image.fromarray(ramp).convert(mode).save(file, "PNG")
    pixels = drawings.decoded(file.getvalue(), "here")
    assert pixels.tolist() == (ramp >= 128).astype(int).tolist()


def test_a_drawing_of_one_bit_keeps_its_pixels():
    image = Image.open(io.BytesIO(png(7)))
    assert image.mode == "1"
    small = np.asarray(image.resize((28, 28), Image.Resampling.NEAREST), dtype=np.uint8)
    assert drawings.decoded(png(7), "here").tolist() == small.tolist()


def test_names_that_point_outside_are_ignored(tiny):
    with zipfile.ZipFile(tiny / "images_background.zip", "a") as zipped:
        for name in ("../evil.png", "/abs/evil/evil.png", "a/../../evil.png", "c:/x/evil.png"):
            zipped.writestr(name, png(0))
        zipped.writestr("__MACOSX/images_background/Al/character01/._0001_01.png", b"litter")
    assert len(Omniglot(tiny).open()["train"].classes) == 12
    assert not list(tiny.parent.rglob("evil.png"))


def test_a_truncated_zip_is_named(tiny):
    path = tiny / "images_evaluation.zip"
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(ValueError, match=r"images_evaluation.zip is damaged.*fetch it again"):
        Omniglot(tiny).open()


def test_a_corrupt_member_is_noticed(tiny):
    path = tiny / "images_evaluation.zip"
    data = bytearray(path.read_bytes())
    data[200] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"images_evaluation.zip"):
        Omniglot(tiny).open()


def test_a_missing_drawing_is_counted(tiny):
    path = tiny / "images_background.zip"
    with zipfile.ZipFile(path) as old:
        kept = {name: old.read(name) for name in old.namelist()[:-1]}
    with zipfile.ZipFile(path, "w") as new:
        for name, data in kept.items():
            new.writestr(name, data)
    with pytest.raises(ValueError, match=r"must hold 3 characters.*character02 has 19"):
        Omniglot(tiny).open()


def test_a_root_without_data_says_what_was_looked_for(tmp_path):
    message = r"dataset.root=.*images_background.zip.*omniglot-py.*set dataset.root=null"
    with pytest.raises(FileNotFoundError, match=message):
        Omniglot(tmp_path).open()


def test_unknown_split():
    with pytest.raises(ValueError, match=r"dataset\.split='foo': must be one of authors, with_val"):
        Omniglot(split="foo")


def test_a_failed_download_says_what_to_do(monkeypatch, tmp_path):
    from torchvision.datasets import utils

    def offline(*_):
        raise OSError("Network is unreachable")

    monkeypatch.setenv("FEWSTEP_CACHE", str(tmp_path))
    monkeypatch.setattr(utils, "download_url", offline)
    with pytest.raises(FileNotFoundError, match=r"dataset.root=null: .*unreachable.*by hand"):
        Omniglot().open()


@pytest.mark.slow
def test_real_pixels_are_paper_and_ink(real_data):
    # Trap 15: 0 and 1 alone, paper 1, not divided by anything.
    episode = Omniglot(real_data).open()["test"].episode(SPEC, 0, 0)
    assert episode.support_x.shape == (5, 1, 28, 28)
    assert set(episode.support_x.unique().tolist()) == {0.0, 1.0}
    pixels = Omniglot(real_data).open()["test"].pixels
    assert pixels[::50].float().mean().item() == pytest.approx(0.92, abs=0.01)


@pytest.mark.slow
def test_real_pixels_are_those_of_the_authors_code(real_data):
    split = Omniglot(real_data).open()["train"]
    for class_id, rotation in ((40, 0), (41, 90), (2002, 180), (6403, 270)):
        name, turn = split.class_names[class_id].rsplit("/", 1)
        assert turn == f"rot{rotation}"
        for part in ("images_background", "images_evaluation"):
            with zipfile.ZipFile(real_data / "omniglot-py" / f"{part}.zip") as zipped:
                files = sorted(
                    n for n in zipped.namelist() if f"/{name}/" in n and n.endswith("png")
                )
                if files:
                    image = Image.open(zipped.open(files[3])).resize((28, 28)).rotate(rotation)
        expected = torch.from_numpy(np.array(image, dtype=np.uint8))
        assert split.pixels[class_id * 20 + 3, 0].equal(expected)


@pytest.mark.slow
def test_real_rotations_are_training_classes_alone(real_data):
    # Trap 16, with the paper's numbers.
    def sizes(**fields) -> dict[str, int]:
        splits = Omniglot(real_data, **fields).open()
        return {name: len(split.classes) for name, split in splits.items()}

    assert sizes() == {"train": 4800, "test": 423}
    assert sizes(rotations=False) == {"train": 1200, "test": 423}
    assert sizes(split="with_val") == {"train": 4400, "val": 100, "test": 423}
    splits = Omniglot(real_data, split="with_val").open()
    characters = {name: set(split.classes // 4) for name, split in splits.items()}
    assert not characters["train"] & (characters["val"] | characters["test"])
    assert not characters["val"] & characters["test"]
    assert set(splits["test"].classes) == set(Omniglot(real_data).open()["test"].classes)
    assert all((split.classes % 4 == 0).all() for n, split in splits.items() if n != "train")


@pytest.mark.slow
def test_real_data_opens_again_at_once(real_data):
    Omniglot(real_data).open()
    start = time.perf_counter()
    Omniglot(real_data).open()
    assert time.perf_counter() - start < 0.2
