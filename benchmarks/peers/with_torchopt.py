"""TorchOpt 0.7, as its documentation has it.

MAML: `MetaSGD`, `extract_state_dict` and `recover_state_dict` (tutorials and
examples/few-shot/maml_omniglot.py). First order: its classic optimizers, which are used like
`torch.optim`, on a working copy of the net. Its Adam adds epsilon after the bias correction and
keeps a first moment even for beta1 = 0.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
import torch.nn.functional as F
import torchopt

from fewstep.core.types import Episode
from peers.side import Peer
from peers.work import BETA2, Work


class TorchOpt(Peer):
    """Tasks one after another."""

    name = "TorchOpt"

    @staticmethod
    def compiles(work: Work) -> bool:
        return work.algorithm != "maml"

    def setup(self) -> None:
        if self.work.algorithm == "maml":
            self.meta_optimizer = torchopt.MetaSGD(self.model, lr=self.work.lr)
            return
        self.learner = copy.deepcopy(self.model)
        self.params = list(self.learner.parameters())
        compiled = self.settings.compiled
        self.outputs = torch.compile(self.learner, dynamic=False) if compiled else self.learner
        if self.work.rule == "sgd":
            self.optimizer: torchopt.Optimizer = torchopt.SGD(self.params, lr=self.work.lr)
        else:
            self.optimizer = torchopt.Adam(
                self.params,
                lr=self.work.lr,
                betas=(0.0, BETA2),
                eps=self.work.eps,
                use_accelerated_op=True,
            )

    def _adapt(self, episode: Episode) -> None:
        with torch.no_grad():
            for own, initial in zip(self.params, self.model.parameters(), strict=True):
                own.copy_(initial)
        for x, y in self.work.minibatches(episode):
            self.optimizer.zero_grad(set_to_none=True)
            F.cross_entropy(self.outputs(x), y).backward()
            self.optimizer.step()

    def reptile(self, episodes: Sequence[Episode]) -> None:
        for episode in episodes:
            self._adapt(episode)
            self.add_way_back(self.params)

    def fomaml(self, episodes: Sequence[Episode]) -> None:
        for episode in episodes:
            self._adapt(episode)
            loss = F.cross_entropy(self.outputs(episode.query_x), episode.query_y)
            self.add(torch.autograd.grad(loss, self.params))

    def maml(self, episodes: Sequence[Episode]) -> None:
        start = torchopt.extract_state_dict(self.model, by="reference")
        start_optimizer = torchopt.extract_state_dict(self.meta_optimizer, by="reference")
        for episode in episodes:
            for x, y in self.work.minibatches(episode):
                self.meta_optimizer.step(F.cross_entropy(self.model(x), y))
            loss = F.cross_entropy(self.model(episode.query_x), episode.query_y)
            torchopt.recover_state_dict(self.model, start)
            torchopt.recover_state_dict(self.meta_optimizer, start_optimizer)
            loss.backward()
