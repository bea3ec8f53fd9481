"""What a meta-test has measured so far: one that is stopped goes on where it was.

A test of 10,000 tasks takes the better part of an hour, and a cluster may not grant one. Each rank
writes what a chunk of tasks has said into a file of the run, a line a chunk, and reads it when the
very same test begins again there. The files go when the results are written.
"""

from __future__ import annotations

import hashlib
import json
import sys
from contextlib import suppress
from itertools import chain, takewhile
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

import fewstep
from fewstep.config.capacity import CHUNK
from fewstep.data.digest import episodes_sha256
from fewstep.disk.files import CannotWrite, replacing
from fewstep.execution.collectives import broadcast
from fewstep.records.identity import git_commit, hashed
from fewstep.records.run_folders import SO_FAR
from fewstep.run.episodes import Chunk, TaskModule, chunks
from fewstep.run.experiment import Experiment
from fewstep.run.learner import MetaLearner
from fewstep.run.stored.origin import digests
from fewstep.run.stored.weights import digest
from fewstep.run.testing.entrant import Entrant


Known = dict[int, list[list[Any]]]
"""What the tasks of each chunk have said, in the order of the chunks, by their setting."""


class SoFar(pl.Callback):
    """Gives a learner what an earlier start has measured, and keeps what is measured now."""

    def __init__(self, experiment: Experiment, entrant: Entrant) -> None:
        self.experiment, self.entrant = experiment, entrant
        self._file: Path | None = None

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Before loaders are made: they leave out what is known."""
        assert isinstance(pl_module, MetaLearner)
        tasks = TaskModule.of(trainer)
        # Rank zero's: of ranks that a cluster starts, the others do not know it, or lack it.
        folder = Path(broadcast(str(self.entrant.folder.absolute())))
        name = f"{self.entrant.label}_rank{trainer.global_rank}{SO_FAR}"
        file = folder / "per_task" / name
        about = self._identity(trainer, pl_module)
        known, other = _read(file, about)
        if other and trainer.is_global_zero:
            print(
                f"note: {folder}: the test that was stopped here was another one, of other tasks, "
                "weights or versions. It begins anew",
                file=sys.stderr,
            )
        known = _usable(known, tasks)
        tasks.done = {place: len(parts) for place, parts in known.items()}
        pl_module.outcomes = {place: list(chain(*parts)) for place, parts in known.items()}
        lines = [[place, part] for place, parts in known.items() for part in parts]
        if not folder.is_dir():
            return
        with suppress(CannotWrite):  # then it begins anew another time
            with replacing(file) as aside:
                text = "".join(f"{json.dumps(line)}\n" for line in [about, *lines])
                aside.write_text(text, encoding="utf-8")
            self._file = file

    def on_validation_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Chunk, *place: Any, **_: Any
    ) -> None:
        """`place`: the batch's number, and its setting's where there are several."""
        setting = place[1] if len(place) > 1 else 0
        part = pl_module.outcomes[setting][-len(batch.episodes) :]
        if self._file:
            with suppress(OSError), self._file.open("a", encoding="utf-8") as out:
                out.write(f"{json.dumps([setting, part])}\n")

    on_test_batch_end = on_validation_batch_end

    def _identity(self, trainer: pl.Trainer, learner: MetaLearner) -> str:
        """A digest of all that the figures hang on: other weights, tasks or versions are another
        test."""
        tasks, recipe = TaskModule.of(trainer), hashed(self.experiment.config)
        split, asked = tasks.splits[self.entrant.split], (tasks.eval_seed, tasks.tasks)
        about = {
            "weights": digest([learner.tested(), dict(learner.named_buffers())]),
            "network": repr(learner.module),
            "recipe": [recipe.get(name) for name in ("algorithm", "model", "trainer")],
            "data": digests(self.experiment.splits),
            "episodes": [episodes_sha256(split, s.spec, *asked) for s in tasks.settings],
            "settings": list(map(repr, tasks.settings)),
            "tasks": [*asked, tasks.curve_tasks, CHUNK],
            "ranks": [trainer.global_rank, trainer.world_size],
            "how": [self.experiment.machine.execution, trainer.strategy.root_device.type],
            "versions": [fewstep.__version__, str(torch.__version__), git_commit()],
        }
        text = json.dumps(about, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()


def _read(file: Path, about: str) -> tuple[Known, bool]:
    """What a file has of this very test, up to where it breaks off; and whether it has something
    of another one."""
    found: Known = {}
    try:
        first, *lines = file.read_text(encoding="utf-8").splitlines()
        if json.loads(first) != about:
            return {}, bool(lines)
        for line in lines:
            place, part = json.loads(line)
            found.setdefault(place, []).append(part)
    except (OSError, ValueError, TypeError, RecursionError):
        pass
    return found, False


def _usable(known: Known, tasks: TaskModule) -> Known:
    """The chunks that fit, from the first on, but the last of each setting: Lightning asks nothing
    of loaders that are empty."""
    sizes = [len(chunk) for chunk in chunks(tasks.tasks, tasks.curve_tasks)][:-1]
    fitting = {}
    for place in range(len(tasks.settings)):
        pairs = zip(known.get(place, []), sizes, strict=False)
        whole = takewhile(lambda pair: len(pair[0]) == pair[1], pairs)
        fitting[place] = [part for part, _ in whole]
    return fitting


def forget(folder: Path) -> None:
    """The results are there."""
    for file in (folder / "per_task").glob(f"*{SO_FAR}"):
        file.unlink(missing_ok=True)
