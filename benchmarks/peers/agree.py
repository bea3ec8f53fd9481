"""Before anything is timed: do all sides compute the same thing?

Directions are compared under SGD in float64, without the convolutions' biases: they feed a batch
norm, so that their true gradient is zero and what they hold is rounding.

Under Adam the tasks come one by one, since fewstep merges the states of tasks that ran side by side
and the peers hand it on, and with an epsilon of nearly nothing, since half of the sides add it
before the bias correction and half after.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from peers.side import Peer, Settings, Side
from peers.with_fewstep import Fewstep
from peers.with_plain import Plain
from peers.work import Work


TOLERANCE = 1e-9
"""Relative, in float64 under SGD."""
ADAM_TOLERANCE = 1e-4
"""TorchOpt's compiled Adam keeps its constants in float32."""


def check(work: Work, sides: Sequence[type[Peer]]) -> dict[str, float]:
    """The largest relative difference from fewstep, for each kind of comparison.

    Raises:
        SystemExit: some side computes something else.
    """
    sgd = dataclasses.replace(work, rule="sgd", lr=0.01, tasks=min(work.tasks, 5))
    if work.algorithm == "meta_test":
        return {"meta_test": _check_meta_test(sgd)}
    found = {"sgd": _check_directions(sgd, sides, TOLERANCE)}
    if work.rule == "adam":
        adam = dataclasses.replace(work, tasks=2, eps=1e-30)
        found["adam"] = _check_directions(adam, sides, ADAM_TOLERANCE)
    return found


def _check_directions(work: Work, sides: Sequence[type[Peer]], tolerance: float) -> float:
    ours = _direction(Fewstep(work, Fewstep.net(work).double()), work)
    worst = 0.0
    for side in sides:
        for workers in side.workers(2):
            made = side(work, side.net(work).double(), Settings(workers=workers))
            difference = float((_direction(made, work) - ours).norm() / ours.norm())
            if not difference <= tolerance:
                raise SystemExit(
                    f"{work.key} under {work.rule}: the direction of {side.name} ({made.settings}) "
                    f"differs from fewstep's by {difference:.1e} (allowed {tolerance:.0e})"
                )
            worst = max(worst, difference)
    return worst


def _direction(made: Side, work: Work) -> Tensor:
    episodes = work.episodes(torch.float64)
    no_gradient = {
        f"{path}.bias" for path, layer in made.model.named_modules() if isinstance(layer, nn.Conv2d)
    }
    parts = []
    for batch in [episodes] if work.rule == "sgd" else [[episode] for episode in episodes]:
        made.directions(batch)
        named = made.model.named_parameters()
        parts += [p.grad.flatten() for name, p in named if name not in no_gradient]
    return torch.cat(parts)


def _check_meta_test(work: Work) -> float:
    """Both protocols' loss (which reads the logits) and accuracy, task by task."""
    episodes = work.episodes(torch.float64)
    ours, plain = (
        side(work, side.net(work).double()).meta_test(episodes) for side in (Fewstep, Plain)
    )
    worst = max(float(((plain[p] - ours[p]).abs() / (1 + ours[p].abs())).max()) for p in ours)
    if not worst <= TOLERANCE:
        raise SystemExit(f"meta-test: the plain loop differs from fewstep by {worst:.1e}")
    return worst
