"""The images under a folder, found by what a table may call them."""

from __future__ import annotations

import itertools
from pathlib import Path, PurePosixPath

from fewstep.data.digest import composed
from fewstep.data.images import pictures
from fewstep.data.images.pictures import Picture
from fewstep.data.layouts import places
from fewstep.disk.bad_files import BadFile


class Images:
    """The images under a folder, found by what a table may call them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.all = _below(folder)
        self._by_name: dict[str, list[tuple[tuple[str, ...], Picture]]] = {}
        for picture in self.all:
            path = PurePosixPath(picture.path.relative_to(folder).as_posix())
            parts = tuple(tidy(part) for part in path.parts)
            for name in {parts[-1], PurePosixPath(parts[-1]).stem}:
                self._by_name.setdefault(name, []).append((parts, picture))

    def get(self, file: str, where: str) -> Picture:
        """The image of that name, path or name without its ending.

        Raises BadFile, beginning with `where`, unless there is exactly one.
        """
        wanted = PurePosixPath(tidy(file.replace("\\", "/"))).parts
        found = self._by_name.get(wanted[-1], []) if wanted else []
        shared = {parts: _shared(parts, wanted) for parts, _ in found}
        # A path may be one on another computer: what it begins with, and the folder of images
        # itself, may differ, but no folder in between.
        most = max(shared.values(), default=0)
        found = [
            (parts, picture)
            for parts, picture in found
            if shared[parts] == most and most >= min(len(wanted), len(parts) - 1)
        ]
        if not found:
            raise BadFile(
                f"{where}:",
                f"lists '{file}', which is not under {self.folder}",
                "put it there, or remove the line",
            )
        if len(found) > 1:
            raise BadFile(
                f"{where}:",
                f"'{file}' could be {found[0][1]} or {found[1][1]}",
                f"write the path from {self.folder}",
            )
        return found[0][1]


def _below(folder: Path) -> list[Picture]:
    """All images in a folder and in those below it."""
    inside = [path for path in places.entries(folder) if path.is_file()]
    found = [Picture(path) for path in inside]
    if places.subfolders(folder):
        found += [p for some in pictures.find_classes(folder).values() for p in some]
    return [picture for picture in found if places.is_image(picture.path.name)]


def _shared(parts: tuple[str, ...], wanted: tuple[str, ...]) -> int:
    """In how many parts two paths agree, counted from the end; their names do."""
    pairs = zip(reversed(parts[:-1]), reversed(wanted[:-1]), strict=False)
    return 1 + sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))


def tidy(text: str) -> str:
    """A name without spaces around it, of which each letter is written in one way (NFC)."""
    return composed(text.strip())
