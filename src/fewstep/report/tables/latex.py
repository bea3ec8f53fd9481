"""The tables for a paper, in LaTeX."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

from fewstep.messages.printable import printable
from fewstep.records import words
from fewstep.report.notes import PERCENT, note
from fewstep.report.sections import Section
from fewstep.report.statistics.baseline import NOTE, P, compared
from fewstep.report.statistics.left_out import left_out
from fewstep.report.statistics.left_out import title as title_of_rest
from fewstep.report.tables.best import Best
from fewstep.report.tables.columns import caption, grid
from fewstep.report.tables.table import Row


HEAD = r"""% Tables of fewstep report: \input{report} them, with \usepackage{booktabs,graphicx}.
"""

TABLE = r"""\begin{table}
  \centering
  \caption{%s}\label{%s}\smallskip
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
SPELLED |= {"≤": r"$\leq$", "≥": r"$\geq$", "≠": r"$\neq$", "≈": r"$\approx$", "∞": r"$\infty$"}
SPELLED |= {"×": r"$\times$", "·": r"$\cdot$", "−": "$-$", "√": r"$\surd$", "°": r"$^\circ$"}
SPELLED |= {"→": r"$\to$", "←": r"$\leftarrow$", "µ": r"$\mu$", "“": "``", "”": "''", "’": "'"}
SPELLED |= {"±": r"$\pm$", "…": r"\dots{}", "–": "--", "—": "---"}

GREEK = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau"
GREEK += " phi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega"


def _letter(name: str) -> str:
    kind = "SMALL" if name.islower() else "CAPITAL"
    return unicodedata.lookup(f"GREEK {kind} LETTER {name.upper().replace('LAMBDA', 'LAMDA')}")


SPELLED |= {_letter(name): rf"$\{name}$" for name in GREEK.split()}

LEAST = 6
"""Places of a p-value below which papers do not tell how small it is."""

POWER = re.compile(r"(?<![\d.,])(?P<digits>\d(?:\.\d+)?)e(?P<sign>[+-])(?P<places>\d+)")
"""A number as computers write it."""

NUMBER = r"[\d.,]+(e[+-]\d+)?"
FIGURE = re.compile(rf"[<+-]?{NUMBER}( ± {NUMBER})?( \(seeds ± {NUMBER}\))?|")
"""A cell of a column that is set flush right."""

OPTION = ("[", "*")
"""What TeX takes, where a line begins so, for an option of the end of the line before."""


WIDE = 9
"""Columns above which the figures would be too small to read beside what their trainings cost."""

COSTS = "What the trainings cost."

INTERVALS = (
    "Behind the ± is the half-width of the 95 % interval over tasks, in brackets that over seeds. "
    "In bold the best, and what is not told apart from it."
)


def latex(found: Sequence[Section], baseline: str | None = None) -> str:
    """A table for each section that has rows, and one of its differences to the baseline, as a part
    of a document."""
    pieces = [HEAD]
    shown = [section for section in found if section.rows]
    for rows, label in zip((s.rows for s in shown), _labels(shown), strict=True):
        percent = [PERCENT] if any(PERCENT in text for text in note(rows)) else []
        lines = grid(rows)
        wide = len(lines[0]) > WIDE
        shown = grid(rows, costs=False) if wide else lines
        pieces.append(_table([caption(rows), *percent, INTERVALS], label, shown))
        if wide and (costs := grid(rows, costs=True))[1:]:
            pieces.append(_table([COSTS], f"{label}-costs", costs))
        if baseline:
            pieces.append(_against(rows, baseline, f"{label}-differences"))
    return "\n".join(filter(None, pieces))


def _against(rows: Sequence[Row], baseline: str, label: str) -> str:
    """The differences to a baseline, and why some rows have none: below a table, or alone."""
    rest = left_out(rows, baseline)
    told = " ".join([title_of_rest(baseline), f"{'; '.join(rest)}."]) if rest else ""
    if (lines := compared(rows, baseline))[1:]:
        says = [f"Differences to {words.algorithm(baseline)}.", NOTE, told]
        return _table(says, label, lines)
    return rf"\noindent {escaped(told)}\par" + "\n" if told else ""


def _labels(found: Sequence[Section]) -> list[str]:
    """`tab:NAME` of a sweep's folder, which stands in no caption; with its place where two are
    called so."""
    names = [re.sub(r"[^\w-]+", "-", Path(section.title).name.lower()) for section in found]
    return [
        f"tab:{name}" if names.count(name) == 1 else f"tab:{name}-{place}"
        for place, name in enumerate(names, 1)
    ]


def _table(says: Sequence[str], label: str, lines: Sequence[Sequence[str]]) -> str:
    head, *body = lines
    inner = "\n".join(f"    {_line(map(cell, line, head))} \\\\" for line in body)
    text = escaped(" ".join(filter(None, says)))
    return TABLE % (text, label, _kinds(body), _line(map(escaped, head)), inner)


def _line(cells: Iterable[str]) -> str:
    line = " & ".join(cells)
    return f"{{}}{line}" if line.startswith(OPTION) else line


def _kinds(body: Sequence[Sequence[str]]) -> str:
    columns = zip(*body, strict=True)
    return "".join("r" if all(map(FIGURE.fullmatch, column)) else "l" for column in columns)


def cell(text: str, head: str = "") -> str:
    """A cell of a table below its head; what computers write as `2e-05` as a power of ten, and of
    p-values not how small they are below a millionth."""
    if head == P and _tiny(text):
        return f"$< 10^{{-{LEAST}}}$"
    shown = re.sub(r"^-(?=\d)", "$-$", escaped(text.replace("(seeds ±", "(±")))
    best = isinstance(text, Best)
    if FIGURE.fullmatch(text) and POWER.search(text):
        shown = r"\boldmath " * best + POWER.sub(_power, shown)
    return rf"\textbf{{{shown}}}" if best else shown


def _tiny(text: str) -> bool:
    found = POWER.fullmatch(text.removeprefix("<"))
    return bool(found) and found["sign"] == "-" and int(found["places"]) > LEAST


def _power(found: re.Match[str]) -> str:
    sign = found["sign"].strip("+")
    return rf"${found['digits']} \cdot 10^{{{sign}{int(found['places'])}}}$"


def escaped(text: str) -> str:
    """A text from anywhere that LaTeX sets as it is; what its default fonts lack is told by its
    code, `U+65E5`, so that no two texts become one."""
    return "".join(SPELLED.get(character) or _set(character) for character in printable(text))


def _set(character: str) -> str:
    known = character.isascii() or "\u00a0" < character < "\u0250"
    return character if known else f"U+{ord(character):04X}"
