"""An initialization in hand: from a few examples a class to a classifier."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn

from fewstep.adapters.gradient import InnerLoop
from fewstep.adapters.heads import HEADS
from fewstep.core.memory import copied
from fewstep.core.net import Net
from fewstep.core.objectives import Classification
from fewstep.core.rules import Rule
from fewstep.core.types import Params, Start, State
from fewstep.data.images.preparation import Preparation
from fewstep.data.row_preparation import RowPreparation
from fewstep.messages.errors import ConfigError, did_you_mean
from fewstep.use.classifier import Classifier
from fewstep.use.inputs import kept_of
from fewstep.use.labels import classes_of
from fewstep.use.learning import Learner, Unfit
from fewstep.use.origin import Origin
from fewstep.use.regressor import Regressor
from fewstep.use.settings import check_parts, check_steps, warn_of_steps, whole
from fewstep.use.surroundings import as_usual
from fewstep.use.way import Way


SETTINGS = ("steps", "batch_size", "seed", "head")
"""Of the inner loop, that a user may choose."""


@dataclass(frozen=True)
class Initialization:
    """A network, where it starts a task, and how it learns one.

    `fewstep.load` makes one from a training; `Initialization.of` from a module.
    """

    learner: Learner
    preparation: Preparation | None
    """How pictures become inputs; None for rows of numbers."""
    origin: Origin
    card: str = ""
    """What it was trained on, how good it is, and its limits."""
    rows: RowPreparation | None = None
    """How rows become inputs, where there is no preparation and the training says it."""

    @classmethod
    @as_usual()
    def of(
        cls,
        module: nn.Module,
        rule: Rule,
        *,
        ways: int,
        preparation: Preparation | None = None,
        **settings: Any,
    ) -> Initialization:
        """The initialization that a module's own parameters are.

        Args:
            module: from inputs [B, *x] to logits [B, ways]; it is copied to the CPU, and stays as
                it is.
            rule: the inner optimizer, as `fewstep.core.rules.SGD(0.05)`.
            ways: outputs of the module, two or more.
            preparation: how pictures become inputs; None for rows of numbers.
            settings: as `adapt` takes them; 50 steps on all examples where they are not given.

        Raises:
            ValueError: a setting that there is not, a value that it cannot have, or what is no
                network or no rule.
        """
        check_parts(module, rule)
        module, ways = copied(module).cpu(), whole("ways", ways, 2)
        inner, params = InnerLoop(rule, 50), Net(module).params()
        start = start_of(module, inner, rule.learned(params), {})
        learner = Learner(module, start, inner, Classification(), ways, 50, None)
        made = cls(learner, preparation, Origin(type(module).__name__))
        return made.with_settings(**settings)

    def __repr__(self) -> str:
        return f"<Initialization {self.origin.name}, trained for {self.ways} ways>"

    def __deepcopy__(self, memo: dict[int, Any]) -> Initialization:
        """Itself: nothing changes an initialization, and estimators are cloned often."""
        return self

    @property
    def ways(self) -> int:
        """The classes of the tasks that it was trained on; it adapts to any number."""
        return self.learner.ways

    def with_settings(self, **changed: Any) -> Initialization:
        """The same with other `steps`, `batch_size`, `seed` or `head`; None leaves one as it is.

        Raises:
            ValueError: a value that it cannot have.
        """
        if unknown := changed.keys() - set(SETTINGS):
            raise ConfigError(
                f"{min(unknown)}: there is no such setting.{did_you_mean(min(unknown), SETTINGS)} "
                f"There are {', '.join(SETTINGS)}"
            )
        known = {name: value for name, value in changed.items() if value is not None}
        for name, least in (("steps", 0), ("batch_size", 1), ("seed", 0)):
            if name in known:
                known[name] = whole(name, known[name], least)
        inner, head = self.learner.inner, known.pop("head", self.learner.inner.head)
        if not isinstance(head, str) or head not in HEADS:
            raise ConfigError(
                f"head={head}: of init={self.origin.name} it must be one of {', '.join(HEADS)}."
                f"{did_you_mean(str(head), HEADS)} For example head=mean"
            )
        check_steps(inner.rule, known.get("steps", self.learner.steps), self.origin.name)
        if "steps" in known:
            warn_of_steps(inner, known["steps"], self.origin.name)
        return replace(
            self, learner=replace(self.learner, inner=replace(inner, head=head), **known)
        )

    def inputs(self, images: Any) -> Tensor:
        """Pictures (or rows) of any form as they are kept: pixels [n, S, S, C] uint8, or [n, d].

        Raises:
            ValueError: what is no picture, by its place; or rows of another length.
        """
        return kept_of(images, self.preparation, self.rows)

    def adapt(self, images: Any, labels: Any, **settings: Any) -> Classifier:
        """A classifier of the given classes.

        Args:
            images: arrays [n, H, W(, C)] (uint8, or numbers from 0 to 1), PIL images, paths or
                tensors; rows [n, d] for an initialization of rows. Any size: they are prepared.
            labels: n hashable values; any number of classes from two, of unequal sizes if need be,
                one picture a class is enough.
            settings: of the inner loop, where it is not to be as it was trained to be used:
                `steps`; `batch_size`, examples a step; `seed`, of their order; `head`, where the
                last linear layer starts (`algorithm.inner.head`).

        Raises:
            ValueError: naming what is wrong with which picture or label, and the fix.
        """
        if settings:
            return self.with_settings(**settings).adapt(images, labels)
        return self.adapt_kept(self.inputs(images), labels)

    @as_usual()
    def adapt_kept(self, kept: Tensor, labels: Any) -> Classifier:
        """The same from pixels [n, S, S, C] uint8, or rows [n, d], as `inputs` gives them."""
        if not isinstance(self.learner.objective, Classification):
            raise ConfigError(
                f"init={self.origin.name}: was trained on values, not on classes. From Python, "
                "fewstep.load(...).regress(x, y) learns from points"
            )
        classes, y = classes_of(labels, len(kept))
        try:
            return Classifier.learned(self.way(), classes, kept, y)
        except Unfit as error:
            raise ConfigError(f"init={self.origin.name}: {error}") from None

    @as_usual()
    def regress(self, x: Any, y: Any, **settings: Any) -> Regressor:
        """What adapts to points: the counterpart of `adapt` where tasks are regressions.

        Args:
            x: points, rows of numbers [n, d], or n numbers for d = 1.
            y: their values, [n] or [n, D].
            settings: as `adapt` takes them.

        Raises:
            ValueError: it was trained on classes, or what is wrong with x or y, and the fix.
        """
        if isinstance(self.learner.objective, Classification):
            raise ConfigError(
                f"init={self.origin.name}: was trained on classes, not on values. Use "
                "adapt(images, labels)"
            )
        try:
            return Regressor.learned(self.with_settings(**settings).learner, x, y)
        except Unfit as error:
            raise ConfigError(f"init={self.origin.name}: {error}") from None

    def way(self) -> Way:
        """How its classifiers are learned and asked."""
        learner = self.learner
        return Way(self.preparation, learner.learn, learner.left_out, self.origin, rows=self.rows)


def start_of(module: nn.Module, inner: InnerLoop, learned: Params, state: State) -> Start:
    """Where tasks start: the network's parameters, what the rule learned, and its memory."""
    params = Net(module).params()
    return Start({**params, **learned}, state or inner.rule.init(params))
