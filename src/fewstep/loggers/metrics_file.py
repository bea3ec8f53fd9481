"""metrics.csv: every scalar of a run, one row a meta-iteration that logged anything."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any, TextIO

from pytorch_lightning.loggers.logger import Logger, rank_zero_experiment
from pytorch_lightning.utilities.rank_zero import rank_zero_only

from fewstep.disk.files import plain_file, replacing, writing
from fewstep.records.metrics import AXES, read_history


class MetricsFile(Logger):
    """A logger for one file that grows by rows and columns and can be cut back on resume.

    Rows are written as they come, so that a run that is stopped leaves what it logged. Lightning's
    own CSV logger deletes the file of the run that it continues.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self._rows: dict[int, dict[str, Any]] = {}
        self._columns: list[str] = list(AXES)

    @property
    def name(self) -> str:
        return "csv"

    @property
    def version(self) -> str:
        return ""

    @property
    @rank_zero_experiment
    def experiment(self) -> None:
        return None

    def log_hyperparams(self, *_: Any, **__: Any) -> None:
        """The configuration is config.yaml's business."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        if "meta_iteration" not in metrics:
            return  # Lightning's own bookkeeping
        row = self._rows.setdefault(int(metrics["meta_iteration"]), {})
        grown = not row and all(name in self._columns for name in metrics)
        row.update(metrics)
        self._columns += [name for name in metrics if name not in self._columns]
        if grown and self.path.exists():
            with writing(self.path), self._at_its_end() as file:
                csv.DictWriter(file, self._columns).writerow(row)
        else:
            self._rewrite()

    @rank_zero_only
    def cut_back(self, meta_iteration: int) -> None:
        """Read the file again and forget what came after `meta_iteration`.

        Raises:
            ConfigError: it is something else, and stays as it is.
        """
        if self.path.exists():
            self._columns, rows = read_history(self.path, "resume")
            kept = (row for row in rows if row["meta_iteration"] <= meta_iteration)
            self._rows = {int(row["meta_iteration"]): row for row in kept}
            self._rewrite()

    def _at_its_end(self) -> TextIO:
        return open(self.path, "a", newline="", encoding="utf-8", opener=plain_file)

    def _rewrite(self) -> None:
        with replacing(self.path) as aside, aside.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, self._columns)
            writer.writeheader()
            writer.writerows(self._rows.values())
