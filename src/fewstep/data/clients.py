"""Clients of a federation: each holds some of the characters, and has a network of some width.

Client i is task i of every round: its own characters in the drawings that are for training, each a
little shifted anew. At meta-test it is asked for all characters, in drawings that nobody has seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from fewstep.core.net import Net
from fewstep.core.peek import seen
from fewstep.core.types import Episode, EpisodeSpec, Metrics, Params
from fewstep.data.family import Family, Made
from fewstep.data.omniglot import DRAWINGS, Omniglot
from fewstep.data.options import check_count, is_integer, is_share, must_be, some
from fewstep.data.sampler import IMAGES, Draws


TRAIN = 14  # drawings of a character; the others are asked for


@dataclass(frozen=True)
class OwnAndOthers:
    """Cross-entropy of a client's exit on its own classes; and at meta-test what the server says of
    the classes that only others hold. Outputs are [B, 2C]: the exit's logits, and the server's."""

    unit: ClassVar[str] = "cross-entropy, nats"

    def inner_loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Of the exit, [B]: for examples of its own classes."""
        return F.cross_entropy(outputs.chunk(2, 1)[0], targets, reduction="none")

    outer_loss = inner_loss

    def metrics(self, outputs: Tensor, targets: Tensor, given: Params) -> Metrics:
        """`loss` and `acc` of the exit on the client's own classes; `server_own` and
        `server_others`, the server's accuracies on these and on the others."""
        exits, server = (logits.argmax(1) == targets for logits in outputs.chunk(2, 1))
        own = given["own"][targets]
        return {
            "loss": _mean(self.inner_loss(outputs, targets), own),
            "acc": _mean(exits.to(outputs.dtype), own),
            "server_own": _mean(server.to(outputs.dtype), own),
            "server_others": _mean(server.to(outputs.dtype), ~own),
        }

    def probe(self, net: Net, params: Params, episode: Episode) -> Metrics:
        """`cka`: how alike what this client's network hands over is to what each other's does, over
        all queries."""
        given, alike = episode.extras, []
        z = seen(net, params, episode.query_x, "cut", given)[0]
        clients = torch.arange(len(given["widths"]), device=z.device)
        for client, width in zip(clients, given["widths"], strict=True):
            other = {**given, "width": width, "client": client}
            alike.append(cka(z, seen(net, params, episode.query_x, "cut", other)[0]))
        return {"cka": _mean(torch.stack(alike), clients != given["client"])}


def cka(one: Tensor, other: Tensor) -> Tensor:
    """Linear CKA of features [B, D] and [B, E] of the same inputs (Kornblith et al. 2019)."""
    one, other = one - one.mean(0), other - other.mean(0)
    norms = (one.T @ one).norm() * (other.T @ other).norm()
    return (one.T @ other).square().sum() / norms.clamp(min=1e-12)


def _mean(values: Tensor, among: Tensor) -> Tensor:
    return torch.where(among, values, 0.0).sum() / among.sum().clamp(min=1)


@dataclass
class Clients(Family):
    """A federation over some characters of Omniglot."""

    widths: Sequence[float] = (1.0, 1.0, 0.5, 0.5, 0.25, 0.25)
    """The share of the network that each client has."""
    characters: int = 12
    own: Sequence[Sequence[int]] | None = None
    """Which characters each client holds, as many for all; None deals a third of them to each."""
    shift: int = 2
    """Pixels by which training drawings are moved at most."""
    root: str | Path | None = None
    """As of dataset=omniglot."""

    name: ClassVar[str] = "clients"
    interval: ClassVar[str] = "finite"
    splits: ClassVar[Sequence[str]] = ("train", "test")
    objective: OwnAndOthers = field(default_factory=OwnAndOthers, init=False)

    def __post_init__(self) -> None:
        check_count("shift", self.shift, 2, least=0, most=27)  # of 28 pixels
        check_count("characters", self.characters, 12, least=2, most=1200)
        must_be("widths", self.widths, some(is_share, 2), "two or more numbers in (0,1]", "[1,0.5]")
        if self.own is not None:
            each = some(some(is_integer, 0), self.round, self.round)
            lists = f"a list of numbers for each of the {self.round} dataset.widths, or null"
            must_be("own", self.own, each, lists, "[[0,1],[1,2]]")
        held, n = self.held, self.characters
        for client, own in enumerate(held):
            several = set(own) & set(range(n))
            if not 0 < len(several) == len(own) == len(held[0]) < n:
                raise ValueError(
                    f"dataset.own[{client}]={own}: must be some of the {n} characters, not none "
                    f"and not all: as many numbers from 0 to {n - 1} as the other clients have"
                )
        if alone := sorted(set(range(n)) - {c for own in held for c in own}):
            raise ValueError(
                f"dataset.own: no client holds {alone}, so that nobody could learn these. Give "
                "them to one, or lower dataset.characters"
            )

    @property
    def held(self) -> list[list[int]]:
        """The characters of each client."""
        if self.own is not None:
            return [list(own) for own in self.own]
        n = self.characters
        firsts = [i * n // self.round for i in range(self.round)]
        return [[(first + j) % n for j in range(-(-n // 3))] for first in firsts]

    @property
    def round(self) -> int:
        """Tasks that belong together: every client once."""
        return len(self.widths)

    @cached_property
    def images(self) -> Tensor:
        """[characters, 20, 1, 28, 28], 1 where there is ink; from all over the training split."""
        split = Omniglot(self.root, rotations=False).open()["train"]
        chosen = split.classes[:: len(split.classes) // self.characters][: self.characters]
        rows = torch.from_numpy(split.starts[chosen][:, None] + np.arange(DRAWINGS))
        pixels = split.pixels[rows.reshape(-1)].float()
        return 1 - pixels.reshape(*rows.shape, *pixels.shape[1:])

    def settings(self) -> dict[str, Any]:
        """The images, and who holds which."""
        images = self.images.contiguous().numpy().tobytes()
        return {"images": sha256(images).hexdigest(), "own": self.held}

    def task(self, draws: Draws, spec: EpisodeSpec) -> Made:
        """Client after client, round after round: support x [S, 1, 28, 28] of the client's own
        characters, and y [S], their numbers among all; queries of all of them, which training does
        not read."""
        client = draws.index % self.round
        own = torch.tensor(self.held[client])
        x = self.images[own, : spec.shots].flatten(0, 1)
        if draws.split == "train":
            x = self._shifted(x, draws)
        every, query_x = torch.arange(self.characters), self.images[:, TRAIN:]
        query_y = every.repeat_interleave(query_x.shape[1])
        widths = torch.tensor(self.widths, dtype=torch.float64)
        extras = {"width": widths[client], "widths": widths, "client": torch.tensor(client)}
        extras["own"] = torch.isin(every, own)
        return Made(x, own.repeat_interleave(spec.shots), query_x.flatten(0, 1), query_y, extras)

    def identity(self, draws: Draws, spec: EpisodeSpec) -> bytes:
        """Its number and the client's characters as little-endian int64."""
        return np.array([draws.index, *self.held[draws.index % self.round]], "<i8").tobytes()

    def check(self, spec: EpisodeSpec, split: str) -> None:
        own = len(self.held[0])
        if (spec.ways, min(spec.shots, TRAIN)) != (own, spec.shots):
            raise ValueError(
                f"shots.ways={spec.ways}, shots={spec.shots}: a client has {own} characters and "
                f"{TRAIN} drawings of each that train. Use shots.ways={own} and at most {TRAIN}"
            )

    def _shifted(self, x: Tensor, draws: Draws) -> Tensor:
        """Each moved by up to `shift` pixels, down and right, with no ink where it comes from."""
        s = self.shift
        words = [int(word) * (2 * s + 1) >> 64 for word in draws.words(IMAGES, 2 * len(x))]
        places = zip(F.pad(x, (s, s, s, s)), words[::2], words[1::2], strict=True)
        return torch.stack([p[:, i : i + 28, j : j + 28] for p, i, j in places])
