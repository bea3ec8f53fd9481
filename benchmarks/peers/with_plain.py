"""A plain PyTorch loop, as one would write it by hand and with care.

One working copy of the net and one `torch.optim` optimizer over it, both made once: a task starts
by copying the initialization into the working copy, and Adam's state stays where it is. The second
order goes through `torch.func.functional_call`.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from fewstep.core.types import Episode
from fewstep.models.layers import SameConv2d
from peers.side import Peer, torch_optimizer
from peers.work import Work


class Plain(Peer):
    """Tasks one after another."""

    name = "plain loop"

    def setup(self) -> None:
        self.learner = copy.deepcopy(self.model)
        self.params = list(self.learner.parameters())
        self.optimizer = torch_optimizer(self.work, self.params)

    @torch.no_grad()
    def _restart(self) -> None:
        for own, initial in zip(self.params, self.model.parameters(), strict=True):
            own.copy_(initial)

    def _adapt(self, episode: Episode) -> None:
        for x, y in self.work.minibatches(episode):
            self.optimizer.zero_grad()
            F.cross_entropy(self.learner(x), y).backward()
            self.optimizer.step()

    def reptile(self, episodes: Sequence[Episode]) -> None:
        for episode in episodes:
            self._restart()
            self._adapt(episode)
            self.add_way_back(self.params)

    def fomaml(self, episodes: Sequence[Episode]) -> None:
        for episode in episodes:
            self._restart()
            self._adapt(episode)
            loss = F.cross_entropy(self.learner(episode.query_x), episode.query_y)
            self.add(torch.autograd.grad(loss, self.params))

    def maml(self, episodes: Sequence[Episode]) -> None:
        initial = dict(self.model.named_parameters())
        for episode in episodes:
            params = initial
            for x, y in self.work.minibatches(episode):
                loss = F.cross_entropy(functional_call(self.model, params, (x,)), y)
                grads = torch.autograd.grad(loss, list(params.values()), create_graph=True)
                steps = zip(params.items(), grads, strict=True)
                params = {name: p - self.work.lr * g for (name, p), g in steps}
            outputs = functional_call(self.model, params, (episode.query_x,))
            F.cross_entropy(outputs, episode.query_y).backward()

    def meta_test(self, episodes: Sequence[Episode]) -> dict[str, Tensor]:
        """Every task starts from the optimizer's state as it was before the first one."""
        trained = self.optimizer.state_dict()["state"]
        trained = {i: {k: v.clone() for k, v in s.items()} for i, s in trained.items()}
        results: dict[str, list[Tensor]] = {"inductive": [], "transductive": []}
        for episode in episodes:
            self._restart()
            whole = {"state": trained, "param_groups": self.optimizer.state_dict()["param_groups"]}
            self.optimizer.load_state_dict(copy.deepcopy(whole))
            self._adapt(episode)
            with torch.no_grad():
                together = self.learner(episode.query_x)
                alone = [
                    self.learner(torch.cat([episode.support_x, query[None]]))[-1]
                    for query in episode.query_x
                ]
            results["transductive"].append(_measure(together, episode.query_y))
            results["inductive"].append(_measure(torch.stack(alone), episode.query_y))
        return {protocol: torch.stack(values) for protocol, values in results.items()}


class PlainOnOurNet(Plain):
    """The same loop around fewstep's net: what of the difference is the convolution's."""

    name = "plain loop, fewstep's net"

    @staticmethod
    def net(work: Work) -> nn.Module:
        """The library's own, with the biases that it leaves out in front of a batch norm: a plain
        loop asks for their gradients."""
        model = work.model()
        for layer in model.modules():
            if isinstance(layer, SameConv2d):
                layer.normalized = False
        return model


def _measure(outputs: Tensor, targets: Tensor) -> Tensor:
    """[2]: loss and accuracy."""
    right = (outputs.argmax(dim=1) == targets).to(outputs.dtype)
    return torch.stack([F.cross_entropy(outputs, targets), right.mean()])
