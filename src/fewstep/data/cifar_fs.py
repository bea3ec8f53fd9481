"""CIFAR-FS: CIFAR-100's classes split 64, 16 and 20 for few-shot tasks (Bertinetto et al. 2019)."""

from __future__ import annotations

import gzip
import pickle
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

import numpy as np
import torch
from torch import Tensor

from fewstep.data import class_lists, pictures
from fewstep.data.cache import Content, cache_dir, cached, fingerprint
from fewstep.data.digest import data_sha256
from fewstep.data.downloads import fetched
from fewstep.data.images import ImageSplit
from fewstep.data.tasks import Classification


FOLDER = "cifar-100-python"
TAR = f"{FOLDER}.tar.gz"
FILES = ("meta", "train", "test")
SIZE = 32


@dataclass
class CifarFS:
    """CIFAR-FS in colour, 32x32, 600 images a class, with the published split of its classes.

    The first `open` reads everything into the cache (184 MB). It raises FileNotFoundError where
    the data is missing and ValueError where it is damaged or incomplete.
    """

    root: str | Path | None = None
    """A folder with CIFAR-100's python version (`cifar-100-python/` or `cifar-100-python.tar.gz`),
    or with one folder of images a class. None: downloaded once into the user's cache (169 MB)."""

    split: str | None = None
    """`all`: all 100 classes are in the test split."""

    name: ClassVar[str] = "cifar_fs"
    task: Classification = field(default_factory=Classification, init=False)

    def __post_init__(self) -> None:
        class_lists.check_split(self.split)

    def open(self) -> dict[str, ImageSplit]:
        """The splits `train`, `val` and `test`."""
        return self._splits

    @cached_property
    def _splits(self) -> dict[str, ImageSplit]:
        parts = class_lists.published(self.name)
        if self.split == "all":
            parts = class_lists.together(parts)
        source = self._official()
        if source is None:
            found = pictures.find_classes(Path(self.root).expanduser())
            names = list(found)
            class_lists.check_present(parts, names, str(self.root))
            pixels, counts, digest = pictures.load(self.name, found, SIZE, 3, "bilinear")
        else:
            pixels, names, counts, digest = _store(source)
            class_lists.check_present(parts, names, str(source))
        return class_lists.split_up(self.name, parts, names, counts, pixels, digest)

    def _official(self) -> Path | None:
        """CIFAR-100's folder or archive; None if `root` holds folders of images instead."""
        if self.root is None:
            return _downloaded()
        root = Path(self.root).expanduser()
        if not root.exists():
            raise FileNotFoundError(
                f"dataset.root='{self.root}' does not exist; point it to the folder that holds "
                f"{FOLDER} or {TAR}, or set dataset.root=null to download it into {cache_dir()}"
            )
        if root.is_file():
            return root if root.name.endswith((".tar.gz", ".tgz")) else None
        places = root, root / FOLDER, root / TAR
        return next((p for p in places if p.is_file() or (p / "train").is_file()), None)


def _store(source: Path) -> tuple[Tensor, list[str], np.ndarray, str]:
    """All images, class after class [n, 3, 32, 32] with channels last, class names, counts and
    digest."""
    files = [source] if source.is_file() else [source / file for file in FILES]
    for file in files:
        if not file.is_file():
            raise FileNotFoundError(f"{file} is missing; fetch {TAR} again")
    settings = {"layout": 1, "files": [fingerprint(file) for file in files]}
    pixels, about = cached("cifar_fs", settings, lambda: _read(source))
    names, counts = about["names"], about["counts"]
    digest = data_sha256(names, counts, about["sha256"])
    return torch.from_numpy(pixels).permute(0, 3, 1, 2), names, np.array(counts), digest


def _read(source: Path) -> Content:
    """CIFAR-100's training and test images together, sorted by class name."""
    with _files(source) as opened:
        meta, *batches = (_unpickled(opened[file], f"{file} in {source}") for file in FILES)
    try:
        names = [str(name) for name in meta["fine_label_names"]]
        labels = np.concatenate([batch["fine_labels"] for batch in batches])
        images = np.concatenate([batch["data"] for batch in batches])
        images = images.reshape(len(labels), 3, SIZE, SIZE).transpose(0, 2, 3, 1)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{source} is not CIFAR-100's python version ({error!r})") from error
    order = sorted(range(len(names)), key=names.__getitem__)
    rows = [np.flatnonzero(labels == label) for label in order]
    counts = [len(r) for r in rows]
    about = {"names": [names[label] for label in order], "counts": counts}
    return Content(images.shape, (images[r] for r in rows), about, counts, str(source.absolute()))


@contextmanager
def _files(source: Path) -> Iterator[dict[str, BinaryIO]]:
    """The three files by name, out of the folder or straight out of the archive."""
    if source.is_dir():
        opened = {file: (source / file).open("rb") for file in FILES}
        try:
            yield opened
        finally:
            for file in opened.values():
                file.close()
        return
    try:
        with tarfile.open(source) as tar:
            yield {file: tar.extractfile(f"{FOLDER}/{file}") for file in FILES}
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error, KeyError) as error:
        raise ValueError(
            f"{source} is damaged or is not CIFAR-100 ({error}); delete it and fetch it again"
        ) from error


class _PlainUnpickler(pickle.Unpickler):
    """Arrays and basic types alone: a pickle from elsewhere could otherwise run anything."""

    ALLOWED: ClassVar[set[tuple[str, str]]] = {
        ("numpy", "ndarray"),
        ("numpy", "dtype"),
        ("numpy._core.multiarray", "_reconstruct"),
        ("numpy._core.multiarray", "scalar"),
        ("numpy._core.numeric", "_frombuffer"),
        ("_codecs", "encode"),
    }

    def find_class(self, module: str, name: str) -> Any:
        module = module.replace("numpy.core.", "numpy._core.")  # its name before numpy 2
        if (module, name) not in self.ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return super().find_class(module, name)


def _unpickled(file: BinaryIO, where: str) -> dict[str, Any]:
    """A pickled dictionary. Python 2 wrote the official one, so strings come as latin-1."""
    try:
        return _PlainUnpickler(file, encoding="latin1").load()
    except (pickle.UnpicklingError, AttributeError, ImportError, IndexError, EOFError) as error:
        raise ValueError(
            f"{where} is not what CIFAR-100 holds ({error}); fetch it again"
        ) from error


def _downloaded() -> Path:
    """The official archive in the user's cache."""
    from torchvision.datasets import CIFAR100

    return fetched("cifar-100", TAR, CIFAR100.url, CIFAR100.tgz_md5, "CIFAR-100")
