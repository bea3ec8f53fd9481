"""What an algorithm is, and what some of them refuse."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import nn

from fewstep.adapters.gradient import InnerLoop
from fewstep.adapters.partition import written
from fewstep.core.problem import Problem
from fewstep.core.types import Episode, EpisodeSpec, Metrics, Params, Start, State


class Algorithm(ABC):
    """A small object with fields and one method. To add one, write a subclass in a file of its own
    and a YAML that names it; no list of algorithms has to be changed."""

    inner: InnerLoop

    needs_queries: bool = False
    """Whether training reads the query set at all."""
    has_inner_loop: bool = True
    """Whether tasks take inner steps. False where the network takes the support set itself: then
    `inner` has no steps, and meta-test takes none."""
    replacement: bool = False
    """Whether each minibatch is drawn on its own (see `EpisodeSpec.replacement`)."""
    uploads: bool = False
    """Whether something is learned from what all tasks of a meta-batch hand over together, by
    `upload` and `together`."""

    @property
    def batches(self) -> int:
        """Inner minibatches that an episode must hold."""
        return self.inner.steps

    def gradients(self, spec: EpisodeSpec) -> int:
        """Gradients that a training task of this spec costs, each of one minibatch: those of the
        inner loop, and the one of the queries. By this, `budget.gradients` compares equal work.

        An algorithm that takes others says so here; products with a Hessian are counted apart.
        """
        return self.batches + self.needs_queries

    def hessian_products(self) -> int:
        """Products of a Hessian, of an inner step's loss, with a vector that a training task costs:
        about two gradients each, which no budget counts and a report shows beside them."""
        return 0

    def examples(self, spec: EpisodeSpec) -> int:
        """Examples whose loss these gradients are of, each as often as it is met, for
        `budget.examples`."""
        minibatch = spec.batch_size or spec.ways * spec.shots
        return self.batches * minibatch + self.needs_queries * spec.ways * spec.queries

    @abstractmethod
    def direction(
        self, problem: Problem, start: Start, episode: Episode
    ) -> tuple[Params, State, Metrics]:
        """What one task hands the outer optimizer as the gradient, for every name in
        `start.params`; the state of the inner rule that it leaves behind; and scalars to log.

        Pure: nothing that goes in is changed, nothing random happens inside, and no other task or
        device is known.
        """

    def upload(self, problem: Problem, end: Params, episode: Episode) -> Params:
        """What a task hands over, at the parameters less its direction: tensors by name, which are
        summed over tasks and ranks. A place of its own in each makes that a gathering. Pure."""
        raise NotImplementedError

    def together(self, module: nn.Module, params: Params, uploads: Params) -> Params:
        """Directions that the sums of `upload` give, for some names, in the place of the tasks'
        own. Every rank works them out for itself, alike."""
        raise NotImplementedError

    def at(self, meta_iteration: int, of: int) -> Algorithm:
        """What takes its place at a meta-iteration; asked once before each."""
        return self

    @property
    def turns(self) -> tuple[int, ...]:
        """Meta-iterations from which on what takes its place costs more or less than before."""
        return ()


def refuse_fixed(inner: InnerLoop, algorithm: str, but: str | None = None) -> None:
    """Raise ValueError, for an algorithm that learns from what its tasks adapt alone; what names
    begin with whose parameters it learns otherwise."""
    if any(but is None or not name.startswith(but) for name in inner.fixed):
        way_out = f"[{but}*]" if but else "[], or algorithm=maml or fomaml"
        raise ValueError(
            f"{written(inner, 'fixed')}: {algorithm} learns nothing but "
            f"what its tasks adapt{f' and {but}*' if but else ''}, so these would keep their "
            f"random values. Use algorithm.inner.fixed={way_out}"
        )


def refuse_learned(inner: InnerLoop, algorithm: str) -> None:
    """Raise ValueError, for an algorithm that has no derivative by what its inner rule learns."""
    if inner.rule.learns:
        raise ValueError(
            f"algorithm.inner.rule: {algorithm} has no derivative by what "
            f"{type(inner.rule).__name__} learns. Use algorithm=maml or fomaml, or another rule, "
            "for example algorithm.inner.rule=sgd"
        )


def refuse_memory(inner: InnerLoop, algorithm: str) -> None:
    """Raise ValueError, for an algorithm that takes each step for itself."""
    if inner.rule.remembers:
        raise ValueError(
            f"algorithm.inner.rule: {algorithm} needs an inner rule without memory, e.g. sgd, and "
            f"{type(inner.rule).__name__} remembers. Use algorithm.inner.rule=sgd"
        )
