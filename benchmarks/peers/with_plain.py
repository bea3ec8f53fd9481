"""A plain PyTorch loop, as one would write it by hand and with care.

One working copy of the net and one `torch.optim` optimizer over it, both made once: a task starts
by copying the initialization into the working copy, and Adam's state stays where it is. With
several tasks at a time each thread has a copy and a state of its own. The second order goes
through `torch.func.functional_call`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import LifoQueue
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from fewstep.core.types import Episode
from peers.side import Peer, torch_optimizer
from peers.work import Work


Result = TypeVar("Result")


class Worker:
    """A working copy of the net and its optimizer: what works on one task at a time."""

    def __init__(self, work: Work, model: nn.Module, compiled: bool) -> None:
        self.work, self.model = work, model
        self.learner = copy.deepcopy(model)
        self.params = list(self.learner.parameters())
        self.optimizer = torch_optimizer(work, self.params)
        self.outputs: Callable[[Tensor], Tensor] = (
            torch.compile(self.learner, dynamic=False) if compiled else self.learner
        )

    @torch.no_grad()
    def restart(self) -> None:
        for own, initial in zip(self.params, self.model.parameters(), strict=True):
            own.copy_(initial)

    def adapt(self, episode: Episode) -> None:
        self.restart()
        for x, y in self.work.minibatches(episode):
            self.optimizer.zero_grad()
            F.cross_entropy(self.outputs(x), y).backward()
            self.optimizer.step()

    @torch.no_grad()
    def reptile(self, episode: Episode) -> list[Tensor]:
        with torch.enable_grad():
            self.adapt(episode)
        return [p - q for p, q in zip(self.model.parameters(), self.params, strict=True)]

    def fomaml(self, episode: Episode) -> list[Tensor]:
        self.adapt(episode)
        loss = F.cross_entropy(self.outputs(episode.query_x), episode.query_y)
        return list(torch.autograd.grad(loss, self.params))

    def maml(self, episode: Episode) -> list[Tensor]:
        initial = dict(self.model.named_parameters())
        params = initial
        for x, y in self.work.minibatches(episode):
            loss = F.cross_entropy(functional_call(self.learner, params, (x,)), y)
            grads = torch.autograd.grad(loss, list(params.values()), create_graph=True)
            steps = zip(params.items(), grads, strict=True)
            params = {name: p - self.work.lr * g for (name, p), g in steps}
        outputs = functional_call(self.learner, params, (episode.query_x,))
        loss = F.cross_entropy(outputs, episode.query_y)
        return list(torch.autograd.grad(loss, list(initial.values())))

    def test(self, episode: Episode, trained: dict) -> dict[str, Tensor]:
        """Starts from the optimizer's state `trained`."""
        whole = {"state": trained, "param_groups": self.optimizer.state_dict()["param_groups"]}
        self.optimizer.load_state_dict(copy.deepcopy(whole))
        self.adapt(episode)
        with torch.no_grad():
            together = self.outputs(episode.query_x)
            alone = [
                self.outputs(torch.cat([episode.support_x, query[None]]))[-1]
                for query in episode.query_x
            ]
        return {
            "transductive": _measure(together, episode.query_y),
            "inductive": _measure(torch.stack(alone), episode.query_y),
        }


class Plain(Peer):
    """Tasks one after another, or as many at a time as there are threads."""

    name = "plain loop"

    @staticmethod
    def compiles(work: Work) -> bool:
        return work.algorithm != "maml"

    @staticmethod
    def workers(threads: int) -> list[int]:
        return [1, threads]

    def setup(self) -> None:
        count = self.settings.workers
        workers = [Worker(self.work, self.model, self.settings.compiled) for _ in range(count)]
        self.idle: LifoQueue[Worker] = LifoQueue()
        for worker in workers:
            self.idle.put(worker)
        self.first = workers[0]
        self.pool = ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(1,))

    def _each(
        self, do: Callable[[Worker, Episode], Result], episodes: Sequence[Episode]
    ) -> list[Result]:
        def one(episode: Episode) -> Result:
            worker = self.idle.get()
            try:
                return do(worker, episode)
            finally:
                self.idle.put(worker)

        return list((map if self.settings.workers == 1 else self.pool.map)(one, episodes))

    def _add_all(
        self, do: Callable[[Worker, Episode], list[Tensor]], episodes: Sequence[Episode]
    ) -> None:
        for direction in self._each(do, episodes):
            self.add(direction)

    def reptile(self, episodes: Sequence[Episode]) -> None:
        self._add_all(Worker.reptile, episodes)

    def fomaml(self, episodes: Sequence[Episode]) -> None:
        self._add_all(Worker.fomaml, episodes)

    def maml(self, episodes: Sequence[Episode]) -> None:
        self._add_all(Worker.maml, episodes)

    def meta_test(self, episodes: Sequence[Episode]) -> dict[str, Tensor]:
        """Every task starts from the optimizer's state as it was before the first one."""
        state = self.first.optimizer.state_dict()["state"]
        trained = {i: {k: v.clone() for k, v in s.items()} for i, s in state.items()}
        results = self._each(lambda worker, episode: worker.test(episode, trained), episodes)
        return {
            protocol: torch.stack([result[protocol] for result in results])
            for protocol in ("inductive", "transductive")
        }


class PlainOnOurNet(Plain):
    """The same loop around fewstep's net: what of the difference is the convolution's."""

    name = "plain loop, fewstep's net"

    @staticmethod
    def compiles(work: Work) -> bool:
        """Not: what is compiled has the library's convolutions anyway."""
        return False

    @staticmethod
    def net(work: Work) -> nn.Module:
        """The library's own, of which a plain loop asks for the same gradients."""
        return work.lean_model()


def _measure(outputs: Tensor, targets: Tensor) -> Tensor:
    """[2]: loss and accuracy."""
    right = (outputs.argmax(dim=1) == targets).to(outputs.dtype)
    return torch.stack([F.cross_entropy(outputs, targets), right.mean()])
