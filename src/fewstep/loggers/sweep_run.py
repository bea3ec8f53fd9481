"""One W&B run for a whole sweep: what its jobs say together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from fewstep.loggers.dashboard import Dashboard


JOB_TYPE = "sweep"

CURVES = "sweep/{}_at_step"
"""The adaptation curves of all recipes, `acc` or `loss`: one name each, and one chart for all."""


class Figure(Protocol):
    """What is shown of a recipe in one setting and protocol."""

    @property
    def name(self) -> str: ...
    @property
    def columns(self) -> Mapping[str, Any]: ...
    @property
    def metric(self) -> str: ...
    @property
    def mean(self) -> float | None: ...
    @property
    def seeds(self) -> float | None: ...
    @property
    def tasks(self) -> float | None: ...
    @property
    def curve(self) -> Mapping[int, float]: ...


def log_sweep(folder: Path, figures: Sequence[Figure], where: Mapping[str, Any]) -> bool:
    """Means over seeds as the run's summary and as a table, adaptation curves as its history.

    The run belongs to the sweep's folder: told again, it is the same one.

    Args:
        folder: of the sweep.
        figures: of all its recipes.
        where: `project`, `entity` and `offline` of the dashboard.

    Returns:
        Whether it was written offline, for `wandb sync`.
    """
    name = folder.resolve().name
    board = Dashboard(str(folder), name=name, group=name, job_type=JOB_TYPE, **where)
    run = board.experiment
    for metric in {figure.metric for figure in figures}:
        run.define_metric(f"{CURVES.format(metric)}/*", step_metric="inner_step")
    run.config.update({"sweep": name}, allow_val_change=True)
    run.log({"sweep/results": _table(figures)})
    for step in sorted({step for figure in figures for step in figure.curve}):
        points = {
            f"{CURVES.format(figure.metric)}/{figure.name}": figure.curve[step]
            for figure in figures
            if step in figure.curve
        }
        run.log({"inner_step": step, **points})
    for figure in figures:
        values = {"": figure.mean, "_ci95_seeds": figure.seeds, "_ci95_tasks": figure.tasks}
        run.summary.update(
            {
                f"sweep/{figure.metric}{end}/{figure.name}": value
                for end, value in values.items()
                if value is not None
            }
        )
    offline = bool(run.offline)
    board.finish(failed=False)
    return offline


def _table(figures: Sequence[Figure]) -> Any:
    """A row a recipe, setting and protocol."""
    import wandb

    columns = list(dict.fromkeys(name for figure in figures for name in figure.columns))
    rows: list[Any] = [
        [
            figure.name,
            *(_cell(figure.columns.get(name)) for name in columns),
            figure.metric,
            figure.mean,
            figure.seeds,
            figure.tasks,
        ]
        for figure in figures
    ]
    head = ["name", *columns, "metric", "mean", "ci95_seeds", "ci95_tasks"]
    return wandb.Table([*head], data=rows, allow_mixed_types=True)


def _cell(value: Any) -> Any:
    return value if value is None or isinstance(value, (int, float, str)) else str(value)
