"""The drawings of an archive of Omniglot, as the authors' code has them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from fewstep.data.images.decode import opened
from fewstep.disk.archives import archive
from fewstep.disk.bad_files import BadFile, BadFiles


SIZE = 28
ROTATIONS = (0, 90, 180, 270)


def characters(source: Path) -> dict[str, list[np.ndarray]]:
    """The drawings of a part by character. Raises BadFiles."""
    found: dict[str, list[np.ndarray]] = {}
    bad: list[BadFile] = []
    for path, data in archive.files(source, ".png"):
        try:
            drawing = decoded(data(), f"{path} in {source}")
            character = "/".join(path.parts[-3:-1])  # with its alphabet
            found.setdefault(character, []).append(drawing)
        except BadFile as file:
            bad.append(BadFile(file.where, file.reason, "fetch it again"))
    if bad:
        raise BadFiles(bad, len(bad) + sum(map(len, found.values())))
    return found


def decoded(data: bytes, where: str) -> np.ndarray:
    """One drawing as [28, 28] of 0 (ink, darker than half) and 1 (paper). Raises BadFile."""
    # On a 1-bit image every filter is nearest neighbour; naming it says what happens.
    image = opened(data, where).resize((SIZE, SIZE), Image.Resampling.NEAREST)
    # Greys (a copy saved in another mode) are cut at half: convert("1") would dither them.
    return np.asarray(image.convert("L"), dtype=np.uint8) // 128


def rotated(drawings: list[np.ndarray]) -> np.ndarray:
    """A character's classes [4 * 20, 1, 28, 28]: as drawn, then turned; resized before turning."""
    upright = np.stack(drawings)
    turned = [np.rot90(upright, quarter, axes=(1, 2)) for quarter in range(len(ROTATIONS))]
    return np.concatenate(turned)[:, None]
