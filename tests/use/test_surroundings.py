"""What a caller has switched in PyTorch changes no classifier."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import numpy as np
import pytest
import torch
from torch import nn

from fewstep.core.rules import SGD
from fewstep.use.initialization import Initialization


Y = np.arange(8) % 2
X = np.random.default_rng(0).normal(size=(8, 6)).astype(np.float32) + Y[:, None]


@contextmanager
def doubles() -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def said(module: nn.Module) -> tuple[np.ndarray, float]:
    """Probabilities and the temperature, of all that a classifier is asked."""
    made = Initialization.of(module, SGD(0.1), ways=2, steps=3).adapt(X, Y)
    made.evaluate()
    return made.predict_proba(X), made.temperature


@pytest.mark.parametrize(
    "switched",
    [
        torch.no_grad,
        torch.inference_mode,
        lambda: torch.autocast("cpu", torch.bfloat16),
        lambda: torch.device("meta"),
        doubles,
    ],
    ids=["no_grad", "inference", "autocast", "device", "doubles"],
)
def test_a_classifier_is_the_same_whatever_is_switched(
    switched: Callable[[], AbstractContextManager],
) -> None:
    module = nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    usual, temperature = said(module)
    with switched():
        found, own = said(module)
    assert np.array_equal(found, usual)
    assert own == temperature


@pytest.mark.parametrize("kind", [torch.float64, torch.bfloat16])
def test_leaving_out_takes_networks_of_other_precisions(kind: torch.dtype) -> None:
    assert said(nn.Linear(6, 2).to(kind))[0].shape == (8, 2)
