"""The names of Omniglot's characters, known without its drawings."""

from __future__ import annotations

from importlib.resources import files

from fewstep.data.omniglot_drawings import ROTATIONS


def characters() -> list[str]:
    """All 1,623 in the order of the data, by alphabet: `Greek/character01`."""
    counts = (line.split() for line in _lines("omniglot_alphabets.txt"))
    return [f"{name}/character{i + 1:02}" for name, n in counts for i in range(int(n))]


def turned(every: list[str]) -> list[str]:
    """The names of classes: each character in each rotation."""
    return [f"{c}/rot{turn}" for c in every for turn in ROTATIONS]


def evaluation_alphabets() -> list[str]:
    """Those of `images_evaluation`."""
    return _lines("omniglot_evaluation.txt")


def _lines(file: str) -> list[str]:
    return (files("fewstep") / "data/splits" / file).read_text(encoding="utf-8").splitlines()
