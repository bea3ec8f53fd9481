"""Which files under a folder are of runs, and what of the folder cannot be read."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path


OWN = {"config.yaml", "results.json", "multirun.yaml"}
"""Files that a run directory has, or that of a sweep."""

INSIDE = {"checkpoints", "joint", "per_task", "wandb"}
"""Its folders in which there is no further run; elsewhere a run may be called so."""

RESULTS = re.compile(r"results(_[^/]*)?\.json")
"""results.json of a run, or results_*.json as they are kept together in one folder."""


@dataclass(frozen=True)
class Found:
    """What lies under a folder."""

    files: list[Path] = field(default_factory=list)
    """The results files of what has finished, and config.yaml of what has not."""
    unread: dict[Path, str] = field(default_factory=dict)
    """Folders and links that cannot be read, and what the system says of each."""


def found(top: Path) -> Found:
    """What lies under a folder and where its links lead. Each folder is looked into once, under its
    own name before any link's, so that nothing counts twice and no circle is walked."""
    here, seen, pending = Found(), set[str](), [top]
    while pending:
        for folder, below, names in os.walk(pending.pop(0), onerror=lambda e: _note(here, e)):
            if (real := os.path.realpath(folder)) in seen:
                below.clear()
                continue
            seen.add(real)
            own = INSIDE if OWN & {*names} else ()
            below[:] = sorted(n for n in below if n not in own and not n.startswith("."))
            pending += [p for name in below if os.path.islink(p := Path(folder, name))]
            here.files.extend(_of_runs(Path(folder), names))
            here.unread.update(_broken(Path(folder), names))
    return here


def _note(here: Found, error: OSError) -> None:
    here.unread[Path(error.filename)] = error.strerror or str(error)


def _of_runs(folder: Path, names: list[str]) -> list[Path]:
    results = [name for name in names if RESULTS.fullmatch(name)]
    return [folder / name for name in results or names if results or name == "config.yaml"]


def _broken(folder: Path, names: list[str]) -> Iterator[tuple[Path, str]]:
    """Links to what cannot be reached, and may be a run; none is in the directory of one."""
    if OWN & {*names} - {"multirun.yaml"}:
        return
    for path in (folder / name for name in names if not name.startswith(".")):
        if not os.path.islink(path):
            continue
        try:
            path.stat()
        except OSError as error:
            yield path, f"a link to {os.readlink(path)}: {error.strerror}"
