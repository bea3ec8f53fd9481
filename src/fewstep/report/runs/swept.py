"""The fewest keys that tell the jobs of a sweep, or several recipes of one name, apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fewstep.config.checks import flatten


FIRST = ("label", "algorithm.name", "dataset.name", "shots.ways", "shots.shots")
"""What a reader looks for; an algorithm's whole recipe follows from its name."""

Config = Mapping[str, Any]


def distinguishing(configs: Sequence[Config], tried: Sequence[str] = ()) -> list[str]:
    """The keys, `seed` aside, that tell configurations apart, each only if it adds to the others
    or is one of those that a search has `tried`.

    A sweep over algorithms changes dozens of keys, all of which follow from one of them.
    """
    flat = [dict(flatten(config)) for config in configs]
    named = [next((n for n in (key, f"{key}.name") if n in flat[0]), key) for key in tried]
    names = dict.fromkeys([*named, *FIRST, *(name for config in flat for name in config)])
    chosen: list[str] = []
    groups: list[Any] = [0] * len(flat)
    for name in names:
        finer = [(g, repr(c.get(name))) for g, c in zip(groups, flat, strict=True)]
        numbers = {value: place for place, value in enumerate(dict.fromkeys(finer))}
        asked = name in named and len({repr(config.get(name)) for config in flat}) > 1
        if name != "seed" and (asked or len(numbers) > len(set(groups))):
            chosen.append(name)
            groups = [numbers[value] for value in finer]
    return chosen


def values(config: Config, keys: Sequence[str]) -> dict[str, Any]:
    """The values of some keys, under the names that users type for them."""
    flat = dict(flatten(config))
    return {key.removesuffix(".name"): flat.get(key) for key in keys}
