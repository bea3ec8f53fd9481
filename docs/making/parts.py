"""The parts of pages that are made: tables of results, the configuration, the house.

Tables of results stand in the pages under a comment that says where they come from, so that they
are read everywhere; `refreshed` makes them anew. What changes with every commit of the code is
made when the site is built, into `build/docs`, and the pages include it.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path


ROOT = Path(__file__).resolve().parents[2]
FILES = ROOT / "build" / "docs"

REPORT = re.compile(
    r"<!-- fewstep report (?P<folders>docs/\S+(?: docs/\S+)*)(?P<beside> --paper)?"
    r'(?: --baseline "?(?P<against>[^"\n]+?)"?)? -->\n(?:[^|\n].*\n\n)?(\|.*\n)+'
)
PEERS = re.compile(r"<!-- benchmarks/results/peers -->\n(\|.*\n)+")
GATES = re.compile(r"<!-- family\.run -->\n(?:- .*\n)*")
RATES = re.compile(r"<!-- family\.rates -->\n(\|.*\n)*")
SYSTEMS = re.compile(r"<!-- systems (?P<name>\w+) -->\n(\|.*\n)*")
HANDS_OF_ALL = re.compile(r"<!-- hands\.(?P<part>\w+) -->\n(\|.*\n)+")
LAKE = re.compile(r"<!-- lake (?P<part>\w+) -->\n(\|.*\n)*")
HANDS = re.compile(r"<!-- hands (?P<part>\w+) -->\n(\|.*\n)+")
THEORY = re.compile(r"<!-- fewstep theory(?P<part> \w+)? -->\n.*?\n<!-- end theory -->\n", re.S)

COSTS = (
    "memory",
    "family",
    "beside",
    "growth",
    "classes",
    "start",
    "overhead",
    "timeline",
    "meta_tests",
    "ranks",
)


def pages() -> list[Path]:
    """The README and every page of the site."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def refreshed(text: str) -> str:
    """The same page with every table of results made anew from its file."""
    text = REPORT.sub(_report, text)
    text = PEERS.sub(_peers, text)
    text = HANDS.sub(_hands, text)
    text = HANDS_OF_ALL.sub(_hands_of_all, text)
    text = GATES.sub(lambda _: _gates(), text)
    text = RATES.sub(lambda _: _rates(), text)
    text = SYSTEMS.sub(_systems, text)
    text = LAKE.sub(_lake, text)
    return THEORY.sub(_theory, text)


def _report(found: re.Match[str]) -> str:
    from fewstep import report
    from fewstep.report.reproduction import paper
    from fewstep.report.statistics import baseline
    from fewstep.report.tables import formats

    rows = report.rows(report.read([ROOT / folder for folder in found["folders"].split()]))
    beside = found["beside"] and formats.markdown_table(paper.grid(paper.matches(rows)))
    if found["against"]:
        beside = formats.markdown_table(baseline.compared(rows, found["against"]))
    return f"{found[0].splitlines()[0]}\n{beside or report.markdown(rows)}\n"


def _peers(_: re.Match[str]) -> str:
    from peers.report import ratios, sittings

    return f"<!-- benchmarks/results/peers -->\n{ratios(sittings())}\n"


def _hands(found: re.Match[str]) -> str:
    from hands.report import table

    file = ROOT / "benchmarks" / "results" / f"hands_{found['part']}.json"
    return f"<!-- hands {found['part']} -->\n{table(json.loads(file.read_text()))}\n"


def _hands_of_all(found: re.Match[str]) -> str:
    """What `hands.card` or `hands.coverage` says of all its files together."""
    table = import_module(f"hands.{found['part']}").table
    return f"<!-- hands.{found['part']} -->\n{table()}\n"


def _gates() -> str:
    """The claims on the tables of the family, each with what its files say."""
    from family.verdict import PARTS, kept, lines

    told = [line for name in kept() for line in lines(PARTS[name]())]
    return "\n".join(["<!-- family.run -->", *(f"- {line}" for line in told), ""])


def _rates() -> str:
    """Meta-validation by outer rate, of each algorithm of the family."""
    from family.rates import FILE, table

    return f"<!-- family.rates -->\n{table(json.loads(FILE.read_text()))}\n"


def _lake(found: re.Match[str]) -> str:
    """The Omniglot challenge, or tasks within an alphabet beside others."""
    table = getattr(import_module("lake.table"), found["part"])()
    return f"<!-- lake {found['part']} -->\n{table}\n"


def _systems(found: re.Match[str]) -> str:
    """The claims on one of the seven systems, each with what its files say."""
    from systems.verdict import table

    return f"<!-- systems {found['name']} -->\n{table(found['name'])}\n"


def _theory(found: re.Match[str]) -> str:
    from fewstep.theory.tables import markdown

    part = found["part"] or ""
    folder = "theory" + part.replace(" ", "_")
    figures = json.loads((ROOT / "docs" / "results" / folder / "theory.json").read_text())
    return f"<!-- fewstep theory{part} -->\n{markdown(figures)}\n<!-- end theory -->\n"


def house() -> str:
    """What `python -m tests.house` prints."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        import_module("tests.house").main()
    return out.getvalue()


def configuration() -> str:
    """The keys as their types tell them, where there is a table of them, and every file."""
    try:
        keys = import_module("fewstep.config.reference").reference()
    except ModuleNotFoundError:
        keys = ""
    return "\n\n".join([keys, *_files()]) + "\n"


def _files() -> list[str]:
    conf = ROOT / "conf"
    found = ["## The files", *map(_file, (conf / "train.yaml", conf / "evaluate.yaml"))]
    for group in sorted(path for path in conf.rglob("*") if path.is_dir()):
        if files := sorted(group.glob("*.yaml")):
            found += [f"### {group.relative_to(conf)}", *map(_file, files)]
    return found


def _file(path: Path) -> str:
    name = path.relative_to(ROOT / "conf").with_suffix("")
    return f"#### `{name}`\n\n```yaml\n{path.read_text().strip()}\n```"


def measurements() -> str:
    """The committed files of `make bench-costs`, of the runs on a GPU and beside the peers."""
    from peers import report

    folder = ROOT / "benchmarks" / "results"
    files = [*(f"costs_{part}" for part in COSTS), "gpu_h200"]
    texts = [*((folder / f"{name}.md").read_text() for name in files), report.measurements()]
    return "\n\n".join(re.sub(r"^#+ ", "## ", text.strip(), flags=re.M) for text in texts) + "\n"


MADE: dict[str, Callable[[], str]] = {
    "house": house,
    "configuration": configuration,
    "measurements": measurements,
}
"""What the pages include by `--8<--`, by the name of its file in `build/docs`."""


def write() -> None:
    """Make every part that is included when the site is built."""
    FILES.mkdir(parents=True, exist_ok=True)
    for name, make in MADE.items():
        (FILES / f"{name}.md").write_text(make())
