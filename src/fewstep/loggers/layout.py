"""The comparison dashboard: sections and panels of a W&B workspace, made by W&B's own package."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fewstep.loggers.sweep_run import CURVES


NAME = "fewstep: comparison"

GROUPED = ("choices.algorithm", "choices.shots")
"""What the runs are gathered by; their seeds fall together into a mean and a range."""

COLUMNS = ("config:choices.value.algorithm", "config:choices.value.shots", "config:seed.value")


def layout(entity: str, project: str, metrics: Sequence[str], swept: Sequence[str] = ()) -> Any:
    """A workspace for runs that are measured by `metrics`: `acc`, `loss` or both.

    `swept` are keys of the configuration that sweeps of it changed, for the plot of a search.
    """
    import wandb_workspaces.workspaces as ws

    return ws.Workspace(
        entity=entity,
        project=project,
        name=NAME,
        sections=[
            _section("Meta-test over a sweep", _training(metrics, ("test", "val"))),
            _section("Adaptation to unseen tasks", _adaptation(metrics)),
            _section("Final figures", _final(metrics, swept)),
            _section("Training", _training(metrics, ("train",))),
        ],
        settings=ws.WorkspaceSettings(x_axis="meta_iteration", max_runs=50),
        runset_settings=ws.RunsetSettings(
            groupby=[ws.Config(key) for key in GROUPED],
            pinned_columns=[*COLUMNS, *(f"summary:test/{metric}" for metric in metrics)],
        ),
    )


def as_json(workspace: Any) -> str:
    """What would be sent to W&B, which the package shows nowhere but on its way there."""
    view = workspace._to_model()
    return view.model_dump_json(by_alias=True, exclude_none=True, indent=1) + "\n"


def _section(name: str, panels: list[Any]) -> Any:
    import wandb_workspaces.workspaces as ws

    return ws.Section(name=name, panels=panels, is_open=True)


def _training(metrics: Sequence[str], splits: Sequence[str]) -> list[Any]:
    """Each split by meta-iterations, by tasks and by time: who learns faster, and by what."""
    axes = {"meta_iteration": "meta-iterations", "tasks_seen": "tasks seen"}
    axes["RelativeTime(Process)"] = "time"
    titles = {"test": "Meta-test", "val": "Meta-validation", "train": "Training"}
    return [
        _lines(f"{titles[split]} {_word(metric)} by {said}", axis, f"^{split}/{metric}$")
        for split in splits
        for metric in metrics
        for axis, said in axes.items()
    ]


def _adaptation(metrics: Sequence[str]) -> list[Any]:
    """After each inner step: every run, and the recipes of a sweep on one chart."""
    panels = []
    for metric in metrics:
        word = _word(metric).capitalize()
        whole = f"^{CURVES.format(metric)}/"
        panels += [
            _lines(f"{word} after each inner step, means of a sweep", "inner_step", whole),
            _lines(
                f"{word} after each inner step, by run", "inner_step", f"^test/{metric}_at_step/"
            ),
        ]
    return panels


def _final(metrics: Sequence[str], swept: Sequence[str]) -> list[Any]:
    import wandb_workspaces.reports.v2 as wr

    panels: list[Any] = [
        wr.BarPlot(
            title=f"Meta-test {_word(metric)}",
            metrics=[f"test/{metric}"],
            groupby_aggfunc="mean",
            groupby_rangefunc="minmax",
        )
        for metric in metrics
    ]
    panels.append(wr.WeavePanelSummaryTable(table_name="sweep/results"))
    columns = [wr.ParallelCoordinatesPlotColumn(metric=wr.Config(key)) for key in swept]
    columns += [wr.ParallelCoordinatesPlotColumn(metric=wr.SummaryMetric("objective"))]
    if len(columns) > 1:
        panels.append(wr.ParallelCoordinatesPlot(title="What was swept", columns=columns))
    return panels


def _lines(title: str, axis: str, pattern: str) -> Any:
    import wandb_workspaces.reports.v2 as wr

    return wr.LinePlot(
        title=title,
        x=axis,
        metric_regex=pattern,
        groupby_aggfunc="mean",
        groupby_rangefunc="minmax",
        max_runs_to_show=50,
    )


def _word(metric: str) -> str:
    return {"acc": "accuracy"}.get(metric, metric)
