"""Weights & Biases: one run for each training, on the axes that meta-learning is compared on."""

from __future__ import annotations

import logging
import math
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers.logger import Logger
from pytorch_lightning.utilities.rank_zero import rank_zero_only

from fewstep.disk.files import replacing
from fewstep.loggers.scoreboard import labels, results_table, tasks_table
from fewstep.messages.errors import first_line
from fewstep.records import measures
from fewstep.records.objective import objective


log = logging.getLogger("fewstep")

MEASURED = [f"{s}/{n}" for s in ("val", "test") for n in ("acc", "acc_ci95", "loss", "loss_ci95")]
AXES = {
    "meta_iteration": ["train/*", *MEASURED],
    "inner_step": [f"{metric}_at_step*" for metric in MEASURED],
}
"""What each metric is drawn against; `tasks_seen` is logged beside `meta_iteration`."""


class Dashboard(Logger):
    """Scalars against `meta_iteration`, adaptation curves against `inner_step`.

    Lightning's own W&B logger ties everything to the optimizer's step count, on which runs with
    different meta-batches do not overlay. A dead network or a missing key never stops a training:
    the run goes on offline, and `wandb sync` uploads it later.
    """

    def __init__(
        self,
        save_dir: str,
        project: str = "fewstep",
        name: str | None = None,
        group: str | None = None,
        entity: str | None = None,
        tags: Sequence[str] = (),
        job_type: str = "train",
        offline: bool | None = None,
        init_timeout: float = 30,
        finish_timeout: float = 60,
        checkpoint: bool = False,
    ) -> None:
        """The timeouts are in seconds; `checkpoint` uploads the one that was tested.

        `offline` says whether W&B is reached, whatever else does; None leaves that to W&B, so to
        `WANDB_MODE` and its settings. The rest is as in `wandb.init`.
        """
        super().__init__()
        self._folder = Path(save_dir)
        self._options = {
            "dir": save_dir,
            "project": project,
            "name": name,
            "group": group,
            "entity": entity,
            "tags": list(tags),
            "job_type": job_type,
        }
        self._offline = offline
        self._checkpoint = checkpoint and job_type == "train"
        self._timeouts: dict[str, Any] = {
            "init_timeout": init_timeout,
            "finish_timeout": finish_timeout,
        }
        self._run: Any = None
        self._lost = False

    @property
    def name(self) -> str:
        return "wandb"

    @property
    def version(self) -> str:
        return _run_id(self._folder)

    @property
    def experiment(self) -> Any:
        """The W&B run, started at the first use."""
        if self._run is None:
            self._run = self._start()
            for axis, metrics in AXES.items():
                self._run.define_metric(axis, hidden=True)
                for metric in metrics:
                    self._run.define_metric(metric, step_metric=axis)
            self._run.define_metric("tasks_seen", hidden=True)
        return self._run

    def _start(self) -> Any:
        import wandb

        options = {
            **self._options,
            "id": self.version,
            "settings": wandb.Settings(**self._timeouts, finish_timeout_raises=True, silent=True),
            "reinit": "finish_previous",
        }
        if not self._offline:
            mode = {} if self._offline is None else {"mode": "online"}
            try:
                return wandb.init(resume="allow", **mode, **options)
            except (wandb.Error, OSError) as error:
                log.warning(
                    "W&B cannot be reached (%s): this run is logged offline", first_line(error)
                )
                options["id"] = _run_id(self._folder, anew=True)  # W&B holds on to the other one
        return wandb.init(mode="offline", **options)

    @contextmanager
    def _harmless(self) -> Iterator[None]:
        """Whatever W&B raises costs the rest of the dashboard and not the training."""
        try:
            yield
        except Exception as error:
            if not self._lost:
                log.warning(
                    "W&B has failed (%s): this goes on without; upload it later: wandb sync %s",
                    first_line(error),
                    self._folder / "wandb" / "latest-run",
                )
            self._lost = True

    @rank_zero_only
    def log_hyperparams(self, params: Mapping[str, Any], *_: Any, **__: Any) -> None:
        with self._harmless():
            self.experiment.config.update(dict(params), allow_val_change=True)

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        if "meta_iteration" in metrics and not self._lost:
            with self._harmless():
                self.experiment.log(metrics)

    @rank_zero_only
    def log_results(self, results: Sequence[Mapping[str, Any]]) -> None:
        """Final figures as the run's summary, adaptation curves, and the tables behind them."""
        if self._lost:
            return
        with self._harmless():
            run, name, split = self.experiment, measures.metric_of(results[0]), results[0]["split"]
            figures = [name, f"{name}_ci95"]
            run.log({f"{split}/results": results_table(results)})
            run.log({f"{split}/tasks": tasks_table(results, self._folder)})
            for label, r in labels(results).items():
                if r["init"] != "trained":
                    continue
                for at, step in enumerate(r["curve"]["steps"]):
                    point = {f"{split}/{n}_at_step/{label}": r["curve"][n][at] for n in figures}
                    run.log({"inner_step": step, **point})
                run.summary.update({f"{split}/{n}/{label}": r[n] for n in figures})
            run.summary.update({f"{split}/{n}": results[0][n] for n in figures})
            goal = objective({"results": results}, self._folder)
            if goal is not None and math.isfinite(goal) and self._options["job_type"] == "train":
                run.summary.update({"objective": goal})
            if self._checkpoint:
                self._log_checkpoint(results[0]["checkpoint"])

    def _log_checkpoint(self, name: str) -> None:
        import wandb

        artifact = wandb.Artifact(f"checkpoint-{self.version}", type="model")
        path = self._folder / "checkpoints" / f"{name}.ckpt"
        artifact.add_file(str(path), policy="immutable")  # no copy into the user's cache
        self.experiment.log_artifact(artifact, aliases=[name])

    @rank_zero_only
    def finish(self, failed: bool) -> None:
        """Close the run, so that the next job of a sweep gets one of its own."""
        if self._run is not None:
            with self._harmless():
                self._run.finish(exit_code=int(failed))
            self._run = None


def _run_id(folder: Path, anew: bool = False) -> str:
    """The id of the W&B run of a run directory: a resumed training goes on in the same one.

    A W&B agent brings an id of its own.
    """
    file = folder / "wandb" / "run_id"
    if anew or not file.exists():
        given = None if anew else os.environ.get("WANDB_RUN_ID")
        with replacing(file) as aside:
            aside.write_text(given or secrets.token_hex(4), encoding="utf-8")
    return file.read_text(encoding="utf-8")
