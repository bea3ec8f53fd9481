"""A digest of a dataset, by which two runs know that they saw the same data.

It is made of class names, counts and pixels as they are decoded, in class order: the same for a
folder, a zip file of it and the cache. It does not say which class is in which split.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

from fewstep.core.types import EpisodeSpec, Split


def data_sha256(names: Iterable[str], counts: Iterable[int], sums: Iterable[str]) -> str:
    """The digest of classes: their names, their numbers of images, and the SHA-256 of the pixels
    of each, as [n, H, W, C] bytes."""
    classes = zip(map(composed, names), map(int, counts), sums, strict=True)
    return _sha256([list(one) for one in classes])


def composed(name: str) -> str:
    """A name with each accented letter as one character: some systems take them apart."""
    return unicodedata.normalize("NFC", name)


def source_sha256(name: str, settings: Mapping[str, Any]) -> str:
    """The digest of data that a program makes: its name, its version and its settings."""
    return _sha256([name, dict(sorted(settings.items()))])


def classes_sha256(classes: Mapping[str, Iterable[str]] | None) -> str | None:
    """The digest of which class is in which split; None where there are no classes."""
    if not classes:
        return None
    return _sha256({split: list(names) for split, names in sorted(classes.items())})


def episodes_sha256(split: Split, spec: EpisodeSpec, seed: int, n: int) -> str:
    """A fingerprint of the first n tasks: equal where class, support and query ids are equal."""
    digest = hashlib.sha256()
    for index in range(n):
        digest.update(split.identity(spec, seed, index))
    return digest.hexdigest()


def _sha256(content: Any) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()
