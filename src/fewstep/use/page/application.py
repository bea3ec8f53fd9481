"""The page and its four questions: what are you, adapt to these, what is this, what was that."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from fewstep.disk.files import CannotWrite
from fewstep.messages.errors import ConfigError
from fewstep.use.page import asked
from fewstep.use.page.asked import Refused
from fewstep.use.page.fits import Fit, Fits, Initialization
from fewstep.use.page.guard import Guard
from fewstep.use.page.keeping import keep


KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
"""What the page is made of."""
START = "page.html"


def application(init: Initialization, name: str, folder: Path | None = None) -> Starlette:
    """The server's application.

    Args:
        init: what classifiers are adapted from.
        name: how the page calls it.
        folder: where drawings are written if the page is asked to keep them; None: nowhere.
    """
    talk = _Talk(Fits(init), name, folder)
    routes = [
        Route("/about", talk.about),
        Route("/adapt", talk.adapt, methods=["POST"]),
        Route("/predict", talk.predict, methods=["POST"]),
        Route("/examples/{id}", talk.examples),
        *([Route("/keep", talk.keep, methods=["POST"])] if folder else []),
        *(_served(*file) for file in _site()),
    ]
    handlers = {kind: _refusal for kind in (Refused, ConfigError, CannotWrite, ClientDisconnect)}
    return Starlette(routes=routes, middleware=[Middleware(Guard)], exception_handlers={**handlers})


class _Talk:
    """The answers."""

    def __init__(self, fits: Fits, name: str, folder: Path | None) -> None:
        self._fits, self._name, self._folder = fits, name, folder

    async def about(self, _: Request) -> Response:
        limits = {
            "classes": asked.MOST_CLASSES,
            "drawings": asked.MOST_DRAWINGS,
            "points": asked.MOST_POINTS,
            "name": asked.LONGEST_NAME,
        }
        kept = str(self._folder) if self._folder else None
        return JSONResponse({"init": self._name, "kept": kept, "limits": limits})

    async def adapt(self, request: Request) -> Response:
        examples = asked.examples(await asked.content(request))
        return JSONResponse(_shown(await run_in_threadpool(self._fits.adapted, examples)))

    async def predict(self, request: Request) -> Response:
        given = await asked.content(request)
        fit, drawing = self._fits.get(given.get("id")), asked.drawing(given.get("drawing"))
        probabilities, seen = await run_in_threadpool(fit.of, drawing)
        return JSONResponse(
            {"probabilities": [_number(p) for p in probabilities], "seen": _png(seen)}
        )

    async def examples(self, request: Request) -> Response:
        found = self._fits.get(request.path_params["id"]).examples
        pairs = zip(found.names, found.drawings, strict=True)
        return JSONResponse({"classes": [{"name": n, "drawings": d} for n, d in pairs]})

    async def keep(self, request: Request) -> Response:
        fit = self._fits.get((await asked.content(request)).get("id"))
        assert self._folder
        where = await run_in_threadpool(keep, fit.examples, self._folder)
        return JSONResponse({"where": str(where)})


def _shown(fit: Fit) -> dict[str, Any]:
    """A classifier as the page shows it."""
    seen = map(_png, fit.seen)
    return {
        "id": fit.id,
        "seen": [[next(seen) for _ in drawings] for drawings in fit.examples.drawings],
        "curve": [[int(step), _number(loss)] for step, loss in fit.classifier.curve],
        "seconds": round(fit.seconds, 3),
    }


def _number(value: float) -> float | None:
    """JSON has no infinity: a loss that has become one is a gap in the page's curve."""
    return float(value) if math.isfinite(value) else None


def _png(pixels: np.ndarray) -> str:
    """A picture [S, S, C] uint8 as a text that an image element shows."""
    file = io.BytesIO()
    Image.fromarray(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels).save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def _site() -> Sequence[tuple[str, bytes]]:
    """The files of the page, by name."""
    inside = files("fewstep.use.page").joinpath("site").iterdir()
    return [(file.name, file.read_bytes()) for file in inside if Path(file.name).suffix in KINDS]


def _served(name: str, content: bytes) -> Route:
    kind = KINDS[Path(name).suffix]

    async def answer(_: Request) -> Response:
        return Response(content, media_type=kind)

    return Route("/" if name == START else f"/{name}", answer)


def _refusal(_: Request, error: Exception) -> Response:
    status = error.status if isinstance(error, Refused) else 422
    return JSONResponse({"error": str(error)}, status)
