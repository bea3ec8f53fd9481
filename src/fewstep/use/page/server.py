"""The page's server: one socket of this machine alone, from the first request to Ctrl-C."""

from __future__ import annotations

import errno
import os
import socket
import sys
import threading
import webbrowser

import uvicorn
from starlette.types import ASGIApp

from fewstep.messages.errors import ConfigError
from fewstep.processes import signals


HOST = "127.0.0.1"
GRACE = 2
"""Seconds that requests have to end in when the server is told to stop."""


def listener(port: int) -> socket.socket:
    """A socket on a port of the loopback device; 0 takes a free one.

    Raises:
        ConfigError: the port is taken, or not to be had.
    """
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if os.name == "posix":  # where one that ended a moment ago is still in the books
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((HOST, port))
        found.listen()
    except OSError as error:
        found.close()
        taken = error.errno == errno.EADDRINUSE
        reason = "is in use" if taken else f"cannot be had ({error.strerror})"
        raise ConfigError(f"port={port}: {reason}. Use port=0, which takes a free one") from None
    return found


def serve(app: ASGIApp, on: socket.socket, show: bool = False) -> None:
    """Answer until a signal comes; with `show`, open the page in a browser.

    Prints the address when the page can be opened.
    """
    config = uvicorn.Config(
        app,
        loop="asyncio",
        http="h11",
        ws="none",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE,
    )
    server = _Server(config, f"http://{HOST}:{on.getsockname()[1]}/", show)
    with signals.listening(), signals.instead(server.end):
        server.run(sockets=[on])


class _Server(uvicorn.Server):
    """uvicorn's, which leaves signals to us and says when it is there."""

    def __init__(self, config: uvicorn.Config, address: str, show: bool) -> None:
        super().__init__(config)
        self._address, self._show = address, show

    def end(self) -> None:
        """Take no more requests, and return."""
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer."""
        await super().startup(sockets)
        signals.listen()  # uvicorn has taken their place
        print(f"{self._address}  (Ctrl-C ends it)", flush=True)
        if self._show and _has_screen():
            threading.Thread(target=webbrowser.open, args=[self._address], daemon=True).start()


def _has_screen() -> bool:
    """Whether a browser would come up in a window: in a terminal it would take our place."""
    return sys.platform != "linux" or bool({"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys())
