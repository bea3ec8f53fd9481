"""Characters that the font of the pictures lacks."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator

import matplotlib.pyplot as plt
import pytest

from fewstep.records.figures import fonts, layout


@pytest.fixture(autouse=True)
def anew(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(fonts, "_said", [])
    fonts._others.cache_clear()
    yield
    fonts._others.cache_clear()


def test_another_font_of_the_system_draws_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever it is: here one of those that come with matplotlib."""
    before = list(plt.rcParams["font.family"])
    with fonts.drawing():
        plt.rcParams["font.family"] = ["cmr10"]  # which has no Greek
        layout.wrapped("learning rate η", 3, 9)
        assert plt.rcParams["font.family"][0] == "cmr10"
        (other,) = plt.rcParams["font.family"][1:]
        assert "η" in fonts._all((other,))
        assert layout.width_of("η", 9) > 0
    assert plt.rcParams["font.family"] == before


def test_what_no_font_has_is_said_in_one_line(tmp_path, monkeypatch, caplog) -> None:
    plain = [font for font in fonts.fontManager.ttflist if font.name.startswith("DejaVu")]
    monkeypatch.setattr(fonts.fontManager, "ttflist", plain)
    with warnings.catch_warnings(), caplog.at_level(logging.WARNING):
        warnings.simplefilter("error")
        for text in ("字の学習率", "率 한국어", "字の学習率"):
            with fonts.drawing():
                figure = plt.figure()
                figure.suptitle(layout.wrapped(text, 3, 9))
                figure.savefig(tmp_path / "drawn.png")
            plt.close(figure)
    (said,) = [record.getMessage() for record in caplog.records]
    assert "字" in said


def test_plain_words_look_for_no_font(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "_all", lambda families: pytest.fail("asked"))
    fonts.have("inner learning rate 0.01")
