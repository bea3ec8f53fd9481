"""The tables for a paper, in LaTeX."""

from __future__ import annotations

import re
from collections.abc import Sequence

from fewstep.messages.printable import printable
from fewstep.report.baseline import NOTE, compared
from fewstep.report.columns import Best, caption, grid
from fewstep.report.formats import PERCENT, note
from fewstep.report.sections import Section


HEAD = r"""% Tables of fewstep report: \input{report} them, with \usepackage{booktabs,graphicx}.
"""

TABLE = r"""\begin{table}
  \centering
  \caption{%s}\smallskip
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

FIGURE = re.compile(r"[+-]?[\d.,]+(e-\d+)?( ± [\d.]+)?( \(seeds ± [\d.]+\))?|")
"""A cell of a column that is set flush right."""


INTERVALS = (
    "Behind the ± is the half-width of the 95 % interval over tasks, in brackets that over seeds. "
    "In bold the best, and what is not told apart from it."
)


def latex(found: Sequence[Section], baseline: str | None = None) -> str:
    """A table for each section that has rows, and one of its differences to the baseline, as a part
    of a document."""
    told = [HEAD]
    for rows, title in ((section.rows, section.title) for section in found if section.rows):
        percent = ["In percent."] if any(PERCENT in text for text in note(rows)) else []
        told.append(_table([title + ".", caption(rows), *percent, INTERVALS], grid(rows)))
        if baseline and (lines := compared(rows, baseline))[1:]:
            told.append(_table([f"{title}: differences to {baseline}.", NOTE], lines))
    return "\n".join(told)


def _table(says: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    head, *body = lines
    told = "\n".join(f"    {' & '.join(map(_cell, line))} \\\\" for line in body)
    text = escaped(" ".join(filter(None, says)))
    return TABLE % (text, _kinds(body), " & ".join(map(escaped, head)), told)


def _kinds(body: Sequence[Sequence[str]]) -> str:
    columns = zip(*body, strict=True)
    return "".join("r" if all(map(FIGURE.fullmatch, column)) else "l" for column in columns)


def _cell(text: str) -> str:
    told = re.sub(r"^-(?=\d)", "$-$", escaped(text.replace("(seeds ±", "(±")))
    return rf"\textbf{{{told}}}" if isinstance(text, Best) else told


def escaped(text: str) -> str:
    """A text from anywhere that LaTeX sets as it is; what its default fonts lack is a question
    mark."""
    told = "".join(SPELLED.get(character, character) for character in printable(text))
    return "".join(c if c.isascii() or "\u00a0" < c < "\u0250" else "?" for c in told)
