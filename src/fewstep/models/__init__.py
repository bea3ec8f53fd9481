"""The networks that a configuration names."""

from fewstep.models.convolutions import MAMLOmniglotConv, MiniImagenetConv, OmniglotConv
from fewstep.models.mlp import SineMLP


__all__ = ["MAMLOmniglotConv", "MiniImagenetConv", "OmniglotConv", "SineMLP"]
