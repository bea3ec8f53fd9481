"""data.json in the folder of a sweep's job: what data the job was given.

The sweep takes a look at the files (names, sizes, times) when it gives the folder away, and the job
adds the digest of what it read there. So a sweep that is given again sees at once that nothing has
changed, and opens the data only where something has.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fewstep.disk.homes import expanded
from fewstep.messages.errors import ConfigError
from fewstep.records.notes import read_note, write_note


RECORD = "data.json"

MANY = 100_000
"""Files that are looked at, about a second's worth; a folder of more counts as changed."""

Digests = Mapping[str, str | None]
"""`data_sha256` and `classes_sha256`."""


def files_of(dataset: Mapping[str, Any]) -> str | None:
    """A fingerprint of the files that a dataset names, its root and its lists; None where it names
    none, or where they are not there. Empty where they are too many to look at."""
    from fewstep.disk.cache.cache import TooMany, fingerprint, folder_fingerprint

    named = [dataset.get("root"), dataset.get("file"), *(dataset.get("split_files") or {}).values()]
    try:
        paths = [expanded(str(path), "dataset.root") for path in named if path]
        found = [
            folder_fingerprint(p, MANY) if p.is_dir() else [str(p.resolve()), *fingerprint(p)]
            for p in paths
        ]
    except TooMany:
        return ""
    except (OSError, ConfigError):  # which its job will say
        return None
    return hashlib.sha256(json.dumps(found).encode()).hexdigest()[:16] if found else None


def given(folder: Path, dataset: Mapping[str, Any], files: str | None) -> None:
    """Say what data a job is given, before it has read any."""
    write_note(folder / RECORD, {"root": dataset.get("root"), "files": files, **digests_in(folder)})


def seen(folder: Path, digests: Digests) -> Digests:
    """Add what a job has read, in the folder of a job, and in any other nothing; the digests."""
    first = os.environ.get("LOCAL_RANK", "0") == "0"  # of a job's ranks
    if first and (record := read(folder)):
        write_note(folder / RECORD, {**record, **digests})
    return digests


def read(folder: Path) -> dict[str, Any]:
    """The record; empty where there is none, as in the folders of older sweeps."""
    return read_note(folder / RECORD)


def digests_in(folder: Path) -> dict[str, str | None]:
    """The digests that a record has so far."""
    return {name: d for name, d in read(folder).items() if name.endswith("_sha256")}
