"""Joint training, the k = 1 case: the baseline that every meta-learner must beat."""

from __future__ import annotations

from dataclasses import dataclass

from fewstep.adapters.gradient import InnerLoop
from fewstep.core.net import Net
from fewstep.core.rules import State, total_of
from fewstep.core.types import Episode, Metrics, Params, Task


@dataclass(frozen=True)
class Joint:
    """Descend the average loss of all tasks, without adapting to any (section 5.1, k = 1).

    `direction = mean_j grad L_j(phi)` over the minibatches j of the inner loop, each taken at the
    initialization itself: as many inner gradients as Reptile takes, but none sees another.
    The inner rule does not move anything; it still meets the gradients, so that meta-test starts
    from a trained second moment here as it does for the others.
    """

    inner: InnerLoop
    needs_queries: bool = False
    replacement: bool = False

    @property
    def batches(self) -> int:
        return self.inner.steps

    def direction(
        self, net: Net, params: Params, state: State, episode: Episode, task: Task
    ) -> tuple[Params, State, Metrics]:
        grads, metrics, whole = [], {}, self.inner.whole
        for batch in episode.batches:
            x, y = episode.support_x[batch], episode.support_y[batch]
            metrics, grad = whole.gradient(net, params, x, y, task)
            _, state = self.inner.rule.step(params, grad, state)
            grads.append(grad)
        direction = {name: g / len(grads) for name, g in total_of(grads).items()}
        return direction, state, metrics
