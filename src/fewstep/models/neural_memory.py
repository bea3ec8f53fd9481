"""A memory that learns while it reads: an inner loop inside of one forward pass.

The neural memory of Titans (Behrouz, Zhong and Mirrokni 2024, arXiv 2501.00663): each token k, v of
a stream is a step of gradient descent with momentum and decay on |M(k) - v|^2, whose rate, momentum
and decay are gates of the token. Left out of the paper's layer: its projections and convolution,
its persistent tokens, and all that surrounds the memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fewstep.core.rules import MomentumDecay
from fewstep.core.types import Params, State


GATES = {"rate": -1.0, "momentum": -2.0, "decay": -4.0}
"""What a token says of its own step, and the logit of each before anything is learned."""

PARTS = ("error", "momentum", "decay")


def recalled(memory: Params, keys: Tensor) -> Tensor:
    """M(k): [..., E] of keys [..., D]; a matrix, or two with a SiLU between them."""
    if "second" in memory:
        return F.silu(keys @ memory["first"].T) @ memory["second"].T
    return keys @ memory["first"].T


@dataclass(frozen=True)
class Writing:
    """How a stream is written into a memory."""

    chunk: int = 1
    """Tokens whose gradients are all taken where their chunk starts."""
    first_order: bool = False
    """Whether the outer step takes the memory in those gradients for a constant."""
    error: bool = True
    """Whether a gradient is that at the memory: what is known already is not written again. False
    takes it at a memory of 0, which is Hebb's rule."""

    def write(self, memory: Params, keys: Tensor, values: Tensor, gates: Tensor) -> Params:
        """The memory after keys [T, D] with values [T, E] and gates [T, 3]."""
        state: State = MomentumDecay(0.0).begin(memory, {}, keys)[1]
        for at in range(0, len(keys), self.chunk):
            tokens = slice(at, at + self.chunk)
            grads = self.gradients(memory, keys[tokens], values[tokens])
            for i, (rate, momentum, decay) in enumerate(gates[tokens]):
                rule = MomentumDecay(rate, momentum, decay)
                memory, state = rule.step(memory, {n: g[i] for n, g in grads.items()}, state)
        return memory

    def gradients(self, memory: Params, keys: Tensor, values: Tensor) -> Params:
        """Of |M(k) - v|^2 for each token by itself, stacked."""
        if not self.error:
            memory = {name: torch.zeros_like(p) for name, p in memory.items()}
        elif self.first_order:
            memory = {name: p.detach() for name, p in memory.items()}
        if "second" in memory:
            return torch.func.vmap(torch.func.grad(_miss), (None, 0, 0))(memory, keys, values)
        missed = recalled(memory, keys) - values
        return {"first": 2 * missed[:, :, None] * keys[:, None, :]}


def _miss(memory: Params, key: Tensor, value: Tensor) -> Tensor:
    return (recalled(memory, key) - value).square().sum()


class NeuralMemory(nn.Module):
    """Values of keys, recalled from a memory that the support set has been written into, in its
    order. What is learned are the gates, and of a memory with a hidden layer where it starts."""

    takes = ("support_x", "support_y")
    programs = False  # T steps unrolled: to trace them takes longer than to train

    def __init__(
        self,
        d: int = 16,
        units: int = 0,
        chunk: int = 1,
        first_order: bool = False,
        parts: Sequence[str] = PARTS,
    ) -> None:
        """
        Args:
            d: numbers of a key, and of a value.
            units: of the memory's hidden layer; 0 is a matrix that starts at 0.
            chunk: tokens whose gradients are all taken where their chunk starts.
            first_order: whether the memory is a constant in these gradients.
            parts: what the descent has of `error`, `momentum` and `decay`.

        Raises:
            ValueError: a size or a part that cannot be.
        """
        super().__init__()
        for name, value, least in (("d", d, 1), ("units", units, 0), ("chunk", chunk, 1)):
            if value < least:
                raise ValueError(f"model.{name}={value}: must be at least {least}")
        if isinstance(parts, str) or not set(parts) <= set(PARTS):
            raise ValueError(f"model.parts={parts}: must be a list of some of {', '.join(PARTS)}")
        if units and "error" not in parts:
            raise ValueError(
                f"model.units={units}: where a memory of two layers is 0 it has no gradient. Put "
                "error into model.parts, or use model.units=0"
            )
        self.d, self.parts = d, tuple(parts)
        self.writing = Writing(chunk, first_order, "error" in parts)
        self.gates = nn.Linear(2 * d, len(GATES))
        with torch.no_grad():
            self.gates.bias.copy_(torch.tensor([*GATES.values()]))
        self.memory = nn.ParameterDict()
        if units:
            self.memory["first"] = nn.Parameter(torch.randn(units, d) / d**0.5)
            self.memory["second"] = nn.Parameter(torch.randn(d, units) / units**0.5)

    def forward(self, x: Tensor, support_x: Tensor, support_y: Tensor) -> Tensor:
        """Values [B, D] of keys [B, D]."""
        return recalled(self.written(support_x, support_y), F.normalize(x, dim=-1))

    def written(self, support_x: Tensor, support_y: Tensor) -> Params:
        """The memory after the stream of keys and values [T, D]."""
        gates = self.gates(torch.cat([support_x, support_y], dim=-1)).sigmoid()
        on = [1.0, float("momentum" in self.parts), float("decay" in self.parts)]
        start = dict(self.memory) or {"first": support_x.new_zeros(self.d, self.d)}
        gates = gates * torch.tensor(on, dtype=gates.dtype, device=gates.device)
        return self.writing.write(start, F.normalize(support_x, dim=-1), support_y, gates)
