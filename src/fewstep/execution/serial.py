"""One task after another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from fewstep.core.net import Net
from fewstep.core.traits import PLAIN, Traits
from fewstep.core.types import Episode
from fewstep.execution.base import CPU_THREADS, OneByOne, PerTask


class Serial(OneByOne):
    """One task after another, each with all intra-op threads."""

    name = "serial"

    def __init__(self, module: nn.Module, traits: Traits = PLAIN) -> None:
        self.net, self.traits = Net(module, traits=traits).replica(), traits

    def map(self, function: PerTask, shared: tuple, episodes: Sequence[Episode]) -> list[Any]:
        # The same to the last digit on any number of cores, where tasks cannot be shared out.
        torch.set_num_threads(CPU_THREADS if self.traits.plain else 1)
        return [function(self.net.begin(episode), *shared, episode) for episode in episodes]
