"""fewstep from its public pieces: what `MetaLearner` does, without Lightning around it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn

from fewstep.adapters.gradient import InnerLoop
from fewstep.adapters.meta_test import Setting, evaluate_task
from fewstep.algorithms import Algorithm
from fewstep.algorithms.fomaml import FOMAML
from fewstep.algorithms.maml import MAML
from fewstep.algorithms.reptile import Reptile
from fewstep.core.net import Net
from fewstep.core.objectives import Classification
from fewstep.core.rules import SGD, Adam, Rule
from fewstep.core.types import Episode, EpisodeSpec, Start
from fewstep.execution.choice import make_execution
from fewstep.execution.meta_batch import MetaBatch
from peers.work import BETA2, Work


ALGORITHMS = {"reptile": Reptile, "fomaml": FOMAML, "maml": MAML, "meta_test": Reptile}


class Fewstep:
    """`execution: auto`, channels-last, the state of Adam carried from task to task."""

    name = "fewstep"

    def __init__(self, work: Work, model: nn.Module) -> None:
        adam = Adam(work.lr, beta2=BETA2, eps=work.eps)
        rule: Rule = adam if work.rule == "adam" else SGD(work.lr)
        self.inner = InnerLoop(rule, work.steps, work.batch_size, loss="mean", state="carry")
        self.algorithm: Algorithm = ALGORITHMS[work.algorithm](self.inner)
        self.model = model.to(memory_format=torch.channels_last)
        self.net, self.objective = Net(self.model), Classification()
        self.execution = make_execution("auto", self.model, torch.device("cpu"))
        self.state = rule.init(self.net.params())
        self.meta_batch = MetaBatch(self.algorithm, self.objective)
        spec = EpisodeSpec(work.ways, work.shots, work.queries, work.steps, work.batch_size)
        self.setting = Setting(spec, curve_steps=(work.steps,))

    @staticmethod
    def net(work: Work) -> nn.Module:
        """The library's own."""
        return work.model()

    def directions(self, episodes: Sequence[Episode]) -> None:
        """Leave the tasks' mean direction in `.grad` of the model's parameters."""
        start = Start(self.net.params(), self.state)
        total, self.state, _ = self.meta_batch.total(self.execution, start, episodes)
        for name, parameter in self.model.named_parameters():
            parameter.grad = total[name] / len(episodes)

    def meta_test(self, episodes: Sequence[Episode]) -> dict[str, Tensor]:
        """For each protocol, [tasks, 2]: the loss and the accuracy of every task."""
        evaluate = partial(
            evaluate_task, inner=self.inner, objective=self.objective, setting=self.setting
        )
        outcomes = self.execution.map(evaluate, (Start(self.net.params(), self.state),), episodes)
        return {
            protocol: torch.stack(
                [torch.cat([o[protocol]["loss"], o[protocol]["acc"]]) for o in outcomes]
            )
            for protocol in self.setting.protocols
        }
