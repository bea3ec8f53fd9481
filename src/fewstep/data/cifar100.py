"""CIFAR-100's python version, in its folder or straight out of its archive."""

from __future__ import annotations

import gzip
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from torch import Tensor

from fewstep.data.digest import data_sha256
from fewstep.disk.cache.cache import Content, cached, fingerprint
from fewstep.disk.downloads import fetched
from fewstep.disk.pickles import pickled


FOLDER = "cifar-100-python"
TAR = f"{FOLDER}.tar.gz"
FILES = ("meta", "train", "test")
SIZE = 32

LARGEST = 1 << 29
"""Bytes of a file in CIFAR-100 at most; its training images have 155 million."""

DAMAGE = (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error)


def store(source: Path) -> tuple[Tensor, list[str], np.ndarray, str]:
    """All images, class after class [n, 3, 32, 32] with channels last, names, counts and digest.

    Raises FileNotFoundError for a missing file, ValueError for a damaged one, by name.
    """
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
def _files(source: Path) -> Iterator[Mapping[str, IO[bytes]]]:
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
            yield {file: _member(tar, f"{FOLDER}/{file}") for file in FILES}
    except (*DAMAGE, KeyError) as error:
        raise ValueError(
            f"{source} is damaged or is not CIFAR-100 ({error}); fetch it again"
        ) from error


def _member(tar: tarfile.TarFile, name: str) -> IO[bytes]:
    file = tar.extractfile(name)
    if file is None:
        raise tarfile.TarError(f"{name} is no file")
    return file


def is_official(path: Path) -> bool:
    """Whether an archive is CIFAR-100's; what cannot be read counts as a damaged one."""
    try:
        with tarfile.open(path) as tar:
            first = tar.next()
            return first is None or FOLDER in first.name or f"{FOLDER}/train" in tar.getnames()
    except DAMAGE:
        return True


def _unpickled(file: IO[bytes], where: str) -> dict[str, Any]:
    data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise ValueError(f"{where} is larger than any file of CIFAR-100; fetch it again")
    return pickled.read(data, where)


def downloaded() -> Path:
    """The official archive in the user's cache."""
    from torchvision.datasets import CIFAR100

    return fetched("cifar-100", TAR, CIFAR100.url, CIFAR100.tgz_md5, "CIFAR-100")
