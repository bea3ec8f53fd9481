"""Claims on the tables of waves, of Langevin descent and of estimators, and what their files say.

Every verdict is computed from the results and the figures of single tasks beside them. A claim that
one is lower than another holds where the whole interval of their paired difference says so; of rows
that a table does not have, nothing is claimed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fewstep import report
from fewstep.report.statistics.contrast import Contrast, contrast


RESULTS = Path(__file__).parents[2] / "docs" / "results"
MAML, FOMAML, BOIL, META_SGD = "MAML", "first-order MAML", "BOIL", "Meta-SGD"
BINOMIAL, TRUNCATED = "BinomMAML 1", "truncated MAML 1"
WEIGHTS = 2
"""Of a linear task: its squared distance is so many times its loss."""
LANGEVIN, MODE, RIDGE = "Langevin descent", "its mode", "ridge regression"

UNRESOLVED: dict[str, str] = {
    f"{BINOMIAL} is below {TRUNCATED}, at a = 0.005 after 32 steps": (
        "it is so in each of three seeds, by 0.013 to 0.044"
    ),
    f"{FOMAML} is below {BINOMIAL}, at a = 0.02 after 5 steps": (
        "it is so in each of three seeds, by 1.11 to 2.65: too different for an interval of three"
    ),
}
"""Claims that the files which are kept do not bear out, with the reason."""


@dataclass(frozen=True)
class Verdict:
    """One claim, whether it holds, and by which figure."""

    claim: str
    holds: bool
    told: str

    @property
    def expected(self) -> bool:
        """Whether it is as it is said to be."""
        return self.holds != (self.claim in UNRESOLVED)

    @property
    def says(self) -> str:
        if self.holds:
            return "holds"
        return "not resolved" if self.expected else "FAILS"


class Table:
    """Losses of a sweep by label and by the values of its points and settings."""

    def __init__(self, folder: Path) -> None:
        self.rows = report.rows(report.read([folder]))

    def entries(self, label: str, init: str = "trained", **point: Any) -> list[Mapping[str, Any]]:
        """Of each seed, of the one row that is called so."""
        steps = point.pop("steps", None)
        found = [
            row
            for row in self.rows
            if (row["label"], row["init"]) == (label, init)
            and steps in (None, row["steps"])
            and point.items() <= (row.runs[0].config.get("point") or {}).items()
        ]
        (row,) = found
        return next(iter(row.cells.values()))

    def has(self, label: str, **point: Any) -> bool:
        """Whether there is such a row."""
        try:
            return bool(self.entries(label, **point))
        except ValueError:
            return False

    def loss(self, label: str, **point: Any) -> float:
        """The mean over seeds."""
        losses = [entry["loss"] for entry in self.entries(label, **point)]
        return sum(losses) / len(losses)

    def above(self, one: str, other: str, **point: Any) -> Contrast:
        """How much more the loss of one is than another's, in the same tasks."""
        curves = {name: self.entries(name, **point) for name in (one, other)}
        return contrast({one: 1, other: -1}, curves)


def waves(folder: Path = RESULTS / "estimators") -> list[Verdict]:
    """Sine waves: what is left of MAML's gradient, at a rate that bends little and at one that
    bends much."""
    table, found = Table(folder), []
    for steps in (5, 32):
        little = {"rate": 0.005, "steps": steps}
        near, far = (table.above(one, MAML, **little) for one in (BINOMIAL, TRUNCATED))
        told = f"{_show(near)} above MAML, {TRUNCATED} {_show(far)}"
        claim = f"{BINOMIAL} learns as MAML does, at a = 0.005 after {steps} steps"
        found.append(Verdict(claim, abs(near.mean) < far.mean / 2, told))
        for lower, higher in ((BINOMIAL, TRUNCATED), (TRUNCATED, FOMAML)):
            found.append(_lower(table, lower, higher, **little))
    much = {"rate": 0.02, "steps": 5}
    if table.has(BINOMIAL, **much):
        found.append(_lower(table, FOMAML, BINOMIAL, **much))
    if table.has(META_SGD, **much):
        share = table.loss(META_SGD, **much) / table.loss(MAML, **much)
        claim = f"{META_SGD} is left with at most 1.25 of MAML's loss, at a = 0.02 after 5 steps"
        found.append(Verdict(claim, share <= 1.25, f"{share:.2f}"))
    if table.has(BOIL, **much):
        share = table.loss(BOIL, **much) / table.loss(MAML, **much)
        claim = f"{BOIL} is left with more than 1.8 of MAML's loss, at a = 0.02 after 5 steps"
        found.append(Verdict(claim, share > 1.8, f"{share:.2f}"))
    return found


def langevin(folder: Path = RESULTS / "lgd") -> list[Verdict]:
    """Linear tasks: how far from Bayes' own answer each is, in squared distance of the weights,
    of which a loss is the mean."""
    table = Table(folder)
    exponential = {"prior": "exponential", "shots": 2}
    bayes = {"oracle": table.entries(LANGEVIN, "oracle", **exponential)}

    def excess(label: str) -> float:
        curves = bayes | {label: table.entries(label, **exponential)}
        return WEIGHTS * contrast({label: 1, "oracle": -1}, curves).mean

    limits = {LANGEVIN: ("at most", 0.035), MODE: ("at least", 0.045), RIDGE: ("at least", 0.08)}
    found = []
    for label, (side, limit) in limits.items():
        own = excess(label)
        holds = own <= limit if side == "at most" else own >= limit
        claim = f"{label} is {side} {limit} above Bayes, exponential, 2 shots"
        found.append(Verdict(claim, holds, f"{own:+.4f} in squared distance"))
    control = table.above(LANGEVIN, RIDGE, prior="gaussian")
    claim = f"{LANGEVIN} is not better than {RIDGE} where the prior is Gaussian"
    return [*found, Verdict(claim, not control.below, _show(control, WEIGHTS))]


def estimates(file: Path = RESULTS / "theory_estimators" / "theory.json") -> list[Verdict]:
    """In how many tasks the binomial estimate is the nearer one, of orders 1 to 3."""
    rows = json.loads(file.read_text())["estimators"]
    own = {(r["trained"], r["rate"]): r for r in rows if r["case"] == "sine waves"}
    found = []
    for rate in (0.001, 0.005):
        shares = own[False, rate]["binomial_nearer"][:3]
        claim = f"binomial is nearer in 95 % of the waves, before training at a = {rate}"
        found.append(Verdict(claim, min(shares) >= 0.95, _shares(shares)))
    shares = own[True, 0.02]["binomial_nearer"][:3]
    claim = "binomial is nearer in at most 25 % of them, after training at a = 0.02"
    return [*found, Verdict(claim, max(shares) <= 0.25, _shares(shares))]


PARTS: dict[str, Callable[..., list[Verdict]]] = {
    "estimators": waves,
    "lgd": langevin,
    "theory_estimators": estimates,
}
"""By the folder of docs/results that each reads."""


def kept() -> list[str]:
    """Those of them whose results are there."""
    return [name for name in PARTS if (RESULTS / name).is_dir()]


def _lower(table: Table, lower: str, higher: str, **point: Any) -> Verdict:
    found = table.above(higher, lower, **point)
    where = f"at a = {point['rate']} after {point['steps']} steps"
    claim = f"{lower} is below {higher}, {where}"
    return Verdict(claim, found.above, _show(found))


def _show(found: Contrast, times: float = 1) -> str:
    return f"{times * found.mean:+.4f} ± {times * found.half_width:.4f}"


def _shares(shares: list[float]) -> str:
    return ", ".join(f"{share:.0%}" for share in shares) + " (orders 1, 2 and 3)"


def lines(found: list[Verdict]) -> list[str]:
    """A line for each, those that do not hold marked."""
    why = {claim: f" ({reason})" for claim, reason in UNRESOLVED.items()}
    return [f"{v.says}: {v.claim}: {v.told}{why.get(v.claim, '')}" for v in found]
