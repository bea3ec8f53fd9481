"""What was drawn, written where `keep=` says and only when the page's button asks for it."""

from __future__ import annotations

import json
import time
from pathlib import Path

from PIL import Image

from fewstep.disk.files import CannotWrite, writing
from fewstep.use.page.asked import Examples
from fewstep.use.page.drawings import picture


def keep(examples: Examples, folder: Path) -> Path:
    """Write a folder of pictures a class, as `fewstep adapt pictures=` takes it, and the strokes.

    Raises:
        CannotWrite: naming the path and the reason.
    """
    place = folder / time.strftime("%Y-%m-%d_%H-%M-%S")
    with writing(place):
        if place.exists():
            raise CannotWrite(f"{place}: is there already. Wait a second")
        for name, drawings in zip(examples.names, examples.drawings, strict=True):
            (place / name).mkdir(parents=True)
            for number, drawing in enumerate(drawings, start=1):
                Image.fromarray(picture(drawing)).save(place / name / f"{number}.png")
    strokes = dict(zip(examples.names, examples.drawings, strict=True))
    with writing(folder):
        place.with_suffix(".json").write_text(json.dumps(strokes), encoding="utf-8")
    return place
