"""The LightningDataModule: hands tasks to Lightning, a meta-batch or a chunk at a time.

Loaders run in the training process: the data is one tensor in memory and an episode is an index
into it, so worker processes would only add copies.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from fewstep.adapters.meta_test import Setting
from fewstep.config.capacity import CHUNK
from fewstep.core.types import Episode, EpisodeSpec, Split
from fewstep.execution.collectives import local_share
from fewstep.messages.errors import ConfigError


class MetaBatches(IterableDataset):
    """Endless meta-batches: training task j of meta-iteration i is task `i * meta_batch + j`.

    With several ranks, each draws its own tasks of every meta-batch.
    """

    def __init__(
        self,
        split: Split,
        spec: EpisodeSpec,
        seed: int,
        meta_batch: int,
        start: int | Callable[[], int],
    ) -> None:
        """`start`: the first meta-iteration, or what says it whenever somebody begins anew, as
        Lightning does with each of its epochs."""
        self.split, self.spec, self.seed = split, spec, seed
        self.meta_batch, self.start = meta_batch, start

    def __iter__(self) -> Iterator[list[Episode]]:
        start = self.start() if callable(self.start) else self.start
        worker, workers = _place_among_workers()
        for meta_iteration in count(start + worker, workers):
            index = meta_iteration * self.meta_batch
            tasks = local_share(range(index, index + self.meta_batch))
            yield [self.split.episode(self.spec, self.seed, task) for task in tasks]


class Chunk:
    """Some tasks of one setting, and what to measure on them.

    No dataclass: Lightning would take it apart to cast what it finds inside.
    """

    def __init__(self, setting: Setting, episodes: list[Episode]) -> None:
        self.setting = setting
        self.episodes = episodes


@dataclass
class EvalTasks(IterableDataset):
    """Tasks 0..tasks-1 of a split in one setting, the first `curve_tasks` along the whole curve;
    with several ranks, those of them that are this rank's own."""

    split: Split
    setting: Setting
    tasks: int
    curve_tasks: int
    seed: int
    done: int = 0
    """Chunks at the beginning that are left out: they have been measured before."""

    def __len__(self) -> int:
        return len(self._chunks())

    def __iter__(self) -> Iterator[Chunk]:
        worker, workers = _place_among_workers()
        for chunk in self._chunks()[worker::workers]:
            setting = self.setting if chunk.start < self.curve_tasks else self.setting.final
            spec = self.setting.spec
            yield Chunk(setting, [self.split.episode(spec, self.seed, task) for task in chunk])

    def _chunks(self) -> list[range]:
        return chunks(self.tasks, self.curve_tasks)[self.done :]


def chunks(tasks: int, curve_tasks: int) -> list[range]:
    """The tasks that are measured at once, of this rank; none is across the last of the curve's."""
    own = local_share(range(tasks))
    edge = sum(task < curve_tasks for task in own[:curve_tasks])
    return [
        part[start : start + CHUNK]
        for part in (own[:edge], own[edge:])
        for start in range(0, len(part), CHUNK)
    ]


@dataclass
class TaskModule(pl.LightningDataModule):
    """The tasks of a run. `settings` are shared by validation and test."""

    splits: Mapping[str, Split]
    train_spec: EpisodeSpec
    meta_batch: int
    seed: int
    settings: Sequence[Setting]
    eval_seed: int = 0
    tasks: int = 1000
    curve_tasks: int = 200
    done: Mapping[int, int] = field(default_factory=dict)
    """Chunks of tasks that a test leaves out, by the setting."""
    _placed: dict[Hashable, Split] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        super().__init__()

    def __getstate__(self) -> dict[str, Any]:
        """Without the trainer, which holds a learner, loggers and files of its own."""
        return {**vars(self), "trainer": None, "_placed": {}}

    @staticmethod
    def of(trainer: pl.Trainer) -> TaskModule:
        """The tasks that a trainer was given."""
        # Lightning sets it where no type checker sees it.
        return trainer.datamodule  # pyright: ignore[reportAttributeAccessIssue]

    @property
    def _trainer(self) -> pl.Trainer:
        assert self.trainer is not None, "no trainer was given these tasks"
        return self.trainer

    @property
    def _learner(self) -> pl.LightningModule:
        return self._trainer.lightning_module

    def train_dataloader(self) -> DataLoader:
        again = getattr(self._trainer, "overfit_batches", 0)  # the same tasks in every epoch
        start = self._begins() if again else self._begins
        batches = MetaBatches(
            self._on_device("train"), self.train_spec, self.seed, self.meta_batch, start
        )
        return DataLoader(batches, batch_size=None)

    def _begins(self) -> int:
        """The meta-iteration that training goes on from."""
        start = self._learner.meta_iteration
        assert isinstance(start, int)
        return start

    def val_dataloader(self) -> list[DataLoader]:
        return self._loaders("val")

    def test_dataloader(self) -> list[DataLoader]:
        return self._loaders("test")

    def _loaders(self, split: str) -> list[DataLoader]:
        return [
            self.loader(split, setting, self.tasks, self.done.get(place, 0))
            for place, setting in enumerate(self.settings)
        ]

    def loader(self, split: str, setting: Setting, tasks: int, done: int = 0) -> DataLoader:
        """Of the first `tasks` tasks, without the chunks that are `done`."""
        its, curve_tasks = self._on_device(split), min(self.curve_tasks, tasks)
        source = EvalTasks(its, setting, tasks, curve_tasks, self.eval_seed, done)
        return DataLoader(source, batch_size=None)

    def _on_device(self, name: str) -> Split:
        """The split on the device that trains, in the precision that trains."""
        if name not in self.splits:
            raise ConfigError(
                f"the data have no split {name}: there are {', '.join(self.splits)}. Leave that "
                "stage out, as Trainer(limit_val_batches=0) does with validation"
            )
        some = [p for p in self._learner.parameters() if p.is_floating_point()]
        weight = next((p for p in some if p.requires_grad), some[0])
        key = name, weight.device, weight.dtype  # which another trainer may have otherwise
        if key not in self._placed:
            self._placed[key] = self.splits[name].to(weight.device, weight.dtype)
        return self._placed[key]

    def transfer_batch_to_device(self, batch: object, device: torch.device, _: int) -> object:
        return batch  # episodes are made where they are used


def _place_among_workers() -> tuple[int, int]:
    """`(worker, workers)` of a loader's processes, which take turns: `(0, 1)` outside of them."""
    info = get_worker_info()
    return (info.id, info.num_workers) if info else (0, 1)
