"""Pictures on disk, as a command is given them: sorted into classes, or one after another."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from fewstep.core.types import SPLITS
from fewstep.data.images.decode import Reading, limited, opened
from fewstep.data.images.decoding import Picture, bytes_of, decoded, opened_archives
from fewstep.data.images.parallel import in_order
from fewstep.data.images.preparation import Preparation
from fewstep.data.layouts import layouts
from fewstep.disk.archives import archive
from fewstep.disk.bad_files import BadFile
from fewstep.disk.folders import below
from fewstep.disk.homes import expanded
from fewstep.messages.errors import ConfigError


KEY = re.compile(r"(?<![\w./\\-])dataset\.([a-z_]+)(?![\w./\\-])")
"""A key of a dataset in a message."""


def by_class(root: str) -> dict[str, list[Picture]]:
    """The pictures of each class under a folder or an archive, in any usual layout.

    Raises:
        ConfigError: there is no such thing, fewer than two classes, a class without a picture, or
            one that is divided into pictures to train on and to test on.
    """
    try:
        whole = layouts.find(expanded(root, "pictures"))
    except (OSError, ValueError) as error:
        raise ConfigError(own_words(str(error))) from None
    if whole.clash:
        parts = [name for name in SPLITS if name in (whole.parts or ())]
        raise ConfigError(
            f"pictures={root}: has its classes in {' and in '.join(parts)}, and a "
            f"classifier would be tested on what it has seen. Give one of these, as pictures="
            f"{root}/train"
        )
    found = whole.classes
    for name, pictures in found.items():
        if not pictures:
            raise ConfigError(
                f"pictures={root}: class '{name}' is empty. Add pictures, or remove it"
            )
    if len(found) < 2:
        raise ConfigError(
            f"pictures={root}: has one class alone ({next(iter(found))}). Make a folder a class, "
            "two or more"
        )
    return found


def prepared(pictures: Sequence[Picture], preparation: Preparation, reading: Reading) -> Tensor:
    """Pixels [n, S, S, C] uint8 of pictures that are all to be used.

    Raises:
        ConfigError: those that cannot be, the first twenty by name.
    """

    def one(data: bytes, where: str) -> np.ndarray:
        return preparation.pixels(opened(data, where, reading))

    try:
        with limited(reading):
            chunks = [*decoded(pictures, one, reading.max_bytes, "reading pictures")]
    except (OSError, ValueError) as error:
        raise ConfigError(own_words(str(error))) from None
    return torch.from_numpy(np.concatenate(chunks))


def one_by_one(sources: Sequence[str]) -> list[Picture]:
    """Every file that is named, in that order; those of a folder or archive by name.

    Raises:
        ConfigError: nothing is there, or an archive that cannot be read.
    """
    found: list[Picture] = []
    for source in sources:
        path = expanded(source, "pictures")
        if path.is_dir():
            try:
                inside = [Picture(file) for file in below(path, nowhere=True)]
            except OSError as error:
                reason = f"cannot be read ({error.strerror})"
                raise ConfigError(f"{error.filename}: {reason}. See to its permissions") from None
            if not inside:
                raise ConfigError(f"pictures={source}: the folder has no files. Name another one")
            found += inside
        elif archive.is_archive(path):
            try:
                with archive.opened(path) as packed:
                    found += [Picture(path, str(member)) for member in packed.paths()]
            except (OSError, ValueError) as error:
                raise ConfigError(own_words(str(error))) from None
        else:
            found.append(Picture(path))  # one that is missing is a row with its reason
    if not found:
        raise ConfigError(f"pictures={','.join(sources)}: there are none. Name files or a folder")
    return found


def streamed(
    pictures: Sequence[Picture], preparation: Preparation, reading: Reading, each: int
) -> Iterator[list[np.ndarray | BadFile]]:
    """Pixels [S, S, C] of each picture, or what is wrong with it, `each` at a time, in order."""
    with limited(reading), opened_archives(pictures) as archives:

        def work(picture: Picture) -> np.ndarray | BadFile:
            try:
                data = bytes_of(picture, archives, reading.max_bytes)
                return preparation.pixels(opened(data, str(picture), reading))
            except BadFile as bad:
                return BadFile(bad.where, bad.reason, bad.fix)  # without its traceback's pixels

        results = in_order(work, pictures, "predicting")
        while some := list(islice(results, each)):
            yield some


def own_words(text: str) -> str:
    """An error of a dataset in the words of a command that has no dataset; names of files stay."""
    return KEY.sub(lambda found: "pictures" if found[1] == "root" else found[1], text)
