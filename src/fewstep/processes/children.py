"""How our own processes are started: they find the modules that this one finds, in its order."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path


SAFE = "PYTHONSAFEPATH"
"""The variable by which Python does not look for modules where it was started, as with `-P`."""


def start(module: str, words: Sequence[str], env: Mapping[str, str]) -> subprocess.Popen:
    """A Python process that runs one of our modules, in a session of its own.

    Signals of a terminal do not reach it, and its input is a pipe that ends with this process.
    """
    ours = {name: value for name, value in {**os.environ, **env}.items() if name != SAFE}
    return subprocess.Popen(
        [sys.executable, "-P", "-m", module, *words],
        env={**ours, "PYTHONPATH": _path()},
        stdin=subprocess.PIPE,
        start_new_session=True,
    )


@contextmanager
def same_modules() -> Iterator[None]:
    """Inside, also the Python processes that others start find the modules that this one finds.

    By itself Python looks in the working directory first, where a user's `random.py` may lie.
    """
    names = (SAFE, "PYTHONPATH")
    before = {name: os.environ.get(name) for name in names}
    os.environ |= {SAFE: "1", "PYTHONPATH": _path()}
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def here_last() -> None:
    """Look for modules in the working directory after all other places: a user's own
    `algorithm.py` is found there, and a `random.py` does not stand for Python's."""
    here = str(Path.cwd())
    sys.path[:] = [*(path for path in sys.path if path not in ("", here)), here]


def _path() -> str:
    return os.pathsep.join(filter(None, sys.path))
