"""The networks that a configuration names."""

from fewstep.models.cavia import ContextMLP
from fewstep.models.chains import LinearChains
from fewstep.models.convolutions import MAMLOmniglotConv, MiniImagenetConv, OmniglotConv
from fewstep.models.mlp import SineMLP
from fewstep.models.prototypes import ProtoNet, Prototypes


__all__ = ["ContextMLP", "MAMLOmniglotConv", "MiniImagenetConv", "OmniglotConv", "Prototypes"]
__all__ += ["LinearChains", "ProtoNet", "SineMLP"]
