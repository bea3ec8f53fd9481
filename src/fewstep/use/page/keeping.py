"""What was drawn, written where `keep=` says and only when the page's button asks for it."""

from __future__ import annotations

import json
from pathlib import Path

from PIL import Image

from fewstep.disk.files import filling, replacing
from fewstep.records.run_folders import new_name
from fewstep.use.page.asked import Examples
from fewstep.use.page.drawings import picture


def keep(examples: Examples, folder: Path) -> Path:
    """Write a folder of pictures a class, as `fewstep adapt pictures=` takes it, and the strokes;
    all or nothing, for of half the drawings another classifier would be learned.

    Raises:
        CannotWrite: naming the path and the reason.
    """
    place = folder / new_name()
    strokes = dict(zip(examples.names, examples.drawings, strict=True))
    with filling(place) as aside, replacing(place.with_suffix(".json")) as record:
        for name, drawings in strokes.items():
            (aside / name).mkdir(parents=True)
            for number, drawing in enumerate(drawings, start=1):
                Image.fromarray(picture(drawing)).save(aside / name / f"{number}.png")
        record.write_text(json.dumps(strokes), encoding="utf-8")
    return place
