"""Fixtures that every test may use."""

from __future__ import annotations

import io
import os
import shutil
import signal
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import omegaconf.base
import pytest
from omegaconf import OmegaConf, grammar_parser


# Under `nohup`, or behind a shell's ampersand, signals are ignored, here and by what is started
# from here: what the tests say of a stop is said of processes that hear it.
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    if signal.getsignal(number) is signal.SIG_IGN:
        own = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
        signal.signal(number, own)

# Before torch is loaded: threads that spin while they wait take minutes on a busy machine.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# One intra-op thread in every process: two workers share two cores, and sums that are split over
# threads come out the same on any machine, here and in the commands that are started from here.
os.environ.setdefault("OMP_NUM_THREADS", "1")

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)


@pytest.fixture(scope="module")
def chromium() -> Iterator:
    """A browser without a window."""
    api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    if not CHROMIUM:
        pytest.skip("there is no Chromium on this machine")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session", autouse=True)
def session_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One dataset cache for all tests of a session, so that none writes into the user's."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("FEWSTEP_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session", autouse=True)
def conf_is_parsed_once() -> Iterator[None]:
    """Each file of conf/ and each interpolation is parsed once, not for each of a thousand
    compositions: a third of their time. Both are functions of a text."""
    known: dict[str, Any] = {}
    load = OmegaConf.load

    def load_once(file: Any) -> Any:
        text = file.read() if hasattr(file, "read") else Path(file).read_text(encoding="utf-8")
        if text not in known:
            known[text] = OmegaConf.to_container(load(io.StringIO(text)))
        return OmegaConf.create(known[text])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(OmegaConf, "load", staticmethod(load_once))
        patch.setattr(omegaconf.base, "parse", lru_cache(1000)(grammar_parser.parse), raising=False)
        yield


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pictures of this test's runs in this process, which take a third of a tiny one's time;
    those of fixtures that outlive the test are drawn."""
    from fewstep.run import training

    for name in ("draw_curves", "draw_pictures"):
        monkeypatch.setattr(training, name, lambda *_: None)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real datasets that $FEWSTEP_DATA names; tests that need it are skipped without.

    It holds `omniglot-py/images_background.zip` and `images_evaluation.zip`, and `caltech84.zip`.
    """
    folder = os.environ.get("FEWSTEP_DATA")
    if not folder:
        pytest.skip("FEWSTEP_DATA is not set: no real data to test with")
    return Path(folder)
