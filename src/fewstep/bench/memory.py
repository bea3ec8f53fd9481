"""What memory there is and what a piece of work takes of it, in bytes (Linux, CUDA)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from fewstep.config import room


def available(device: torch.device, root: Path = Path("/")) -> int:
    """What can still be allocated on a device: on a CPU what the machine has left, or what the
    control groups around this process leave it, if that is less."""
    if device.type == "cuda":
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + unused
    return room.of_machine(root)


def tensor_peak(work: Callable[[], Any], device: torch.device) -> int:
    """The most bytes of tensors that `work` holds at a time, beyond those there before: exact.

    On a CPU only what the calling thread allocates is seen.
    """
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        work()
        return torch.cuda.max_memory_allocated(device) - before
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as prof:
        work()
    held = peak = 0
    recorded: Any = prof.profiler  # PyTorch's stubs do not know all of it
    for event in recorded.kineto_results.events():
        if event.name() == "[memory]":
            held += event.nbytes()
            peak = max(peak, held)
    return peak


def process_peak(work: Callable[[], Any], device: torch.device) -> int:
    """The most bytes that the process (on a GPU, its tensors) holds while `work` runs, beyond
    those it held before, whichever thread asks for them."""
    if device.type == "cuda":
        return tensor_peak(work, device)
    before = room.resident(trim=True)
    room.forget_most()
    work()
    return max(0, room.most_resident() - before)
