"""The command: print the table, write the files, name them."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from fewstep.disk.files import CannotWrite, check_place, filling, writing
from fewstep.disk.reading import reading
from fewstep.messages.complaint import complain
from fewstep.messages.errors import ConfigError
from fewstep.messages.options import Options
from fewstep.messages.printable import printable
from fewstep.records.places import REPORT, check_output
from fewstep.records.run_folders import new_name
from fewstep.report.figures.album import Album
from fewstep.report.marl_eval import exported
from fewstep.report.page import page
from fewstep.report.parts import Part, parts
from fewstep.report.runs.gather import read
from fewstep.report.sections import Section, sections
from fewstep.report.statistics.baseline import check_name
from fewstep.report.tables.formats import write_csv
from fewstep.report.tables.latex import latex
from fewstep.report.text import text


HELP = """\
fewstep report DIR... [--paper] [--baseline NAME] [--latex] [--marl-eval] [--out FOLDER]
                                                 run directories, sweeps, or results.json files

Prints a table: a row for each recipe and setting, its seeds gathered. Intervals are 95 %: over
tasks behind the ±, over seeds in brackets. A sweep is told by the keys that were swept, and what
failed or has not finished is named. The same goes into FOLDER (outputs/reports/<date>_<time>) as
report.md, report.csv and report.html, one page that needs nothing else, with its pictures as PNG,
PDF and SVG: the final figures, training, adaptation, for a search its parameters.

  --paper        beside each result the paper's, whether the intervals meet, and what the run did
                 otherwise; the orderings of Figure 3 for the curves that are there
  --baseline NAME    beside each table how far its rows are from one of them, an algorithm, a
                 label, a run's name or a whole row: difference, interval, effect size, p, verdict
  --latex        report.tex as well: the tables for a paper, with \\usepackage{booktabs,graphicx}
  --marl-eval    marl_eval.json as well, as InstaDeep's marl-eval reads it
  --out FOLDER   where the files go; those of an earlier report there are overwritten,
                 its report.tex and marl_eval.json removed if not asked for

  fewstep report outputs/runs/quickstart
  fewstep report outputs/sweeps/reptile_glyphs_5w1s
  fewstep report outputs/runs outputs/sweeps --paper --out paper_report
"""


MORE = ("report.tex", "marl_eval.json")
"""What is written where it is asked for."""


def help_text() -> str:
    """What `fewstep report --help` prints."""
    return HELP


def main(words: Sequence[str] | None = None) -> int:
    """Report on the runs, sweeps or results.json files that the words name; the exit status."""
    words = sys.argv[1:] if words is None else words
    try:
        given = options(words)
        folder = given.out or Path("outputs", "reports", new_name())
        check_place(folder, "--out")
        check_output(folder, "--out ", own=REPORT)
        with reading():
            found = sections(read(given.paths))
            if given.baseline:
                check_name([section.rows for section in found], given.baseline)
            body = list(parts(found, given.paper, given.baseline))
            album, more = Album.of(found), _more(found, given)
        files = write(folder, found, body, album, more)
    except ConfigError as error:
        return complain(error)
    except CannotWrite as error:
        return complain(error, status=1)
    print(f"{text(body)}\n\n{printable(folder)}: {', '.join(files)}")
    return 0


def options(words: Sequence[str]) -> argparse.Namespace:
    """`paths`, `paper`, `baseline`, `latex`, `marl_eval` and `out` of a command line.

    Raises:
        ConfigError: an option that there is not.
    """
    parser = Options(prog="fewstep report", add_help=False, allow_abbrev=False)
    parser.add_argument("paths", nargs="*", metavar="DIR")
    parser.add_argument("--paper", action="store_true")
    parser.add_argument("--baseline")
    parser.add_argument("--latex", action="store_true")
    parser.add_argument("--marl-eval", action="store_true")
    parser.add_argument("--out", type=Path)
    return parser.parse_args(words)


def write(
    folder: Path,
    found: Sequence[Section],
    body: Sequence[Part],
    album: Album,
    more: Mapping[str, str] | None = None,
) -> list[str]:
    """report.md, report.csv, report.html, the pictures and `more` texts by their names; what was
    written, in words. Texts of an earlier report that this one was not asked for are removed, whose
    figures nobody would tell from the new ones.

    Raises:
        CannotWrite: the folder cannot be written to; an earlier report there is still whole.
    """
    total = sum(len(section.runs) for section in found)
    subtitle = f"{total} runs, {time.strftime('%Y-%m-%d %H:%M')}"
    texts = {"report.md": text(body, album) + "\n", **(more or {})}
    with filling(folder) as aside:
        album.write(aside)
        write_csv(aside / "report.csv", found)
        texts["report.html"] = page(body, album, folder, subtitle)
        for name, content in texts.items():
            (aside / name).write_text(content, encoding="utf-8")
    for name in {*MORE} - {*texts}:
        with writing(folder / name):
            (folder / name).unlink(missing_ok=True)
    return [*REPORT, *album.files(), *(more or {})]


def _more(found: Sequence[Section], given: argparse.Namespace) -> dict[str, str]:
    """What is written where it is asked for, by the file's name."""
    tex, marl_eval = MORE
    asked = {tex: given.latex and latex(found, given.baseline)}
    asked[marl_eval] = given.marl_eval and exported(found)
    return {name: content for name, content in asked.items() if content}
