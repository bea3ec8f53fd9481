"""Classifiers of a frozen network: plain networks that are asked, saved and loaded like others."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch


pytest.importorskip("timm")

from sklearn.base import clone
from tiny_backbone import NAME, pictures
from torch import nn

import fewstep
from fewstep.use.backbone.heads import HEADS
from fewstep.use.estimator import FewShotClassifier


IMAGES, LABELS = pictures("abc", 4)
OTHERS, TRUTH = pictures("abc", 5, seed=1)


@pytest.mark.parametrize("head", HEADS)
def test_it_is_adapted_asked_saved_and_loaded(backbone, tmp_path: Path, head: str) -> None:
    made = backbone.adapt(IMAGES, LABELS, head=head)
    assert isinstance(made.network, nn.Sequential)
    assert isinstance(made.network[1], nn.Linear)
    assert not any(p.requires_grad for p in made.network.parameters())
    assert made.score(OTHERS, TRUTH) == 1.0
    assert made.evaluate().of == 12
    again = fewstep.load_classifier(made.save(tmp_path / "saved"))
    assert np.array_equal(again.predict_proba(OTHERS), made.predict_proba(OTHERS))
    assert again.expected == made.expected
    one_by_one = np.concatenate([made.predict_proba(one[None]) for one in OTHERS])
    assert np.array_equal(one_by_one, made.predict_proba(OTHERS))


def test_a_saved_folder_is_all_that_is_needed(backbone, weights: Path, tmp_path: Path) -> None:
    folder = backbone.adapt(IMAGES, LABELS).save(tmp_path / "saved")
    about = json.loads((folder / "classifier.json").read_text())
    assert about["network"]["model"] == {"backbone": NAME, "size": 32}
    assert about["initialization"]["name"] == f"timm:{NAME}"
    again = fewstep.load(folder)  # whose weights no cache has
    assert again.origin.sha256 == backbone.origin.sha256
    assert again.features.entry == backbone.features.entry
    assert again.adapt(IMAGES, LABELS).score(OTHERS, TRUTH) == 1.0


@pytest.mark.parametrize(
    ("model", "part"),
    [
        ({"backbone": NAME}, "'size'"),
        ({"backbone": 3, "size": 32}, "must be a name"),
        ({"backbone": "test_vit", "size": 160}, "weights.safetensors cannot be used"),
        ({"backbone": "hf-hub:timm/test_resnet", "size": 32}, "has no such network"),
        ({"backbone": NAME, "size": 10**9}, "must be from 1 to 4096"),
    ],
)
def test_damaged_ones_are_one_line(backbone, tmp_path: Path, model: dict, part: str) -> None:
    folder = backbone.adapt(IMAGES, LABELS).save(tmp_path / "saved")
    about = json.loads((folder / "classifier.json").read_text())
    about["network"]["model"] = model
    (folder / "classifier.json").write_text(json.dumps(about))
    with pytest.raises(ValueError, match=r"backbone|classifier|timm") as told:
        fewstep.load_classifier(folder)
    assert part in str(told.value)
    assert "\n" not in str(told.value)


def test_a_saved_one_needs_timm(backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = backbone.adapt(IMAGES, LABELS).save(tmp_path / "saved")
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ValueError, match=r"needs timm, not installed here: pip install 'fewstep\["):
        fewstep.load_classifier(folder)


HEAD = "head={}: of timm:test_resnet it is one of prototypes, logistic, steps."


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"head": "logistics"}, HEAD.format("logistics") + " Did you mean logistic?"),
        (
            {"batch_size": 5},
            "batch_size=5: timm:test_resnet is frozen, and its head learns from all pictures at "
            "once. Leave batch_size out",
        ),
        ({"head": ["steps"]}, HEAD.format(["steps"]) + " Did you mean steps?"),
        ({"seed": "x"}, "seed=x: must be a whole number of at least 0"),
        ({"steps": -1}, "steps=-1: must be a whole number of at least 0"),
        (
            {"steps": 7},
            "steps=7: head=prototypes of timm:test_resnet takes none. Use head=steps, or leave "
            "steps out",
        ),
        (
            {"steps": 7, "head": "logistic"},
            "steps=7: head=logistic of timm:test_resnet takes none. Use head=steps, or leave steps "
            "out",
        ),
    ],
)
def test_settings_that_it_has_not(backbone, settings: dict, text: str) -> None:
    with pytest.raises(ValueError, match=next(iter(settings))) as told:
        backbone.with_settings(**settings)
    assert str(told.value) == text


def test_settings_of_none_change_nothing(backbone) -> None:
    same = backbone.with_settings(head=None, steps=None, batch_size=None, seed=0)
    assert same == backbone
    assert len(backbone.adapt(IMAGES, LABELS, head="steps", steps=3).curve) == 4


def test_one_picture_a_class_and_many_classes(backbone) -> None:
    images, labels = pictures("abcde", 1)
    made = backbone.adapt(images, labels)
    assert made.score(images, labels) == 1.0
    assert made.evaluate().of == 0
    assert torch.allclose(torch.tensor(made.predict_proba(images)).sum(1), torch.ones(5).double())


def test_the_card_says_what_it_is(backbone) -> None:
    assert "squeezed to 32x32" in backbone.card
    assert backbone.origin.sha256[:16] in backbone.card


def test_scikit_learn_takes_a_pretrained_network(backbone) -> None:
    made = FewShotClassifier(backbone, head="logistic").fit(IMAGES, LABELS)
    told = backbone.adapt(IMAGES, LABELS, head="logistic", seed=1)
    assert np.array_equal(made.predict_proba(IMAGES), told.predict_proba(IMAGES))
    assert clone(made).init is backbone  # and not a copy of all its weights
    with pytest.raises(ValueError, match=r"^batch_size=5: timm:test_resnet is frozen"):
        FewShotClassifier(backbone, batch_size=5).fit(IMAGES, LABELS)
