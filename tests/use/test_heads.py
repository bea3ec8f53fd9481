"""Networks of a user's own for other numbers of classes than they were trained for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations, weight_norm

import fewstep
from fewstep.core.rules import SGD
from fewstep.use.initialization import Initialization
from fewstep.use.origin import Origin
from fewstep.use.other_ways import with_outputs


Y = np.arange(9) % 3
X = np.random.default_rng(0).normal(size=(9, 6)).astype(np.float32)


class Cosine(nn.Linear):
    """A head of one's own that is a linear layer by name."""

    def forward(self, x: Tensor) -> Tensor:
        return 4 * F.linear(F.normalize(x), F.normalize(self.weight))


class Known(nn.Module):
    """It keeps its number of classes, as many do."""

    def __init__(self, ways: int = 5) -> None:
        super().__init__()
        self.ways, self.head = ways, nn.Linear(6, ways)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(x)


def adapted(module: nn.Module, **settings: Any) -> Any:
    return Initialization.of(module, SGD(0.1), ways=5, steps=2, **settings).adapt(X, Y)


def test_a_head_stays_of_its_class_for_another_number_of_classes() -> None:
    made = adapted(nn.Sequential(Cosine(6, 5, bias=False)))
    head = made.network.module[0]
    assert type(head) is Cosine
    assert head.out_features == 3
    expected = torch.softmax(head(torch.from_numpy(X)).double(), 1).numpy()
    assert made.predict_proba(X) == pytest.approx(expected, abs=1e-6)


@pytest.mark.filterwarnings("ignore:.*weight_norm.* is deprecated")
@pytest.mark.parametrize("norm", [parametrizations.weight_norm, weight_norm])
def test_a_head_whose_weight_is_made_of_others_has_other_rows(norm: Any) -> None:
    made = adapted(nn.Sequential(norm(nn.Linear(6, 5))))
    assert made.predict_proba(X).shape == (9, 3)


def test_what_a_head_keeps_of_each_output_is_not_made_up() -> None:
    with pytest.raises(ValueError, match="the head keeps _u of its 5 outputs, so that it cannot"):
        adapted(nn.Sequential(parametrizations.spectral_norm(nn.Linear(6, 5))))


def test_a_bias_alone_is_no_head() -> None:
    """Of a weight that is made of others, prototypes and zeros set the bias alone."""
    module = nn.Sequential(parametrizations.weight_norm(nn.Linear(6, 5)))
    for head in ("zeros", "mean", "prototypes"):
        with pytest.raises(ValueError, match="has no last linear layer whose own weight learns"):
            adapted(module, head=head)


def test_a_network_that_knows_its_classes_is_loaded_with_others() -> None:
    made = adapted(Known())
    module, tensors = made.network.module, made.network.module.state_dict()
    assert module.ways == module.head.out_features == 3
    with_outputs(Known(), 3).load_state_dict(tensors)


def test_adapting_draws_no_number_of_the_callers() -> None:
    module, before = Known(), torch.get_rng_state()
    adapted(module)
    assert torch.equal(torch.get_rng_state(), before)


def test_what_was_learned_in_doubles_is_loaded_in_doubles(tmp_path: Path) -> None:
    init = Initialization.of(nn.Linear(6, 5).double(), SGD(0.1), ways=5, steps=2)
    made = init.adapt(X, Y)
    node = {"_target_": "torch.nn.Linear", "in_features": 6, "out_features": 5}
    object.__setattr__(made.way, "origin", Origin("linear", "", node))
    loaded = fewstep.load_classifier(made.save(tmp_path / "parts"))
    assert np.array_equal(loaded.predict_proba(X), made.predict_proba(X))
