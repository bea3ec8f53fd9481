"""Federated Reptile over networks of several widths, inspired by HARMONY, whose algorithm is not
public: what is here is a reading of its abstract."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fewstep.algorithms.algorithm import refuse_fixed, refuse_learned
from fewstep.algorithms.reptile import Reptile
from fewstep.core.peek import seen
from fewstep.core.problem import Problem
from fewstep.core.types import Episode, Params


SERVER = "server."  # begins the names of what the server learns


@dataclass(frozen=True)
class Harmony(Reptile):
    """A round: every client learns its own classes with its part of the network (Reptile's inner
    loop), hands over features of its examples, and the server learns from all of these.

    The server's loss is the cross-entropy of its logits and `mu` times the supervised contrast of
    what it sees in the features, across clients; the features are constants there.
    """

    mu: float = 0.0
    tau: float = 0.2
    server_lr: float = 0.1
    server_steps: int = 3

    uploads = True

    def __post_init__(self) -> None:
        refuse_learned(self.inner, "Harmony")
        refuse_fixed(self.inner, "Harmony", SERVER)
        for name in ("tau", "server_lr"):
            if not getattr(self, name) > 0:
                raise ValueError(f"algorithm.{name}={getattr(self, name)}: must be above 0")
        for name in ("mu", "server_steps"):
            if getattr(self, name) < 0:
                raise ValueError(f"algorithm.{name}={getattr(self, name)}: must be at least 0")

    def upload(self, problem: Problem, end: Params, episode: Episode) -> Params:
        """A client's features [clients, S, D] and classes [clients, S], in its own place and 0 in
        those of the others, so that a sum gathers them."""
        given = problem.given(episode)
        z = seen(problem.net, end, episode.support_x, "cut", given)[0]
        place = torch.arange(len(given["widths"]), device=z.device) == given["client"]
        mine = place.to(z.dtype)
        y = episode.support_y.to(z.dtype)
        return {"z": mine[:, None, None] * z, "y": mine[:, None] * y, "here": mine}

    def together(self, module: nn.Module, params: Params, uploads: Params) -> Params:
        """Where the server's steps on the features of all clients lead, as a direction."""
        if not torch.equal(uploads["here"], torch.ones_like(uploads["here"])):
            raise ValueError("the tasks of a round must be each client once")
        z, y = uploads["z"].flatten(0, 1), uploads["y"].flatten().round().long()
        before = {n: p.detach() for n, p in params.items() if n.startswith(SERVER)}
        now = before
        for _ in range(self.server_steps):
            grads = torch.func.grad(lambda server: self._loss(module, server, z, y))(now)
            now = {n: p - self.server_lr * grads[n] for n, p in now.items()}
        return {n: p - now[n] for n, p in before.items()}

    def _loss(self, module: nn.Module, server: Params, z: Tensor, y: Tensor) -> Tensor:
        named = {n.removeprefix(SERVER): p for n, p in server.items()}
        h, logits = torch.func.functional_call(module.get_submodule("server"), named, (z,))
        loss = F.cross_entropy(logits, y)
        return loss + self.mu * contrast(F.normalize(h), y, self.tau).mean() if self.mu else loss


def contrast(h: Tensor, y: Tensor, tau: float) -> Tensor:
    """Supervised contrast (Khosla et al. 2020, eq. 2) of unit features h [B, D] with classes y:
    [B], minus the mean log-likelihood of an example's class mates among all others."""
    itself = torch.eye(len(h), dtype=torch.bool, device=h.device)
    likeness = (h @ h.T / tau).masked_fill(itself, -torch.inf)
    log_share = (likeness - likeness.logsumexp(1, keepdim=True)).masked_fill(itself, 0.0)
    mates = (y[:, None] == y) & ~itself
    return -(log_share * mates).sum(1) / mates.sum(1).clamp(min=1)
