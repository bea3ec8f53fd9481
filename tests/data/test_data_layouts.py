"""One's own images in every layout that they are found in, and what is wrong with them by name."""

from __future__ import annotations

import io
import re
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from fewstep.core.types import EpisodeSpec
from fewstep.data.digest import episodes_sha256
from fewstep.data.image_folder import ImageFolder
from fewstep.data.layouts import layouts
from made_files import laid_out, zipped


SPLIT = {"bee": "train", "cat": "train", "dog": "val", "elk": "test"}
IMAGES = [(label, i) for label in SPLIT for i in range(2)]
SHADES = [10, 11, 50, 51, 90, 91, 130, 131]

Place = Callable[[str, int], str]
"""Where image i of a class lies."""


def image(label: str, i: int) -> bytes:
    file = io.BytesIO()
    Image.new("L", (6, 4), 10 + 40 * list(SPLIT).index(label) + i).save(file, "PNG")
    return file.getvalue()


def files(place: Place, **texts: str | bytes) -> dict[str, bytes]:
    found = {place(label, i): image(label, i) for label, i in IMAGES}
    for name, text in texts.items():
        found[name] = text if isinstance(text, bytes) else text.encode()
    return found


def table(row: str, head: str = "filename,label", splits: tuple[str, ...] = ()) -> str:
    """A line an image, of all splits or of some."""
    rows = [
        row.format(label=label, i=i, split=SPLIT[label])
        for label, i in IMAGES
        if not splits or SPLIT[label] in splits
    ]
    return "\n".join([head, *rows, ""])


def called(train: str, val: str, test: str, before: str = "") -> Place:
    names = {"train": train, "val": val, "test": test}
    return lambda label, i: f"{before}{names[SPLIT[label]]}/{label}/{i}.png"


def flat(folder: str = "images/") -> Place:
    return lambda label, i: f"{folder}{label}{i}.png"


PLAIN = called("train", "val", "test")

GIVEN = {
    "train, val, test": files(PLAIN),
    "train, valid, test": files(called("train", "valid", "test")),
    "training, validation, testing": files(called("Training", "Validation", "Testing")),
    "meta-train, meta-val, meta-test": files(called("meta-train", "meta-val", "meta-test")),
    "metatrain, metaval, metatest": files(called("metatrain", "metaval", "metatest")),
    "TRAIN, DEV, Test": files(called("TRAIN", "DEV", "Test")),
    "in a top folder": files(called("train", "val", "test", "photos/")),
    "in a top folder's top folder": files(called("train", "val", "test", "a/b/c/")),
    "deeper than the class": files(lambda label, i: f"{SPLIT[label]}/{label}/x/{i}.png"),
    "with other things beside": files(PLAIN, **{"notes/read.txt": "?", "README.md": "?"}),
    "labels.csv with the split": files(
        flat(), **{"labels.csv": table("{label}{i}.png,{label},{split}", "filename,label,split")}
    ),
    "the table of a spreadsheet": files(
        flat("photos/"),
        **{"Labels.CSV": ("\ufeffsep=;\r\n" + table("photos\\{label}{i}.png;{label};meta-{split}",
                                                    "Image Path;Class Name;Set")).encode()},
    ),
    "a table in UTF-16": files(
        flat(), **{"labels.tsv": table("{label}\t{label}{i}\t{split}", "CLASS\tID\tSPLIT")
                   .encode("utf-16")},
    ),
    "a table a split": files(
        flat(), **{f"{s}.csv": table("{label}{i}.png,{label}", splits=(s,))
                   for s in ("train", "val", "test")},
    ),
    "a table a split, folders of images": files(
        lambda label, i: f"{SPLIT[label]}/{label}{i}.png",
        **{f"{s}.csv": table("{label}{i}.png,{label}", splits=(s,))
           for s in ("train", "val", "test")},
    ),
}  # fmt: skip

FREE = {
    "a folder a class": files(lambda label, i: f"{label}/{i}.png"),
    "photos/photos": files(lambda label, i: f"photos/photos/{label}/{i}.png"),
    "three top folders": files(lambda label, i: f"a/b/c/{label}/{i}.png", **{"a/READ.me": "?"}),
    "train alone": files(lambda label, i: f"train/{label}/{i}.png"),
    "a folder deeper": files(lambda label, i: f"{label}/x/{i}.png"),
    "labels.csv beside images": files(flat(), **{"labels.csv": table("{label}{i}.png,{label}")}),
    "labels.csv above": files(
        flat("photos/images/"), **{"labels.csv": table("images/{label}{i}.png,{label}")}
    ),
    "labels.csv in the folder": files(flat(""), **{"labels.csv": table("{label}{i}.png,{label}")}),
    "metadata.csv in images": files(
        flat(), **{"images/metadata.csv": table("{label}{i}.png,{label}", "file_name,label")}
    ),
    "names without endings": files(flat(), **{"train.csv": table("{label}{i},{label}", "id,species"
)}),
    "paths of another computer": files(
        flat("imgs/"), **{"annotations.csv": table("{label},C:\\me\\data\\{label}{i}.png",
                                                   "target,path")},
    ),
    "images in train and test": files(
        lambda label, i: f"{SPLIT[label].replace('val', 'test')}/{label}{i}.png",
        **{"labels.csv": table('"{label}{i}.png","{label}"', "image,category")},
    ),
    "folders of classes with a table above": files(
        lambda label, i: f"images/{label}/{i}.png",
        **{"labels.csv": table("{label}/{i}.png,{label}")},
    ),
}  # fmt: skip

PACKED = ("train, val, test", "in a top folder", "in a top folder's top folder",
          "meta-train, meta-val, meta-test", "deeper than the class")  # fmt: skip


def opened(root: Path, **fields) -> dict:
    return ImageFolder(root, size=4, channels=1, **fields).open()


def named(splits: dict) -> dict[str, list[str]]:
    return {name: [s.class_names[c] for c in s.classes] for name, s in splits.items()}


def shades(splits: dict) -> list[int]:
    return splits["train"].pixels[:, 0, 2, 2].tolist()


@pytest.mark.parametrize("layout", GIVEN)
def test_the_split_that_comes_with_the_data(layout, tmp_path):
    splits = opened(laid_out(tmp_path, GIVEN[layout]))
    assert named(splits) == {"train": ["bee", "cat"], "val": ["dog"], "test": ["elk"]}
    assert shades(splits) == SHADES
    assert splits["train"].counts.tolist() == [2] * 4


@pytest.mark.parametrize("layout", PACKED)
def test_the_same_in_an_archive(layout, tmp_path):
    splits = opened(zipped(tmp_path / "photos.zip", GIVEN[layout]))
    assert named(splits) == {"train": ["bee", "cat"], "val": ["dog"], "test": ["elk"]}
    assert shades(splits) == SHADES


@pytest.mark.parametrize("layout", FREE)
def test_classes_without_a_split_are_shuffled(layout, tmp_path):
    splits = opened(laid_out(tmp_path, FREE[layout]))
    assert named(splits) == {"train": ["dog", "bee"], "val": ["cat"], "test": ["elk"]}
    assert splits["train"].class_names == list(SPLIT)
    assert shades(splits) == SHADES
    spec = EpisodeSpec(ways=1, shots=1, queries=1, steps=0)
    # As they were when a folder a class was all that was read.
    assert episodes_sha256(splits["train"], spec, 0, 20).startswith("8779555a82776b6f")


def test_top_folders_of_an_archive(tmp_path):
    splits = opened(zipped(tmp_path / "photos.zip", FREE["three top folders"]))
    assert named(splits) == {"train": ["dog", "bee"], "val": ["cat"], "test": ["elk"]}


AS_BEFORE = {
    "images straight in train, val and test": files(
        lambda label, i: f"{SPLIT[label]}/{label}{i}.png"
    ),
    "a class called train": files(
        lambda label, i: f"{label.replace('elk', 'train')}/x/{i}.png"
    ),
    "class folders beside a table": files(
        lambda label, i: f"{label}/{i}.png", **{"labels.csv": table("{label}/{i}.png,thing")}
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("layout", "names"),
    [
        ("images straight in train, val and test", ["test", "train", "val"]),
        ("a class called train", ["bee", "cat", "dog", "train"]),
        ("class folders beside a table", list(SPLIT)),
    ],
)
@pytest.mark.filterwarnings("ignore:.*beside the folders of its classes")
def test_what_is_read_as_before(layout, names, tmp_path):
    assert opened(laid_out(tmp_path, AS_BEFORE[layout]))["train"].class_names == names


@pytest.mark.parametrize(
    "name", ["labels.csv", "bird.zip", "loose.png"], ids=["table", "archive", "image"]
)
def test_what_lies_beside_class_folders_is_named_where_it_is_not_read(name, tmp_path):
    root = laid_out(tmp_path, AS_BEFORE["class folders beside a table"])
    (root / "labels.csv").unlink(missing_ok=True)
    content = b"filename,label\na.png,cat\n" if name.endswith(".csv") else b""
    (root / name).write_bytes(content)
    with pytest.warns(UserWarning, match=rf"1 file beside .* not read \({name}\): each"):
        layouts.find(root)
    (root / name).rename(root / "notes.txt")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        layouts.find(root)


def test_a_given_split_and_the_other_keys(tmp_path):
    root = laid_out(tmp_path / "photos", GIVEN["train, val, test"])
    assert set(opened(root, val=0)) == {"train", "test"}
    lists = {"train": tmp_path / "train.txt", "test": tmp_path / "test.txt"}
    lists["train"].write_text("elk\ndog\n")
    lists["test"].write_text("bee\n")
    splits = opened(root, split_files=lists)
    assert named(splits) == {"train": ["elk", "dog"], "test": ["bee"]}
    assert splits["train"].class_names == ["bee", "dog", "elk"]


def test_images_divided_instead_of_classes(tmp_path):
    """Folders as for usual classification: each class is in train and in test."""
    root = laid_out(tmp_path / "photos", files(lambda label, i: f"{('train', 'test')[i]}/{label}/"
                                                                f"{i}.png"))  # fmt: skip
    with pytest.raises(ValueError, match="class 'bee' is in train and in test, but few-shot"):
        opened(root)
    lists = {"train": tmp_path / "train.txt", "test": tmp_path / "test.txt"}
    lists["train"].write_text("bee\ncat\n")
    lists["test"].write_text("elk\n")
    splits = opened(root, split_files=lists)
    assert shades(splits) == [10, 11, 50, 51, 130, 131]
    assert splits["train"].counts.tolist() == [2, 2, 2]


LABELS = table("{label}{i}.png,{label}")
SPLITS = table("{label}{i}.png,{label},{split}", "filename,label,split")

WRONG = {
    "a missing image": (files(flat(), **{"labels.csv": LABELS + "fox.png,fox\n"}),
                        "labels.csv, line 10: lists 'fox.png', which is not under {root}"),
    "another class's image": (files(flat("imgs/b/"), **{"labels.csv": LABELS + "c/bee0.png,bee\n"}),
                              "labels.csv, line 10: lists 'c/bee0.png', which is not under"),
    "two images of a name": (
        files(lambda label, i: f"{('train', 'test')[i]}/{label}.png",
              **{"labels.csv": "file,label\nbee.png,bee\n"}),
        "line 2: 'bee.png' could be {root}/test/bee.png or {root}/train/bee.png; write the path"),
    "two labels": (files(flat(), **{"labels.csv": LABELS + "bee0.png,wasp\n"}),
                   "line 10: 'bee0.png' is wasp here and bee in {root}/labels.csv, line 2"),
    "a class of two tables": (
        files(flat(), **{"train.csv": LABELS, "test.csv": "filename,label\nbee0.png,bee\n"}),
        "line 2: 'bee0.png' is bee of train here and bee of test in {root}/test.csv, line 2; keep"),
    "no image": (files(flat(), **{"labels.csv": "filename,label\n\n"}),
                 "labels.csv: lists no image"),
    "a very long cell": (files(flat(), **{"labels.csv": LABELS + '"' + "x" * 200_000}),
                         "labels.csv, line 10: '\"xxx"),
    "no file": (files(flat(), **{"labels.csv": LABELS + ".,bee\n"}),
                "line 10: lists '.', which is not under"),
    "no such split": (files(flat(), **{"labels.csv": SPLITS.replace("dog0.png,dog,val",
                                                                    "dog0.png,dog,fold 3")}),
                      "labels.csv, line 6: 'fold 3' is no split; write train, val or test"),
    "a class in two splits": (
        files(flat(), **{"labels.csv": SPLITS.replace("bee1.png,bee,train", "bee1.png,bee,test")}),
        "class 'bee' is in train and in test, but few-shot splits divide classes"),
    "an empty cell": (files(flat(), **{"labels.csv": LABELS + "bee0.png,\n"}),
                      "labels.csv, line 10: 'bee0.png,' lacks its file, label or split"),
    "unknown titles": (files(flat(), **{"labels.csv": "picture,kind\na.png,bee\n"}),
                       "labels.csv: its first line must be 'filename,label' (or other usual"),
    "Latin-1": (files(flat(), **{"labels.csv": b"filename,label\nbee0.png,caf\xe9\n"}),
                "labels.csv, line 2: byte 0xe9 is not UTF-8; save the file as UTF-8"),
    "images beside the split": (files(PLAIN, **{"more/fox/1.png": b"?"}),
                                "is split into test, train, val, and has images in more besides"),
    "two folders of a split": (
        files(PLAIN, **{"Valid/fox/1.png": b"?"}),
        "dataset.root='{root}': Valid and val are both the val split; put their classes into one"),
    "images outside the classes": (files(PLAIN, **{"test/fox.png": b"?"}),
                                   "test has images outside the folders of its classes"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_named(name, tmp_path):
    content, expected = WRONG[name]
    root = laid_out(tmp_path, content)
    with pytest.raises(ValueError, match=r"\w") as error:
        opened(root)
    assert expected.format(root=root) in str(error.value)
    assert "\n" not in str(error.value)


def test_all_lines_that_name_no_image_are_listed_at_once(tmp_path):
    table = LABELS + "fox.png,fox\nbee0.png,wasp\n"
    root = laid_out(tmp_path, files(flat(), **{"labels.csv": table}))
    with pytest.raises(ValueError, match=r"^2 of 10 files cannot be used:\n") as error:
        opened(root)
    assert str(error.value).splitlines()[1:] == [
        f"  {root}/labels.csv, line 10: lists 'fox.png', which is not under {root}",
        f"  {root}/labels.csv, line 11: 'bee0.png' is wasp here and bee in {root}/labels.csv, line "
        "2",
        "  For each: put it there, or remove the line; or keep one label and split an image",
    ]


@pytest.mark.parametrize(
    ("tables", "told"),
    [
        ({"labels.csv": LABELS.replace("bee0.png,bee\n", "")},
         "1 file of 8 has no line in labels.csv (bee0.png), and no class. Add a line for each, or "
         "move it away"),
        ({"train.csv": "filename,label\nbee0.png,bee\n", "test.csv": "file,label\nelk0,elk\n"},
         "6 files of 8 have no line in test.csv or train.csv (bee1.png, cat0.png, cat1.png, ...), "
         "and no class. Add a line for each, or move them away"),
    ],
    ids=["one table", "one a split"],
)  # fmt: skip
def test_images_that_no_line_lists_are_told(tables, told, tmp_path):
    root = laid_out(tmp_path, files(flat(), **tables))
    with pytest.warns(UserWarning, match=f"^{re.escape(f'{root}: {told}')}$"):
        layouts.find(root)


@pytest.mark.parametrize("name", ["a.npz", "a.NPY", "a.pt"])
def test_arrays_are_no_pictures(name, tmp_path):
    """Some are zip files inside, whose members are no classes."""
    with zipfile.ZipFile(tmp_path / name, "w") as file:
        file.writestr("x.npy", b"")
    told = (
        f"{name} holds arrays, and pictures are read from files of pictures. From Python, "
        "fewstep.load(...).adapt(arrays, labels) learns from arrays, and a dataset of them is "
        "TensorClasses(arrays, labels)"
    )
    for root in (tmp_path / name, tmp_path):
        with pytest.raises(ValueError, match=re.escape(told)) as error:
            layouts.find(root)
        assert str(error.value) == f"dataset.root='{root}': {told}"


def test_two_folders_of_a_split_in_an_archive(tmp_path):
    root = zipped(tmp_path / "photos.zip", files(PLAIN, **{"valid/fox/1.png": b"?"}))
    with pytest.raises(ValueError, match=r"photos\.zip': val and valid are both the val split"):
        opened(root)
