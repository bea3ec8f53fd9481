"""Classifiers of a user's own networks and rows: what they remember, take, and leave alone."""

from __future__ import annotations

import logging
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import fewstep
from fewstep.core.rules import SGD
from fewstep.data.tensors import TensorClasses
from fewstep.use.initialization import Initialization


class Running(nn.Module):
    """A mean of its inputs that it remembers; `always`: also of those that it answers."""

    def __init__(self, always: bool = False) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(6))
        self.always, self.head = always, nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Tensor:
        if self.training or self.always:
            self.mean = 0.5 * self.mean + 0.5 * x.detach().mean(0)
        return self.head(x - self.mean)


def rows(n: int = 16) -> tuple[np.ndarray, np.ndarray]:
    y = np.arange(n) % 2
    x = np.random.default_rng(0).normal(size=(n, 6)).astype(np.float32) + 3
    x[y == 1, 0] += 2
    return x, y


def test_what_a_task_writes_into_buffers_is_part_of_its_classifier() -> None:
    torch.manual_seed(0)
    module, (x, y) = Running(), rows()
    made = Initialization.of(module, SGD(0.1), ways=2, steps=10).adapt(x, y)
    inputs, targets = torch.from_numpy(x), torch.from_numpy(y)
    for _ in range(10):  # by hand
        loss = nn.functional.cross_entropy(module(inputs), targets)
        for parameter, grad in zip(
            module.parameters(), torch.autograd.grad(loss, [*module.parameters()]), strict=True
        ):
            parameter.data -= 0.1 * grad
    expected = torch.softmax(module.eval()(inputs), 1).detach().numpy()
    assert made.predict_proba(x) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("always", [False, True])
def test_asking_a_classifier_does_not_change_it(always: bool) -> None:
    x, y = rows()
    made = Initialization.of(Running(always), SGD(0.1), ways=2, steps=2).adapt(x, y)
    first, kept = made.predict_proba(x[:3]), made.network.state_dict()
    kept = {name: value.clone() for name, value in kept.items()}
    made.predict_proba(x + 9)
    assert (made.predict_proba(x[:3]) == first).all()
    assert all(torch.equal(kept[n], v) for n, v in made.network.state_dict().items())


def test_a_module_that_an_initialization_is_made_of_stays_as_it_is() -> None:
    module = nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    module(torch.randn(20, 6))
    before = {name: value.clone() for name, value in module.eval().state_dict().items()}
    Initialization.of(module, SGD(0.1), ways=2).adapt(*rows())
    assert not module.training
    now = module.state_dict()
    assert now.keys() == before.keys()
    assert all(torch.equal(now[name], before[name]) for name in before)


class Tuple(nn.Linear):
    def forward(self, x: Tensor) -> Any:
        return super().forward(x), x


class HeadFirst(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.head, self.body = nn.Linear(8, 3), nn.Linear(6, 8)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x).relu())


class InPlace(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.sub_(1.0))


class Functional(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(nn.functional.batch_norm(x, None, None, training=True))


@pytest.mark.parametrize(
    ("module", "ways", "words"),
    [
        (Functional(6, 2), 2, "its network answers by what stands beside an example"),
        (nn.Linear(6, 2), 3, "answers with .n, 2., where logits .n, 3. are needed"),
        (Tuple(6, 2), 2, "answers with a tuple, where logits .n, 2. are needed"),
        (nn.Linear(5, 2), 2, "its network does not take examples of 6 "),
        (InPlace(6, 2), 2, "InPlace writes into its input in forward"),
        (HeadFirst(), 3, "last linear layer by definition is body, and the last that it calls is"),
        (nn.Sequential(nn.Linear(6, 2), nn.Softmax(1)), 2, "Give one without its softmax"),
    ],
    ids=["functional_norm", "outputs", "tuple", "shape", "in_place", "head_first", "softmax"],
)
def test_networks_that_do_not_fit_are_refused_by_what_is_wrong(
    module: nn.Module, ways: int, words: str
) -> None:
    x, y = rows()
    made = Initialization.of(module, SGD(0.1), ways=ways, steps=1)
    with pytest.raises(ValueError, match=words):
        made.adapt(x, np.arange(len(x)) % ways if ways == 3 and words[0] == "a" else y)


def test_an_inner_loop_that_blows_up_makes_no_classifier() -> None:
    made = Initialization.of(nn.Linear(6, 2), SGD(1e38), ways=2, steps=5)
    with pytest.raises(ValueError, match="its inner loop diverges: at step 1 the loss or a weight"):
        made.adapt(*rows())


@pytest.mark.parametrize(
    ("module", "rule", "ways", "words"),
    [
        (len, SGD(0.1), 2, "module: a builtin_function_or_method is no torch.nn.Module"),
        (nn.Linear(6, 2), "sgd", 2, "rule='sgd': is no inner rule"),
        (nn.Linear(6, 2), SGD(0.1), 0, "ways=0: must be a whole number of at least 2"),
        (nn.LazyLinear(2), SGD(0.1), 2, "module: LazyLinear has lazy layers. Call it once"),
        (nn.Linear(6, 2, device="meta"), SGD(0.1), 2, "module: Linear has parameters without"),
        (nn.ReLU(), SGD(0.1), 2, "module: ReLU has no parameter with requires_grad=True"),
    ],
    ids=["function", "text", "ways", "lazy", "meta", "nothing"],
)
def test_what_makes_no_initialization(module: Any, rule: Any, ways: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Initialization.of(module, rule, ways=ways)


def test_other_precisions_and_inference_mode() -> None:
    torch.manual_seed(0)  # from some beginnings three such steps overshoot
    x, y = rows()
    double = Initialization.of(nn.Linear(6, 2).double(), SGD(0.1), ways=2, steps=3)
    assert double.adapt(x, y).predict_proba(x).shape == (16, 2)
    with torch.inference_mode():
        made = Initialization.of(nn.Linear(6, 2), SGD(0.1), ways=2, steps=3).adapt(x, y)
        assert made.curve[-1][1] < made.curve[0][1]
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        made = fewstep.load("glyphs").adapt(
            np.random.default_rng(0).random((4, 28, 28)), [0, 0, 1, 1]
        )
    finally:
        torch.set_default_dtype(before)
    assert len(made.classes) == 2


def test_loading_draws_no_number_of_the_callers() -> None:
    before = torch.get_rng_state()
    fewstep.load("glyphs")
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("trained", "given", "fits"),
    [
        (np.arange(64, dtype=np.uint8).reshape(16, 4), np.full((1, 4), 255, np.uint8), 1.0),
        (np.arange(64, dtype=np.uint8).reshape(16, 4), np.full((1, 4), 51), 0.2),
        (np.arange(64, dtype=np.uint8).reshape(16, 4), np.full((1, 4), 0.5), 0.5),
        (np.arange(64.0).reshape(16, 4), np.full((1, 4), 51, np.uint8), 51.0),
        (np.arange(64).reshape(16, 4), np.full((1, 4), 51.0), 51),
    ],
    ids=["bytes", "whole_as_bytes", "divided", "fractions", "whole"],
)
def test_rows_become_inputs_as_in_training(trained: Any, given: Any, fits: float) -> None:
    how = TensorClasses(trained, np.arange(16) // 2).row_preparation
    found = how.inputs(given)
    assert found.unique().tolist() == pytest.approx([fits])
    assert (found.dtype == torch.int64) == isinstance(fits, int)
    again = type(how).of(how.as_dict())
    assert again == how


@pytest.mark.parametrize(
    ("trained", "given", "words"),
    [
        (
            np.zeros((16, 4), np.uint8),
            np.full((1, 4), 1.5),
            "from 1.5 to 1.5, and the training had",
        ),
        (
            np.zeros((16, 4), np.uint8),
            np.full((1, 4), 300),
            "from 300 to 300, and the training had",
        ),
        (np.zeros((16, 4), int), np.full((1, 4), 0.5), "X holds fractions, and the training had"),
    ],
    ids=["fractions", "large", "parts"],
)
def test_rows_that_the_training_cannot_have_had(trained: Any, given: Any, words: str) -> None:
    how = TensorClasses(trained, np.arange(16) // 2).row_preparation
    with pytest.raises(ValueError, match=words):
        how.inputs(given)


def test_whole_numbers_that_a_network_embeds_are_adapted_to() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Embedding(9, 4), nn.Flatten(), nn.Linear(12, 2))
    x = np.random.default_rng(0).integers(0, 9, (16, 3))
    how = TensorClasses(x, np.arange(16) // 2).row_preparation
    init = replace(Initialization.of(module, SGD(0.5), ways=2, steps=20), rows=how)
    made = init.adapt(x, x[:, 0] > 4)
    assert made.score(x, x[:, 0] > 4) > 0.8


def test_a_scale_is_that_of_the_training() -> None:
    how = TensorClasses(np.ones((16, 4)), np.arange(16) // 2, scale=0.25).row_preparation
    assert how.inputs(np.full((1, 4), 8)).unique().tolist() == [2.0]


def test_points_of_another_dimension_and_numbers_that_are_texts() -> None:
    x, y = rows()
    made = Initialization.of(nn.Linear(6, 2), SGD(0.1), ways=2, steps=1).adapt(x, y)
    with pytest.raises(ValueError, match="X has 5 features, but Classifier is expecting 6"):
        made.predict(x[:, :5])
    with pytest.raises(ValueError, match="X has examples of 6x1, but Classifier is expecting 6"):
        made.predict(x[..., None])
    with pytest.raises(ValueError, match="X: holds texts, and must hold numbers"):
        made.predict([["a"] * 6])
    with pytest.raises(ValueError, match="beyond the numbers of float32, 3"):
        made.predict(np.full((1, 6), 1e300))


def test_labels_of_splits_may_have_any_form_that_y_may_have() -> None:
    x = np.zeros((16, 4))
    forms = [np.arange(16) // 2 * 1.0, torch.arange(16) // 2, [b"%d" % (i // 2) for i in range(16)]]
    for y in forms:
        splits = {"train": list(y[:8:2]), "test": list(y[8::2])}
        parts = TensorClasses(x, y, splits=splits).open()
        assert [len(parts[name].classes) for name in ("train", "test")] == [4, 4]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"splits": {"train": "c0", "test": [1]}}, "splits.train='c0': must be a list of labels"),
        ({"splits": [[0, 1], [2, 3]]}, "splits: is a list, and must say which labels"),
        ({"splits": {"train": 5, "test": [1]}}, "splits.train=5: must be a list of labels"),
        ({"val": "0.1"}, "val=0.1: must be a fraction of the classes"),
        ({"scale": "x"}, "scale=x: must be a finite number other than 0"),
        ({"scale": 0}, "scale=0: must be a finite number other than 0"),
        ({"scale": float("nan")}, "scale=nan: must be a finite number other than 0"),
    ],
    ids=["text", "list", "number", "val", "scale", "zero", "nan"],
)
def test_settings_of_tensors_that_cannot_be(changed: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        TensorClasses(np.zeros((16, 4)), np.arange(16) // 2, **changed)


def test_whole_numbers_beyond_int64_are_refused() -> None:
    x = np.full((16, 4), 2**63, np.uint64)
    with pytest.raises(ValueError, match="x: holds 9223372036854775808, beyond the whole numbers"):
        TensorClasses(x, np.arange(16) // 2)


@pytest.mark.slow
def test_a_training_leaves_warnings_and_loggers_as_they_were(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    loud = logging.getLogger("pytorch_lightning")
    loud.setLevel(logging.INFO)
    before = [*warnings.filters]
    fewstep.train(
        ["dataset=glyphs", "max_meta_iterations=1", "eval.tasks=2", "eval.curve_tasks=0",
         "eval.val_every=null", "algorithm.inner.steps=1", "eval.steps=1"]
    )  # fmt: skip
    assert warnings.filters == before
    assert loud.level == logging.INFO
