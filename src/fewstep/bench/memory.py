"""What memory there is and what a piece of work takes of it, in bytes (Linux, CUDA)."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile


GROUPS = (
    ("", "sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"),
    ("memory", "sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes",
     "total_inactive_file"),
)  # fmt: skip
"""Of the second and first version of control groups: the controller's name in /proc/self/cgroup,
where its groups lie, its files of limit and use, and the part of the use that can be taken back."""


def available(device: torch.device, root: Path = Path("/")) -> int:
    """What can still be allocated on a device: on a CPU what the machine has left, or what the
    control groups around this process leave it, if that is less."""
    if device.type == "cuda":
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + unused
    machine = _table(root / "proc/meminfo")["MemAvailable"] * 1024
    return min([machine, *_left_by_groups(root)])


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
    for event in prof.profiler.kineto_results.events():
        if event.name() == "[memory]":
            held += event.nbytes()
            peak = max(peak, held)
    return peak


def process_peak(work: Callable[[], Any], device: torch.device) -> int:
    """The most bytes that the process (on a GPU, its tensors) holds while `work` runs, beyond
    those it held before, whichever thread asks for them."""
    if device.type == "cuda":
        return tensor_peak(work, device)
    before = resident(trim=True)
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts anew
    work()
    return max(0, _table(Path("/proc/self/status"))["VmHWM"] * 1024 - before)


def resident(trim: bool = False) -> int:
    """Bytes of the process in memory; `trim` gives back what it has freed and kept."""
    if trim:
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)
    return _table(Path("/proc/self/status"))["VmRSS"] * 1024


def _table(path: Path) -> dict[str, int]:
    """The counts in a file of lines `Name: count kB`, or `name count`."""
    pairs = (line.replace(":", "").split()[:2] for line in path.read_text().splitlines())
    return {name: int(value) for name, value in filter(_counted, pairs)}


def _counted(pair: list[str]) -> bool:
    return len(pair) == 2 and pair[1].isdigit()


def _left_by_groups(root: Path) -> Iterator[int]:
    """What each control group around this process has left; nothing where there are no limits."""
    for line in (root / "proc/self/cgroup").read_text().splitlines():
        _, controllers, own = line.split(":", 2)
        for name, place, limit, use, reclaimable in GROUPS:
            if name in controllers.split(","):
                # In a container the path may be the host's; its upper end is there in any case.
                for group in _upwards(root / place, own):
                    if (group / limit).exists():
                        yield from _left(group, limit, use, reclaimable)


def _upwards(top: Path, own: str) -> list[Path]:
    group = top / own.strip("/")
    return [group, *(parent for parent in group.parents if parent.is_relative_to(top))]


def _left(group: Path, limit: str, use: str, reclaimable: str) -> list[int]:
    most = (group / limit).read_text().strip()
    if not most.isdigit():  # "max"
        return []
    used = int((group / use).read_text()) - _table(group / "memory.stat").get(reclaimable, 0)
    return [int(most) - used]
