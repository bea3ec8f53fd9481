"""A traced graph of tensor operations as a TorchScript program.

TorchScript runs a program of kernels without Python, so that threads do not wait for each other's
interpreter. It is written from the graph itself: `torch.jit.script` reads Python, knows neither
derivatives nor closures, and is deprecated.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from torch import Tensor
from torch.fx import GraphModule, Interpreter, Node
from torch.utils import _pytree as pytree


class Inexpressible(TypeError):
    """The graph holds something that TorchScript has no word for."""


def compile_graph(
    traced: GraphModule, inputs: Sequence[Tensor]
) -> tuple[Callable[..., tuple[Tensor, ...]], list[Tensor], list[int]]:
    """The program, the constants that it takes after the graph's own inputs, and which of its
    results depend on no input: each of them may be one tensor, the same at every call.

    Args:
        traced: what `make_fx` returns.
        inputs: tensors to run it on, of the shapes that it was traced with; it may change them.

    Raises:
        Inexpressible: a shape that depends on values, or a node other than an operation of PyTorch
            on plain values.
    """
    _Views(traced).run(*inputs)
    traced.graph.eliminate_dead_code()
    names, constants, body, results, varying, fixed = [], {}, [], [], set(), []
    for node in traced.graph.nodes:
        if node.op == "placeholder":
            names.append(node.name)
            varying.add(node)
        elif node.op == "get_attr":
            constants[node.name] = getattr(traced, node.target)
        elif node.op == "output":
            results = [_text(value) for value in node.args[0]]
            fixed = [i for i, value in enumerate(node.args[0]) if value not in varying]
        else:
            body.append(f"{node.name} = {_call(node)}")
            varying |= {node} if varying & set(node.all_input_nodes) else set()
    lines = [f"def program({', '.join([*names, *constants])}):", *body]
    lines.append(f"return ({''.join(f'{result}, ' for result in results)})")
    unit = torch.jit.CompilationUnit("\n    ".join(lines) + "\n")
    return unit.program, list(constants.values()), fixed


class _Views(Interpreter):
    """Rewrites each chain of views as one view of the tensor that it starts from.

    Shapes are known here, so that permuting, slicing and reshaping come to strides and an offset.
    Half the nodes of an inner step are such views.
    """

    def __init__(self, traced: GraphModule) -> None:
        super().__init__(traced)
        self.owners: dict[Node, Node] = {}
        """For each tensor whose offset in memory is the same whatever the inputs, one that shares
        that memory: the first of the chain."""

    def run_node(self, node: Node) -> Any:
        if _has_unknown_shape(node, self.fetch_args_kwargs_from_env(node)[0]):
            raise Inexpressible(f"the shape of {node.target} depends on values")
        value = super().run_node(node)
        if isinstance(value, Tensor) and (owner := self._owner(node, value)):
            self.owners[node] = owner
            if owner is not node and not _writes(node):
                place = (value.shape, value.stride(), value.storage_offset())
                node.target, node.args = torch.ops.aten.as_strided.default, (owner, *place)
                node.kwargs = {}
        return value

    def _owner(self, node: Node, value: Tensor) -> Node | None:
        if node.op != "call_function":
            return None  # an input or a constant may begin anywhere in its memory
        if node.target is operator.getitem:
            whole = cast(Node, node.args[0])
            unsafe = "unsafe" in str(whole.target)  # it shares memory and does not say so
            return None if unsafe or _aliases(whole) else node
        if not _aliases(node):
            return node
        source = cast(Node, node.args[0]) if _is_of_its_first(node) else None
        if source is None or value.dtype != self.env[source].dtype or value.is_conj():
            return None
        if node.target is torch.ops.aten.as_strided.default and len(node.args) == 4:
            return self.owners.get(source, source)  # it says where itself
        return self.owners.get(source)


def _has_unknown_shape(node: Node, args: Sequence[Any]) -> bool:
    """Whether other values of the same shapes could give another shape."""
    if not isinstance(node.target, torch._ops.OpOverload):
        return False
    if node.target.namespace == "aten" and node.target._opname.startswith("index"):
        masks = [i for i in pytree.tree_leaves(args[1:]) if isinstance(i, Tensor)]
        return any(mask.dtype in (torch.bool, torch.uint8) for mask in masks)
    return torch.Tag.dynamic_output_shape in node.target.tags


def _aliases(node: Node) -> list[Any]:
    """What PyTorch says of the results that share an argument's memory."""
    operation = node.target
    returns = operation._schema.returns if isinstance(operation, torch._ops.OpOverload) else []
    return [value.alias_info for value in returns if value.alias_info]


def _is_of_its_first(node: Node) -> bool:
    """Whether the memory is that of the first argument, and of no other."""
    operation = cast(torch._ops.OpOverload, node.target)
    (alias, *others), (first, *_) = _aliases(node), operation._schema.arguments
    same = first.alias_info is not None and first.alias_info.before_set == alias.before_set
    return same and not others


def _writes(node: Node) -> bool:
    return any(alias.is_write for alias in _aliases(node))


def _call(node: Node) -> str:
    if node.target is operator.getitem:
        of, index = node.args
        return f"{_text(of)}[{index}]"
    if not isinstance(node.target, torch._ops.OpOverload):
        raise Inexpressible(f"{node.op} {node.target}")
    arguments = [_text(value) for value in node.args]
    arguments += [f"{name}={_text(value)}" for name, value in node.kwargs.items()]
    # TorchScript makes one `mm` of many and hands out parts of it, whose strides are not as traced.
    product = node.target is torch.ops.aten.mm.default
    name = f"{node.target.namespace}.{'matmul' if product else node.target._opname}"
    return f"torch.ops.{name}({', '.join(arguments)})"


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
