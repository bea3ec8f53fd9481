"""The algorithms: what one task says about the initialization. One file each."""

from fewstep.algorithms.algorithm import Algorithm
from fewstep.algorithms.binomial import Binomial
from fewstep.algorithms.combination import Combination
from fewstep.algorithms.direct import Direct
from fewstep.algorithms.eigen_reptile import EigenReptile
from fewstep.algorithms.fomaml import FOMAML
from fewstep.algorithms.harmony import Harmony
from fewstep.algorithms.hessian_free import HessianFree
from fewstep.algorithms.imaml import IMAML
from fewstep.algorithms.joint import Joint
from fewstep.algorithms.maml import MAML
from fewstep.algorithms.meta_gradient import MetaGradient
from fewstep.algorithms.multi_step import MultiStep
from fewstep.algorithms.reptile import Reptile


__all__ = [
    "FOMAML",
    "IMAML",
    "MAML",
    "Algorithm",
    "Binomial",
    "Combination",
    "Direct",
    "EigenReptile",
    "Harmony",
    "HessianFree",
    "Joint",
    "MetaGradient",
    "MultiStep",
    "Reptile",
]
