"""The same frozen ImageNet features on Omniglot's test characters, beside the initialization that
comes with the package.

    python -m hands.omniglot

$FEWSTEP_DATA names the folder of the two archives.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from functools import partial
from pathlib import Path

import torch

from fewstep.data.images.decoding import Picture
from fewstep.data.omniglot import DRAWINGS, PARTS, SPLITS, character_order
from fewstep.disk.archives import archive
from fewstep.use.backbone.backbone import Backbone
from fewstep.use.initialization import Initialization
from fewstep.use.loading import load
from hands import methods, report, weights
from hands.caltech import SIZE, prepared
from hands.tasks import tasks


SETTINGS = ((5, 1), (5, 5), (20, 1))
CHARACTERS = 100
"""Of the 423 test characters, the first in the authors' order: a frozen network takes its time."""


def main() -> None:
    """Parse the command line, compare, write and print."""
    parser = argparse.ArgumentParser(prog="python -m hands.omniglot", description=__doc__)
    parser.add_argument("--tasks", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    init = load("omniglot")
    assert isinstance(init, Initialization)
    with tempfile.TemporaryDirectory() as folder:
        file = weights.write(Path(folder) / "lite0.safetensors")
        backbone = Backbone.named(weights.NAME, file, SIZE)
    by_name = drawings(Path(os.environ["FEWSTEP_DATA"]))
    names = sorted(by_name, key=lambda name: name.split("/"))
    first, _ = SPLITS["authors"]["test"]
    chosen = character_order(0)[first : first + CHARACTERS]
    some = [drawing for place in chosen for drawing in by_name[names[place]]]
    small, large = (prepared(some, by) for by in (init, backbone))
    compared = {
        **methods.adapted("Reptile (init=omniglot)", init, small),
        **methods.frozen(backbone, large),
        **methods.pixels(small),
    }
    drawn = partial(tasks, [DRAWINGS] * CHARACTERS, number=arguments.tasks, seed=arguments.seed)
    found = report.compared(compared, drawn, SETTINGS)
    about = {
        "seed": arguments.seed,
        "tasks": arguments.tasks,
        "characters": CHARACTERS,
        "initialization": {"name": "omniglot", "sha256": init.origin.sha256},
        "backbone": {"name": weights.NAME, "size": SIZE, "weights": weights.PACKAGE},
    }
    print(report.write("omniglot", "python -m hands.omniglot", about, found))
    print(report.table({"rows": found}))


def drawings(root: Path) -> dict[str, list[Picture]]:
    """The files of every character, as ALPHABET/CHARACTER."""
    by_name: dict[str, list[Picture]] = {}
    for part in PARTS:
        file = next(path for path in root.rglob(f"{part}.zip"))
        with archive.opened(file) as packed:
            for path in sorted(packed.paths()):
                if path.suffix == ".png":
                    by_name.setdefault("/".join(path.parts[-3:-1]), []).append(
                        Picture(file, str(path))
                    )
    return by_name


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
