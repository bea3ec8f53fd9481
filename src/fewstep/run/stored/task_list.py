"""The list of tasks that `eval.manifest` names: a run is known by them, wherever the file lies."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from fewstep.data.manifests import manifest
from fewstep.data.manifests.manifest import Manifest
from fewstep.disk.homes import expanded
from fewstep.messages.errors import ConfigError
from fewstep.messages.printable import printable


KEY, DIGEST = "eval.manifest", "manifest_sha256"
ANEW = "Write one of this data with fewstep episodes"


def opened(name: str) -> Manifest:
    """The tasks in a file, which is read once for as long as it stays as it is.

    Raises:
        ConfigError: it cannot be read, or is no list.
    """
    path = expanded(name, KEY)
    try:
        known = path.stat()
        return _read(path.absolute(), known.st_ino, known.st_mtime_ns, known.st_size)
    except OSError as error:
        raise ConfigError(
            f"{KEY}={name}: cannot be read ({error.strerror or error}). Write one with fewstep "
            "episodes"
        ) from None
    except ValueError as error:
        raise ConfigError(f"{KEY}={name}: {error}. {ANEW}") from None


@lru_cache(maxsize=4)
def _read(path: Path, *known: int) -> Manifest:
    return manifest.read(path)


def sha256(name: str | None, wanted: str | None) -> dict[str, str]:
    """`manifest_sha256` as a file has it, by which a run on its tasks is hashed; nothing where a
    test draws its tasks.

    Raises:
        ConfigError: a file that is none, or other tasks than those that are wanted.
    """
    if not name or not isinstance(name, str):
        if wanted:
            raise ConfigError(
                f"{DIGEST}={printable(wanted)}: tells a list of tasks, and {KEY}={name} names "
                f"none. Give both, or leave {DIGEST} out"
            )
        return {}
    found = opened(name).about["content_sha256"]
    if wanted not in (None, found):
        raise ConfigError(
            f"{KEY}={name}: holds other tasks (sha256 {found[:8]}) than this run is to be tested "
            f"on ({DIGEST}={printable(wanted)[:8]}...). Give those, or leave {DIGEST} out"
        )
    return {DIGEST: found}
