"""A few-shot classifier in scikit-learn's form."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from fewstep.use.classifier import Classifier
from fewstep.use.initialization import Initialization
from fewstep.use.loading import load
from fewstep.use.settings import truth


class FewShotClassifier(ClassifierMixin, BaseEstimator):
    """An initialization, adapted by `fit`.

    Usable wherever scikit-learn's classifiers are: `clone`, `cross_val_score`, `Pipeline`,
    `GridSearchCV`.

    Args:
        init: a name, run or checkpoint as `fewstep.load` takes it, or what that gives; of a
            pretrained network `head` and `steps` are all that it takes.
        steps: inner steps; None is the initialization's own, as for the others.
        batch_size: examples an inner step.
        head: where the last linear layer starts (`algorithm.inner.head`).
        seed: of the order of the minibatches.
        calibrate: leave examples out in `fit` to calibrate `predict_proba` by; takes as long as
            so many fits.
    """

    def __init__(
        self,
        init: str | Path | Initialization = "omniglot",
        *,
        steps: int | None = None,
        batch_size: int | None = None,
        head: str | None = None,
        seed: int | None = None,
        calibrate: bool = False,
    ) -> None:
        self.init = init
        self.steps = steps
        self.batch_size = batch_size
        self.head = head
        self.seed = seed
        self.calibrate = calibrate

    def fit(self, X: Any, y: Any) -> FewShotClassifier:
        """Adapt to pictures [n, H, W(, C)] in any form, or rows [n, d], and their labels [n].

        Raises:
            ValueError: as `Initialization.adapt`, or `calibrate` is neither True nor False.
        """
        if y is None:
            raise ValueError("requires y to be passed, but the target y is None")
        given: Any = self.init
        init = given if hasattr(given, "adapt") else load(given)
        settings = {n: getattr(self, n) for n in ("steps", "batch_size", "head", "seed")}
        calibrate = truth("calibrate", self.calibrate)
        self._check(X, reset=True)
        self.classifier_: Classifier = init.adapt(X, _labels(y), **settings)
        if calibrate:
            self.classifier_.evaluate()
        self.classes_ = self.classifier_.classes_
        if (rows := self.classifier_.rows) is not None:
            self.n_features_in_ = rows.shape[0]
        return self

    def predict(self, X: Any) -> np.ndarray:
        """The likeliest class of each picture or row: [n]."""
        check_is_fitted(self, "classifier_")
        self._check(X)
        return self.classifier_.predict(X)

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of each class: [n, N], in the order of `classes_`."""
        check_is_fitted(self, "classifier_")
        self._check(X)
        return self.classifier_.predict_proba(X)

    def _check(self, X: Any, reset: bool = False) -> None:
        """Refuse what is sparse, and a table whose columns are not those that were fitted."""
        if hasattr(X, "tocsr"):
            raise TypeError(
                "Sparse data was passed for X, but dense data is required: use X.toarray()"
            )
        validate_data(self, X, reset=reset, skip_check_array=True, ensure_2d=False)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        rows = isinstance(self.init, Initialization) and self.init.preparation is None
        tags.input_tags.two_d_array, tags.input_tags.three_d_array = rows, not rows
        return tags


def _labels(y: Any) -> Any:
    """Labels as classes; scikit-learn's own words where they are not."""
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import column_or_1d

    y = column_or_1d([*y] if isinstance(y, Iterator) else y, warn=True)
    if y.dtype.kind == "f" and not np.isfinite(y).all():
        raise ValueError("Input y contains NaN or infinity: leave these examples out")
    check_classification_targets(y)
    return y
