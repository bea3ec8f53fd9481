"""The classifier in scikit-learn's form, held by scikit-learn's own checks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from torch import nn

import fewstep
from fewstep.core.rules import SGD


class Perceptron(nn.Module):
    """Of any number of features: a fixed projection comes first, so that one initialization serves
    whatever scikit-learn's checks bring."""

    def __init__(self, width: int = 16, ways: int = 3) -> None:
        super().__init__()
        self.hidden, self.head = nn.Linear(width, 32), nn.Linear(32, ways)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        waves = torch.arange(1, x.shape[1] + 1)[:, None] * torch.arange(1, 17)
        return self.head(torch.tanh(self.hidden(x @ torch.cos(waves * 0.7).to(x.dtype))))


def initialization() -> fewstep.Initialization:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return fewstep.Initialization.of(Perceptron(), SGD(0.2), ways=3, steps=60)


EXPECTED: dict[str, str] = {}
"""Checks that fail, each with its reason."""


@parametrize_with_checks(
    [fewstep.FewShotClassifier(initialization())],
    expected_failed_checks=lambda _: EXPECTED,
)
def test_scikit_learns_checks(estimator, check) -> None:
    check(estimator)


def rows(n: int = 40, classes: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Points around as many centres as there are classes."""
    generator = np.random.default_rng(seed)
    y = np.arange(n) % classes
    return 3 * np.eye(classes, 5)[y] + 0.3 * generator.standard_normal((n, 5)), y


def test_in_a_pipeline_a_grid_and_cross_validation() -> None:
    x, y = rows()
    names = np.array(["a", "b", "c", "d"])[y]
    pipe = make_pipeline(StandardScaler(), fewstep.FewShotClassifier(initialization()))
    assert cross_val_score(pipe, x, names, cv=4).mean() > 0.9
    grid = GridSearchCV(pipe, {"fewshotclassifier__steps": [0, 60]}, cv=2).fit(x, names)
    assert grid.best_params_ == {"fewshotclassifier__steps": 60}


def test_calibration_changes_probabilities_and_no_answer() -> None:
    x, y = rows(24)
    plain = fewstep.FewShotClassifier(initialization()).fit(x, y)
    calibrated = clone(plain).set_params(calibrate=True).fit(x, y)
    assert calibrated.classifier_.temperature != 1.0
    assert (plain.predict(x) == calibrated.predict(x)).all()
    assert np.abs(plain.predict_proba(x) - calibrated.predict_proba(x)).max() > 1e-3


@pytest.mark.parametrize("calibrate", ["no", 1, None, [False]])
def test_what_is_neither_true_nor_false_calibrates_nothing(calibrate) -> None:
    given, init = rows(8), initialization()
    with pytest.raises(ValueError, match=r"^calibrate=") as error:
        fewstep.FewShotClassifier(init, calibrate=calibrate).fit(*given)
    assert str(error.value) == (
        f"calibrate={calibrate!r}: must be True or False. For example calibrate=True"
    )
    fewstep.FewShotClassifier(init, steps=0, calibrate=np.False_).fit(*given)


def test_the_initialization_is_left_as_it_was() -> None:
    init, (x, y) = initialization(), rows()
    before = {n: p.clone() for n, p in init.learner.module.state_dict().items()}
    fewstep.FewShotClassifier(init).fit(x, y)
    after = init.learner.module.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_a_table_whose_columns_are_not_those_that_were_fitted_is_refused() -> None:
    table = pytest.importorskip("pandas").DataFrame
    x, y = rows()
    names = [f"c{i}" for i in range(x.shape[1])]
    fitted = fewstep.FewShotClassifier(initialization()).fit(table(x, columns=names), y)
    assert list(fitted.feature_names_in_) == names
    turned = table(x, columns=names)[names[::-1]]
    for ask in (fitted.predict, fitted.predict_proba):
        with pytest.raises(ValueError, match="feature names should match"):
            ask(turned)
