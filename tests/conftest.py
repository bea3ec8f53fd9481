"""Fixtures that every test may use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest


# Before torch is loaded: threads that spin while they wait take minutes on a busy machine.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@pytest.fixture(scope="session", autouse=True)
def session_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One dataset cache for all tests of a session, so that none writes into the user's."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("FEWSTEP_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real datasets that $FEWSTEP_DATA names; tests that need it are skipped without.

    It holds `omniglot-py/images_background.zip` and `images_evaluation.zip`, and `caltech84.zip`.
    """
    folder = os.environ.get("FEWSTEP_DATA")
    if not folder:
        pytest.skip("FEWSTEP_DATA is not set: no real data to test with")
    return Path(folder)
