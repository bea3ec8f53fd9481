"""The page of a report in a real browser: nothing is cut, at any usual width and on paper.

Needs Playwright and a Chromium of the system's.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.report.made_rows import run

from fewstep.commands.report import write
from fewstep.report.album import Album
from fewstep.report.gather import Run
from fewstep.report.parts import parts
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


def runs(folder: Path) -> list[Run]:
    """Three algorithms, one with a long name and a long command, and a regression in a sweep."""
    long = "my_algorithm_with_a_name_that_nobody_would_like_to_type_twice"
    command = "fewstep train -m " + " ".join(f"algorithm.inner.option_{i}={i}" for i in range(30))
    more = {"git_commit": "0123456789abcdef", "device": "cuda (NVIDIA H200)", "command": command}
    made = [
        run(folder / f"{name}-{seed}", 0.5 + 0.1 * seed, seed, algorithm__name=name, **more)
        for name in ("reptile", "maml", long)
        for seed in (0, 1, 2)
    ]
    (folder / "sweep" / "0").mkdir(parents=True)
    (folder / "sweep" / "multirun.yaml").touch()
    wave = {"metric": "loss", "dataset__name": "sine", "shots__ways": 1, "shots__shots": 10}
    return [*made, run(folder / "sweep" / "0", 0.25, **wave)]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of these runs, beside them."""
    folder = tmp_path_factory.mktemp("page")
    found = sections(runs(folder))
    write(folder / "report", found, list(parts(found, False)), Album.of(found))
    return folder / "report" / "report.html"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("width", "media", "scheme"),
    [(1000, "screen", "light"), (1400, "screen", "dark"), (PAPER, "print", "light")],
)
def test_no_text_of_the_page_is_cut(width, media, scheme, page, chromium) -> None:
    opened = chromium.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    opened.emulate_media(media=media)
    opened.goto(page.as_uri())
    assert opened.evaluate(CUT) == []
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
