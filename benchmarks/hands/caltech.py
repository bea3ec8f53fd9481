"""An initialization trained here beside frozen ImageNet features, on photographs that neither was
trained on: forty classes of Caltech-101.

    python -m hands.caltech                 trains first, then compares (Reptile from scratch)
    python -m hands.caltech --run FOLDER    a training that is there already

$FEWSTEP_DATA names the folder of caltech84.zip.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fewstep.data.classes import class_lists
from fewstep.data.image_folder import ImageFolder
from fewstep.data.images.decode import USUAL
from fewstep.run.stored import checkpoint
from fewstep.use import pictures
from fewstep.use.backbone.backbone import Backbone
from fewstep.use.initialization import Initialization
from fewstep.use.loading import load
from hands import methods, report, weights
from hands.tasks import tasks


SETTINGS = ((5, 1), (5, 5), (20, 1), (20, 5))
EACH = 40
"""Pictures of a class, the first by name, of which tasks are drawn."""
SIZE = 160
"""Side of the pictures for the frozen network."""
TEST = 0.4
"""The share of the classes that no training sees."""
TRAINING = (
    "shots=5w5s",
    "model=miniimagenet_conv",
    "dataset=image_folder",
    "dataset.size=48",
    f"dataset.test={TEST}",
    "dataset.val=0",
    "max_meta_iterations=500",
    "eval.protocol=support",
    "eval.tasks=20",
    "eval.checkpoint=last",
    "execution=serial",
)


def main() -> None:
    """Parse the command line, compare, write and print."""
    parser = argparse.ArgumentParser(prog="python -m hands.caltech", description=__doc__)
    parser.add_argument("--run", type=Path, help="a run directory of fewstep train")
    parser.add_argument("--tasks", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    archive = Path(os.environ["FEWSTEP_DATA"]) / "caltech84.zip"
    with tempfile.TemporaryDirectory() as folder:
        run = arguments.run or train(archive, Path(folder) / "run")
        file = weights.write(Path(folder) / "lite0.safetensors")
        backbone = Backbone.named(weights.NAME, file, SIZE)
        found, about = compare(archive, run, backbone, arguments.tasks, arguments.seed)
    command = "python -m hands.caltech"
    print(report.write("caltech", command, about, found))
    print(report.table({"rows": found}))


def train(archive: Path, run: Path) -> Path:
    """Reptile from scratch on the other classes, with the budget of `TRAINING`."""
    words = [*TRAINING, f"dataset.root={archive}", f"hydra.run.dir={run}"]
    subprocess.run([sys.executable, "-m", "fewstep", "train", *words], check=True)
    return run


def compare(
    archive: Path, run: Path, backbone: Backbone, number: int, seed: int
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """A row a method and setting, and what the figures depend on."""
    init = load(run)
    assert isinstance(init, Initialization)
    names = unseen(archive)
    by_class = pictures.by_class(str(archive))
    some = [picture for name in names for picture in by_class[name][:EACH]]
    counts = [len(by_class[name][:EACH]) for name in names]
    small, large = prepared(some, init), prepared(some, backbone)
    compared = {
        **methods.frozen(backbone, large),
        **methods.adapted("Reptile from scratch", init, small),
        **methods.pixels(small),
    }
    drawn = partial(tasks, counts, number=number, seed=seed)
    found = report.compared(compared, drawn, SETTINGS)
    content = checkpoint.read(checkpoint.find(run, "run"), "run")["fewstep"]
    about = {
        "seed": seed,
        "tasks": number,
        "classes": names,
        "training": {"words": TRAINING, "meta_iterations": content["meta_iteration"]},
        "backbone": {"name": weights.NAME, "size": SIZE, "weights": weights.PACKAGE},
    }
    return found, about


def unseen(archive: Path) -> list[str]:
    """The classes that the training leaves for its test."""
    splits = ImageFolder(archive, val=0, test=TEST)
    parts = class_lists.shuffled(pictures.by_class(str(archive)), splits.split_seed, 0, TEST)
    return sorted(parts["test"])


def prepared(some: Sequence[Any], by: Initialization | Backbone) -> Tensor:
    """Pixels of pictures, as an initialization or a frozen network takes them."""
    assert by.preparation is not None
    return pictures.prepared(some, by.preparation, USUAL)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
