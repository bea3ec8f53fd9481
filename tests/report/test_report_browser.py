"""The page of a report in a real browser: nothing is cut, at any usual width and on paper.

Needs Playwright and a Chromium of the system's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path

import pytest
from tests.report.made_rows import run

from fewstep import report
from fewstep.commands.report import write
from fewstep.report.figures.album import Album
from fewstep.report.parts import parts
from fewstep.report.runs.gather import Run
from fewstep.report.sections import sections


pytestmark = pytest.mark.process

PAPER = 703
"""Pixels between the margins of an A4 page."""

CUT = """() => {
  const bad = [], root = document.documentElement
  if (root.scrollWidth > root.clientWidth) bad.push(`page: ${root.scrollWidth}`)
  for (const e of document.querySelectorAll("td, th, p, li, h1, h2, h3, figcaption, .table")) {
    const box = e.getBoundingClientRect()
    if (e.scrollWidth > e.clientWidth + 1 || box.right > root.clientWidth + 1)
      bad.push(`${e.tagName} ${e.className}: ${e.textContent.trim().slice(0, 60)}`)
  }
  for (const text of document.querySelectorAll("svg text")) {
    const a = text.getBoundingClientRect(), b = text.closest("svg").getBoundingClientRect()
    const aside = Math.max(b.left - a.left, a.right - b.right, b.top - a.top, a.bottom - b.bottom)
    if (aside > 1)
      bad.push(`svg: ${text.textContent}`)
  }
  return bad
}"""


BROKEN = """() => {
  const bad = [], range = document.createRange()
  for (const e of document.querySelectorAll("td, th")) {
    if (e.closest(".origins")) continue
    const walk = document.createTreeWalker(e, NodeFilter.SHOW_TEXT)
    for (let node; (node = walk.nextNode()); )
      for (const word of node.data.matchAll(/[^\\s_.\\/=:-]+/g)) {
        range.setStart(node, word.index), range.setEnd(node, word.index + word[0].length)
        const lines = new Set([...range.getClientRects()].map(box => box.top))
        if (lines.size > 1) bad.push(word[0])
      }
  }
  return bad
}"""
"""Words of tables that stand in two lines, commands and folders apart."""

LONG = "my_algorithm_with_a_name_that_nobody_would_like_to_type_twice"


def runs(folder: Path) -> list[Run]:
    """Three algorithms, one with a long name and a long command, and a regression in a sweep."""
    command = "fewstep train -m " + " ".join(f"algorithm.inner.option_{i}={i}" for i in range(30))
    more = {"git_commit": "0123456789abcdef", "device": "cuda (NVIDIA H200)", "command": command}
    made = [
        run(folder / f"{name}-{seed}", 0.5 + 0.1 * seed, seed, algorithm__name=name, **more)
        for name in ("reptile", "maml", LONG)
        for seed in (0, 1, 2)
    ]
    (folder / "sweep" / "0").mkdir(parents=True)
    (folder / "sweep" / "multirun.yaml").touch()
    wave = {"metric": "loss", "dataset__name": "sine", "shots__ways": 1, "shots__shots": 10}
    return [*made, run(folder / "sweep" / "0", 0.25, **wave)]


def sweep(folder: Path) -> list[Run]:
    """The usual one: three algorithms, two shots and three seeds, each with all that it cost."""
    (folder / "multirun.yaml").touch()
    return [_job(folder / str(number), *of) for number, of in enumerate(_combinations())]


def _combinations() -> Iterator[tuple[str, int, int]]:
    return product(("reptile", "maml", "hessian_free"), (1, 5), (1, 2, 3))


def _job(folder: Path, name: str, shots: int, seed: int) -> Run:
    folder.mkdir()
    more = len(name)
    spent = {"tasks_seen": 1_234_560 + more, "gradients_taken": 12_345_678 + more}
    spent |= {"examples_seen": 123_456_789 + more, "train_seconds": 12_345.6 + more}
    spent |= {"tasks_per_second": 1234.5 + more, "peak_bytes": 2**34 + 2**30 * more}
    spent["hessian_products"] = 0 if name == "reptile" else 1_234_567 + more
    spent["meta_iterations"] = {"reptile": 100_000, "maml": 40_000}.get(name, 20_000)
    acc = 0.5 + 0.03 * more + 0.02 * shots + 0.01 * seed
    steps = (0, 1, 5, 50) if name == "reptile" else (0, 1, 3)
    return run(folder, acc, seed, steps, algorithm__name=name, shots__shots=shots, **spent)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of these runs, beside them."""
    folder = tmp_path_factory.mktemp("page")
    return _written(folder, runs(folder))


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of such a sweep, with a baseline."""
    folder = tmp_path_factory.mktemp("swept")
    return _written(folder, sweep(folder), "maml")


@pytest.fixture(scope="module")
def committed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That of a committed table with many rows and all columns."""
    found = report.read([Path(__file__).parents[2] / "docs" / "results" / "family"])
    return _written(tmp_path_factory.mktemp("committed"), found, "MAML")


def _written(folder: Path, made: Sequence[Run], baseline: str | None = None) -> Path:
    found = sections(made)
    write(folder / "report", found, list(parts(found, False, baseline)), Album.of(found))
    return folder / "report" / "report.html"


@pytest.mark.slow
@pytest.mark.parametrize("which", ["page", "swept", "committed"])
@pytest.mark.parametrize(
    ("width", "media", "scheme"),
    [(1000, "screen", "light"), (1400, "screen", "dark"), (PAPER, "print", "light")],
)
def test_no_text_of_the_page_is_cut(width, media, scheme, which, request, chromium) -> None:
    page = request.getfixturevalue(which)
    opened = chromium.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    opened.emulate_media(media=media)
    opened.goto(page.as_uri())
    assert opened.evaluate(CUT) == []
    assert opened.evaluate(BROKEN) == []
    opened.close()


@pytest.mark.slow
def test_the_page_shows_what_is_final_first_and_leads_to_the_runs(page, chromium) -> None:
    opened = chromium.new_page(viewport={"width": 1200, "height": 900})
    opened.goto(page.as_uri())
    contents = opened.eval_on_selector_all("nav a", "all => all.map(a => a.getAttribute('href'))")
    assert contents == ["#part-1", "#part-2"]
    order = opened.eval_on_selector_all("h2, figure, .table", "all => all.map(e => e.tagName)")
    assert order[:3] == ["H2", "FIGURE", "DIV"]
    first = opened.eval_on_selector_all("figcaption", "all => all.map(e => e.textContent)")[0]
    assert first.startswith("Final figures")
    links = opened.eval_on_selector_all(".origins a", "all => all.map(a => a.href)")
    folders = ("sweep/0", "reptile-0", "reptile-1")
    assert links[:3] == [f"{(page.parent.parent / name).as_uri()}/" for name in folders]
    assert "option_29=29" in opened.inner_text("body")
    opened.close()


@pytest.mark.slow
def test_the_page_of_one_sweep_has_contents_too(swept, chromium) -> None:
    opened = chromium.new_page()
    opened.goto(swept.as_uri())
    told = opened.eval_on_selector_all("nav a", "all => all.map(a => [a.textContent, a.hash])")
    names = ["Final figures", "Table", "Differences to MAML", "Curves", "Where these come from"]
    assert [name for name, _ in told] == names
    for _, place in told:
        assert opened.query_selector(place)
    head = opened.eval_on_selector_all("table:first-of-type th", "all => all.map(e => e.innerText)")
    assert {"Hessian products", "examples seen", "train seconds", "peak memory"} <= {*head}
    opened.close()
