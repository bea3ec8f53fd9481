"""Folders as people have them: links, litter, files that are no images, and all the bad ones."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from fewstep.data.image_folder import ImageFolder
from fewstep.data.images import pictures
from fewstep.data.images.decoding import Picture, bytes_of
from fewstep.disk.bad_files import BadFile
from fewstep.disk.litter import is_litter
from fewstep.records.identity import config_hash


def png(shade: int) -> bytes:
    file = io.BytesIO()
    Image.new("L", (6, 6), shade).save(file, "PNG")
    return file.getvalue()


def written(root: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


@pytest.fixture
def root(tmp_path) -> Path:
    """Two classes, and a store of images elsewhere."""
    written(tmp_path / "store", {"a/3.png": png(30), "a/b/4.png": png(40), "5.png": png(50)})
    return written(tmp_path / "root", {"cat/1.png": png(10), "dog/2.png": png(20)})


def load(root: Path) -> dict[str, list[int]]:
    """The shades of the images by class."""
    found = pictures.find_classes(root)
    pixels, *_ = pictures.load("folder", found, 6, 1, "nearest")
    shades = iter(pixels[:, 0, 0, 0].tolist())
    return {name: sorted(next(shades) for _ in files) for name, files in found.items()}


LINKS = {
    "a folder": ({"cat/more": "../../store/a"}, [10, 30, 40]),
    "a file": ({"cat/5.png": "../../store/5.png"}, [10, 50]),
    "a folder by two ways": ({"cat/x": "../../store/a", "cat/y": "../../store/a"}, [10, 30, 40]),
    "a folder and one in it": (
        {"cat/x": "../../store/a", "cat/y": "../../store/a/b"},
        [10, 30, 40],
    ),
    "one in it and a folder": (
        {"cat/y": "../../store/a", "cat/x": "../../store/a/b"},
        [10, 30, 40],
    ),
    "a link to a link": ({"cat/x": "y", "cat/y": "../../store/a"}, [10, 30, 40]),
    "a file by two ways": ({"cat/5.png": "../../store/5.png", "cat/6.png": "5.png"}, [10, 50]),
    "a file beside it": ({"cat/6.png": "1.png"}, [10]),
    "itself": ({"cat/x": "."}, [10]),
    "the root": ({"cat/x": ".."}, [10]),
    "the root of all": ({"cat/x": "/"}, [10]),
    "the root, from elsewhere": (
        {"cat/x": "../../store/a", "../store/a/y": "../../root"},
        [10, 30, 40],
    ),
    "two classes to each other": (
        {"cat/x": "../../store/a", "../store/a/y": "../../root/cat"},
        [10, 30, 40],
    ),
    "a cycle elsewhere": ({"cat/x": "../../store/a", "../store/a/back": "."}, [10, 30, 40]),
    "up to what holds the link": (
        {"cat/x": "../../store/a", "../store/a/up": "..", "../store/down": "a"},
        [10, 30, 40],
    ),
    "litter": ({"cat/@eaDir": "../../store/a", "cat/.x": "../../store/5.png"}, [10]),
    "nowhere, but litter": ({"cat/._x.png": "nowhere"}, [10]),
    "another class": ({"cat/x": "../dog"}, [10, 20]),
}


@pytest.mark.parametrize(("links", "cat"), LINKS.values(), ids=LINKS)
def test_links_inside_a_class(links, cat, root):
    for name, target in links.items():
        os.symlink(target, root / name)
    assert load(root) == {"cat": cat, "dog": [20]}


def test_a_linked_class_and_a_linked_root(root, tmp_path):
    os.symlink("../store/a", root / "bird")
    os.symlink("root", tmp_path / "other")
    assert load(tmp_path / "other") == {"bird": [30, 40], "cat": [10], "dog": [20]}


def test_names_by_hard_links_are_files_of_their_own(root):
    os.link(root / "cat" / "1.png", root / "cat" / "2.png")
    assert load(root)["cat"] == [10, 10]


def test_a_linked_file_that_changes_is_read_again(root, tmp_path):
    os.symlink("../../store/a", root / "cat" / "more")
    assert load(root)["cat"] == [10, 30, 40]
    (tmp_path / "store" / "a" / "3.png").write_bytes(png(33) + b"larger")
    assert load(root)["cat"] == [10, 33, 40]


@pytest.mark.parametrize("place", ["cat/x.png", "cat/sub", "bird"])
def test_a_link_that_leads_nowhere_is_named(place, root):
    os.symlink("/gone/away", root / place)
    with pytest.raises(ValueError, match=rf"{place} is a link to '/gone/away', which does not ex"):
        pictures.find_classes(root)


def test_links_that_lead_round_are_named(root):
    os.symlink("y", root / "cat" / "x")
    os.symlink("x", root / "cat" / "y")
    with pytest.raises(ValueError, match=r"2 of 3 files cannot be used"):
        pictures.find_classes(root)


LITTER = [
    "@eaDir/SYNOPHOTO_THUMB.jpg",
    "@eaDir/1.png/x.jpg",
    "#recycle/9.png",
    "#snapshot/9.png",
    "@Recycle/9.png",
    "@Recently-Snapshot/9.png",
    ".@__thumb/9.png",
    "lost+found/9.png",
    "$RECYCLE.BIN/9.png",
    "$Recycle.Bin/9.png",
    "System Volume Information/x",
    "Icon\r",
    "ehthumbs.db",
    "ehthumbs_vista.db",
    "EHTHUMBS.DB",
    "Picasa.ini",
    ".picasa.ini",
    "desktop.ini",
    "Desktop.ini",
    "Thumbs.db",
    "THUMBS.DB",
    "Thumbs.db:encryptable",
    "__pycache__/x.pyc",
    "._1.png",
    ".DS_Store",
    ".Trash-1000/9.png",
    ".ipynb_checkpoints/1-checkpoint.png",
    "~$notes.docx",
    ".fseventsd/x",
    ".Spotlight-V100/x",
    ".TemporaryItems/x",
    ".dropbox.cache/9.png",
    ".nfs0000000001",
    ".git/x",
    ".thumbnails/9.png",
    "1.png~",
    "1.png:Zone.Identifier",
    "1.png:com.dropbox.attributes",
    "__MACOSX/._1.png",
    "Network Trash Folder/9.png",
    "Temporary Items/9.png",
]


def test_litter_is_no_class_and_no_image_anywhere(root, tmp_path):
    files = {"cat/1.png": png(10), "dog/2.png": png(20)}
    litter = [place + name for name in LITTER for place in ("", "cat/", "cat/sub/")]
    written(root, dict.fromkeys(litter, b"?"))
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        for name in (*files, *litter):
            packed.writestr(name, files.get(name, b"?"))
    with tarfile.open(tmp_path / "a.tar", "w") as packed:
        packed.add(root, "")
    for place in (root, tmp_path / "a.zip", tmp_path / "a.tar"):
        assert load(place) == {"cat": [10], "dog": [20]}, place


@pytest.mark.parametrize(
    "name",
    ["icon", "Icon.png", "recycled", "thumbs", "C#", "#1", "@home", "lost", "$5", "a~b", "x."],
)
def test_what_only_looks_like_litter_is_kept(name):
    assert not is_litter(name)


def test_all_bad_files_are_listed_at_once(root):
    bad = {f"cat/bad{i:02}.png": b"not an image" for i in range(23)}
    with pytest.raises(ValueError, match="23 of 25 files cannot be used") as error:
        load(written(root, bad))
    lines = str(error.value).splitlines()
    assert len(lines) == 1 + 20 + 1 + 1
    assert lines[1] == (f"  {root}/cat/bad00.png cannot be read as an image (it is a text file)")
    assert lines[20].startswith(f"  {root}/cat/bad19.png")
    assert lines[21:] == ["  and 3 more", "  For each: replace or remove it"]


def test_bad_files_of_several_kinds_are_one_list(root, monkeypatch):
    written(root, {"cat/big.png": bytes(600 * 2**10), "dog/cut.png": png(3)[:-30]})
    written(root, {"dog/none.png": b"", "dog/shut.png": png(5)})
    read = Path.read_bytes

    def shut(path: Path) -> bytes:
        if path.name == "shut.png":
            raise PermissionError(13, "Permission denied")
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", shut)
    with pytest.raises(ValueError, match="4 of 6 files") as error:
        ImageFolder(root, size=6, val=0, test=0, max_file_mb=0.5).open()
    text = str(error.value)
    for part in (
        "big.png has 1 MB unpacked, more than dataset.max_file_mb=0.5",
        "cut.png cannot be read as an image",
        "an empty file",
    ):
        assert part in text
    assert "shut.png cannot be read (Permission denied)" in text


def test_a_folder_that_may_not_be_read_is_not_passed_over(root, monkeypatch):
    scan = os.scandir

    def shut(path):
        if os.fspath(path).endswith("cat"):
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", shut)
    with pytest.raises(PermissionError, match=r"Permission denied: '.*cat'"):
        pictures.find_classes(root)


def test_files_that_are_no_images_are_errors_until_they_are_skipped(root):
    written(root, {"cat/1.txt": b"0 0.5 0.5", "dog/2.XML": b"<?xml version='1.0'?>"})
    written(root, {"cat/labels.json": b"{}"})
    settings = {"size": 6, "channels": 1, "val": 0, "test": 0}
    with pytest.raises(ValueError, match="3 of 5 files") as error:
        ImageFolder(root, **settings).open()
    assert str(error.value).endswith(
        "; or leave such files out with dataset.skip=[.json,.txt,.xml]"
    )
    splits = ImageFolder(root, skip=[".json", ".txt", ".xml"], **settings).open()
    assert splits["train"].counts.tolist() == [1, 1]
    written(root, {"cat/cut.png": b"?"})
    with pytest.raises(ValueError, match=r"cut\.png .*replace or remove it$"):
        ImageFolder(root, skip=[".json", ".txt", ".XML"], **settings).open()


def test_limits_are_no_part_of_what_a_run_is():
    """What a run computes has one hash, before these keys were there and whatever the limits."""
    old = {"dataset": {"name": "x", "root": "a"}, "algorithm": {}, "trainer": {"precision": 32}}

    def with_keys(**keys) -> str:
        return config_hash(old | {"dataset": old["dataset"] | keys})

    usual = {"skip": [], "white": None, "max_megapixels": 128, "max_file_mb": 512}
    assert with_keys(**usual) == config_hash(old)
    assert with_keys(**usual | {"max_megapixels": 900, "max_file_mb": 1}) == config_hash(old)
    assert with_keys(**usual | {"white": 255}) != config_hash(old)
    assert with_keys(**usual | {"skip": [".txt"]}) != config_hash(old)


def test_a_pipe_is_not_waited_for(root, tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(BadFile, match=r"pipe\.png is no plain file; replace or remove it"):
        bytes_of(Picture(tmp_path / "pipe.png"), {}, 10)
    with pytest.raises(ValueError, match=r"pipe\.png' is neither a folder nor a plain file"):
        ImageFolder(tmp_path / "pipe.png").open()
