"""The files below a folder, through links too, each of them once."""

from __future__ import annotations

import os
from collections import deque
from pathlib import Path

from fewstep.disk.bad_files import BadFile, BadFiles
from fewstep.disk.litter import is_litter


def below(folder: Path, nowhere: bool = False) -> list[Path]:
    """All files below a folder, at any depth, sorted; without litter.

    A link to a file or a folder counts as what it leads to. What is there anyway, or was reached
    by another link, is not counted again; a link back to a folder that holds it ends there.
    Names of one file made by `ln` without `-s` are files of their own.

    Args:
        folder: where to begin.
        nowhere: links that lead nowhere are files too, which whoever opens them will learn.

    Raises:
        BadFiles: links that lead nowhere, all of them, unless they are asked for.
        OSError: a folder that cannot be read.
    """
    walk = _Walk(folder)
    bad: list[BadFile] = []
    while walk.links:  # after all that needs no link: of two ways to a file, the plain one is kept
        path, real = walk.links.popleft()
        if real in walk.seen:
            continue
        if os.path.isdir(real):
            walk.through(path, real)
        elif os.path.isfile(real):
            walk.seen.add(real)
            walk.files.append(Path(path))
        elif not os.path.exists(real) and nowhere:
            walk.files.append(Path(path))
        elif not os.path.exists(real):
            bad.append(_leads_nowhere(path))
    if bad:
        raise BadFiles(sorted(bad, key=str), len(walk.files) + len(bad))
    return sorted(walk.files)


def folders_in(root: Path) -> list[Path]:
    """The folders in a folder, links to folders among them, sorted; without litter.

    Raises:
        BadFiles: links that lead nowhere: each might have been a class.
    """
    entries = sorted(entry for entry in root.iterdir() if not is_litter(entry.name))
    bad = [_leads_nowhere(str(e)) for e in entries if e.is_symlink() and not e.exists()]
    if bad:
        raise BadFiles(bad, len(entries))
    return [entry for entry in entries if entry.is_dir()]


class _Walk:
    """A walk through folders; links are gathered and not followed.

    `seen` has the real paths of the folders and files that are done with.
    """

    def __init__(self, folder: Path) -> None:
        self.files: list[Path] = []
        self.links: deque[tuple[str, str]] = deque()
        self.seen: set[str] = set()
        self._top = os.path.realpath(folder)
        self.through(str(folder), self._top)

    def through(self, path: str, real: str) -> None:
        """Gather the files below a folder, given by the way to it and by its real path."""
        todo = [(path, real)]
        while todo:
            path, real = todo.pop()
            self.seen.add(real)
            for entry in _entries(path):
                there = os.path.join(real, entry.name)
                if entry.is_symlink():
                    target = os.path.realpath(entry.path)
                    if not (_holds(target, real) or _holds(target, self._top)):
                        self.links.append((entry.path, target))
                elif there in self.seen:
                    continue
                elif entry.is_dir():
                    todo.append((entry.path, there))
                elif entry.is_file():
                    self.seen.add(there)
                    self.files.append(Path(entry.path))


def _holds(folder: str, path: str) -> bool:
    return os.path.join(path, "").startswith(os.path.join(folder, ""))


def _entries(path: str) -> list[os.DirEntry[str]]:
    """What is in a folder, in an order that is the same everywhere; without litter."""
    with os.scandir(path) as entries:
        return sorted((e for e in entries if not is_litter(e.name)), key=lambda e: e.name)


def _leads_nowhere(path: str) -> BadFile:
    target = os.readlink(path)
    fix = "bring back what it leads to, or remove the link"
    return BadFile(path, f"is a link to '{target}', which does not exist", fix)
