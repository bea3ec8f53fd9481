"""How classifiers of one initialization are learned and asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fewstep.core.memory import forgetting
from fewstep.core.traits import stamp
from fewstep.data.images.preparation import Preparation
from fewstep.data.row_preparation import RowPreparation
from fewstep.use.expected import LeftOut
from fewstep.use.origin import Origin


TOGETHER = 16
"""Pictures that are answered in one pass, always so many: an answer depends neither on the other
pictures nor on how many there are."""

Curve = list[tuple[int, float]]
"""`(inner step, mean loss on the given examples)`."""
Learn = Callable[[Tensor, Tensor, int], tuple[nn.Module, Curve]]
"""From inputs (or features), classes and their number to a network and its adaptation curve."""


@dataclass(frozen=True)
class Way:
    """How classifiers of one initialization are learned, and what pictures become for them."""

    preparation: Preparation | None
    learn: Learn
    left_out: LeftOut
    """For each part of the examples, what those that learned the others say to it."""
    origin: Origin
    represent: nn.Module | None = None
    """A frozen network whose features are what is learned from; None: the inputs themselves."""
    features: Callable[[Tensor], Tensor] | None = None
    """What `represent` says of what is kept, remembered; None where nothing is learned any more."""
    rows: RowPreparation | None = None
    """How rows become inputs, where the training says it; None for pictures."""

    def inputs(self, kept: Tensor) -> Tensor:
        """What a network is given for pixels [n, S, S, C] or rows [n, d] that are kept."""
        return kept if self.preparation is None else self.preparation.scaled(kept)

    def represented(self, kept: Tensor) -> Tensor:
        """What is learned from."""
        return self.inputs(kept) if self.features is None else self.features(kept)

    def whole(self, network: nn.Module) -> nn.Module:
        """From inputs to logits."""
        return network if self.represent is None else nn.Sequential(self.represent, network)


@torch.no_grad()
def answers(
    network: nn.Module, kept: Tensor, inputs: Callable[[Tensor], Tensor]
) -> Iterator[Tensor]:
    """What a network says to what is kept, `TOGETHER` at a time; what it remembers of it in buffers
    is forgotten after each. Whether it remembers anything, the first ones tell."""
    forgets = True
    for some in kept.split(TOGETHER):
        missing = TOGETHER - len(some)
        full = torch.cat([some, some[:1].expand(missing, *some.shape[1:])]) if missing else some
        with forgetting(network.modules() if forgets else ()):
            before = stamp(network) if forgets else None
            said = network(inputs(full))
            forgets = forgets and stamp(network) != before
        yield said[: len(some)]
