"""A list of tasks as a file: the ids of classes, support and query images, and their hashes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fewstep.core.types import EpisodeSpec
from fewstep.data.classes.members import Members
from fewstep.data.classes.split import ClassSplit
from fewstep.data.manifests import arrays
from fewstep.disk.files import replacing
from fewstep.messages.errors import first_line


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


def of(split: ClassSplit, spec: EpisodeSpec, seed: int, tasks: int) -> Manifest:
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


def check_distinct(tasks: Sequence[Members]) -> None:
    """Raise ValueError, naming both places, where a task stands there twice: as two it would make
    an interval narrower than what was seen."""
    first: dict[bytes, int] = {}
    for number, members in enumerate(tasks):
        if (before := first.setdefault(members.identity, number)) != number:
            raise ValueError(
                f"its task {number} is its task {before} again, counted from 0, and an interval is "
                "of tasks that are there once"
            )


def names_of(split: ClassSplit, tasks: Sequence[Members]) -> dict[int, str]:
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
    content = {name: array.astype(np.int32) for name, array in whole.items()}
    content["class_names"] = np.array(list(manifest.names.values()))
    about = {"format": arrays.FORMAT, **manifest.about, "episodes_sha256": manifest.sha256}
    about["content_sha256"] = arrays.content_sha256(content, about)
    content["about"] = np.array(json.dumps(about))
    with replacing(path) as aside, aside.open("wb") as out:
        np.savez_compressed(out, allow_pickle=False, **content)


def read(path: Path) -> Manifest:
    """The tasks of a file, whoever wrote it.

    Raises:
        ValueError: what is wrong with it.
        OSError: it cannot be opened.
    """
    try:
        content, about = arrays.read(path)
        tasks = arrays.members(content)
    except OSError:
        raise
    except Exception as error:  # whatever a file that is none does to its readers
        raise ValueError(f"it cannot be read as a manifest ({first_line(error)})") from None
    named = zip(content["class_ids"].tolist(), content["class_names"].tolist(), strict=True)
    manifest = Manifest(about, tasks, dict(named))
    _check_hash(about, "episodes_sha256", manifest.sha256, "tasks have")
    _check_hash(about, "content_sha256", arrays.content_sha256(content, about), "content has")
    _check(manifest)
    return manifest


def _check_hash(about: Mapping[str, Any], name: str, found: str, who: str) -> None:
    """Raises ValueError where a file says another hash than what is in it has."""
    if about.get(name) != found:
        raise ValueError(
            f"its {who} the {name} {found[:8]}, and it says {str(about.get(name))[:8]}: it has "
            "been changed"
        )


def _check(manifest: Manifest) -> None:
    """Raises ValueError where it is not what it says."""
    about, met = manifest.about, {int(one) for m in manifest.tasks for one in m.classes}
    if unnamed := sorted(met - manifest.names.keys()):
        raise ValueError(f"it has no name of the class {unnamed[0]}")
    most = about["ways"], about["shots"], about["queries"]
    for number, m in enumerate(manifest.tasks):
        if min((len(m.classes), *m.shots, *m.queries)) < 1:
            raise ValueError(f"its task {number} has a class without images, or none")
        if len({*m.classes.tolist()}) < len(m.classes):
            raise ValueError(f"its task {number} has a class twice")
        found = len(m.classes), max(m.shots), max(m.queries)
        least = len(m.classes), min(m.shots), min(m.queries)
        exact = not about["varies"] and not found == least == most
        if exact or any(own > limit for own, limit in zip(found, most, strict=True)):
            raise ValueError(
                f"its task {number} is {found[0]}-way {found[1]}-shot, and it says "
                f"{manifest.described}"
            )
        if again := _image_again(m):
            raise ValueError(f"its task {number} {again}")


def _image_again(members: Members) -> str:
    """What a task does with an image that it has already; empty where each is there once."""
    pairs = (members.shots, members.support), (members.queries, members.query)
    shown, asked = (
        [*zip(np.repeat(members.classes, each).tolist(), images.tolist(), strict=True)]
        for each, images in pairs
    )
    if {*shown} & {*asked}:
        return "asks for an image that it has shown"
    for images, does in ((shown, "shows an image twice"), (asked, "asks for an image twice")):
        if len({*images}) < len(images):
            return does
    return ""
