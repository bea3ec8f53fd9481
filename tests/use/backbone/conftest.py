"""The tiny network of `tiny`, where timm is installed; elsewhere these tests are skipped."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of its tensors."""
    from tiny_backbone import written

    return written(tmp_path_factory.mktemp("weights") / "tiny.safetensors")


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("FEWSTEP_CACHE", str(folder))
    return folder


@pytest.fixture
def backbone(weights: Path, own_cache: Path) -> object:
    """It as a backbone, at 32 pixels."""
    from fewstep.use.backbone.backbone import Backbone

    return Backbone.named("test_resnet", weights, 32)
