"""The Omniglot challenge (Lake, Salakhutdinov and Tenenbaum 2015; 2019): twenty fixed runs.

A run is twenty drawings of as many characters of one alphabet, to learn one each from, and twenty
others to tell: 400 decisions in all, on alphabets of `images_evaluation`. The list names the
drawings; the drawings themselves are those of the dataset.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from importlib.resources import files

import numpy as np

from fewstep.core.types import EpisodeSpec
from fewstep.data.classes.members import Members
from fewstep.data.classes.split import ClassSplit
from fewstep.data.manifests.manifest import Manifest, names_of


SPEC = EpisodeSpec(ways=20, shots=1, queries=1, steps=0)
"""Of a run."""


def rows() -> list[dict[str, str]]:
    """The list, a drawing a row: run, role, item, class, alphabet, character, drawing."""
    text = (files("fewstep") / "data/splits/lake_runs.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def manifest(split: ClassSplit, listed: list[dict[str, str]] | None = None) -> Manifest:
    """The runs as tasks of Omniglot's test split; `listed` are other rows than the package's.

    Raises:
        ValueError: a character that the dataset does not have.
    """
    ids = {name: place for place, name in enumerate(split.class_names)}
    runs: dict[int, list[dict[str, str]]] = {}
    for row in rows() if listed is None else listed:
        runs.setdefault(int(row["run"]), []).append(row)
    tasks = [_members(runs[number], ids) for number in sorted(runs)]
    ways = len(tasks[0].classes)
    about = {"dataset": split.dataset, "data_sha256": split.data_sha256, "split": split.name}
    about |= {"seed": 0, "ways": ways, "shots": 1, "queries": 1, "varies": False}
    return Manifest(about, tasks, names_of(split, tasks))


def _members(run: list[dict[str, str]], ids: Mapping[str, int]) -> Members:
    """One run: its classes in their order, a support drawing and a query drawing of each."""
    found: dict[str, dict[int, tuple[int, int]]] = {"support": {}, "query": {}}
    for row in run:
        name = f"{row['alphabet']}/{row['character']}/rot0"
        if name not in ids:
            raise ValueError(f"there is no {name} in the data")
        drawing = int(row["drawing"].removesuffix(".png").rpartition("_")[2]) - 1
        found[row["role"]][int(row["class"])] = ids[name], drawing
    order = sorted(found["support"])
    support, query = ([found[role][one] for one in order] for role in ("support", "query"))
    classes, shown = np.array(support, dtype=np.int64).T
    asked, wanted = np.array(query, dtype=np.int64).T
    if not np.array_equal(classes, asked):
        raise ValueError("a run asks for other characters than it shows")
    once = (1,) * len(classes)
    return Members(classes, once, shown, once, wanted)
