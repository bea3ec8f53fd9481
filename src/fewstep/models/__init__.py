"""The networks that a configuration names."""

from fewstep.models.cavia import ContextMLP
from fewstep.models.chains import LinearChains
from fewstep.models.convolutions import MAMLOmniglotConv, MiniImagenetConv, OmniglotConv
from fewstep.models.decoder import Decoder
from fewstep.models.mlp import SineMLP
from fewstep.models.prototypes import ProtoNet, Prototypes
from fewstep.models.rf import SignalTransformer
from fewstep.models.siren import VelocityModel
from fewstep.models.split import Split


__all__ = ["ContextMLP", "MAMLOmniglotConv", "MiniImagenetConv", "OmniglotConv", "Prototypes"]
__all__ += ["Decoder", "LinearChains", "ProtoNet", "SignalTransformer", "SineMLP", "Split"]
__all__ += ["VelocityModel"]
