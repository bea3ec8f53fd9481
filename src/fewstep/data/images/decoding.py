"""Many image files decoded in threads, wherever they are, and the bad ones listed at once."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from fewstep.data.images.parallel import in_order
from fewstep.disk.archives import archive
from fewstep.disk.archives.archive import Archive
from fewstep.disk.bad_files import BadFile, BadFiles, too_large


CHUNK = 64
"""Images a worker decodes at a time."""


@dataclass(frozen=True)
class Picture:
    """Where one image is: a file, or a member of an archive."""

    path: Path
    member: str | None = None

    @property
    def name(self) -> str:
        """The file's name, without folders."""
        return PurePosixPath(self.member).name if self.member else self.path.name

    def __str__(self) -> str:
        return f"{self.member} in {self.path}" if self.member else str(self.path)


def decoded(
    pictures: Sequence[Picture], one: Callable[[bytes, str], np.ndarray], most: int, title: str
) -> Iterator[np.ndarray]:
    """The pictures' pixels in order, some at a time: [up to CHUNK, size, size, channels].

    Raises BadFiles at the end, for all that cannot be used; nothing is made once there is one.
    """
    with opened_archives(pictures) as archives:
        bad: dict[Picture, BadFile] = {}

        def work(some: Sequence[Picture]) -> list[np.ndarray]:
            good = []
            for picture in some:
                try:
                    good.append(one(bytes_of(picture, archives, most), str(picture)))
                except BadFile as file:  # anew, without the pixels that its traceback holds
                    bad[picture] = BadFile(file.where, file.reason, file.fix)
            return good

        chunks = [pictures[i : i + CHUNK] for i in range(0, len(pictures), CHUNK)]
        for good in in_order(work, chunks, title):
            if not bad:
                yield np.stack(good)
    if bad:
        endings = {PurePosixPath(picture.name).suffix.lower() for picture in bad}
        listed = [bad[picture] for picture in pictures if picture in bad]
        raise BadFiles(listed, len(pictures), endings - set(Image.registered_extensions()) - {""})


@contextmanager
def opened_archives(pictures: Sequence[Picture]) -> Iterator[Mapping[Path, Archive]]:
    """The archives that pictures are in, open."""
    with ExitStack() as stack:
        yield {
            path: stack.enter_context(archive.opened(path))
            for path in sorted({picture.path for picture in pictures if picture.member})
        }


def bytes_of(picture: Picture, archives: Mapping[Path, Archive], most: int) -> bytes:
    """A picture's bytes, `most` at the most. Raises BadFile."""
    if picture.member is not None:
        return archives[picture.path].read(PurePosixPath(picture.member), most)
    try:
        found = picture.path.stat()
        if not stat.S_ISREG(found.st_mode):  # a pipe, at which a reader would wait for ever
            raise BadFile(str(picture), "is no plain file", "replace or remove it")
        size = found.st_size
        if size > most:
            raise too_large(str(picture), size, most)
        return picture.path.read_bytes()
    except OSError as error:
        fix = "see to its permissions and its disk"
        raise BadFile(str(picture), f"cannot be read ({error.strerror or error})", fix) from error
