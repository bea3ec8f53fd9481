"""How much memory there is, in bytes (Linux); torch is asked for a GPU's alone."""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Iterator
from pathlib import Path


GROUPS = (
    ("", "sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"),
    ("memory", "sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes",
     "total_inactive_file"),
)  # fmt: skip
"""Of the second and first version of control groups: the controller's name in /proc/self/cgroup,
where its groups lie, its files of limit and use, and the part of the use that can be taken back."""


def of_machine(root: Path = Path("/")) -> int:
    """What the machine has left, or what the control groups around this process leave it, if that
    is less; no limit where no system says."""
    if not (root / "proc/meminfo").exists():
        return sys.maxsize
    machine = counts(root / "proc/meminfo")["MemAvailable"] * 1024
    return min([machine, *_left_by_groups(root)])


def of_gpu(accelerator: str) -> int:
    """What a GPU has in all that a run might train on; 0 where it has none."""
    if accelerator == "cpu" or not Path("/dev/nvidiactl").exists():
        return 0
    import torch

    there = torch.cuda.is_available()
    return torch.cuda.get_device_properties(0).total_memory if there else 0


def size(count: float) -> str:
    """`2.0 TiB`, `1.5 GiB`, `12 MiB` or `3 KiB`."""
    for exponent, unit, digits in ((40, "TiB", 1), (30, "GiB", 1), (20, "MiB", 0)):
        if count >= 2**exponent:
            return f"{count / 2**exponent:.{digits}f} {unit}"
    return f"{count / 2**10:.0f} KiB"


def counts(path: Path) -> dict[str, int]:
    """The counts in a file of lines `Name: count kB`, or `name count`."""
    pairs = (
        line.replace(":", "").split()[:2] for line in path.read_text(encoding="utf-8").splitlines()
    )
    return {name: int(value) for name, value in filter(_counted, pairs)}


def resident(trim: bool = False) -> int:
    """Bytes of this process in memory; `trim` gives back what it has freed and kept."""
    if trim:
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)
    return counts(Path("/proc/self/status"))["VmRSS"] * 1024


def most_resident() -> int:
    """The most that they were since `forget_most`."""
    return counts(Path("/proc/self/status"))["VmHWM"] * 1024


def forget_most() -> None:
    """Start the high-water mark of this process anew."""
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")


def _counted(pair: list[str]) -> bool:
    return len(pair) == 2 and pair[1].isdigit()


def _left_by_groups(root: Path) -> Iterator[int]:
    """What each control group around this process has left; nothing where there are no limits."""
    file = root / "proc/self/cgroup"
    for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else ():
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
    most = (group / limit).read_text(encoding="utf-8").strip()
    if not most.isdigit():  # "max"
        return []
    used = int((group / use).read_text(encoding="utf-8")) - counts(group / "memory.stat").get(
        reclaimable, 0
    )
    return [int(most) - used]
