"""The jobs of a sweep and their folders.

A job belongs to its configuration, not to its number: one that is finished is not run again, one
that was cut off goes on in its own folder, and a new one gets a folder that nobody has.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from hydra.core.utils import filter_overrides

from fewstep.disk.files import replacing
from fewstep.messages.printable import printable
from fewstep.records import data_record
from fewstep.records.identity import config_hash, hash_of
from fewstep.records.job_record import read_record, write_record
from fewstep.records.objective import objective_in
from fewstep.records.outcome import finished


Dataset = Mapping[str, Any]
"""The node of a configuration."""

Digests = Callable[[Dataset], Mapping[str, str | None]]
"""What tells the data of a node; raises OSError or ValueError where they cannot be read."""

Following = Callable[[Mapping[str, Any], Sequence[str]], Mapping[str, Any]]
"""The keys of a configuration that follow from others, as how long its run is from a budget, given
the words of its user; raises ConfigError where they cannot."""


def nothing_follows(config: Mapping[str, Any], words: Sequence[str]) -> Mapping[str, Any]:
    """Where nothing follows from anything."""
    return {}


@dataclass
class Job:
    """One combination of a sweep and its folder."""

    folder: Path
    overrides: list[str]
    """As the sweeper gave them."""
    following: Mapping[str, Any] = field(default_factory=dict)
    """What follows from them, as how long it is."""
    before: bool = False
    """Finished by an earlier invocation."""
    trouble: str | None = None
    """What its launcher said."""

    @property
    def finished(self) -> bool:
        return finished(self.folder)

    @property
    def objective(self) -> float | None:
        """What a sweeper judges it by; the worst there is where it has diverged."""
        if not self.finished:
            return None
        known = read_record(self.folder).get("objective")
        return objective_in(self.folder) if known is None else known

    def complete(self) -> None:
        """Say what became of a job that was killed between its results and its record, as it drew
        its pictures: it is not run again, and a search would never learn what it has found."""
        if not self.finished or read_record(self.folder).get("state") == "finished":
            return
        write_record(self.folder, "finished", objective=objective_in(self.folder))

    @property
    def fate(self) -> str:
        """What it is that has no result."""
        return "stopped" if read_record(self.folder).get("state") == "stopped" else "failed"

    @property
    def reason(self) -> str:
        """Why it has no result."""
        known = read_record(self.folder).get("reason")
        said = f" ({self.trouble})" if self.trouble else ""
        return known or f"its process ended without a result{said}"


class Folders:
    """The numbered folders of a sweep, and which of them belongs to which configuration."""

    def __init__(self, sweep: Path, digests: Digests) -> None:
        self.sweep, self._digests_of = sweep, digests
        self._seen: dict[str, str | None] = {}
        self._read: dict[str, Mapping[str, str | None]] = {}
        self._owned: dict[str, list[Path]] = {}
        """By configuration hash, those of earlier invocations that nobody claimed yet."""
        for number in sorted(self._taken()):
            if digits := hash_of(sweep / str(number)):
                self._owned.setdefault(digits, []).append(sweep / str(number))

    def claim(self, config: dict[str, Any], number: int) -> Path:
        """The folder of a configuration and its data: its own, or a new one, `number` if that is
        free."""
        own, dataset = self._owned.get(config_hash(config), []), config["dataset"]
        files = self._files(dataset)
        for same in (self._same_files, self._same_data):
            for folder in own:
                if same(folder, dataset, files):
                    own.remove(folder)
                    return folder
        taken = self._taken()
        number = max(taken) + 1 if number in taken else number
        folder = self.sweep / str(number)
        folder.mkdir()
        with replacing(folder / "config.yaml") as aside:
            aside.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
        data_record.given(folder, dataset, files)
        return folder

    def _files(self, dataset: Dataset) -> str | None:
        """The fingerprint of a dataset's files, which all jobs of a sweep mostly share."""
        key = json.dumps(dataset, sort_keys=True, default=str)
        if key not in self._seen:
            self._seen[key] = data_record.files_of(dataset)
        return self._seen[key]

    def _same_files(self, folder: Path, dataset: Dataset, files: str | None) -> bool:
        """Whether a job was given these very files."""
        record = data_record.read(folder)
        return bool(files) and record.get("files") == files

    def _same_data(self, folder: Path, dataset: Dataset, files: str | None) -> bool:
        """Whether what a job has read is what is there now, though its files may have changed.

        What nobody knows counts as the same: of an older sweep, of data that is not there, of a
        job that has read nothing yet.
        """
        known = data_record.digests_in(folder)
        if known and files is not None and self._digests(dataset) != known:
            return False
        if data_record.read(folder) and files is not None:
            data_record.given(folder, dataset, files)
        return True

    def _digests(self, dataset: Dataset) -> Mapping[str, str | None]:
        """The digests of a dataset; none where it cannot be read, which its job will say."""
        key = json.dumps(dataset, sort_keys=True, default=str)
        if key not in self._read:
            try:
                self._read[key] = self._digests_of(dataset)
            except (OSError, ValueError):
                self._read[key] = {}
        return self._read[key]

    def _taken(self) -> set[int]:
        return {int(path.name) for path in self.sweep.iterdir() if path.name.isdecimal()}


def summary(jobs: Sequence[Job]) -> str:
    """A line a job with its state and what it was asked for, then the failures by their reasons."""
    if not jobs:
        return "no job was run"
    shared = set.intersection(*(set(job.overrides) for job in jobs))
    lines, failures = [], []
    for job in jobs:
        own = " ".join(filter_overrides([w for w in job.overrides if w not in shared]))
        state = "finished before" if job.before else "finished" if job.finished else job.fate
        lines.append(f"{job.folder.name:>5}  {state:<15}  {printable(own)}".rstrip())
        if not job.finished:
            failures.append(printable(f"{job.fate}: {job.folder}: {job.reason}"))
    done, before = sum(job.finished for job in jobs), sum(job.before for job in jobs)
    stopped = sum(job.fate == "stopped" for job in jobs if not job.finished)
    counts = f"{len(jobs)} jobs: {done} finished, {before} of them before; "
    counts += f"{len(failures) - stopped} failed" + (f", {stopped} stopped" if stopped else "")
    left = "is left" if stopped else "failed"
    again = [f"The same command again runs only what {left}."] if failures else []
    return "\n".join([f"{'job':>5}  state", *lines, counts, *failures, *again])
