"""Who may talk to the page's server: this machine's own page, and nobody else's.

Any website can send a browser here. By the Host header we know a name that was made to point to
this machine (DNS rebinding), by Origin a form or a script of another page. Ports are left alone,
so that a tunnel (`ssh -L 9000:127.0.0.1:8000`) works.
"""

from __future__ import annotations

import re

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send


LOOPBACK = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?", re.I)

POLICY = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""No request leaves for elsewhere, no other page frames this one, nothing goes into a cache."""


class Guard:
    """The application, for requests that come from its own page."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or say why it is refused."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(POLICY)
            await send(message)

        status, reason = _objection(scope["method"], Headers(scope=scope))
        refusal = JSONResponse({"error": reason}, status)
        await (refusal if reason else self._app)(scope, receive, with_policy)


def _objection(method: str, headers: Headers) -> tuple[int, str]:
    """The status and the reason for which a request is refused; no reason for one that is not."""
    host, origin = headers.get("host", ""), headers.get("origin")
    if not LOOPBACK.fullmatch(host):
        return 421, "the Host must be 127.0.0.1 or localhost: open the address that was printed"
    if method not in ("GET", "HEAD") and origin not in (None, f"http://{host}"):
        return 403, "only the page's own requests are answered"
    return 200, ""
