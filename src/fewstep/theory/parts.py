"""What can be computed: the parts of section 5, and what lies between its algorithms."""

from __future__ import annotations


PARTS = {
    "slopes": "the leading-order expansions are right to second order (5.1)",
    "coefficients": "AvgGrad and AvgGradInner in the expected direction (5.1, its table)",
    "identity": "AvgGradInner is half the gradient of an expected inner product (5.1)",
    "joint": "with k = 1 Reptile is joint training (5.1)",
    "manifolds": "Reptile finds the point nearest to all solution manifolds (5.2)",
    "alignment": "during training, gradients of a task's minibatches come to agree for k > 1",
    "estimators": "how near estimates of MAML's gradient are to it: binomial, truncated and others",
}

WHERE_NAMED = ("estimators",)
"""Parts that take minutes, and are computed where they are named alone."""
