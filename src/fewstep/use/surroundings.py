"""What a caller has switched in PyTorch, which no classifier goes by."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch


@contextmanager
def as_usual() -> Iterator[None]:
    """Inside, new tensors are on the CPU, gradients can be had, and nothing is rounded by an
    autocast, whatever the caller's program has switched: a classifier answers there as elsewhere.
    """
    with ExitStack() as inside:
        inside.enter_context(torch.inference_mode(False))
        if torch.get_default_device().type != "cpu":  # every call of torch would pay for it
            inside.enter_context(torch.device("cpu"))
        for kind in ("cpu", "cuda"):
            if torch.is_autocast_enabled(kind):
                inside.enter_context(torch.autocast(kind, enabled=False))
        yield
