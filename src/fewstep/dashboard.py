"""Weights & Biases: one run for each training, on the axes that meta-learning is compared on."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from pytorch_lightning.loggers.logger import Logger
from pytorch_lightning.utilities.rank_zero import rank_zero_only


log = logging.getLogger("fewstep")


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
        offline: bool = False,
        init_timeout: float = 30,
    ) -> None:
        """`init_timeout` is in seconds; the rest is as in `wandb.init`."""
        super().__init__()
        self._options = {
            "dir": save_dir,
            "project": project,
            "name": name,
            "group": group,
            "entity": entity,
            "tags": list(tags),
            "job_type": "train",
        }
        self._offline, self._timeout = offline, init_timeout
        self._run: Any = None

    @property
    def name(self) -> str:
        return "wandb"

    @property
    def version(self) -> str:
        return self.experiment.id

    @property
    def experiment(self) -> Any:
        """The W&B run, started at the first use."""
        if self._run is None:
            self._run = self._start()
            for axis, metrics in (
                ("meta_iteration", ("train/*", "val/*", "test/acc", "test/acc_ci95")),
                ("inner_step", ("test/acc_at_step*", "test/loss_at_step*")),
            ):
                self._run.define_metric(axis, hidden=True)
                for metric in metrics:
                    self._run.define_metric(metric, step_metric=axis)
            self._run.define_metric("tasks_seen", hidden=True)
        return self._run

    def _start(self) -> Any:
        import wandb

        settings = wandb.Settings(init_timeout=self._timeout, silent=True)
        options = {**self._options, "settings": settings, "reinit": "finish_previous"}
        if not self._offline:
            try:
                return wandb.init(mode="online", **options)
            except (wandb.Error, OSError) as error:
                reason = str(error).splitlines()[0]
                log.warning("W&B cannot be reached (%s): this run is logged offline", reason)
        return wandb.init(mode="offline", **options)

    @rank_zero_only
    def log_hyperparams(self, params: Mapping[str, Any], *_: Any, **__: Any) -> None:
        self.experiment.config.update(dict(params), allow_val_change=True)

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        if "meta_iteration" in metrics:
            self.experiment.log(metrics)

    @rank_zero_only
    def log_results(self, results: Sequence[Mapping[str, Any]]) -> None:
        """Final figures as the run's summary, a curve for each protocol, and all as a table."""
        import wandb

        columns = ["init", "ways", "shots", "protocol", "steps", "tasks"]
        headline = "acc" if "acc" in results[0] else "loss"
        figures = [headline, f"{headline}_ci95"]
        rows = [[r[name] for name in (*columns, *figures)] for r in results]
        self.experiment.log({"test/results": wandb.Table([*columns, *figures], data=rows)})
        for r in results:
            if r["init"] != "trained":
                continue
            suffix = f"{r['ways']}w{r['shots']}s_{r['protocol']}"
            for step, value in zip(r["curve"]["steps"], r["curve"][headline], strict=True):
                point = {"inner_step": step, f"test/{headline}_at_step/{suffix}": value}
                self.experiment.log(point)
            for name in figures:
                self.experiment.summary[f"test/{name}/{suffix}"] = r[name]
        for name in figures:
            self.experiment.summary[f"test/{name}"] = results[0][name]

    @rank_zero_only
    def finish(self, failed: bool) -> None:
        """Close the run, so that the next job of a sweep gets one of its own."""
        if self._run is not None:
            self._run.finish(exit_code=int(failed))
            self._run = None
