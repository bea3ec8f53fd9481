"""The report in Markdown, as it is printed and as report.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fewstep.report.formats import markdown_table, markdown_text
from fewstep.report.parts import Heading, Part, Picture, Table, Words


def text(told: Sequence[Part], pictures: Mapping[int, str] | None = None) -> str:
    """The report in Markdown; `pictures` are file names by the `id` of their section."""
    return "\n\n".join(filter(None, (_markdown(part, pictures or {}) for part in told)))


def _markdown(part: Part, pictures: Mapping[int, str]) -> str:
    match part:
        case Heading(title):
            return f"## {markdown_text(title)}"
        case Words([one]):
            return markdown_text(one)
        case Words([title, *others]):
            return "\n".join([markdown_text(title), "", *(f"- {markdown_text(o)}" for o in others)])
        case Table(lines):
            return markdown_table(lines)
        case Picture(section):
            name = pictures.get(id(section))
            return f"![curves]({name})" if name else ""
        case _:
            raise TypeError(part)
