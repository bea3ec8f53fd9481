"""A network that clients have parts of: its first channels, up to where a server goes on."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fewstep.core.types import Params


class Layer(nn.Module):
    """A convolution with stride 2, or a linear layer; with `clients`, one for each of them, of
    which a call uses its own. All begin alike."""

    def __init__(self, *shape: int, clients: int | None = None) -> None:
        """`shape` of the weight, of one client."""
        super().__init__()
        several = () if clients is None else (clients,)
        self.shape, self.clients = shape, clients
        bound = math.sqrt(6 / math.prod(shape[1:]))
        one = torch.empty(shape).uniform_(-bound, bound)
        self.weight = nn.Parameter(one.expand(*several, *shape).clone())
        self.bias = nn.Parameter(torch.zeros(*several, shape[0]))

    def forward(self, x: Tensor, client: Tensor) -> Tensor:
        """[B, outputs, ...] of [B, inputs, ...]."""
        weight, bias = self.weight, self.bias
        if self.clients is not None:
            weight, bias = (p.index_select(0, client.reshape(1))[0] for p in (weight, bias))
        if len(self.shape) == 2:
            return F.linear(x.flatten(1), weight, bias)
        return F.conv2d(x, weight, bias, stride=2, padding=1)


class Cut(nn.Identity):
    """Where a client's part ends; a layer of its own, so that a hook can look at it."""

    cut = True


class Server(nn.Module):
    """What it sees in features [B, F], as [B, F], and its logits [B, C]."""

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.hidden, self.last = nn.Linear(features, features), nn.Linear(features, classes)

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        h = self.hidden(z).relu()
        return h, self.last(h)


class Split(nn.Module):
    """Convolutions, a client's exit, and a server that reads where the client's part ends.

    A client of width a has the first a C channels of each layer: the others are masked, and what is
    left is divided by sqrt(a). No norm looks across channels, so that this is the network that is
    really cut down.
    """

    takes = ("width", "own", "client")

    def __init__(
        self,
        widths: Sequence[float],
        sizes: tuple[int, int, int] = (32, 64, 12),
        shared: bool = True,
    ) -> None:
        """
        Args:
            widths: of the clients.
            sizes: channels of each layer, features that are handed over, classes.
            shared: the clients have parts of one network; else each has one of its own, and the
                server alone is theirs together.

        Raises:
            ValueError: a width that is no share, or that leaves no channel.
        """
        super().__init__()
        channels, features, classes = sizes
        least = min(channels, features)
        for place, width in enumerate(widths):
            if not 1 <= width * least <= least:
                raise ValueError(
                    f"model.widths[{place}]={width}: must be at most 1, and leave a channel of "
                    f"{least}. Use {1 / least:g} or more"
                )
        clients = None if shared else len(widths)
        shapes = [(channels, 1, 3, 3), *[(channels, channels, 3, 3)] * 2, (features, channels * 16)]
        self.layers = nn.ModuleList(Layer(*shape, clients=clients) for shape in shapes)
        self.cut, self.exit = Cut(), Layer(classes, features, clients=clients)
        self.server = Server(features, classes)

    def forward(self, x: Tensor, width: Tensor, own: Tensor, client: Tensor) -> Tensor:
        """[B, 2C]: logits of the exit, far below all others for what is not the client's own, and
        those of the server, for images [B, 1, 28, 28]."""
        for layer in self.layers:
            x = layer(x, client).relu()
            kept = first(x.shape[1], width).to(x.dtype) / width.sqrt()
            x = x * kept.reshape(-1, *[1] * (x.dim() - 2))
        z = self.cut(x)
        exits = self.exit(z, client).masked_fill(~own, -1e4)
        return torch.cat([exits, self.server(z.detach())[1]], 1)

    def held(self, width: Tensor, own: Tensor, client: Tensor) -> Params:
        """Masks, to be broadcast, of the entries that a client has."""
        nobody = torch.zeros((), dtype=torch.bool, device=width.device)
        found = {f"server.{name}": nobody for name, _ in self.server.named_parameters()}
        before = ~nobody.reshape(1)
        for name, layer in self.named_modules():
            if not isinstance(layer, Layer):
                continue
            outputs, inputs, *space = layer.shape
            kept = own if layer is self.exit else first(outputs, width)
            columns = before.repeat_interleave(inputs // len(before))
            weight = (kept[:, None] & columns).reshape(outputs, inputs, *[1] * len(space))
            found |= {f"{name}.weight": weight, f"{name}.bias": kept}
            before = kept
        if (clients := self.exit.clients) is None:
            return found
        mine = torch.arange(clients, device=client.device) == client
        own_parts = [n for n in found if not n.startswith("server.")]
        return found | {n: mine.reshape(-1, *[1] * found[n].dim()) & found[n] for n in own_parts}


def first(channels: int, width: Tensor) -> Tensor:
    """[channels] bool: those that a width leaves."""
    place = torch.arange(channels, device=width.device)
    return place < (width * channels + 1e-6).floor()
