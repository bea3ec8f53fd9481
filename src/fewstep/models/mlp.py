"""The paper's network for sine waves."""

from __future__ import annotations

from torch import Tensor, nn

from fewstep.models.layers import check_counts


ACTIVATIONS: dict[str, type[nn.Module]] = {"tanh": nn.Tanh, "relu": nn.ReLU}


class SineMLP(nn.Module):
    """1 -> 64 -> 64 -> 1, for the sine waves of section 4.

    The authors' published script uses tanh and says that the paper used ReLU. Initialized as
    `nn.Linear` is, like that script.
    """

    def __init__(self, hidden: int = 64, activation: str = "tanh") -> None:
        super().__init__()
        check_counts(hidden=hidden)
        if activation not in ACTIVATIONS:
            known = ", ".join(ACTIVATIONS)
            raise ValueError(f"model.activation={activation!r}: must be one of {known}")
        act = ACTIVATIONS[activation]
        self.layers = nn.Sequential(
            nn.Linear(1, hidden), act(), nn.Linear(hidden, hidden), act(), nn.Linear(hidden, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Values [B, 1] at points [B, 1]."""
        return self.layers(x)
