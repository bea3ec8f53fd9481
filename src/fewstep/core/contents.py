"""What a network may hold: parameters, buffers and layers of which a task can have its own.

What a plain loop around `torch.func.functional_call` computes is computed here; where that is not
possible, or where the module means more than one task can say, it is refused by name.
"""

from __future__ import annotations

import random
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.optim.swa_utils import AveragedModel

from fewstep.core.rules.learned import LEARNED


WRAPPERS = (torch.jit.ScriptModule, nn.DataParallel, nn.parallel.DistributedDataParallel)
WRAPPERS += (AveragedModel, torch._dynamo.OptimizedModule) if hasattr(torch, "_dynamo") else ()
"""What stands around a network and has ideas of its own about its parameters."""

GENERATORS = (torch.Generator, np.random.Generator, np.random.RandomState, random.Random)

TOO_NARROW = (torch.float16, torch.float8_e4m3fn, torch.float8_e5m2)
"""The inner Adam's eps of 1e-8 is 0 in these."""


def check_contents(module: nn.Module) -> None:
    """Refuse what is no module, or one that could only be run wrongly.

    Raises:
        ValueError: naming the layer or the parameter, what is the matter and the way out.
    """
    if not isinstance(module, nn.Module):
        raise ValueError(
            f"gives a {type(module).__name__}, and a network is a torch.nn.Module. Name a class of "
            "one, or a function that makes one"
        )
    for path, layer in module.named_modules():
        if reason := _trouble_with_layer(layer):
            raise ValueError(f"{_called(path, layer)} {reason}")
    parameters = dict(module.named_parameters())
    for name, parameter in parameters.items():
        if name.startswith(LEARNED):
            raise ValueError(
                f"the parameter {name} begins with {LEARNED}, as what an inner rule learns does: "
                "give it another name"
            )
        if reason := _trouble_with_parameter(parameter):
            raise ValueError(f"the parameter {name} {reason}")
    if not any(p.requires_grad for p in parameters.values()):
        found = "they all have requires_grad=False" if parameters else "it has no parameters"
        raise ValueError(f"{type(module).__name__} has nothing to learn: {found}")
    _check_memory({**parameters, **dict(module.named_buffers())})


def _called(path: str, layer: nn.Module) -> str:
    return f"the layer {path} ({type(layer).__name__})" if path else type(layer).__name__


def _trouble_with_layer(layer: nn.Module) -> str | None:
    if isinstance(layer, WRAPPERS):
        return "is a wrapper around a network, or a compiled one: give the network itself"
    if isinstance(layer, nn.SyncBatchNorm):
        return "gathers statistics over devices, and a task is on one: use nn.BatchNorm2d"
    if type(layer).__module__.startswith(("torch.ao.", "torch.quantization", "torchao.")):
        return "gathers statistics over tasks for quantization: quantize after the training"
    if isinstance(layer, (nn.Embedding, nn.EmbeddingBag)) and layer.sparse:
        return "has sparse gradients, which an inner step cannot take: use sparse=False"
    if any(isinstance(value, GENERATORS) for value in vars(layer).values()):
        return (
            "draws from a generator of its own, which goes on from task to task: let it draw from "
            "PyTorch's, NumPy's or Python's global one, which is set for each task"
        )
    return None


def _trouble_with_parameter(parameter: nn.Parameter) -> str | None:
    if is_lazy(parameter):
        return None  # whose shape the first data give
    if parameter.is_meta:
        return "is on the device meta and has no values: make the network with some"
    if parameter.layout != torch.strided or parameter.is_quantized:
        return "is sparse or quantized: keep it dense, as parameter.to_dense()"
    if parameter.is_complex():
        return (
            f"is {parameter.dtype}: inner rules are for real numbers. Keep two real parameters "
            "and join them in forward, as torch.view_as_complex(parameter)"
        )
    if parameter.requires_grad and parameter.dtype in TOO_NARROW:
        return f"is {parameter.dtype}: too narrow for the inner rules. Use float32 or bfloat16"
    return None


def _check_memory(tensors: dict[str, Tensor]) -> None:
    """Refuse tensors of which one is a part of another: a task moves each by itself."""
    spans = []
    for name, tensor in tensors.items():
        if not is_lazy(tensor) and tensor.numel():
            start = tensor.data_ptr()
            last = sum((n - 1) * s for n, s in zip(tensor.shape, tensor.stride(), strict=True))
            spans.append((start, start + (last + 1) * tensor.element_size(), name))
    spans.sort()
    for (_, end, one), (start, _, other) in pairwise(spans):
        if start < end:
            raise ValueError(
                f"{one} and {other} share memory without being one parameter: register the same "
                "nn.Parameter under both names, or give each its own"
            )
