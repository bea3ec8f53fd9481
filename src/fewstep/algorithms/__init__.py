"""The algorithms: what one task says about the initialization. One file each."""

from fewstep.algorithms.algorithm import Algorithm


__all__ = ["Algorithm"]
