"""Ways of running a meta-batch at once, beside each other on a GPU: what should `auto` pick there?

Before anything is timed the ways are held against each other; without a GPU that is all.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils import _pytree as pytree

from costs.record import table
from fewstep.bench.clocks import in_turn, quartiles
from fewstep.bench.subject import Subject, open_subject
from fewstep.config.compose import compose_config, plain
from fewstep.core.net import Net
from fewstep.core.problem import Problem
from fewstep.core.types import Episode, Params
from fewstep.execution.base import PerTask
from fewstep.execution.serial import Serial
from fewstep.execution.vmap import every_task, in_plain_memory
from fewstep.models.layers import SameConv2d, _same_padding
from fewstep.programs.recording import record
from fewstep.run.construction.assembly import assemble
from fewstep.run.learner import MetaLearner


ROUNDS, TURN_SECONDS = 7, 0.5
WORDS = {
    "paper's Reptile, 5 tasks": ["trainer=auto"],
    "paper's Reptile, 32 tasks": ["trainer=auto", "meta_batch=32"],
    "MAML, 32 tasks": ["trainer=auto", "algorithm=maml", "meta_batch=32"],
    "paper's Reptile on 84x84 pixels, 5 tasks": [
        "trainer=auto",
        "model=miniimagenet_conv",
        "algorithm.inner.steps=8",
        "dataset.size=84",
        "dataset.classes=60",
    ],
}
COMPILED = "paper's Reptile, 5 tasks"
SMALL = ["trainer.precision=64", "algorithm.inner.rule=sgd", "meta_batch=2"]
SMALL += ["algorithm.inner.steps=2"]
TOLERANCE = 1e-9
"""Of directions under SGD in float64, relative to their norm."""

Way = Callable[[], Params]
"""Directions [tasks, ...] of a fixed meta-batch."""


class Grouped(SameConv2d):
    """Convolutions alone, which `vmap` makes one with a group for each task."""

    def _has_patches(self, x: Tensor) -> bool:
        return False


class OneProduct(SameConv2d):
    """Of stride 2: all patches of a task's images times a matrix, over tasks one product each."""

    def _has_patches(self, x: Tensor) -> bool:
        return self.stride[0] == 2


class ProductsByImage(SameConv2d):
    """A product for each image, its patches by the library."""

    def forward(self, x: Tensor) -> Tensor:
        step, (height, width) = self.stride[0], x.shape[-2:]
        columns, rows = _same_padding(width, step), _same_padding(height, step)
        patches = F.unfold(F.pad(x, (*columns, *rows)), 3, stride=step)
        outputs = self.weight.flatten(1) @ patches
        if not self.normalized:
            outputs = outputs + self.bias[:, None]
        return outputs.unflatten(2, (-(-height // step), -(-width // step)))


FORMS = {"grouped": Grouped, "one product": OneProduct, "products by image": ProductsByImage}
"""Of the convolutions under `vmap`."""


def measure(quick: bool) -> dict[str, Any]:
    """Seconds of each way for each piece of work, or what the ways differ by on a CPU."""
    difference = largest_difference(compiled=not quick)
    if not torch.cuda.is_available():
        return {"gpu": None, "difference": difference}
    device, works = torch.device("cuda"), {}
    for work, words in WORDS.items():
        subject = open_subject(assemble(plain(compose_config("train", words))))
        # Compiling takes a minute a form.
        chosen = ways(subject, compiled=not quick and work == COMPILED)
        turns = {name: partial(_call, way) for name, way in chosen.items()}
        rounds, seconds = (2, 0.0) if quick else (ROUNDS, TURN_SECONDS)
        times = in_turn(turns, device, rounds, seconds)
        works[work] = {name: quartiles(found) for name, found in times.items()}
    return {"gpu": torch.cuda.get_device_name(), "difference": difference, "works": works}


def markdown(figures: dict[str, Any]) -> str:
    """A row a way, or that there was no GPU."""
    title = "## Ways of running a meta-batch on a GPU\n\n"
    if figures["gpu"] is None:
        return (
            f"{title}**Not run: no GPU was at hand.** On the CPU the directions of the ways that "
            f"it can run, under SGD in float64, differ by {figures['difference']:.0e} at most.\n"
        )
    works = figures["works"]
    names = list(works[COMPILED])
    cells = [[n, *(_shown(found.get(n)) for found in works.values())] for n in names]
    head = ["way", *(f"{work}, ms" for work in works)]
    return f"{title}{table(head, cells)}\n\n{figures['gpu']}; medians of the inner loops.\n"


def verdicts(figures: dict[str, Any]) -> dict[str, bool]:
    """Nothing is asked of the times."""
    return {}


def ways(subject: Subject, compiled: bool = True) -> dict[str, Way]:
    """Each way of finding the directions of the subject's first meta-batch."""
    learner, episodes = subject.learner, next(subject.meta_batches())
    stacked = pytree.tree_map(lambda *same: torch.stack(same), *episodes)
    shared = (learner.start(),)
    inputs = pytree.tree_map(in_plain_memory, (shared, stacked))
    direction = partial(_direction, learner)
    loop = partial(_loop, Serial(learner.module), direction, shared, episodes)
    found: dict[str, Way] = {"one task after another": loop}
    for name, form in FORMS.items():
        module = copy.deepcopy(learner.module)
        for layer in module.modules():
            if isinstance(layer, SameConv2d):
                layer.__class__ = form
        net = Net(module, functional=True).replica()
        run = partial(every_task, net, direction)
        found[f"vmap, {name}"] = partial(run, *inputs)
        if learner.device.type == "cuda":
            found[f"vmap, {name}, recorded"] = partial(record(run, inputs), *inputs)
        if compiled:
            program = torch.compile(make_fx(run)(*inputs))
            found[f"vmap, {name}, compiled"] = partial(program, *inputs)
            if learner.device.type == "cuda":
                recorded = record(program, inputs)
                found[f"vmap, {name}, compiled and recorded"] = partial(recorded, *inputs)
    return found


def largest_difference(compiled: bool) -> float:
    """Between the directions of all ways, relative to their norm.

    Raises:
        SystemExit: more than rounding.
    """
    subject = open_subject(assemble(plain(compose_config("train", SMALL))))
    subject.learner.double().place_state()
    subject.split = subject.split.to(subject.device, torch.float64)
    flat = {name: _flat(way()) for name, way in ways(subject, compiled).items()}
    first = flat["one task after another"]
    worst = max(float((other - first).norm() / first.norm()) for other in flat.values())
    if not worst <= TOLERANCE:
        raise SystemExit(f"the ways differ by {worst:.1e} (relative; allowed {TOLERANCE:.0e})")
    return worst


def _shown(found: tuple[float, float, float] | None) -> str:
    return f"{1e3 * found[1]:.2f}" if found else "-"


def _call(way: Way) -> None:
    way()


def _loop(execution: Serial, direction: PerTask, shared: tuple, episodes: list[Episode]) -> Params:
    directions = execution.map(direction, shared, episodes)
    return {name: torch.stack([d[name] for d in directions]) for name in directions[0]}


def _direction(learner: MetaLearner, net: Net, *given: Any) -> Params:
    return learner.algorithm.direction(Problem(net, learner.objective), *given)[0]


def _flat(directions: Params) -> Tensor:
    return torch.cat([value.flatten() for value in directions.values()])
