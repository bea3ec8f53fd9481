"""A traced graph of tensor operations as a TorchScript program.

TorchScript runs a program of kernels without Python, so that threads do not wait for each other's
interpreter. It is written from the graph itself: `torch.jit.script` reads Python, knows neither
derivatives nor closures, and is deprecated.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.fx import GraphModule, Interpreter, Node


class Inexpressible(TypeError):
    """The graph holds something that TorchScript has no word for."""


def compile_graph(
    traced: GraphModule, inputs: Sequence[Tensor]
) -> tuple[Callable[..., tuple[Tensor, ...]], list[Tensor]]:
    """The program, and the constants that it takes after the graph's own inputs.

    Args:
        traced: what `make_fx` returns.
        inputs: tensors to run it on, of the shapes that it was traced with; it may change them.

    Raises:
        Inexpressible: a node other than an operation of PyTorch on plain values.
    """
    _Views(traced).run(*inputs)
    traced.graph.eliminate_dead_code()
    names, constants, body, result = [], {}, [], ""
    for node in traced.graph.nodes:
        if node.op == "placeholder":
            names.append(node.name)
        elif node.op == "get_attr":
            constants[node.name] = getattr(traced, node.target)
        elif node.op == "output":
            result = "".join(f"{_text(value)}, " for value in node.args[0])
        else:
            body.append(f"{node.name} = {_call(node)}")
    lines = [f"def program({', '.join([*names, *constants])}):", *body, f"return ({result})"]
    unit = torch.jit.CompilationUnit("\n    ".join(lines) + "\n")
    return unit.program, list(constants.values())


class _Views(Interpreter):
    """Rewrites each chain of views as one view of the tensor that it starts from.

    Shapes are known here, so that permuting, slicing and reshaping come to strides and an offset.
    Half the nodes of an inner step are such views.
    """

    def __init__(self, traced: GraphModule) -> None:
        super().__init__(traced, garbage_collect_values=False)
        self.owners: dict[int, Node] = {}
        """The node that made each storage."""
        self.placed: set[Node] = set()
        """Tensors whose offset in their storage is the same whatever the inputs."""

    def run_node(self, node: Node) -> Any:
        value = super().run_node(node)
        if isinstance(value, Tensor) and value.numel():
            owner = self.owners.setdefault(value.untyped_storage().data_ptr(), node)
            if owner.op == "call_function" or self._has_offset(node):
                self.placed.add(node)
                if _is_view(node):
                    place = (value.shape, value.stride(), value.storage_offset())
                    node.target, node.args = torch.ops.aten.as_strided.default, (owner, *place)
                    node.kwargs = {}
        return value

    def _has_offset(self, node: Node) -> bool:
        """Of an input's views: an `as_strided` that says where, and what is made from it."""
        says = node.target is torch.ops.aten.as_strided.default and len(node.args) == 4
        return says or (_is_view(node) and node.args[0] in self.placed)


def _is_view(node: Node) -> bool:
    """Whether the operation returns another view of its first argument, and does nothing else."""
    if not isinstance(node.target, torch._ops.OpOverload):
        return False
    returned = node.target._schema.returns
    alias = returned[0].alias_info if len(returned) == 1 else None
    return alias is not None and not alias.is_write


def _call(node: Node) -> str:
    if node.target is operator.getitem:
        of, index = node.args
        return f"{_text(of)}[{index}]"
    if not isinstance(node.target, torch._ops.OpOverload):
        raise Inexpressible(f"{node.op} {node.target}")
    arguments = [_text(value) for value in node.args]
    arguments += [f"{name}={_text(value)}" for name, value in node.kwargs.items()]
    return f"torch.ops.{node.target.namespace}.{node.target._opname}({', '.join(arguments)})"


def _text(value: Any) -> str:
    if isinstance(value, Node):
        return value.name
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_text(entry) for entry in value)}]"
    if isinstance(value, float) and not math.isfinite(value):
        return f"float('{value}')"
    if isinstance(value, torch.device):
        return f"torch.device('{value}')"
    plain = (bool, int, float, str, torch.dtype, torch.layout, torch.memory_format)
    if value is None or isinstance(value, plain):
        return str(value) if not isinstance(value, str) else repr(value)
    raise Inexpressible(f"{type(value).__name__} {value}")
