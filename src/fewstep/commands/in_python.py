"""Commands as functions, for notebooks and programs: `fewstep.train`."""

from __future__ import annotations

import json
import logging
import shlex
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


QUIET = ("pytorch_lightning", "lightning_fabric")
"""Loggers that a training makes quieter."""


@dataclass(frozen=True)
class Trained:
    """A training that is done."""

    folder: Path
    """The run directory: `fewstep.load(folder)` gives its initialization."""
    results: dict[str, Any]
    """What its results.json says; `results["results"]` are the figures."""


def train(overrides: Sequence[str] = ()) -> Trained:
    """Train and test, as `fewstep train` does with these words.

    Hydra, logging, filters of warnings, random numbers, threads and the module search path of the
    caller are as they were afterwards.

    Args:
        overrides: `["algorithm=fomaml", "seed=1"]`: groups and keys.

    Raises:
        ValueError: what cannot run (a ConfigError, with the words of the command line), before
            anything is written.
    """
    if isinstance(overrides, str):
        raise TypeError(f"train takes a list of words: [{overrides!r}]")
    from fewstep.commands.train import command
    from fewstep.config.arguments import read
    from fewstep.launch.settling import check_folder_keys
    from fewstep.launch.start import run_one
    from fewstep.messages.errors import ConfigError
    from fewstep.processes import signals

    words = [str(word) for word in overrides]
    made = command()
    with _untouched(), signals.listening():
        arguments = made.prepare(read("train", words))
        if arguments.sweep or arguments.shows:
            raise ConfigError("fewstep.train runs one training: give it key=value alone")
        check_folder_keys(arguments)
        line = shlex.join(["fewstep", "train", *words])
        folder = run_one(made, arguments.overrides, line)
    assert folder is not None, "this process is one of several ranks"
    return Trained(folder, json.loads((folder / "results.json").read_text(encoding="utf-8")))


@contextmanager
def _untouched() -> Iterator[None]:
    """What the caller has set up, as it was."""
    import torch
    from hydra.core.singleton import Singleton

    from fewstep.core.chance import untouched

    root, loud = logging.getLogger(), [logging.getLogger(name) for name in QUIET]
    before = [*root.handlers], [*sys.path], torch.get_num_threads()
    levels = [(logger, logger.level) for logger in (root, *loud)]
    hydra = Singleton.get_state()
    try:
        with untouched(), warnings.catch_warnings():
            yield
    finally:
        Singleton.set_state(hydra)
        for logger, level in levels:
            logger.setLevel(level)
        root.handlers[:], sys.path[:] = before[:2]
        torch.set_num_threads(before[2])
