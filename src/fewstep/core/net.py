"""A module as a pure function of its parameters."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from fewstep.core.fast.follow import Follow, to_the_end
from fewstep.core.fast.programs import Function, Programs, is_short, program_for
from fewstep.core.memory import (
    Mark,
    copied,
    copies,
    memory_of,
    remember,
    slots_of,
    without_running_statistics,
)
from fewstep.core.noise import noise
from fewstep.core.traits import PLAIN, Traits
from fewstep.core.types import NOTHING, Episode, Params


class Net:
    """`net(params, x) -> outputs`: calls a module with the parameters it is given.

    A module is in training mode, as in a plain loop, but where `answering` says otherwise; its
    batch norms always normalize with the batch at hand. What has `requires_grad=False` stays in
    the module: nobody moves it.

    A call lends the tensors to the module while it runs, so a `Net` is used by one task at a time:
    `replica()` makes one for another.
    """

    def __init__(
        self,
        module: nn.Module,
        functional: bool = False,
        programs: Programs | None = None,
        traits: Traits = PLAIN,
    ) -> None:
        """
        Args:
            module: any network.
            functional: take derivatives with `torch.func`, which `vmap` needs; else autograd.
            programs: where `program` looks; None calls every function as it is, and so does a
                layer with an attribute `programs` that is False.
            traits: what the module does besides computing.
        """
        self.module = without_running_statistics(module).train()
        self.functional = functional
        self.may_be_traced = all(getattr(la, "programs", True) for la in module.modules())
        self.programs = programs if self.may_be_traced else None
        self.takes: tuple[str, ...] = tuple(getattr(module, "takes", ()))
        """What a forward pass is given besides x, by name."""
        self.traits = traits
        self.answers = False  # whether the module is in evaluation mode
        self.follow: Follow = to_the_end
        """How the steps of an inner loop are taken."""
        self._key = self._passes = 0
        self.begun: Mark = 0, None
        """Where the task began."""
        self._layers = [*module.modules()]
        self._has_own_modes = any(type(la).train is not nn.Module.train for la in self._layers)
        self._slots = slots_of(module)

    def params(self) -> Params:
        """The trainable parameters, detached; a shared one has the first of its names."""
        return {name: parameter.detach() for name, parameter in self.parameters().items()}

    def parameters(self) -> dict[str, nn.Parameter]:
        """The same as the module has them."""
        return {name: owner[local] for name, ((owner, local), *_) in self._slots.items()}

    def constants(self) -> Params:
        """What the module has besides: buffers, and parameters that nobody moves."""
        return self.frozen() | dict(self.module.named_buffers())

    def frozen(self) -> Params:
        """Parameters that nobody moves."""
        named = self.module.named_parameters()
        return {name: p.detach() for name, p in named if not p.requires_grad}

    def replica(self) -> Net:
        """A private copy of the module, for another task."""
        net = Net(copied(self.module), self.functional, traits=self.traits)
        if self.answers:
            net._set_mode(answers=True)
        return net

    def begin(self, episode: Episode) -> Net:
        """What runs one task: of a module that writes, a copy which is dropped with the task."""
        net = self.replica() if self.traits.writes else self
        net._key, net._passes = int(episode.key) if self.traits.draws else 0, 0
        net.begun = net.mark()
        return net

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Inside, queries are answered: the module is in evaluation mode, and what it remembers
        of them, the numbers it draws included, is forgotten afterwards."""
        mark = self.mark()
        self._set_mode(answers=True)
        try:
            yield
        finally:
            self._set_mode(answers=False)
            self.rewind(mark)

    def mark(self) -> Mark:
        """Where the task is, to `rewind` to."""
        memory = [memory_of(layer) for layer in self._layers] if self.traits.writes else None
        return self._passes, memory

    def rewind(self, mark: Mark) -> None:
        """Go on from a mark as it was gone on from before."""
        self._passes, memory = mark
        for layer, kept in zip(self._layers, memory or (), strict=False):
            remember(layer, kept)

    def _set_mode(self, answers: bool) -> None:
        self.answers = answers
        if self._has_own_modes:
            self.module.train(not answers)
            return
        for layer in self._layers:  # what `train` does, in a tenth of its time
            layer.__dict__["training"] = not answers

    def program(self, function: Function, fixed: tuple, args: tuple) -> Callable[..., Any]:
        """`function(net, *fixed, ...)` for arguments of the shapes of `args`, as fast as it goes.

        What it returns is for this net's task. Where an argument asks for gradients it is the
        function itself, for no derivative flows through a program.
        """
        return program_for(self, function, fixed, args) or functools.partial(function, self, *fixed)

    def run(self, function: Function, fixed: tuple, *args: Any) -> Any:
        """`function(net, *fixed, *args)`, as a program where there are programs."""
        return self.program(function, fixed, args)(*args)

    def run_whole(self, steps: int, function: Function, fixed: tuple, *args: Any) -> Any:
        """The same of a function that takes so many inner steps, where they are not too many."""
        if is_short(steps):
            return self.run(function, fixed, *args)
        return function(self, *fixed, *args)

    def __call__(self, params: Params, x: Tensor, given: Mapping[str, Tensor] = NOTHING) -> Any:
        """Outputs [B, ...] for inputs [B, *x]. `params` has every name that `params()` has, and
        `given` every name that the module takes: they are arguments of its forward."""
        taken = {name: given[name] for name in self.takes}
        own = {}
        self._passes += 1
        if self.traits.writes:
            for layer in self._layers:  # what is written into may be part of a graph
                layer._buffers.update(copies(layer._buffers))
        try:
            for name, places in self._slots.items():
                own[name] = places[0][0][places[0][1]]
                for owner, local in places:
                    owner[local] = params[name]
            if not self.traits.draws:
                return self.module(x, **taken)
            with noise(self._key, self._passes):
                return self.module(x, **taken)
        finally:
            for name, value in own.items():
                for owner, local in self._slots[name]:
                    owner[local] = value

    def value_and_grad(
        self, f: Callable[[Params], tuple[Tensor, Any]], params: Params
    ) -> tuple[Any, Params]:
        """`(aux, gradient)` of `f(params) -> (scalar, aux)`.

        The gradient can itself be differentiated exactly when `params` can: an inner loop that
        starts from tensors without a graph is first order, whoever calls it.
        """
        if self.functional:
            grads, (_, aux) = torch.func.grad_and_value(f, has_aux=True)(params)
            return aux, grads
        second_order = any(p.requires_grad for p in params.values())
        with torch.enable_grad():
            # Of a task, some may start at constants: these are leaves here as where none asks. And
            # one may be made of another, as a head of features: a view is by itself alone.
            leaves = {n: p.view_as(p) if p.requires_grad else _leaf(p) for n, p in params.items()}
            value, aux = f(leaves)
            grads = torch.autograd.grad(
                value, list(leaves.values()), create_graph=second_order, materialize_grads=True
            )
        return aux, dict(zip(leaves, grads, strict=True))


def _leaf(p: Tensor) -> Tensor:
    """The same memory as a tensor of its own: asking it for gradients marks nobody else's."""
    return p.detach().requires_grad_()
