"""Which execution runs the tasks: as was asked for, as suits the device, as the network allows.

The table behind `auto` is fixed (a timing at start-up would make runs irreproducible) and was
filled from `fewstep bench`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor, nn

from fewstep.core.lending import check_lending
from fewstep.core.net import Net
from fewstep.core.problem import given
from fewstep.core.traits import PLAIN, Traits, traits_of
from fewstep.core.types import Episode
from fewstep.execution.allocator import keep_freed_memory
from fewstep.execution.base import Execution
from fewstep.execution.serial import Serial
from fewstep.execution.threads import Threads
from fewstep.execution.vmap import Vmap
from fewstep.messages.errors import ConfigError


MOST = 128
"""Examples that a network is tried on at a time."""


def make_execution(
    name: str, module: nn.Module, device: torch.device, episode: Episode | None = None
) -> Execution:
    """The named execution, or for `auto` the one that measured best for this kind of device.

    The module is tried on a task. One that draws random numbers, or writes into its buffers, runs
    one task after another whatever is chosen: the generators belong to the process.

    Raises:
        ValueError: an unknown name.
        ConfigError: `vmap` for such a module, or one that no task can have to itself.
    """
    traits = PLAIN
    if episode is not None:
        inputs, extra = _inputs(episode), given(module, episode)
        try:
            traits = traits_of(Net(module).module, inputs, extra)
            check_lending(module, traits, inputs[0], extra)
        except ConfigError:
            raise
        except Exception:  # a network that fails: whoever runs it says where and why
            traits = PLAIN
    if name == "vmap" and not traits.plain:
        does = "draws random numbers" if traits.draws else "writes into its buffers"
        raise ConfigError(
            f"execution=vmap: {type(module).__name__} {does} in its forward pass, which vmap "
            "cannot give each task for itself. Use execution=auto"
        )
    if name == "auto":
        name = "vmap" if device.type == "cuda" else "threads"
    if name not in EXECUTIONS:
        known = ", ".join(["auto", *EXECUTIONS])
        raise ValueError(f"execution={name!r}: must be one of {known}")
    if device.type == "cpu":
        keep_freed_memory()
    else:
        torch.backends.cudnn.allow_tf32 = False  # precision 32 is not 19, in convolutions either
        torch.backends.cudnn.deterministic = True  # the same seed, the same numbers
    possible = executions(traits)
    return possible.get(name, possible["serial"])(module)


def _inputs(episode: Episode) -> list[Tensor]:
    """What a network meets in a task: an inner minibatch, the support with a query, the queries;
    of each as much as any machine has the memory for."""
    support, queries = episode.support_x[: MOST - 1], episode.query_x[:MOST]
    batch = episode.batches[0, :MOST] if len(episode.batches) else slice(MOST)
    first = episode.support_x[batch]
    return [first, torch.cat([support, queries[:1]])] + ([queries] if len(queries) > 1 else [])


def executions(traits: Traits) -> Mapping[str, Callable[[nn.Module], Execution]]:
    """What makes each execution that a network of these traits may run in, by name."""
    return EXECUTIONS if traits.plain else {"serial": partial(Serial, traits=traits)}


EXECUTIONS: dict[str, type[Serial] | type[Threads] | type[Vmap]] = {
    "serial": Serial,
    "threads": Threads,
    "vmap": Vmap,
}
