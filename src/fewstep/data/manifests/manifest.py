"""A list of tasks as a file: the ids of classes, support and query images, and their hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fewstep.core.types import EpisodeSpec
from fewstep.data.images.members import Members
from fewstep.data.images.split import ImageSplit
from fewstep.disk.files import replacing


FORMAT = 1
PARTS = ("ways", "classes", "shots", "queries", "support", "query")
"""The arrays that say who is in which task: whole numbers, one task after another."""
LEAST = {"seed": 0, "ways": 2, "shots": 1, "queries": 1}
"""Whole numbers that a file says of its tasks, and their least."""
ABOUT = {"dataset": str, "data_sha256": str, "split": str, "varies": bool}
ABOUT |= dict.fromkeys(LEAST, int)
ARRAYS = (*PARTS, "class_ids", "class_names", "about")


@dataclass(frozen=True)
class Manifest:
    """Tasks of a split, by the ids of its dataset."""

    about: Mapping[str, Any]
    """`dataset`, `data_sha256`, `split`, `seed`, `ways`, `shots`, `queries`, `varies`: what they
    are of, and the most that a task has of everything."""
    tasks: Sequence[Members]
    names: Mapping[int, str]
    """Of every class that is in a task, by its id."""

    @property
    def sha256(self) -> str:
        """The same as `episodes_sha256` in results.json: of class, support and query ids."""
        digest = hashlib.sha256()
        for members in self.tasks:
            digest.update(members.identity)
        return digest.hexdigest()

    @property
    def described(self) -> str:
        """`5-way 1-shot with 1 query a class`"""
        about = self.about
        most = "up to " if about["varies"] else ""
        queries = f"{about['queries']} quer{'y' if about['queries'] == 1 else 'ies'} a class"
        return f"{most}{about['ways']}-way {about['shots']}-shot with {queries}"

    def fits(self, spec: EpisodeSpec) -> bool:
        """Whether these are tasks of that many ways and shots."""
        own = (self.about[name] for name in ("ways", "shots", "varies"))
        return tuple(own) == (spec.ways, spec.shots, spec.varies)


def of(split: ImageSplit, spec: EpisodeSpec, seed: int, tasks: int) -> Manifest:
    """Tasks 0..tasks-1 of a split."""
    members = [split.members(spec, seed, index) for index in range(tasks)]
    about = {
        "dataset": split.dataset,
        "data_sha256": split.data_sha256,
        "split": split.name,
        "seed": seed,
        **{name: getattr(spec, name) for name in ("ways", "shots", "queries", "varies")},
    }
    return Manifest(about, members, names_of(split, members))


def names_of(split: ImageSplit, tasks: Sequence[Members]) -> dict[int, str]:
    """The names of the classes that are in some tasks, by their ids."""
    met = sorted({int(one) for members in tasks for one in members.classes})
    return {one: split.class_names[one] for one in met}


def write(path: Path, manifest: Manifest) -> None:
    """Write the file; the same tasks give the same bytes.

    Raises:
        CannotWrite: it cannot be written.
    """
    tasks = manifest.tasks
    whole = {
        "ways": np.array([len(members.classes) for members in tasks]),
        "classes": np.concatenate([members.classes for members in tasks]),
        "shots": np.concatenate([members.shots for members in tasks]),
        "queries": np.concatenate([members.queries for members in tasks]),
        "support": np.concatenate([members.support for members in tasks]),
        "query": np.concatenate([members.query for members in tasks]),
        "class_ids": np.array(list(manifest.names)),
    }
    arrays = {name: array.astype(np.int32) for name, array in whole.items()}
    about = {"format": FORMAT, **manifest.about, "episodes_sha256": manifest.sha256}
    arrays["class_names"] = np.array(list(manifest.names.values()))
    arrays["about"] = np.array(json.dumps(about))
    with replacing(path) as aside, aside.open("wb") as out:
        np.savez_compressed(out, allow_pickle=False, **arrays)


def read(path: Path) -> Manifest:
    """The tasks of a file, whoever wrote it.

    Raises:
        ValueError: what is wrong with it.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            if missing := [name for name in ARRAYS if name not in file]:
                raise ValueError(f"it has no {missing[0]}")
            arrays = {name: file[name] for name in ARRAYS}
        about = _about(json.loads(str(arrays["about"])))
        tasks = _tasks({name: arrays[name].astype(np.int64) for name in PARTS})
        ids = [int(one) for one in arrays["class_ids"]]
    except OSError:
        raise
    except Exception as error:  # whatever a file that is none does to its readers
        first = str(error).partition("\n")[0]
        raise ValueError(f"it cannot be read as a manifest ({first})") from None
    manifest = Manifest(about, tasks, dict(zip(ids, map(str, arrays["class_names"]), strict=False)))
    _check(manifest)
    return manifest


def _about(about: Any) -> Mapping[str, Any]:
    """What a file says of itself, whatever it is.

    Raises:
        ValueError: it does not say it, or not as it should.
    """
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        found = about.get("format") if isinstance(about, dict) else None
        raise ValueError(f"it is of format {found}, and this reads {FORMAT}")
    for name, kind in ABOUT.items():
        if name not in about:
            raise ValueError(f"its about has no {name}")
        if type(about[name]) is not kind or (kind is int and about[name] < LEAST[name]):
            raise ValueError(f"its {name} is {str(about[name])[:40]}")
    return about


def _tasks(arrays: Mapping[str, np.ndarray]) -> list[Members]:
    if not arrays["ways"].size:
        raise ValueError("it has no tasks")
    if any((array < 0).any() for array in arrays.values()):
        raise ValueError("it has a number below 0")
    classes, shots, queries = (
        np.split(arrays[name], np.cumsum(arrays["ways"])[:-1])
        for name in ("classes", "shots", "queries")
    )
    each = [(sum(s), sum(q)) for s, q in zip(shots, queries, strict=True)]
    ends = np.cumsum(np.array(each), axis=0)
    if tuple(ends[-1]) != (len(arrays["support"]), len(arrays["query"])):
        raise ValueError("it has other numbers of images than it says")
    support, query = (
        np.split(arrays[name], ends[:-1, place]) for place, name in enumerate(("support", "query"))
    )
    return [
        Members(c, tuple(s.tolist()), x, tuple(q.tolist()), y)
        for c, s, x, q, y in zip(classes, shots, support, queries, query, strict=True)
    ]


def _check(manifest: Manifest) -> None:
    """Raises ValueError where it is not what it says."""
    about, tasks = manifest.about, manifest.tasks
    if about.get("episodes_sha256") != manifest.sha256:
        raise ValueError(
            f"its tasks have the hash {manifest.sha256[:8]}, and it says "
            f"{str(about.get('episodes_sha256'))[:8]}: it has been changed"
        )
    if not all(len(m.classes) == len(m.shots) == len(m.queries) for m in tasks):
        raise ValueError("its tasks have other numbers of classes than it says")
    most = about["ways"], about["shots"], about["queries"]
    for number, m in enumerate(tasks):
        if min((len(m.classes), *m.shots, *m.queries)) < 1:
            raise ValueError(f"its task {number} has a class without images, or none")
        if len({*m.classes.tolist()}) < len(m.classes):
            raise ValueError(f"its task {number} has a class twice")
        pairs = (m.shots, m.support), (m.queries, m.query)
        met = [{*zip(np.repeat(m.classes, n).tolist(), i.tolist(), strict=True)} for n, i in pairs]
        if met[0] & met[1]:
            raise ValueError(f"its task {number} asks for an image that it has shown")
        found = len(m.classes), max(m.shots, default=0), max(m.queries, default=0)
        exact = not about["varies"] and (found != most or min(m.shots) != most[1])
        if exact or any(own > limit for own, limit in zip(found, most, strict=True)):
            raise ValueError(
                f"its task {number} is {found[0]}-way {found[1]}-shot, and it says "
                f"{manifest.described}"
            )
