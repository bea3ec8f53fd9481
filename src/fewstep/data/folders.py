"""The files below a folder, through links too, each of them once."""

from __future__ import annotations

import os
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from fewstep.data.bad_files import BadFile, BadFiles
from fewstep.data.litter import is_litter


@dataclass
class Below:
    """What lies below a folder."""

    files: list[Path] = field(default_factory=list)
    """Sorted. Litter is left out; a file that is reached in two ways is here once."""
    linked: list[Path] = field(default_factory=list)
    """The folders elsewhere that links lead to, sorted."""


def below(folder: Path) -> Below:
    """All files below a folder, at any depth.

    A link to a file or a folder counts as what it leads to. What is there anyway, or was reached
    by another link, is not counted again; a link back to a folder that holds it ends there.
    Names of one file made by `ln` without `-s` are files of their own.

    Raises:
        BadFiles: links that lead nowhere, all of them.
        OSError: a folder that cannot be read.
    """
    found = Below()
    seen: set[str] = set()
    bad: list[BadFile] = []
    links: deque[tuple[str, str]] = deque()
    _walk(str(folder), os.path.realpath(folder), found, seen, links)
    while links:  # after all that needs no link: of two ways to a file, the plain one is kept
        path, real = links.popleft()
        if os.path.isdir(real):
            if real not in seen:
                found.linked.append(Path(real))
                _walk(path, real, found, seen, links)
        elif os.path.isfile(real):
            if real not in seen:
                seen.add(real)
                found.files.append(Path(path))
        elif not os.path.exists(real):
            bad.append(_leads_nowhere(path))
    if bad:
        raise BadFiles(sorted(bad, key=str), len(found.files) + len(bad))
    found.files.sort()
    found.linked.sort()
    return found


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


def _walk(
    path: str, real: str, found: Below, seen: set[str], links: deque[tuple[str, str]]
) -> None:
    """Gather what needs no link, and queue the links that need to be followed."""
    todo = [(path, real)]
    while todo:
        path, real = todo.pop()
        seen.add(real)
        for entry in _entries(path):
            there = f"{real}{os.sep}{entry.name}"
            if entry.is_symlink():
                target = os.path.realpath(entry.path)
                if not f"{real}{os.sep}".startswith(f"{target}{os.sep}"):
                    links.append((entry.path, target))
            elif there in seen:
                continue
            elif entry.is_dir():
                todo.append((entry.path, there))
            elif entry.is_file():
                seen.add(there)
                found.files.append(Path(entry.path))


def _entries(path: str) -> list[os.DirEntry[str]]:
    """What is in a folder, in an order that is the same everywhere; without litter."""
    with os.scandir(path) as entries:
        return sorted((e for e in entries if not is_litter(e.name)), key=lambda e: e.name)


def _leads_nowhere(path: str) -> BadFile:
    target = os.readlink(path)
    fix = "bring back what it leads to, or remove the link"
    return BadFile(path, f"is a link to '{target}', which does not exist", fix)
