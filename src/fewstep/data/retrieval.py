"""Which picture was it: the objective of subjects, and the answers that need no network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fewstep.core.objectives import Regression, wide
from fewstep.core.ridge import TAKES, decoded, encoded
from fewstep.core.types import Metrics


TEMPERATURE, SHARE = 0.2, 0.1
"""Of the contrast, and how much of it there is beside the cosine."""


@dataclass(frozen=True)
class Retrieval(Regression):
    """One minus the cosine to the picture's embedding, and a little of telling the queries apart:
    the accuracy is how often a query's own picture is the nearest of all of them."""

    unit: ClassVar[str] = "1 - cosine, and contrast"

    def inner_loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """[B] of outputs and targets [B, D]."""
        likeness, own = _likeness(outputs, targets)
        both = (
            F.cross_entropy(m / TEMPERATURE, own, reduction="none") for m in (likeness, likeness.T)
        )
        return 1 - likeness.diagonal() + SHARE * sum(both) / 2

    def metrics(self, outputs: Tensor, targets: Tensor) -> Metrics:
        """`loss`, and `acc`, the fraction of queries whose picture is found."""
        likeness, own = _likeness(wide(outputs), wide(targets))
        found = (likeness.argmax(1) == own).to(likeness.dtype).mean()
        return {"loss": self.inner_loss(wide(outputs), wide(targets)).mean(), "acc": found}


def _likeness(outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines of each answer to each picture [B, B], and whose each is."""
    likeness = F.normalize(outputs, dim=1) @ F.normalize(targets, dim=1).T
    return likeness, torch.arange(len(targets), device=targets.device)


class Ridge(nn.Module):
    """The embedding that explains a query's answers best by ridge regressions of the voxels, each
    weighted by how little of it is noise, or all alike. It learns nothing."""

    takes = TAKES

    def __init__(self, weighted: bool) -> None:
        super().__init__()
        self.weighted = weighted
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor, **given: Tensor) -> Tensor:
        """Embeddings [B, D] of answers [B, V]."""
        voxels = encoded(given)
        weight = given["voxels"] * (1 / (voxels.residual + 0.05) if self.weighted else 1.0)
        return decoded(x, voxels, weight) + 0 * self.unused
