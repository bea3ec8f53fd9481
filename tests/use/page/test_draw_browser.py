"""The page in a real browser: what a mouse, a finger and a keyboard draw is learned and recognized.

Needs Playwright and a Chromium of the system's.
"""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest
import uvicorn
from tests.use.page.nearest import Nearest

from fewstep.use.loading import load
from fewstep.use.page.application import application
from fewstep.use.page.server import listener


pytestmark = pytest.mark.process

WIDE, PHONE = {"width": 1200, "height": 900}, {"width": 390, "height": 844}
FRAME = 105
"""The side of the paper that the recorded strokes are drawn on."""

CIRCLE = [[(52 + 30 * math.cos(a / 5), 52 + 30 * math.sin(a / 5)) for a in range(33)]]
ROUND = [[(45 + 22 * math.sin(a / 5), 60 + 25 * math.cos(a / 5)) for a in range(33)]]
CROSS = [[(25, 22), (40, 38), (80, 79)], [(78, 24), (55, 50), (22, 80)]]


@pytest.fixture(scope="module")
def shipped() -> Iterator[str]:
    """Where the page is served with the initialization that is shipped."""
    with served(load("omniglot")) as address:
        yield address


@pytest.fixture(scope="module")
def stand_in() -> Iterator[str]:
    """Where the page is served with what learns at once, for all that hangs on no network."""
    with served(Nearest()) as address:
        yield address


@contextmanager
def served(init: object) -> Iterator[str]:
    """Serve the page in a thread; its address."""
    app = application(init, "mine")
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", ws="none"))
    with listener(0) as socket:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{socket.getsockname()[1]}/"
        server.should_exit = True
        thread.join()


@pytest.fixture
def opened(chromium) -> Iterator[Callable]:
    """Opens a page in a window of some size; at the end nothing went elsewhere or wrong."""
    asked, wrong, contexts = [], [], []

    def open_page(address: str, size: dict[str, int] = WIDE, **settings: object) -> Tab:
        settings = {"reduced_motion": "reduce", **settings}
        contexts.append(chromium.new_context(viewport=size, **settings))
        contexts[-1].on("request", lambda request: asked.append(request.url))
        contexts[-1].on("weberror", lambda error: wrong.append(str(error.error)))
        return Tab(contexts[-1].new_page(), address)

    yield open_page
    for context in contexts:
        context.close()
    assert wrong == []
    assert asked
    assert [url for url in asked if not url.startswith(("http://127.0.0.1:", "data:"))] == []


class Tab:
    """The page in one tab, and a hand."""

    def __init__(self, page, address: str) -> None:
        self.page = page
        page.goto(address)
        self.settled()

    def settled(self) -> None:
        """Wait until nothing is about to change."""
        self.page.wait_for_selector(".class")
        self.page.wait_for_selector("#try[aria-busy=false]")

    def paper(self, place: int | None = None):
        """The paper of a class, or the one to try."""
        return self.page.locator(
            "#query" if place is None else f".class:nth-child({place + 1}) .pad"
        )

    def draw(self, drawing: Sequence, place: int | None = None) -> None:
        """Draw with the mouse."""
        paper, mouse = self.paper(place), self.page.mouse
        self.page.bring_to_front()
        paper.scroll_into_view_if_needed()
        box = paper.bounding_box()
        for stroke in drawing:
            points = [*stroke[:-1:7], stroke[-1]]
            for i, (x, y) in enumerate(points):
                mouse.move(*(box[o] + v * box["width"] / FRAME for o, v in (("x", x), ("y", y))))
                if i == 0:
                    mouse.down()
            mouse.up()

    def touch(self, drawing: Sequence, place: int | None = None) -> None:
        """Draw with a finger."""
        paper, finger = self.paper(place), self.page.context.new_cdp_session(self.page)
        paper.scroll_into_view_if_needed()
        box = paper.bounding_box()
        for stroke in drawing:
            for i, (x, y) in enumerate(stroke):
                kind = "touchMove" if i else "touchStart"
                at = {o: box[o] + v * box["width"] / FRAME for o, v in (("x", x), ("y", y))}
                finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [at]})
            finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    def teach(self, *drawings: Sequence, hand: str = "draw") -> None:
        """One drawing for each class."""
        for place, drawing in enumerate(drawings):
            if place >= self.page.locator(".class").count():
                self.page.locator(".add").click()
            getattr(self, hand)(drawing, place)
        self.settled()

    def recognized(self, drawing: Sequence, hand: str = "draw") -> str:
        """The name of the class that a drawing is given, after the one before is cleared."""
        self.page.locator("#try .clear").click()
        getattr(self, hand)(drawing)
        self.settled()
        return self.page.locator("#odds .first .label").inner_text()

    def count(self, selector: str) -> int:
        """How many elements there are."""
        return self.page.locator(selector).count()


@pytest.mark.slow
def test_two_classes_are_drawn_and_a_third_drawing_is_recognized(opened, shipped):
    tab = opened(shipped, reduced_motion="no-preference")
    assert tab.count("#curve .line") == 0
    tab.teach(CIRCLE, CROSS)
    assert tab.count("#curve .line") == 1
    assert "in 50 inner steps" in tab.page.locator("#curve").get_attribute("aria-label")
    assert tab.count(".strip img") == 2
    assert tab.recognized(ROUND) == "A"
    assert tab.page.locator("#seen").is_visible()
    assert tab.recognized(CROSS[::-1]) == "B"
    tab.page.locator("#verdict", has_text="likely B").wait_for()


@pytest.mark.slow
def test_a_finger_draws_on_a_phone(opened, stand_in):
    tab = opened(stand_in, PHONE, has_touch=True, is_mobile=True)
    tab.teach(CIRCLE, CROSS, hand="touch")
    assert tab.recognized(ROUND, "touch") == "A"
    assert tab.recognized(CROSS[::-1], "touch") == "B"
    assert tab.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


@pytest.mark.slow
def test_a_reload_finds_the_drawings_and_a_second_tab_has_its_own(opened, stand_in):
    tab = opened(stand_in)
    tab.teach(CIRCLE, CROSS)
    tab.page.locator(".name").first.select_text()
    for key in (*"round", "Enter"):
        tab.page.keyboard.press(key)
    tab.page.locator(".more").first.click()
    tab.draw(ROUND, 0)
    tab.settled()
    other = Tab(tab.page.context.new_page(), tab.page.url.partition("#")[0])
    assert other.count(".strip img") == 0
    other.teach(CROSS, CIRCLE)
    assert other.recognized(ROUND) == "B"
    assert tab.recognized(ROUND) == "round"
    tab.page.reload()
    tab.settled()
    assert tab.count(".strip img") == 3
    assert tab.recognized(ROUND) == "round"
    other.page.locator("#over").click()
    other.settled()
    assert other.count(".strip img") == 0
    assert "#" not in other.page.url


@pytest.mark.slow
def test_the_keyboard_draws_undoes_and_clears(opened, stand_in):
    tab = opened(stand_in, color_scheme="dark")
    tab.page.locator("#show").focus()
    for _ in range(3):  # the name and the button of the first class, and its paper
        tab.page.keyboard.press("Tab")
    paper = "document.activeElement === document.querySelector('.pad')"
    assert tab.page.evaluate(paper)
    for keys in ("Space", *["ArrowRight"] * 5, *["ArrowDown"] * 5, "Space", "ArrowLeft", "Space"):
        tab.page.keyboard.press(keys)
    tab.draw(CIRCLE, 1)
    tab.settled()
    assert tab.count(".strip img") == 2
    tab.paper(0).focus()
    for left, key in ((2, "z"), (1, "Backspace")):
        tab.page.keyboard.press(key)
        tab.settled()
        assert tab.count(".strip img") == (left if left > 1 else 0)
    tab.paper(1).focus()
    tab.page.keyboard.press("c")
    assert tab.page.locator("#show").is_visible()
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert tab.page.evaluate(outline) == "solid"


def test_the_example_learns_three_classes_and_draws_one(opened, stand_in):
    tab = opened(stand_in)
    tab.page.locator("#show").click()
    tab.page.wait_for_selector("#odds .first")
    tab.settled()
    assert tab.page.locator("#odds .label").all_inner_texts() == ["circle", "cross", "wave"]


POST = """async () => (await fetch("adapt", {method: "POST", body: "[".repeat(10 ** 7),
    headers: {"Content-Type": "application/json"}})).status"""
SCRIBBLE = """paper => {
    const box = paper.getBoundingClientRect();
    for (let i = 0; i < 2500; i++)
        paper.dispatchEvent(new PointerEvent("pointermove", {
            pointerId: 1, clientX: box.x + (7 * i) % box.width,
            clientY: box.y + (3 * i) % box.height}));
}"""


@pytest.mark.slow
def test_ten_megabytes_are_refused_and_a_long_drawing_is_thinned_out(opened, stand_in):
    tab = opened(stand_in)
    assert tab.page.evaluate(POST) == 413
    tab.draw(CROSS, 1)
    tab.paper(0).hover()
    tab.page.mouse.down()
    tab.paper(0).evaluate(SCRIBBLE)
    tab.page.mouse.up()
    tab.settled()
    assert tab.page.locator("#trouble").is_hidden()
    assert tab.count(".strip img") == 2


def right(tab: Tab, strokes: dict, asks: Sequence[int]) -> list[bool]:
    """Five characters are taught by their first drawings; which others are recognized."""
    five = list(strokes.values())[:5]
    tab.teach(*(drawings[0] for drawings in five))
    return [
        tab.recognized(drawings[one]) == "ABCDE"[place]
        for place, drawings in enumerate(five)
        for one in asks
    ]


@pytest.mark.slow
def test_real_pen_strokes_are_recognized(opened, shipped, real_data):
    strokes = json.loads((real_data / "strokes.json").read_text())
    found = right(opened(shipped), strokes, [3, 6])
    assert len(found) == 10
    assert sum(found) >= 8


@pytest.mark.slow
def test_all_real_pen_strokes_are_recognized(opened, shipped, real_data):
    strokes = json.loads((real_data / "strokes.json").read_text())
    found = right(opened(shipped), strokes, [*range(1, 8)])
    print(f"{sum(found)} of {len(found)} drawings are right")
    assert len(found) == 35
    assert sum(found) >= 0.8 * len(found)
