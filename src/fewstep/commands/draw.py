"""`fewstep draw`: draw classes on a page of this machine, and see them learned in a few steps."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

from fewstep.commands.front import TRUST, run, trusted
from fewstep.config.checks import Check, count
from fewstep.config.keys import Key, help_of
from fewstep.disk.files import check_place
from fewstep.disk.homes import expanded
from fewstep.messages.errors import ConfigError


ABOUT = """\
fewstep draw [key=value ...]   a page on this machine that learns what you draw

Draw two to ten classes, one to five drawings each, then draw again and see the probabilities change
as you draw. Nobody else can open the page, and nothing is written. Ctrl-C ends it. It takes
pip install 'fewstep[web]'.
"""

EXAMPLES = """\
  fewstep draw
  fewstep draw port=8000 open=false        behind ssh -L 8000:127.0.0.1:8000 HOST
  fewstep draw init=outputs/runs/NAME/DATE keep=drawings
"""

KEYS = {
    "init": Key(
        "omniglot, glyphs, a run directory, or a .ckpt",
        Check(str, example="omniglot"),
        "omniglot",
        choices=("glyphs", "omniglot"),
    ),
    "port": Key("of 127.0.0.1; 0 takes a free one", count(0, 0), 0),
    "open": Key(
        "open the page in the browser; false prints its address alone",
        Check(bool, example="true"),
        True,
        choices=("false",),
    ),
    "keep": Key(
        "a folder for drawings: the page gets a button that writes them there",
        Check(str, optional=True, example="drawings"),
    ),
    "trust": TRUST,
}

HIGHEST_PORT = 65535
NEEDED = ("starlette", "uvicorn")


def help_text() -> str:
    """What `fewstep draw --help` prints."""
    return help_of(KEYS, ABOUT, EXAMPLES)


def main(words: Sequence[str] | None = None) -> int:
    """Serve the page until a signal comes; the exit status."""
    return run("draw", KEYS, _serve, words)


def _check(values: dict[str, Any]) -> None:
    """Raises ConfigError where the extra is missing, or a value cannot be."""
    if values["init"].startswith("timm:"):
        raise ConfigError(
            f"init={values['init']}: is a network for photographs, and the page is for drawings. "
            "Choose glyphs, omniglot, a run directory of fewstep train, or a .ckpt file"
        )
    if missing := [name for name in NEEDED if not find_spec(name)]:
        raise ConfigError(f"fewstep draw needs {' and '.join(missing)}: pip install 'fewstep[web]'")
    if values["port"] > HIGHEST_PORT:
        raise ConfigError(
            f"port={values['port']}: must be at most {HIGHEST_PORT}. For example port=0"
        )
    if values["keep"]:
        check_place(expanded(values["keep"], "keep"), "keep")


def _serve(values: dict[str, Any]) -> int:
    """Raises ConfigError where the port is taken, or there is nothing to adapt."""
    _check(values)
    from fewstep.use.page.server import listener, serve

    with listener(values["port"]) as socket:  # before what takes seconds
        from fewstep.use.loading import trained
        from fewstep.use.page.application import application

        init = trained(values["init"], trusted(values))
        if init.preparation is None:
            raise ConfigError(
                f"init={values['init']}: is for rows of numbers, not for drawings. For example "
                "init=omniglot"
            )
        keep = expanded(values["keep"], "keep") if values["keep"] else None
        serve(application(init, values["init"], keep), socket, show=values["open"])
    print("stopped; nothing was kept" if keep is None else "stopped")
    return 0
