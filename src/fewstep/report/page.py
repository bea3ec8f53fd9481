"""The report as one HTML file that needs no other and no network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from fewstep.messages.printable import printable
from fewstep.report.columns import Best
from fewstep.report.command import single
from fewstep.report.parts import Heading, Part, Table, Words
from fewstep.report.sections import Section
from fewstep.report.table import Row


CLASSES = {"meet": "good", "holds": "good", "apart": "bad", "does not": "bad"}
CLASSES |= {"better": "good", "worse": "bad"}
"""Cells that say how something came out."""


def page(title: str, subtitle: str, parts: Iterable[Part], pictures: Mapping[int, str]) -> str:
    """The whole page; `pictures` are SVGs by the `id` of their section."""
    return (
        _templates()
        .get_template("page.html.j2")
        .render(
            title=title,
            subtitle=subtitle,
            style=Markup(files("fewstep.report").joinpath("page.css").read_text()),
            parts=parts,
            picture=lambda section: Markup(pictures.get(id(section), "")),
            origins=_origins,
            kind=_kind,
        )
    )


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
    made.tests |= {name: lambda part, c=c: isinstance(part, c) for name, c in kinds.items()}
    return made


def _shown(value: Any) -> Any:
    return value if isinstance(value, Markup) else printable(value)


def _kind(text: str) -> str:
    """The class of a cell."""
    if isinstance(text, Best):
        return "best"
    return CLASSES.get(text) or ("whole" if "±" in text or "-way" in text else "")


def _origins(section: Section) -> list[list[str]]:
    """Where each figure comes from, as a table."""
    lines = [["run", "folder", "command", "commit", "device", "trained for"]]
    return lines + [_origin(row, i) for row in _recipes(section) for i in range(len(row.runs))]


def _recipes(section: Section) -> Iterable[Row]:
    return {row.recipe: row for row in section.rows}.values()


def _origin(row: Row, place: int) -> list[str]:
    run = row.runs[place]
    says = run.content
    seconds = says.get("train_seconds")
    return [
        f"{row.label}, seed {says['seed']}",
        str(run.folder),
        single(run),
        (says.get("git_commit") or "")[:10],
        says.get("device") or "",
        "" if seconds is None else f"{seconds:,.0f} s",
    ]
