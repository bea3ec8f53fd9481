"""First-order MAML (Finn, Abbeel and Levine 2017, section 5.2; Nichol et al. 2018, section 2)."""

from __future__ import annotations

from torch import Tensor

from fewstep.adapters.gradient import InnerLoop
from fewstep.algorithms import refuse_fixed
from fewstep.core.net import Net
from fewstep.core.rules import State
from fewstep.core.types import Episode, Metrics, Params, Task


TAILS = ("separate", "cycle", "replacement")
DIRECTIONS = ("gradient", "last_step")


class FOMAML:
    """Adapt, then take the gradient of one more minibatch, the tail, at the adapted parameters.

    `direction = grad L_tail(phi~)`: MAML's gradient with the derivative of the inner loop
    replaced by the identity. `inner.steps` counts the updates before the tail, so the authors'
    `inner_iters` is `steps + 1`.
    """

    def __init__(
        self, inner: InnerLoop, tail: str = "separate", direction: str = "gradient"
    ) -> None:
        """
        Args:
            inner: the inner loop before the tail.
            tail: where the tail comes from (section 6.3): the query set (`separate`), the next
                minibatch of the support's stream (`cycle`), or one drawn anew like all the others
                (`replacement`).
            direction: `gradient` is that of the mean outer loss of the tail. `last_step` is the
                inner rule's own step on the tail, as the authors' code has it (trap 13): it
                carries the inner learning rate and, under Adam, its scaling.

        Raises:
            ValueError: an unknown tail or direction.
        """
        if tail not in TAILS:
            raise ValueError(f"algorithm.tail={tail!r}: must be one of {', '.join(TAILS)}")
        if direction not in DIRECTIONS:
            known = ", ".join(DIRECTIONS)
            raise ValueError(f"algorithm.direction={direction!r}: must be one of {known}")
        if direction == "last_step":
            refuse_fixed(inner, "algorithm.direction=last_step")
        self.inner = inner
        self.tail = tail
        self.last_step = direction == "last_step"

    @property
    def needs_queries(self) -> bool:
        return self.tail == "separate"

    @property
    def replacement(self) -> bool:
        return self.tail == "replacement"

    @property
    def batches(self) -> int:
        return self.inner.steps + (self.tail != "separate")

    def direction(
        self, net: Net, params: Params, state: State, episode: Episode, task: Task
    ) -> tuple[Params, State, Metrics]:
        rows = slice(0, self.inner.steps)
        adapted = self.inner.adapt(net, params, state, episode, task, rows)
        x, y = self._tail(episode)
        if self.last_step:
            metrics, grads = self.inner.gradient(net, adapted.params, x, y, task)
            end, last = self.inner.rule.step(adapted.params, grads, adapted.state)
            return {n: p - end[n] for n, p in adapted.params.items()}, last, metrics

        outputs, grads = net.run(_outer_gradient, (task,), adapted.params, x, y)
        return grads, adapted.state, task.metrics(outputs, y)

    def _tail(self, episode: Episode) -> tuple[Tensor, Tensor]:
        if self.tail == "separate":
            return episode.query_x, episode.query_y
        last = episode.batches[self.inner.steps]
        return episode.support_x[last], episode.support_y[last]


def _outer_gradient(
    net: Net, task: Task, params: Params, x: Tensor, y: Tensor
) -> tuple[Tensor, Params]:
    def objective(params: Params) -> tuple[Tensor, Tensor]:
        outputs = net(params, x)
        return task.outer_loss(outputs, y).mean(), outputs.detach()

    return net.value_and_grad(objective, params)
