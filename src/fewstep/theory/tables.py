"""What `fewstep theory` found, as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


NAMES = {"maml": "MAML", "fomaml": "FOMAML", "reptile": "Reptile", "joint": "joint training"}

ESTIMATES = {
    "first_order": "first order",
    "hessian_free": "Hessian-free",
    "implicit": "implicit",
}
"""Those of MAML's gradient that have no order."""


def markdown(figures: Mapping[str, Any]) -> str:
    """A table of each part that was computed; the paper's values stand in brackets."""
    parts = []
    if "slopes" in figures:
        parts += ["Residual of the leading-order expansion: its slope against the inner learning"]
        parts[-1] += " rate a, log by log (paper: 2, which is O(a²))"
        parts.append(_by_k(figures["slopes"], lambda r: f"{r['slope']:.3f}"))
    if "coefficients" in figures:
        rate = figures["coefficients"][0]["rate"]
        parts.append(
            "Coefficients of AvgGrad and of a·AvgGradInner in the expected direction, "
            f"a = {rate:g} (paper)"
        )
        parts.append(_by_k(figures["coefficients"], _coefficients))
    if "estimators" in figures:
        parts.append(
            "Median relative error of an estimate of MAML's gradient over tasks, five inner steps "
            "of rate a; K a λ says how much the inner loop bends"
        )
        parts.append(_estimators(figures["estimators"]))
    rows = [row for part in SINGLE if part in figures for row in SINGLE[part](figures[part])]
    if rows:
        parts.append(_table([["claim", "measured"], *rows]))
    return "\n\n".join(parts)


def _coefficients(row: Mapping[str, Any]) -> str:
    pairs = (("avg_grad", ".4f"), ("avg_grad_inner", ".4f"))
    return ", ".join(f"{row[n]:{digits}} ({row[f'paper_{n}']:g})" for n, digits in pairs)


def _by_k(rows: Sequence[Mapping[str, Any]], cell: Any) -> str:
    """A line an algorithm, a column a k."""
    lines: dict[str, list[str]] = {}
    for row in rows:
        lines.setdefault(NAMES[row["algorithm"]], []).append(cell(row))
    ks = sorted({row["k"] for row in rows})
    return _table([["algorithm", *(f"k = {k}" for k in ks)], *([n, *c] for n, c in lines.items())])


def _estimators(rows: Sequence[Mapping[str, Any]]) -> str:
    """A line a network and rate; binomial and truncated estimates of order 1 to 4, the nearer one
    of each order in bold."""
    orders = range(1, len(rows[0]["binomial"]) + 1)
    head = ["tasks", "a", "K a λ", *ESTIMATES.values()]
    head += [f"binomial, truncated {n}" for n in orders]
    lines = [head]
    for row in rows:
        when = "trained" if row["trained"] else "untrained"
        cells = []
        for pair in zip(row["binomial"], row["truncated"], strict=True):
            texts = [f"{error:.2g}" for error in pair]
            texts[pair[0] > pair[1]] = f"**{texts[pair[0] > pair[1]]}**"
            cells.append(", ".join(texts))
        own = [f"{row['rate']:g}", f"{row['curvature']:.2g}"]
        own += [f"{row[name]:.2g}" for name in ESTIMATES]
        lines.append([f"{row['case']}, {when}", *own, *cells])
    return _table(lines)


def _identity(found: Mapping[str, Any]) -> list[list[str]]:
    claim = "AvgGradInner is half the gradient of E[g1·g2]: relative difference"
    return [[claim, f"{found['relative_difference']:.0e}"]]


def _joint(found: Mapping[str, Any]) -> list[list[str]]:
    claim = f"Reptile with k = 1 is joint training, at a = {found['rate']:g}: relative difference"
    more = f" (k = 2: {found['relative_difference_k2']:.3f})"
    return [[claim, f"{found['relative_difference']:.0e}{more}"]]


def _manifolds(found: Mapping[str, Any]) -> list[list[str]]:
    far = list(zip(found["steps"], found["direction_error"], strict=True))
    errors = [f"{error:.2g} (k = {k})" for k, error in far if k in (1, 10, 100)]
    ends = [f"{t['distance'][-1]:.2g} (k = {t['k']})" for t in found["trainings"]]
    meta_iterations = len(found["trainings"][0]["distance"]) - 1
    return [
        [
            "the gradient of ½ E[D²] is φ − E[P(φ)]: relative difference",
            f"{found['gradient_difference']:.0e}",
        ],
        ["Reptile's expected direction is φ − E[P(φ)]: relative difference", ", ".join(errors)],
        [
            "Reptile ends at the point of least mean squared distance: distance left after "
            f"{meta_iterations} meta-iterations",
            ", ".join(ends),
        ],
    ]


def _alignment(found: Mapping[str, Any]) -> list[list[str]]:
    rows = []
    for training in found["trainings"]:
        first, last = training["points"][0], training["points"][-1]
        claim = (
            f"cosine of a task's minibatch gradients on {found['dataset']}, "
            f"{NAMES[training['algorithm']]} (k = {training['k']}), before and after "
            f"{last['meta_iteration']:,} meta-iterations"
        )
        ends = [f"{p['cosine']:.3f} ± {p['cosine_ci95']:.3f}" for p in (first, last)]
        rows.append([claim, " → ".join(ends)])
    return rows


SINGLE = {
    "identity": _identity,
    "joint": _joint,
    "manifolds": _manifolds,
    "alignment": _alignment,
}


def _table(rows: Sequence[Sequence[str]]) -> str:
    lines = [rows[0], ["---"] * len(rows[0]), *rows[1:]]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
