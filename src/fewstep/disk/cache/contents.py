"""What lies in the cache: entries, what killed builds have left, and downloads."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from fewstep.disk.cache import entries
from fewstep.disk.cache.building import locked
from fewstep.disk.downloads import FOLDERS


ENTRY = re.compile(r"((.+)-[0-9a-f]{16})\.(npy|json|lock|(?:npy|json)\.[0-9a-f]{32}\.part)")
"""A file of an entry: the entry's name, the dataset's, and which file it is."""

VALID, DAMAGED, OLDER, LEFT, BUILT = "valid", "damaged", "older version", "left over", "being made"
DOWNLOAD = "download"


@dataclass(frozen=True)
class Kept:
    """One entry, or one folder of downloads."""

    name: str
    dataset: str
    files: tuple[Path, ...]
    size: int
    """In bytes, of all files."""
    made: float
    """Seconds since 1970."""
    state: str
    source: str = ""
    """What it was made from."""

    def called(self, word: str) -> bool:
        """Whether `clear=word` means it."""
        if word == "all":
            return self.state != DOWNLOAD
        if word == "invalid":
            return self.state in (DAMAGED, OLDER, LEFT)
        return word in (self.name, self.dataset)


def contents(folder: Path) -> list[Kept]:
    """Everything that this package has put into the folder, by name. Other files are left alone."""
    if not folder.is_dir():
        return []
    groups: dict[tuple[str, str], list[Path]] = {}
    for file in sorted(folder.iterdir()):
        if (match := ENTRY.fullmatch(file.name)) and not file.is_dir():
            groups.setdefault((match[1], match[2]), []).append(file)
    found = []
    for (name, dataset), files in groups.items():
        if entry := _entry(folder / f"{name}.npy", dataset, files):
            found.append(entry)
    return found + [_download(folder / name) for name in FOLDERS if (folder / name).is_dir()]


def clear(kept: Kept) -> bool:
    """Remove it; False where a process is making it. A process that reads it keeps what it has."""
    if kept.state == DOWNLOAD:
        shutil.rmtree(kept.files[0])
        return True
    with locked(kept.files[0].with_name(f"{kept.name}.npy"), wait=False) as held:
        if held is False:
            return False
        # The lock last: whoever waits for it sees that it is gone and takes a new one.
        for file in sorted(kept.files, key=lambda file: file.suffix == ".lock"):
            file.unlink(missing_ok=True)
        kept.files[0].with_name(f"{kept.name}.lock").unlink(missing_ok=True)
    return True


def _entry(path: Path, dataset: str, files: list[Path]) -> Kept | None:
    """What became of an entry; None where its lock alone is there."""
    there = [file for file in files if file.suffix != ".lock"]
    if not there:
        return None
    card = _card(path)
    with contextlib.suppress(FileNotFoundError):  # finished or cleared at this moment
        stats = [file.lstat() for file in there]
        size = sum(stat.st_size for stat in stats)
        made = card.get("made") or max(stat.st_mtime for stat in stats)
        source = str(card.get("source") or "")
        return Kept(path.stem, dataset, tuple(files), size, made, _state(path, there, card), source)
    return None


def _state(path: Path, files: list[Path], card: dict) -> str:
    if path.with_suffix(".lock").exists():
        with contextlib.suppress(OSError), locked(path, wait=False) as held:
            if held is False:
                return BUILT
    if entries.read(path) is not None:
        return VALID
    if path not in files:
        return LEFT
    return OLDER if card.get("format", 1) != entries.FORMAT else DAMAGED


def _card(path: Path) -> dict:
    try:
        card = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        card = None
    return card if isinstance(card, dict) else {"format": entries.FORMAT}


def _download(folder: Path) -> Kept:
    stats = [file.lstat() for file in folder.rglob("*") if file.is_file()]
    size, made = sum(s.st_size for s in stats), max((s.st_mtime for s in stats), default=0.0)
    return Kept(folder.name, folder.name, (folder,), size, made, DOWNLOAD, "the official archive")
