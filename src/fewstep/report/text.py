"""The report in Markdown, as it is printed and as report.md."""

from __future__ import annotations

from collections.abc import Sequence

from fewstep.report.figures.album import Album
from fewstep.report.parts import Heading, Origins, Part, Pictures, Table, Words
from fewstep.report.tables.formats import markdown_table, markdown_text


def text(body: Sequence[Part], album: Album | None = None) -> str:
    """The report in Markdown, with the pictures that are written beside it."""
    return "\n\n".join(filter(None, (_markdown(part, album or Album()) for part in body)))


def _markdown(part: Part, album: Album) -> str:
    match part:
        case Heading(title):
            return f"## {markdown_text(title)}"
        case Words([one]):
            return markdown_text(one)
        case Words([title, *others]):
            return "\n".join([markdown_text(title), "", *(f"- {markdown_text(o)}" for o in others)])
        case Table(lines):
            return markdown_table(lines)
        case Pictures(section, first):
            return "\n\n".join(
                f"![{markdown_text(picture.caption)}]({stem}.png)"
                for picture, stem in album.of_section(section, first)
            )
        case Origins():  # a page has them
            return ""
        case _:
            raise TypeError(part)
