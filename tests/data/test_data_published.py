"""Mini-ImageNet and CIFAR-FS in every layout of public copies: the same classes, splits, pixels."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from fewstep.core.types import EpisodeSpec
from fewstep.data import miniimagenet
from fewstep.data.cifar_fs import CifarFS
from fewstep.data.classes import class_lists
from fewstep.data.digest import episodes_sha256
from fewstep.data.miniimagenet import MiniImageNet
from made_files import laid_out, python2, zipped


MINI = class_lists.published("miniimagenet")
CIFAR = class_lists.published("cifar_fs")
SPLITS = ("train", "val", "test")

Place = Callable[[str, str], str]
"""Where the image of a class lies, given its split and its name."""


def order(parts: class_lists.Parts) -> list[str]:
    return sorted(name for part in parts.values() for name in part)


def png(shade: int) -> bytes:
    file = io.BytesIO()
    Image.new("L", (2, 2), shade).save(file, "PNG")
    return file.getvalue()


PNGS = [png(shade) for shade in range(100)]


def images(parts: class_lists.Parts, place: Place) -> dict[str, bytes]:
    """An image a class, as grey as the place of its name among all names."""
    shades = {name: PNGS[i] for i, name in enumerate(order(parts))}
    return {place(s, name): shades[name] for s in parts for name in parts[s]}


def arrays(parts: class_lists.Parts, split: str, size: int) -> tuple[np.ndarray, list[str]]:
    """The pixels of a split, of classes in the order of the list, and these."""
    shades = [order(parts).index(name) for name in parts[split]]
    pixels = np.repeat(np.array(shades, dtype=np.uint8), size * size * 3)
    return pixels.reshape(-1, size, size, 3), parts[split]


def tables(folder: str, **how) -> dict[str, bytes]:
    return {
        f"{folder}{split}.csv": "\n".join(
            [how.get("head", "filename,label"),
             *(f"{name}01.png{how.get('comma', ',')}{name}" for name in MINI[split])]
        ).encode(how.get("encoding", "utf-8"))
        for split in SPLITS
    }  # fmt: skip


def caches(path: str, old: bool = False) -> dict[str, bytes]:
    found = {}
    for split in SPLITS:
        pixels, names = arrays(MINI, split, 8)
        content = {"image_data": pixels, "class_dict": {n: [i] for i, n in enumerate(names)}}
        found[path.format(split)] = (python2 if old else pickle.dumps)(content)
    return found


def numbered(path: str) -> dict[str, bytes]:
    """As MetaOptNet has it: labels that go on counting over the splits, with their names."""
    found, first = {}, 0
    for split in SPLITS:
        pixels, names = arrays(MINI, split, 8)
        labels = list(range(first, first + len(names)))
        content = {"data": pixels, "labels": labels, "catname2label": {}}
        content["catname2label"] |= zip(names, labels, strict=True)
        file = path.format("train_phase_train" if split == "train" else split)
        found[file] = pickle.dumps(content)
        first += len(names)
    return found


def cifar_pickles(path: str, label: Callable[[str], object], **how) -> dict[str, bytes]:
    found = {}
    for split in SPLITS:
        pixels, names = arrays(CIFAR, split, 32)
        if how.get("channels_first"):
            pixels = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))
        content = {"data": pixels, "labels": [label(name) for name in names]}
        found[path.format(split)] = (python2 if how.get("old") else pickle.dumps)(content)
    return found


def cifar100() -> dict[str, bytes]:
    names = order(CIFAR)
    found = {"meta": {"fine_label_names": names, "coarse_label_names": ["fish"]}}
    for file, labels in (("train", range(0, 100, 2)), ("test", range(1, 100, 2))):
        data = np.repeat(np.array(labels, dtype=np.uint8), 3 * 32 * 32).reshape(50, -1)
        found[file] = {"data": data, "fine_labels": list(labels), "batch_label": "1 of 1"}
    return {f"cifar-100-python/{file}": python2(found[file]) for file in found}


def lists(folder: str) -> dict[str, bytes]:
    return {f"{folder}{s}.txt": "\n".join(CIFAR[s]).encode() for s in SPLITS}


RAVI = images(MINI, lambda split, name: f"images/{name}01.png")
EXCEL = {"head": "\ufeffFileName;Label", "comma": ";", "encoding": "utf-16"}

MINI_LAYOUTS = {
    "a folder a class": images(MINI, lambda split, name: f"{name}/a.png"),
    "a folder a class, with others": images(MINI, lambda split, name: f"{name}/a.png")
    | {"n99999999/a.png": PNGS[0], "LICENSE": b"?"},
    "images/ with a folder a class": images(MINI, lambda split, name: f"images/{name}/a.png"),
    "train, val, test": images(MINI, lambda split, name: f"{split}/{name}/a.png"),
    "train, validation, test inside": images(
        MINI, lambda split, name: f"mini/{split.replace('val', 'validation')}/{name}/x/a.png"
    ),
    "images and CSVs": RAVI | tables(""),
    "CSVs in split": RAVI | tables("split/"),
    "CSVs in splits": RAVI | tables("splits/"),
    "CSVs inside": images(MINI, lambda split, name: f"mini/images/{name}01.png")
    | tables("mini/split/"),
    "CSVs beside the images": images(MINI, lambda split, name: f"{name}01.png") | tables(""),
    "CSVs of a spreadsheet": RAVI | tables("split/", **EXCEL),
    "CSVs and a folder a class": images(MINI, lambda split, name: f"images/{name}/{name}01.png")
    | images(MINI, lambda split, name: f"images/{name}/in no table.png")
    | tables("split/"),
    "pickles": caches("mini-imagenet-cache-{}.pkl"),
    "pickles of Python 2": caches("mini-imagenet-cache-{}.pkl", old=True),
    "pickles inside": caches("data/mini/mini_imagenet_cache_{}.pickle"),
    "pickles of MetaOptNet": numbered("miniImageNet_category_split_{}.pickle"),
}

PICTURES = images(CIFAR, lambda split, name: f"{name}/a.png")
NUMBER = order(CIFAR).index

CIFAR_LAYOUTS = {
    "CIFAR-100": cifar100(),
    "a folder a class": PICTURES,
    "cifar100/data and lists": {f"cifar100/data/{name}": data for name, data in PICTURES.items()}
    | lists("cifar100/splits/bertinetto/"),
    "data and lists": {f"data/{name}": data for name, data in PICTURES.items()}
    | lists("splits/bertinetto/"),
    "train, val, test": images(CIFAR, lambda split, name: f"{split}/{name}/a.png"),
    "CIFAR-FS/": images(CIFAR, lambda split, name: f"CIFAR-FS/{split}/{name}/a.png"),
    "meta-train, ...": images(CIFAR, lambda split, name: f"meta-{split}/{name}/a.png"),
    "pickles": cifar_pickles("CIFAR_FS_{}.pickle", NUMBER),
    "pickles inside": cifar_pickles("CIFAR-FS/CIFAR_FS_{}.pickle", NUMBER),
    "pickles of Python 2": cifar_pickles("CIFAR_FS_{}.pickle", NUMBER, old=True),
    "pickles with names": cifar_pickles("cifar-fs-{}.pkl", str),
    "pickles of NumPy": cifar_pickles("CIFAR_FS_{}.pickle", lambda c: np.int64(NUMBER(c))),
    "pickles, channels first": cifar_pickles("CIFAR_FS_{}.pickle", NUMBER, channels_first=True),
}  # fmt: skip

PACKED = ("a folder a class", "train, val, test", "CIFAR-FS/", "cifar100/data and lists",
          "train, validation, test inside", "images/ with a folder a class")  # fmt: skip


EPISODES = {
    8: {"train": "9123b1368eaabeec", "val": "0eb66d388438eeb0", "test": "7c123fd6a711df3d"},
    32: {"train": "a29f082e951723c2", "val": "e5bf3b753925d240", "test": "279bfeda39fe8d50"},
}
"""By side of an image; as they were when folders and CIFAR-100 itself were all that was read."""


@pytest.fixture(autouse=True)
def small(monkeypatch) -> None:
    monkeypatch.setattr(miniimagenet, "SIZE", 8)


def check(splits: dict, parts: class_lists.Parts, size: int) -> None:
    for split, names in parts.items():
        assert [splits[split].class_names[c] for c in splits[split].classes] == names
        assert list(splits[split].class_names) == order(parts)
        assert splits[split].counts.tolist() == [1] * 100
        assert splits[split].pixels.shape == (100, 3, size, size)
    assert splits["train"].pixels[:, 2, 1, 1].tolist() == list(range(100))
    spec = EpisodeSpec(ways=5, shots=1, queries=0, steps=0)
    assert {s: episodes_sha256(splits[s], spec, 0, 20)[:16] for s in SPLITS} == EPISODES[size]


@pytest.mark.parametrize("layout", MINI_LAYOUTS)
def test_miniimagenet(layout, tmp_path):
    check(MiniImageNet(laid_out(tmp_path, MINI_LAYOUTS[layout])).open(), MINI, 8)


@pytest.mark.parametrize("layout", CIFAR_LAYOUTS)
def test_cifar_fs(layout, tmp_path):
    check(CifarFS(laid_out(tmp_path, CIFAR_LAYOUTS[layout])).open(), CIFAR, 32)


@pytest.mark.parametrize("layout", PACKED)
def test_the_same_in_an_archive(layout, tmp_path):
    if layout in MINI_LAYOUTS:
        root = zipped(tmp_path / "mini.zip", MINI_LAYOUTS[layout])
        check(MiniImageNet(root).open(), MINI, 8)
    if layout in CIFAR_LAYOUTS:
        root = zipped(tmp_path / "cifar.zip", CIFAR_LAYOUTS[layout])
        check(CifarFS(root).open(), CIFAR, 32)


def test_a_root_that_is_one_of_the_pickles(tmp_path):
    root = laid_out(tmp_path / "mini", MINI_LAYOUTS["pickles"])
    check(MiniImageNet(root / "mini-imagenet-cache-train.pkl").open(), MINI, 8)
    root = laid_out(tmp_path / "cifar", CIFAR_LAYOUTS["pickles"])
    check(CifarFS(root / "CIFAR_FS_test.pickle").open(), CIFAR, 32)


def test_pickles_come_from_the_cache_until_they_change(tmp_path, monkeypatch):
    root = laid_out(tmp_path, MINI_LAYOUTS["pickles"])
    check(MiniImageNet(root).open(), MINI, 8)
    with monkeypatch.context() as patch:
        patch.setattr("fewstep.disk.pickles.pickled.read_file", None)
        check(MiniImageNet(root).open(), MINI, 8)
    (root / "mini-imagenet-cache-val.pkl").write_bytes(b"changed")
    with pytest.raises(ValueError, match=r"mini-imagenet-cache-val\.pkl is"):
        MiniImageNet(root).open()


def changed(content: dict[str, bytes], name: str, **to) -> dict[str, bytes]:
    return content | {name: pickle.dumps(pickle.loads(content[name]) | to)}


PICKLES = MINI_LAYOUTS["pickles"]
VAL = "mini-imagenet-cache-val.pkl"
NUMBERS = CIFAR_LAYOUTS["pickles"]

WRONG = {
    "nothing": (MiniImageNet, {"a/b/c.txt": b"?"}, "dataset.root='{root}': none of Mini-ImageNet's "
                "classes is there, nor two levels below; lay it out as one folder a class"),
    "no CIFAR": (CifarFS, {"a/b/c.txt": b"?"}, "dataset.root='{root}': none of CIFAR-100's classes "
                 "is there, nor two levels below; lay it out as cifar-100-python/ or"),
    "a pickle missing": (MiniImageNet, {k: v for k, v in PICKLES.items() if k != VAL},
                         "{root} has mini-imagenet-cache-test.pkl, mini-imagenet-cache-train.pkl, "
                         "but no such file for val; put it there"),
    "a class missing": (MiniImageNet, changed(PICKLES, VAL, class_dict={"n01855672": [0]}),
                        "dataset.root='{root}': 15 of the 16 val classes are missing"),
    "a class twice": (MiniImageNet, changed(PICKLES, VAL, class_dict={MINI["test"][0]: [0]}),
                      f"class '{MINI['test'][0]}' is in {{root}}/mini-imagenet-cache-test.pkl and"),
    "rows beyond": (MiniImageNet, changed(PICKLES, VAL, class_dict={"n01855672": [16]}),
                    "the rows of class 'n01855672' are not among its 16 images"),
    "rows before": (MiniImageNet, changed(PICKLES, VAL, class_dict={"n01855672": [-1]}),
                    "{root}/" + VAL + " does not hold image_data and class_dict"),
    "no rows": (MiniImageNet, changed(PICKLES, VAL, class_dict={"n01855672": []}),
                "the rows of class 'n01855672' are not among"),
    "another size": (MiniImageNet, changed(PICKLES, VAL, image_data=np.zeros((1, 9, 9, 3), "u1")),
                     "its images are (1, 9, 9, 3), not [n, 8, 8, 3]"),
    "floats": (MiniImageNet, changed(PICKLES, VAL, image_data=np.zeros((16, 8, 8, 3))),
               "its images are no array of uint8"),
    "a list": (MiniImageNet, PICKLES | {VAL: pickle.dumps([1])}, "(it is a list)"),
    "another dictionary": (MiniImageNet, PICKLES | {VAL: pickle.dumps({"x": 1})}, "('data')"),
    "a pickle that runs": (MiniImageNet, PICKLES | {VAL: b"cos\nsystem\n(X\1\0\0\0:tR."},
                           "{root}/" + VAL + " is refused: it asks for os.system; only numbers"),
    "labels counted anew": (CifarFS, changed(NUMBERS, "CIFAR_FS_val.pickle",
                                             labels=list(range(16))),
                            "its labels, 0 to 15, are not the published numbers of this split's"),
    "too few labels": (CifarFS, changed(NUMBERS, "CIFAR_FS_val.pickle", labels=[1]),
                       "it has labels of shape (1,) for 16 images"),
    "an image missing": (MiniImageNet, {k: v for k, v in MINI_LAYOUTS["CSVs in split"].items()
                                        if MINI["val"][1] not in k},
                         "{root}/split/val.csv lists {root}/images/" + MINI["val"][1] + "01.png, "
                         "which does not exist (line 3)"),
    "a table missing": (MiniImageNet, {k: v for k, v in MINI_LAYOUTS["CSVs in split"].items()
                                       if k != "split/val.csv"},
                        "{root}/split/val.csv is missing; the layout has train, val and test.csv"),
    "a table without titles": (
        MiniImageNet, MINI_LAYOUTS["CSVs in split"] | {"split/val.csv": b"a.png,n01\n"},
        "{root}/split/val.csv: its first line must be 'filename,label' (or other usual titles of"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_named(name, tmp_path):
    dataset, content, expected = WRONG[name]
    root = laid_out(tmp_path, content)
    with pytest.raises((ValueError, FileNotFoundError)) as error:
        dataset(root).open()
    assert expected.format(root=root) in str(error.value)
    assert "\n" not in str(error.value)
