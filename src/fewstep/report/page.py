"""The report as one HTML file that needs no other and no network."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files

from fewstep.messages.printable import printable
from fewstep.report.parts import Heading, Part, Picture, Table, Words
from fewstep.report.sections import Section
from fewstep.report.table import Row


PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
<h1>{title}</h1>
<p>{subtitle}</p>
{body}
</body>
</html>
"""

CLASSES = {"meet": "good", "holds": "good", "apart": "bad", "does not": "bad"}
"""Cells that say how something came out."""


def escape(text: str) -> str:
    """A text from anywhere as HTML shows it."""
    return html.escape(printable(text))


def page(title: str, subtitle: str, parts: Iterable[Part], pictures: Mapping[int, str]) -> str:
    """The whole page; `pictures` are SVGs by the `id` of their section."""
    style = files("fewstep.report").joinpath("page.css").read_text()
    body = "\n".join(_html(part, pictures) for part in parts)
    return PAGE.format(title=escape(title), subtitle=escape(subtitle), style=style, body=body)


def _html(part: Part, pictures: Mapping[int, str]) -> str:
    match part:
        case Heading(text):
            return f"<h2>{escape(text)}</h2>"
        case Words([text]):
            return f"<p>{escape(text)}</p>"
        case Words([title, *texts]):
            items = "\n".join(f"<li>{escape(text)}</li>" for text in texts)
            return f"<p>{escape(title)}</p>\n<ul>\n{items}\n</ul>"
        case Table(lines):
            return _table(lines)
        case Picture(section):
            svg = pictures.get(id(section), "")
            return (f"<figure>{svg}</figure>\n" if svg else "") + _runs(section)
        case _:
            raise TypeError(part)


def _table(lines: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(text)}</th>" for text in lines[0])
    body = "\n".join(f"<tr>{''.join(_cell(text) for text in line)}</tr>" for line in lines[1:])
    return f'<div class="table"><table>\n<tr>{head}</tr>\n{body}\n</table></div>'


def _cell(text: str) -> str:
    name = CLASSES.get(text) or ("whole" if "±" in text or "-way" in text else "")
    return f'<td class="{name}">{escape(text)}</td>' if name else f"<td>{escape(text)}</td>"


def _runs(section: Section) -> str:
    """Where each figure comes from, folded away."""
    lines = [["run", "folder", "command", "commit", "device", "trained for"]]
    lines += [_origin(row, i) for row in _recipes(section) for i in range(len(row.runs))]
    return f"<details><summary>Where these come from</summary>\n{_table(lines)}\n</details>"


def _recipes(section: Section) -> Iterable[Row]:
    return {row.recipe: row for row in section.rows}.values()


def _origin(row: Row, place: int) -> list[str]:
    run = row.runs[place]
    says = run.content
    seconds = says.get("train_seconds")
    return [
        f"{row.label}, seed {says['seed']}",
        str(run.folder),
        says.get("command") or "",
        (says.get("git_commit") or "")[:10],
        says.get("device") or "",
        "" if seconds is None else f"{seconds:,.0f} s",
    ]
