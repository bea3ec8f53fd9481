"""higher 0.2, as its documentation has it: `innerloop_ctx` and `diffopt.step(loss)`.

First order goes without the graph of the updates (`track_higher_grads=False`). higher's Adam has
epsilon where TensorFlow has it; it keeps a first moment even for beta1 = 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import higher
import torch
import torch.nn.functional as F

from fewstep.core.types import Episode
from peers.side import Peer
from peers.work import BETA2


class Higher(Peer):
    """Tasks one after another."""

    name = "higher"

    def setup(self) -> None:
        params = list(self.model.parameters())
        if self.work.rule == "sgd":
            self.optimizer: torch.optim.Optimizer = torch.optim.SGD(params, lr=self.work.lr)
        else:
            betas = (0.0, BETA2)
            self.optimizer = torch.optim.Adam(params, self.work.lr, betas=betas, eps=self.work.eps)

    def _loop(self, second_order: bool = False) -> Any:
        return higher.innerloop_ctx(
            self.model,
            self.optimizer,
            copy_initial_weights=False,
            track_higher_grads=second_order,
        )

    def reptile(self, episodes: Sequence[Episode]) -> None:
        for episode in episodes:
            with self._loop() as (learner, optimizer):
                for x, y in self.work.minibatches(episode):
                    optimizer.step(F.cross_entropy(learner(x), y))
                # The next task's optimizer starts from the state that this one leaves.
                for parameter, state in zip(
                    self.model.parameters(), optimizer.state[0].values(), strict=False
                ):
                    self.optimizer.state[parameter] = state
                self.add_way_back(learner.parameters())

    def fomaml(self, episodes: Sequence[Episode]) -> None:
        for episode in episodes:
            with self._loop() as (learner, optimizer):
                for x, y in self.work.minibatches(episode):
                    optimizer.step(F.cross_entropy(learner(x), y))
                loss = F.cross_entropy(learner(episode.query_x), episode.query_y)
                self.add(torch.autograd.grad(loss, list(learner.parameters())))

    def maml(self, episodes: Sequence[Episode]) -> None:
        for episode in episodes:
            with self._loop(second_order=True) as (learner, optimizer):
                for x, y in self.work.minibatches(episode):
                    optimizer.step(F.cross_entropy(learner(x), y))
                F.cross_entropy(learner(episode.query_x), episode.query_y).backward()
