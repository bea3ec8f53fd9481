"""Tasks whose classes belong together, such as the characters of one alphabet."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from fewstep.core.types import EpisodeSpec
from fewstep.data.classes.split import ClassSplit
from fewstep.data.sampler import Draws


LEAST = 20
"""Characters of the smallest alphabet that Omniglot's background split tests."""


class GroupedSplit(ClassSplit):
    """Some of a dataset's classes, of which a task takes those of one group: a group is drawn
    first, each as often as any other, and then classes of it. So task i is, as ever, a function of
    (seed, split, i).

    A class `ALPHABET/CHARACTER/ROTATION` is in the group `ALPHABET/ROTATION`.
    """

    @cached_property
    def groups(self) -> dict[str, np.ndarray]:
        """The class ids of each group, by its name, both in the order of the classes."""
        found: dict[str, list[int]] = {}
        for i in self.classes:
            first, *_, last = self.class_names[int(i)].split("/")
            found.setdefault(f"{first}/{last}", []).append(int(i))
        return {name: np.array(ids) for name, ids in found.items()}

    def having(self, name: str, classes: Sequence[int]) -> ClassSplit:
        """A split of the same dataset with a name and classes, by their ids, of its own."""
        made = super().having(name, classes)
        made.__dict__.pop("groups", None)
        return made

    def check(self, spec: EpisodeSpec) -> None:
        """Raise ValueError, naming the counts, if this split, or a group of it, cannot fill a
        spec."""
        super().check(spec)
        smallest = min(self.groups, key=lambda name: len(self.groups[name]))
        if (most := len(self.groups[smallest])) < spec.ways:
            ways_out = [f"use at most {most}"] if most > 1 else []
            if self.name == "test" and most < LEAST:  # which is not that of the background split
                ways_out.append(
                    f"dataset.split=background, whose test alphabets have {LEAST} or more"
                )
            ways_out = ways_out or ["leave dataset.within out"]
            raise ValueError(
                f"shots.ways={spec.ways}: with dataset.within=alphabet a task is of one alphabet, "
                f"and {smallest} of the {self.name} split of {self.dataset} has {most} characters; "
                f"{', or '.join(ways_out)}"
            )

    def drawn(self, ways: int, draws: Draws) -> np.ndarray:
        """The class ids of a task, [N], all of one group."""
        every = list(self.groups.values())
        group = every[draws.group(len(every))]
        return group[draws.classes(ways, len(group))]
