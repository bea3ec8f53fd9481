"""The report as one HTML file that needs no other and no network; it links to the runs."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from fewstep.messages.printable import printable
from fewstep.report.figures.album import Album, inline
from fewstep.report.figures.series import place, series_of
from fewstep.report.parts import Heading, Origins, Part, Pictures, Table, Words
from fewstep.report.runs.command import single
from fewstep.report.runs.gather import Run
from fewstep.report.sections import Section
from fewstep.report.tables.best import Best
from fewstep.report.tables.table import Row


CLASSES = {"meet": "good", "holds": "good", "apart": "bad", "does not": "bad"}
CLASSES |= {"better": "good", "worse": "bad"}
"""Cells that say how something came out."""

LONG = 20
"""Letters from which on a word may be broken where it has no joint."""

SETTING = re.compile(r"\d+-way \d+-shot")
"""A cell that stays in one line."""


@dataclass(frozen=True)
class Origin:
    """Where the figures of one run come from."""

    title: str
    link: str
    folder: str
    command: str
    facts: str
    """Commit, device and seconds."""


def page(body: Sequence[Part], album: Album, folder: Path, subtitle: str) -> str:
    """The whole page, for a file in a folder from which the links to the runs go out."""
    contents = _contents(body, album)
    anchors = {id(part): f"part-{number}" for number, part in enumerate(contents, 1)}
    return (
        _templates()
        .get_template("page.html.j2")
        .render(
            title="fewstep report",
            subtitle=subtitle,
            style=Markup(files("fewstep.report").joinpath("page.css").read_text(encoding="utf-8")),
            parts=body,
            contents=contents,
            called=_called,
            anchor=lambda part: anchors.get(id(part)),
            pictures=lambda part: [
                (Markup(inline(picture, stem)), picture.caption, stem)
                for picture, stem in album.of_section(part.section, part.first)
            ],
            origins=lambda part: _origins(part.section, folder),
            kind=_kind,
            pieces=_pieces,
            jointed=_jointed,
        )
    )


def _contents(body: Sequence[Part], album: Album) -> list[Part]:
    """What the list of contents leads to: the sections, or what the only one consists of."""
    headings = [part for part in body if isinstance(part, Heading)]
    if len(headings) > 1:
        return [*headings]
    return [part for part in body if isinstance(part, Table | Origins) or _drawn(part, album)]


def _drawn(part: Part, album: Album) -> bool:
    return isinstance(part, Pictures) and bool(album.of_section(part.section, part.first))


def _called(part: Part) -> str:
    """A part in the list of contents."""
    match part:
        case Heading(text):
            return text
        case Table(title=title):
            return title
        case Pictures(first=first):
            return "Final figures" if first else "Curves"
        case _:
            return "Where these come from"


def _templates() -> Environment:
    """Every text is escaped, whatever is in it, but the style and the pictures."""
    made = Environment(
        loader=PackageLoader("fewstep", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        keep_trailing_newline=True,
    )
    kinds = {"heading": Heading, "words": Words, "table": Table}
    kinds |= {"pictures": Pictures, "origins": Origins}
    made.tests |= {name: lambda part, c=c: isinstance(part, c) for name, c in kinds.items()}
    return made


def _shown(value: Any) -> Any:
    return value if isinstance(value, Markup) else printable(value)


def _kind(text: str) -> str:
    """The class of a cell."""
    if isinstance(text, Best):
        return "best"
    if any(len(word) > LONG for word in re.split(r"[\s_./=:-]", text)):
        return "long"
    return CLASSES.get(text) or ("whole" if SETTING.fullmatch(text) else "")


def _jointed(text: str) -> Markup:
    """A text with places to break the line in its long words, behind what joins their parts."""
    pieces = (
        re.sub(r"(?<=[_./=:])(?=\w)", "\0", word) if len(word) > LONG else word
        for word in re.split(r"(\s+)", printable(text))
    )
    return Markup("<wbr>").join("".join(pieces).split("\0"))


def _pieces(text: str) -> list[str]:
    """What of a figure stays in one line where there is room: it and its intervals each,
    `78.8 ± 1.1` `(seeds ± 0.5)`; nothing of other texts."""
    return text.replace(" (", "\n(").split("\n") if "±" in text else []


def _origins(section: Section, folder: Path) -> list[Origin]:
    named = zip(section.rows, series_of(section.rows), strict=True)
    first: dict[str, tuple[Row, str]] = {}
    for row, series in named:
        first.setdefault(row.recipe, (row, series.words))
    places = Counter(recipe for recipe, _ in {(row.recipe, place(row)) for row in section.rows})
    return [
        _origin(run, title if places[row.recipe] > 1 else f"{title}, {place(row)}", folder)
        for row, title in first.values()
        for run in row.runs
    ]


def _origin(run: Run, title: str, folder: Path) -> Origin:
    says = run.content
    seconds = says.get("train_seconds")
    commit = (says.get("git_commit") or "")[:10]
    facts = [commit and f"commit {commit}", says.get("device")]
    facts.append(None if seconds is None else f"trained for {seconds:,.0f} s")
    link = quote(Path(os.path.relpath(run.folder.resolve(), folder.resolve())).as_posix())
    return Origin(
        f"{title}, seed {says['seed']}",
        f"{link}/",
        str(run.folder),
        single(run),
        " · ".join(filter(None, facts)),
    )
