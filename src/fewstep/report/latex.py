"""The tables for a paper, in LaTeX."""

from __future__ import annotations

import re
from collections.abc import Sequence

from fewstep.messages.printable import printable
from fewstep.report.columns import Best, caption, grid
from fewstep.report.formats import note
from fewstep.report.sections import Section


HEAD = r"""% Tables of fewstep report: \input{report} them, with \usepackage{booktabs,graphicx}.
"""

TABLE = r"""\begin{table}
  \centering
  \caption{%s}
  \resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%%
  \begin{tabular}{%s}
    \toprule
    %s \\
    \midrule
%s
    \bottomrule
  \end{tabular}}
\end{table}
"""

SPELLED = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
SPELLED |= {character: f"\\{character}" for character in "&%$#_{}"}
SPELLED |= {"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': "''"}
SPELLED |= {"±": r"$\pm$", "…": r"\dots{}", "–": "--", "—": "---"}

FIGURE = re.compile(r"-?[\d.,]+( ± [\d.]+)?( \(seeds ± [\d.]+\))?|")
"""A cell of a column that is set flush right."""


def latex(found: Sequence[Section]) -> str:
    """A table for each section that has rows, as a part of a document."""
    some = [section for section in found if section.rows]
    told = [HEAD, *map(_table, some)]
    notes = note([row for section in some for row in section.rows]) if some else []
    return "\n".join([*told, *(f"% {printable(text)}" for text in notes)]) + "\n"


def _table(section: Section) -> str:
    head, *body = grid(section.rows)
    says = f"{section.title}. {caption(section.rows)}".strip()
    lines = "\n".join(f"    {' & '.join(map(_cell, line))} \\\\" for line in body)
    return TABLE % (escaped(says), _kinds(body), " & ".join(map(escaped, head)), lines)


def _kinds(body: Sequence[Sequence[str]]) -> str:
    columns = zip(*body, strict=True)
    return "".join("r" if all(map(FIGURE.fullmatch, column)) else "l" for column in columns)


def _cell(text: str) -> str:
    told = escaped(text)
    return rf"\textbf{{{told}}}" if isinstance(text, Best) else told


def escaped(text: str) -> str:
    """A text from anywhere that LaTeX sets as it is; what its default fonts lack is a question
    mark."""
    told = "".join(SPELLED.get(character, character) for character in printable(text))
    return "".join(c if c.isascii() or "\u00a0" < c < "\u0250" else "?" for c in told)
