"""learn2learn 0.2, as its documentation and example scripts have it.

MAML and FOMAML: `clone()`, `adapt()`, `backward()` (docs of `learn2learn.algorithms.MAML`).
Reptile: examples/vision/reptile_miniimagenet.py, where a task gets a copy of the net and a PyTorch
Adam that loads the state the task before left behind.
"""

from __future__ import annotations

import contextlib
import copy
import io
from collections.abc import Sequence

import torch.nn.functional as F

from fewstep.core.types import Episode
from peers.side import Peer, torch_optimizer


with contextlib.redirect_stderr(io.StringIO()):  # gym, which it imports, says that it is retired
    import learn2learn as l2l


class Learn2Learn(Peer):
    """Tasks one after another."""

    name = "learn2learn"

    def setup(self) -> None:
        first_order = self.work.algorithm == "fomaml"
        self.maml_module = l2l.algorithms.MAML(self.model, self.work.lr, first_order=first_order)
        self.state = torch_optimizer(self.work, self.model.parameters()).state_dict()

    def reptile(self, episodes: Sequence[Episode]) -> None:
        for episode in episodes:
            learner = copy.deepcopy(self.model)
            optimizer = torch_optimizer(self.work, learner.parameters())
            optimizer.load_state_dict(self.state)
            for x, y in self.work.minibatches(episode):
                optimizer.zero_grad()
                F.cross_entropy(learner(x), y).backward()
                optimizer.step()
            self.state = optimizer.state_dict()
            self.add_way_back(learner.parameters())

    def maml(self, episodes: Sequence[Episode]) -> None:
        for episode in episodes:
            learner = self.maml_module.clone()
            for x, y in self.work.minibatches(episode):
                learner.adapt(F.cross_entropy(learner(x), y))
            F.cross_entropy(learner(episode.query_x), episode.query_y).backward()

    fomaml = maml  # the same calls with `first_order=True`
