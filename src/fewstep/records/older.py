"""Keys that a stored configuration may be too old to have, and what it meant without them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


BEFORE: dict[str, Any] = {
    "dataset.skip": [],
    "dataset.white": None,
    "dataset.within": None,
    "shots.train_ways": None,
    "shots.varies": None,
    "model.norm": "batch",
    "eval.manifest": None,
    "eval.shift": 0,
    "algorithm.query_norm": "batch",
    "algorithm.inner.fixed": [],
    "algorithm.inner.reset": [],
    "algorithm.inner.frozen": [],
    "algorithm.inner.head": "trained",
    "algorithm.outer.schedule": "linear",
    "algorithm.outer.rates": {},
    "algorithm.outer.aggregator": "mean",
    "algorithm.outer.clip": None,
    "algorithm.outer.clamp": None,
    "algorithm.outer.average": None,
}
"""By whole names. One at this value is no part of what a run is known by, so that older runs are
still those that they were."""

JOINT = {key: value for key, value in BEFORE.items() if key.count(".") == 2}
"""Those of the joint baseline, which is named as an algorithm is."""
del JOINT["algorithm.inner.fixed"]  # it had that from the first


def without(
    part: Mapping[str, Any], name: str, before: Mapping[str, Any] = BEFORE
) -> dict[str, Any]:
    """The part of a configuration that is called `name`, without the keys that are at what `before`
    says; its own parts as well."""
    kept = {}
    for key, value in part.items():
        path = f"{name}.{key}" if name else key
        if path in before and value == before[path]:
            continue
        kept[key] = without(value, path, before) if isinstance(value, Mapping) else value
    return kept
