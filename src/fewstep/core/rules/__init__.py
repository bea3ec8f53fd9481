"""The inner optimizers: pure functions with an explicit state, one file each."""

from fewstep.core.rules.adam import Adam
from fewstep.core.rules.clipped import ClippedSGD
from fewstep.core.rules.langevin import Langevin
from fewstep.core.rules.lslr import LSLR
from fewstep.core.rules.metasgd import MetaSGD
from fewstep.core.rules.momentum import MomentumDecay
from fewstep.core.rules.prox import Prox
from fewstep.core.rules.rule import Rule
from fewstep.core.rules.sgd import SGD
from fewstep.core.rules.sign import Sign
from fewstep.core.rules.trees import (
    State,
    detach_state,
    inner_product,
    place_state,
    total_of,
)


__all__ = [
    "LSLR",
    "SGD",
    "Adam",
    "ClippedSGD",
    "Langevin",
    "MetaSGD",
    "MomentumDecay",
    "Prox",
    "Rule",
    "Sign",
    "State",
]
__all__ += ["detach_state", "inner_product", "place_state", "total_of"]

RULES: dict[str, type[Rule]] = {
    "sgd": SGD,
    "adam": Adam,
    "sign": Sign,
    "prox": Prox,
    "metasgd": MetaSGD,
    "lslr": LSLR,
    "langevin": Langevin,
    "clipped": ClippedSGD,
    "momentum": MomentumDecay,
}
"""The names that `algorithm.inner.rule` knows; it also takes the dotted path of a class."""
