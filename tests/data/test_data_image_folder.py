"""One's own images: every layout and kind of file, and what is wrong with them by name."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fewstep.core.types import EpisodeSpec
from fewstep.data.image_folder import ImageFolder
from fewstep.data.images.decode import decode


SIZE = 8


def picture(shade: int, mode: str = "L", kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.new("L", (20, 12), shade).convert(mode).save(file, kind)
    return file.getvalue()


@pytest.fixture
def files() -> dict[str, bytes]:
    """Four classes of three grey images each: image i of class c is of shade 40 c + i."""
    return {f"class{c}/image{i}.png": picture(40 * c + i) for c in range(4) for i in range(3)}


def laid_out(root: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def zipped(path: Path, files: dict[str, bytes], top: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(top + name, data)
    return path


def opened(root: Path, **fields) -> dict:
    return ImageFolder(root, size=SIZE, **{"val": 0.25, "test": 0.25} | fields).open()


def shades(splits: dict) -> list[int]:
    return splits["train"].pixels[:, 0, 4, 4].tolist()


def test_every_layout_gives_the_same(files, tmp_path):
    one_each = tmp_path / "one_each"
    for c in range(4):
        mine = {n.split("/")[1]: d for n, d in files.items() if n.startswith(f"class{c}")}
        zipped(one_each / f"class{c}.zip", mine)
    roots = [
        laid_out(tmp_path / "folders", files),
        laid_out(tmp_path / "deep", {n.replace("/", "/a/b/"): d for n, d in files.items()}),
        zipped(tmp_path / "flat.zip", files),
        zipped(tmp_path / "alone" / "topped.zip", files | {"read me.txt": b"?"}, top="top/"),
        tmp_path / "alone",
        one_each,
    ]
    for root in roots:
        splits = opened(root)
        assert shades(splits) == [40 * c + i for c in range(4) for i in range(3)], root
        assert splits["train"].class_names == [f"class{c}" for c in range(4)]


@pytest.mark.filterwarnings("ignore:.*members are left out")
def test_litter_is_skipped(files, tmp_path):
    litter = {
        ".DS_Store": b"?",
        "class0/.DS_Store": b"?",
        "class1/Thumbs.db": b"?",
        "class2/._image0.png": b"?",
        ".git/config": b"?",
    }
    assert len(shades(opened(laid_out(tmp_path / "a", files | litter)))) == 12
    litter = {"__MACOSX/class0/._image0.png": b"?", "../evil/image.png": b"?"}
    with pytest.warns(UserWarning, match="left out"):
        assert len(shades(opened(zipped(tmp_path / "b.zip", files | litter)))) == 12


def test_colour_and_grey(files, tmp_path):
    root = laid_out(tmp_path, files)
    assert opened(root)["train"].pixels.shape == (12, 3, SIZE, SIZE)
    assert opened(root, channels=1)["train"].pixels.shape == (12, 1, SIZE, SIZE)
    episode = opened(root)["train"].episode(EpisodeSpec(2, 1, 1, 0), 0, 0)
    assert episode.support_x.shape == (2, 3, SIZE, SIZE)
    assert episode.support_x.max() < 1


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "CMYK", "I;16"])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_mode_of_image(mode, channels):
    white = Image.new("L", (20, 12), 255)
    if mode == "I;16":
        white = Image.fromarray(np.full((12, 20), 65535, dtype=np.uint16))
    else:
        white = white.convert(mode)
    file = io.BytesIO()
    white.save(file, "TIFF" if mode == "CMYK" else "PNG")
    pixels = decode(file.getvalue(), "white", SIZE, channels, "bilinear")
    assert pixels.shape == (SIZE, SIZE, channels)
    assert pixels.dtype == np.uint8
    assert (pixels == 255).all()


def test_sixteen_bits_keep_their_shade():
    file = io.BytesIO()
    Image.fromarray(np.full((9, 9), 257 * 100, dtype=np.uint16)).save(file, "PNG")
    assert (decode(file.getvalue(), "grey", SIZE, 1, "nearest") == 100).all()


def test_transparency_is_put_on_white():
    file = io.BytesIO()
    Image.new("RGBA", (9, 9), (0, 0, 0, 0)).save(file, "PNG")
    assert (decode(file.getvalue(), "glass", SIZE, 3, "bilinear") == 255).all()


def test_photos_are_turned_upright():
    image = Image.fromarray(np.repeat([[255], [0]], 8, axis=1).astype(np.uint8).repeat(4, axis=0))
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    file = io.BytesIO()
    image.save(file, "PNG", exif=exif)
    upright = decode(file.getvalue(), "photo", SIZE, 1, "nearest")
    assert upright[0].max() == 0
    assert upright[-1].min() == 255


@pytest.mark.parametrize("pack", [laid_out, lambda path, files: zipped(path / "a.zip", files)])
def test_a_file_that_is_no_image_is_named(files, tmp_path, pack):
    root = pack(tmp_path, files | {"class1/notes.txt": b"not an image"})
    with pytest.raises(ValueError, match=r"class1/notes\.txt.* cannot be read as an image"):
        opened(root)


def test_a_truncated_image_is_named(files, tmp_path):
    files["class3/image1.png"] = files["class3/image1.png"][:-30]
    with pytest.raises(ValueError, match=r"class3/image1\.png cannot be read"):
        opened(laid_out(tmp_path, files))


def test_an_empty_class_is_named(files, tmp_path):
    root = laid_out(tmp_path, files)
    (root / "class9").mkdir()
    with pytest.raises(ValueError, match="class 'class9' has no images"):
        opened(root)


def test_a_changed_file_is_read_again(files, tmp_path):
    root = laid_out(tmp_path, files)
    opened(root)
    (root / "class0" / "image0.png").write_bytes(picture(250, "RGB"))
    assert shades(opened(root))[0] == 250


def test_splits_by_fraction(files, tmp_path):
    root = laid_out(tmp_path, files)
    splits = opened(root)
    assert {name: len(split.classes) for name, split in splits.items()} == {
        "train": 2,
        "val": 1,
        "test": 1,
    }
    assert sorted(np.concatenate([split.classes for split in splits.values()])) == [0, 1, 2, 3]
    orders = {tuple(opened(root, split_seed=seed)["train"].classes) for seed in range(9)}
    assert len(orders) > 1
    assert set(opened(root, val=0)) == {"train", "test"}
    with pytest.raises(ValueError, match="of 4 classes none is left to train on"):
        opened(root, val=0.6, test=0.5)


def test_a_split_of_one_class_is_told_by_how_the_classes_are_divided(files, tmp_path):
    root = laid_out(tmp_path, {name: data for name, data in files.items() if "class3" not in name})
    with pytest.raises(ValueError, match="the train split") as error:
        opened(root)["train"].check(EpisodeSpec(ways=5, shots=1, queries=0, steps=0))
    assert str(error.value) == (
        "shots.ways=5: the train split of image_folder has 1 of 3 classes, and a task is of two or "
        "more. Divide them otherwise, with dataset.val and dataset.test or lists of your own, or "
        "add classes. To tell apart the 3 that there are: fewstep adapt pictures=..."
    )


def test_splits_by_list(files, tmp_path):
    root = laid_out(tmp_path / "images", files)
    lists = {"train": "class3\n\n# not these:\n", "test": "class0 # the first\nclass1\n"}
    paths = {}
    for name, text in lists.items():
        paths[name] = tmp_path / f"{name}.txt"
        paths[name].write_text(text)
    splits = opened(root, split_files=paths)
    names = {k: [s.class_names[c] for c in s.classes] for k, s in splits.items()}
    assert names == {"train": ["class3"], "test": ["class0", "class1"]}

    paths["val"] = paths["test"]
    with pytest.raises(ValueError, match="class 'class0' is in the test list and again in the val"):
        opened(root, split_files=paths)
    paths["val"] = tmp_path / "val.txt"
    with pytest.raises(FileNotFoundError, match=r"dataset\.split_files\.val="):
        opened(root, split_files=paths)
    paths["val"].write_text("class7")
    with pytest.raises(ValueError, match=r"1 of the 1 val classes are missing \(class7\)"):
        opened(root, split_files=paths)
    with pytest.raises(ValueError, match="its keys are train"):
        opened(root, split_files={"trian": paths["train"]})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"root": ""}, "dataset.root is empty"),
        ({"size": 0}, "dataset.size=0: must be at least 1"),
        ({"channels": 4}, "dataset.channels=4: must be 1"),
        ({"resample": "cubic"}, "dataset.resample='cubic': must be one of nearest, bilinear"),
        ({"val": 1.0}, "dataset.val=1.0: must be a fraction"),
    ],
)
def test_senseless_settings(fields, message):
    with pytest.raises(ValueError, match=message):
        ImageFolder(**{"root": "somewhere"} | fields)


def test_no_images_at_all(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"dataset\.root='.*nowhere' does not exist"):
        opened(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="no class in it; make one folder a class"):
        opened(tmp_path)


@pytest.mark.slow
def test_real_photos(real_data):
    splits = ImageFolder(real_data / "caltech84.zip").open()
    assert sum(len(split.classes) for split in splits.values()) == 100
    episode = splits["test"].episode(EpisodeSpec(5, 15, 10, 0), 0, 0)
    assert episode.support_x.shape == (75, 3, 84, 84)
    assert 0.2 < episode.support_x.mean() < 0.8
    smallest = next(split for split in splits.values() if split.counts[split.classes].min() == 31)
    message = r"has 31 images, but shots \+ queries = 30 \+ 2 = 32 are needed"
    with pytest.raises(ValueError, match=message):
        smallest.check(EpisodeSpec(5, 30, 2, 0))


def test_the_digest_is_of_which_picture_is_in_which_class(files, tmp_path):
    """A picture that goes over to the next class leaves names, order and pixels as they were."""
    root = laid_out(tmp_path / "one", files)
    before = opened(root)["train"].data_sha256
    (last := sorted((root / "class0").iterdir())[-1]).rename(root / "class1" / "a.png")
    found = opened(root)["train"].data_sha256
    moved = {name: content for name, content in files.items() if name != f"class0/{last.name}"}
    fresh = laid_out(tmp_path / "two", {**moved, "class1/a.png": files[f"class0/{last.name}"]})
    assert before != found == opened(fresh)["train"].data_sha256
