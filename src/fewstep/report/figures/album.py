"""The pictures of a report as files: PNG for a page, PDF and SVG for a paper."""

from __future__ import annotations

import io
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import matplotlib.pyplot as plt

from fewstep.records.figures import fonts
from fewstep.report.figures.pictures import INK, Picture, draw
from fewstep.report.figures.series import families_of
from fewstep.report.sections import Section


logging.getLogger("fontTools").setLevel(logging.WARNING)  # tells each glyph of a PDF

FORMATS = ("png", "pdf", "svg")

FIRST = ("final", "search", "figure_4")
"""Names of the pictures that stand before a table."""

UNDATED = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}
"""So that the same results give the same files."""


@dataclass(frozen=True)
class Album:
    """Pictures by their section and name, each with the stem of its files."""

    pictures: dict[tuple[int, str], tuple[Picture, str]] = field(default_factory=dict)

    @classmethod
    def of(cls, found: Sequence[Section]) -> Album:
        """Every picture of every section; the place of the section is named where it is not one."""
        among = families_of([row for section in found for row in section.rows])
        return cls(
            {
                (id(section), picture.name): (picture, _stem(picture.name, place, len(found)))
                for place, section in enumerate(found, 1)
                for picture in draw(section, among)
            }
        )

    def files(self) -> list[str]:
        """The files in few words: `final.png/.pdf/.svg`."""
        endings = "/.".join(FORMATS)
        return [f"{stem}.{endings}" for _, stem in self.pictures.values()]

    def of_section(self, section: Section, first: bool) -> list[tuple[Picture, str]]:
        """What stands before a section's table, or behind it: what is final, then how it came."""
        own = [found for (owner, _), found in self.pictures.items() if owner == id(section)]
        return [found for found in own if (found[0].name in FIRST) is first]

    def write(self, folder: Path) -> None:
        """Write all files, on white."""
        for picture, stem in self.pictures.values():
            for format in FORMATS:
                with fonts.drawing(), plt.rc_context({"svg.hashsalt": stem, "pdf.fonttype": 42}):
                    picture.figure.savefig(
                        folder / f"{stem}.{format}",
                        dpi=200,
                        facecolor="white",
                        metadata=UNDATED.get(format),
                    )


def _stem(name: str, place: int, count: int) -> str:
    return name if count == 1 else f"{name}_{place}"


def inline(picture: Picture, salt: str) -> str:
    """A picture to stand inside a page, in the page's own text colour and on its ground.

    `salt` keeps the names inside one picture from those of another on the same page.
    """
    out = io.StringIO()
    with fonts.drawing(), plt.rc_context({"svg.fonttype": "none", "svg.hashsalt": salt}):
        picture.figure.savefig(out, format="svg", transparent=True, metadata=UNDATED["svg"])
    text = out.getvalue()
    return text[text.index("<svg") :].replace(INK, "currentColor")
