"""`fewstep draw`: draw classes on a page of this machine, and see them learned in a few steps."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fewstep.config.checks import Check, check_values, count
from fewstep.disk.files import check_place
from fewstep.messages.errors import ConfigError, did_you_mean


KEYS = {
    "init": Check(str, example="omniglot"),
    "port": count(0, 0),
    "open": Check(bool, example="true"),
    "keep": Check(str, example="drawings", optional=True),
}
DEFAULTS = {"init": "omniglot", "port": 0, "open": True, "keep": None}
HIGHEST_PORT = 65535
WORDS = {"true": True, "false": False, "null": None}

HELP = """\
fewstep draw [key=value ...]

Opens a page on this machine: draw two to ten classes, one to five drawings each, then draw again
and see the probabilities change as you draw. Nobody else can open it, and nothing is written.
Ctrl-C ends it. It takes pip install 'fewstep[web]'.

Keys
  init=omniglot    what adapts: a shipped initialization, a run directory, or a checkpoint
  port=0           of 127.0.0.1; 0 takes a free one
  open=true        open the page in the browser; false prints its address alone
  keep=DIR         offer a button that writes the drawings there, a folder of pictures a class

Examples
  fewstep draw
  fewstep draw port=8000 open=false        behind ssh -L 8000:127.0.0.1:8000 HOST
  fewstep draw init=RUN keep=drawings
"""


def help_text() -> str:
    """What `fewstep draw --help` prints."""
    return HELP


def main(words: Sequence[str] | None = None) -> int:
    """Serve the page until a signal comes; the exit status."""
    try:
        values = read(sys.argv[1:] if words is None else words)
        _serve(values)
    except ConfigError as error:
        print(f"fewstep: {error}", file=sys.stderr)
        return 2
    return 0


def read(words: Sequence[str]) -> dict[str, Any]:
    """Every key with its value.

    Raises:
        ConfigError: a key that does not exist, or a value out of range.
    """
    values: dict[str, Any] = dict(DEFAULTS)
    for word in words:
        key, equals, text = word.partition("=")
        if not equals or key not in KEYS:
            hint = did_you_mean(key, KEYS)
            raise ConfigError(f"{word}: there is no key {key}.{hint} Known are {', '.join(KEYS)}")
        whole = KEYS[key].kind is int and text.isascii() and text.isdecimal()
        values[key] = int(text) if whole else WORDS.get(text, text)
    check_values(values, KEYS)
    if values["port"] > HIGHEST_PORT:
        raise ConfigError(
            f"port={values['port']}: must be at most {HIGHEST_PORT}. For example port=0"
        )
    if values["keep"]:
        check_place(Path(values["keep"]), "keep")
    return values


def _serve(values: dict[str, Any]) -> None:
    """Raises ConfigError where the extra is missing, the port is taken, or nothing can adapt."""
    if missing := [name for name in ("starlette", "uvicorn") if not find_spec(name)]:
        raise ConfigError(
            f"fewstep draw: {' and '.join(missing)} not installed. Install with pip install "
            "'fewstep[web]'"
        )
    from fewstep.use.page.server import listener, serve

    with listener(values["port"]) as socket:  # before what takes seconds
        from fewstep.use.loading import load
        from fewstep.use.page.application import application

        init, keep = load(values["init"]), Path(values["keep"]) if values["keep"] else None
        if getattr(init, "preparation", "its own") is None:
            raise ConfigError(f"init={values['init']}: is for rows of numbers, not for drawings")
        app = application(init, values["init"], keep)
        serve(app, socket, show=values["open"])
    print("stopped; nothing was kept" if keep is None else "stopped")
