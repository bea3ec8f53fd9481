"""MAML (Finn, Abbeel and Levine 2017), second order through any number of inner steps."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from fewstep.inner import InnerLoop
from fewstep.net import Net
from fewstep.rules import State, detach_state
from fewstep.types import Episode, Metrics, Params, Task


@dataclass(frozen=True)
class MAML:
    """The gradient of the query loss after adaptation, with respect to the initialization.

    `direction = d/dphi L_query(U^k(phi))`, through the whole inner loop (section 2, eq. 2).
    The state of the inner rule is a constant of the task: no derivative flows into it from the
    tasks before.
    """

    inner: InnerLoop
    needs_queries: bool = True
    replacement: bool = False

    @property
    def batches(self) -> int:
        return self.inner.steps

    def direction(
        self, net: Net, params: Params, state: State, episode: Episode, task: Task
    ) -> tuple[Params, State, Metrics]:
        def outer_objective(params: Params) -> tuple[Tensor, tuple[State, Metrics]]:
            adapted = self.inner.adapt(net, params, state, episode, task)
            outputs = net(adapted.params, episode.query_x)
            metrics = task.metrics(outputs.detach(), episode.query_y)
            loss = task.outer_loss(outputs, episode.query_y).mean()
            return loss, (detach_state(adapted.state), metrics)

        # A leaf of our own: adapting from it is differentiable, and its gradient is first order.
        (state, metrics), direction = net.value_and_grad(outer_objective, params)
        return direction, state, metrics
