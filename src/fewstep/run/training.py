"""One training: fit, then test it beside its baselines, and write the run directory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers.logger import Logger
from pytorch_lightning.utilities.rank_zero import rank_zero_only

from fewstep.execution.collectives import broadcast
from fewstep.loggers.metrics_file import MetricsFile
from fewstep.loggers.opening import Shown, log_results, open_loggers
from fewstep.messages.columns import aligned
from fewstep.messages.printable import printable
from fewstep.records import benchmarks, data_record, measures, sizes
from fewstep.records.figures.curves import draw_curves
from fewstep.records.results import table, write_json
from fewstep.run.construction.build import build_tasks
from fewstep.run.episodes import TaskModule
from fewstep.run.experiment import Experiment
from fewstep.run.lightning import quiet_lightning, trainer_options
from fewstep.run.observers.bars import Progress, TestProgress
from fewstep.run.observers.callbacks import Checkpoints, Measure
from fewstep.run.observers.pace import PaceFile
from fewstep.run.observers.peak import Peak
from fewstep.run.observers.stopwatch import Resume, Stopwatch
from fewstep.run.pictures import Finished, draw_pictures, drawn
from fewstep.run.stored import checkpoint, shipped
from fewstep.run.stored.chosen import selected_by
from fewstep.run.stored.origin import digests, kept
from fewstep.run.stored.spent import peak, stopwatch
from fewstep.run.testing.baselines import as_it_started, joint_baseline, own_baselines, untrained
from fewstep.run.testing.entrant import Entrant
from fewstep.run.testing.results import benchmarked, environment, header, progress, result
from fewstep.run.testing.so_far import SoFar, forget
from fewstep.run.testing.tested import Tested


def train(experiment: Experiment, folder: Path, command: str) -> dict[str, Any]:
    """Run one training to its end and return what results.json says.

    `folder` is there. Of several ranks, zero alone writes and has results; the others are only
    told what it reads.
    """
    quiet_lightning()
    torch.set_rng_state(experiment.chance)
    tasks, learner = build_tasks(experiment), experiment.learner
    report = header(experiment, command)
    report |= data_record.seen(folder, digests(experiment.splits))
    with open_loggers(_shown(experiment), folder) as loggers:
        watch, saved = fit(experiment, tasks, folder, "train", loggers)
        done = progress(watch, experiment)
        results = _test_chosen(experiment, tasks, folder, "trained", saved)
        report |= environment(experiment) | done | {"results": results}
        weights = {"trained": checkpoint.weights(learner)}
        for init, baseline, its in _baselines(experiment, tasks, folder):
            report["results"] += _test_chosen(baseline, tasks, folder, init, its)
            weights[init] = checkpoint.weights(baseline.learner)
        for init, its in own_baselines(experiment) if experiment.oracle else ():
            report["results"] += meta_test(its, build_tasks(its), Entrant(init, None, folder))
        log_results(loggers, report["results"])
    finish(report, folder, experiment.title)
    known = Finished(folder, experiment.recipe.name, learner, tasks, weights)
    draw_pictures(experiment.pictures, known)
    return report


def evaluate(
    experiment: Experiment, path: Path, folder: Path, command: str, tested: Tested
) -> dict[str, Any]:
    """Test the checkpoint at `path` and return what results.json says."""
    quiet_lightning()
    torch.set_rng_state(experiment.chance)
    tasks, learner = build_tasks(experiment), experiment.learner
    content = checkpoint.restore(learner, path)
    report = header(experiment, command)
    report |= data_record.seen(folder, digests(experiment.splits))
    report |= {"checkpoint": shipped.called(path), "trained_on": tested.trained_on}
    with open_loggers(_shown(experiment), folder, "evaluate") as loggers:
        entrant = Entrant("trained", path.stem, folder, tested.split)
        results = meta_test(experiment, tasks, entrant)
        log_results(loggers, results)
    report |= environment(experiment)
    watch, said = Stopwatch(), stopwatch(content, path, "checkpoint")
    watch.load_state_dict(said or watch.state_dict())
    report |= progress(watch, experiment) | {"peak_bytes": peak(content)}
    report |= {} if said else {"train_seconds": None}
    report["results"] = results
    report |= benchmarked(experiment.test.benchmark, results, folder, tested.training)
    finish(report, folder, experiment.title)
    return report


def fit(
    experiment: Experiment,
    tasks: TaskModule,
    folder: Path,
    label: str,
    loggers: Sequence[Logger] = (),
) -> tuple[Stopwatch, Checkpoints]:
    """Train to `max_meta_iterations`, from the checkpoint to resume where there is one."""
    learner, resume = experiment.learner, experiment.resume
    watch, measure = Stopwatch(), Measure(experiment.schedule, "val" in tasks.splits)
    saved = Checkpoints(folder / "checkpoints", experiment, measure)
    metrics = MetricsFile(folder / "metrics.csv")
    learner.origin = kept(experiment)
    if resume:
        metrics.cut_back(checkpoint.read(resume)["fewstep"]["meta_iteration"])
    trainer = pl.Trainer(
        **trainer_options(experiment.machine),
        max_steps=experiment.schedule.max_meta_iterations,
        max_epochs=-1,
        limit_val_batches=0,  # `Measure` decides when to validate: exactly resumable
        logger=[metrics, *loggers],
        callbacks=[
            *(watch, Peak(), measure, Progress(watch, measure, label)),
            *(PaceFile(folder, watch), saved, Resume(watch)),
        ],
    )
    trainer.fit(learner, tasks, ckpt_path=resume, weights_only=True)
    return watch, saved


def meta_test(experiment: Experiment, tasks: TaskModule, entrant: Entrant) -> list[dict[str, Any]]:
    """Test a learner as it is, in all settings and protocols; entries for results.json, which
    only rank zero has."""
    learner, split = experiment.learner, entrant.split
    bar = TestProgress(f"{split} {entrant.init}")
    so_far = SoFar(experiment, entrant)
    options = trainer_options(experiment.machine)
    trainer = pl.Trainer(**options, logger=False, callbacks=[so_far, bar])
    run = trainer.test if split == "test" else trainer.validate
    run(learner, tasks, verbose=False)
    if not trainer.is_global_zero:
        return []
    source = tasks.splits[split]
    return [result(r, source, tasks.eval_seed, entrant) for r in learner.records]


@rank_zero_only
def finish(report: dict[str, Any], folder: Path, title: str) -> None:
    """Write curves.png, then results.json, by which a run is finished, and tell the user."""
    with drawn("curves.png"):
        draw_curves(folder, report, title)
    write_json(folder / "results.json", report)
    forget(folder)
    where = f"mean ± 95 % half-width over tasks; {printable(folder)}"
    print(f"\n{table(report['results'], measures.unit('loss', report))}\n\n{where}")
    for lines in sizes.grids(report["results"]):
        print(f"\n{aligned(lines)}")
    if "benchmark" in report:
        print(f"\n{benchmarks.text(report['benchmark']['rows'])}")


def _shown(experiment: Experiment) -> Shown:
    return Shown(experiment.logger, experiment.labels.name, experiment.config)


def _test_chosen(
    experiment: Experiment,
    tasks: TaskModule,
    folder: Path,
    init: str,
    saved: Checkpoints | None,
) -> list[dict[str, Any]]:
    """Test the best iterate by meta-validation, or the last; an untrained learner as it is."""
    if saved is None:
        return meta_test(experiment, tasks, Entrant(init, None, folder))
    if experiment.test.checkpoint == "last" or not saved.best:
        return meta_test(experiment, tasks, Entrant(init, "last", folder))
    learner = experiment.learner
    writer = learner.trainer.is_global_zero
    content = broadcast(checkpoint.read(saved.best_path) if writer else {})
    checkpoint.adopt(learner, content)
    entries = meta_test(experiment, tasks, Entrant(init, "best", folder))
    return [{**entry, "selected_by": selected_by(content)} for entry in entries]


def _baselines(
    experiment: Experiment, tasks: TaskModule, folder: Path
) -> Iterator[tuple[str, Experiment, Checkpoints | None]]:
    """`(init, its experiment, its checkpoints)` of each baseline.

    They meet the same tasks and adapt at meta-test exactly as the trained one does; joint training
    has an outer step of its own and nothing else.
    """
    if experiment.random:
        yield "random", untrained(experiment), None
    if experiment.start:
        yield "start", as_it_started(experiment), None
    if experiment.joint:
        baseline = joint_baseline(experiment, aside := folder / "joint")
        if experiment.learner.trainer.is_global_zero:
            aside.mkdir(exist_ok=True)
        _, saved = fit(baseline, tasks, aside, "joint baseline")
        yield "joint", baseline, saved
