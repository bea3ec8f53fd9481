"""The list of tasks that `eval.manifest` names: a run is known by them, wherever the file lies."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from fewstep.data.manifests import manifest
from fewstep.data.manifests.manifest import Manifest
from fewstep.disk.homes import expanded
from fewstep.messages.errors import ConfigError
from fewstep.run.stored import pinned


KEY, DIGEST = "eval.manifest", "manifest_sha256"
OTHER = "holds other tasks", "this run is to be tested on", "those"
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
        pinned.check_named(f"{KEY}={name}", DIGEST, wanted, "a list of tasks")
        return {}
    found = opened(name).about["content_sha256"]
    pinned.check(f"{KEY}={name}", found, DIGEST, wanted, OTHER)
    return {DIGEST: found}
