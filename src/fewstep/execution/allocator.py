"""The C library's memory allocator."""

from __future__ import annotations

import ctypes


OPTIONS = {-1: 1 << 30, -2: 64 << 20, -3: 32 << 20}
"""glibc's M_TRIM_THRESHOLD, M_TOP_PAD and M_MMAP_THRESHOLD, in bytes."""


def keep_freed_memory() -> None:
    """Let the C library keep what an inner step frees, for the next one.

    By default glibc gives it back to the system, which then fills every page anew, and threads
    wait for each other meanwhile: 4 to 12 % of a meta-iteration. Other libraries have no such
    options and stay as they are.
    """
    if mallopt := getattr(ctypes.CDLL(None), "mallopt", None):
        for option, size in OPTIONS.items():
            mallopt(option, size)
