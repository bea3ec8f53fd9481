"""One training: fit, then test it beside its baselines, and write the run directory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.loggers.logger import Logger
from pytorch_lightning.utilities.rank_zero import rank_zero_only

from fewstep.execution.collectives import broadcast
from fewstep.loggers.opening import log_results, open_loggers
from fewstep.messages.printable import printable
from fewstep.records import data_record
from fewstep.records.curves import draw_curves
from fewstep.records.metrics import MetricsFile
from fewstep.records.results import table, write_json
from fewstep.run import build, checkpoint, handover
from fewstep.run.bars import Progress, TestProgress
from fewstep.run.callbacks import Checkpoints, Measure, Resume, Stopwatch
from fewstep.run.checkpoint_contents import stopwatch
from fewstep.run.chosen import selected_by
from fewstep.run.episodes import TaskModule
from fewstep.run.learner import MetaLearner
from fewstep.run.lightning import quiet_lightning, trainer_options
from fewstep.run.origin import digests, kept, resumed
from fewstep.run.results import device_name, header, progress, result
from fewstep.run.tested import Tested
from fewstep.run.waves import draw_waves


Config = Mapping[str, Any]


def train(config: Config, folder: Path, command: str) -> dict[str, Any]:
    """Run one training to its end and return what results.json says.

    `config` is checked, `folder` there. Of several ranks, zero alone writes and has results; the
    others are only told what it reads.
    """
    quiet_lightning()
    dataset = build.build_dataset(config["dataset"])
    splits = resumed(build.open_splits(dataset, config), config)
    tasks = build.build_tasks(config, splits)
    learner = handover.take(config) or build.build_learner(config, dataset.objective)
    report = header(config, command) | data_record.seen(folder, digests(splits))
    with open_loggers(config, folder) as loggers:
        watch, saved = fit(learner, tasks, config, folder, "train", loggers)
        done = progress(watch, learner.meta_iteration, config["meta_batch"])
        results = _test_chosen(learner, tasks, config, folder, "trained", saved)
        report |= environment(learner, config) | done | {"results": results}
        waves = {"trained": checkpoint.weights(learner)}
        for init, baseline, its in _baselines(config, tasks, dataset.objective, folder):
            report["results"] += _test_chosen(baseline, tasks, config, folder, init, its)
            waves[init] = checkpoint.weights(baseline)
        log_results(loggers, report["results"])
    finish(report, folder)
    if config["dataset"]["name"] == "sine" and learner.trainer.is_global_zero:
        draw_waves(folder / "waves.png", learner, waves, tasks)
    return report


def evaluate(
    config: Config, path: Path, folder: Path, command: str, tested: Tested
) -> dict[str, Any]:
    """Test a checkpoint and return what results.json says."""
    quiet_lightning()
    tasks = build.build_tasks(config, tested.splits)
    learner = build.build_learner(config, tested.objective)
    content = checkpoint.restore(learner, path)
    report = header(config, command) | data_record.seen(folder, digests(tested.splits))
    report |= {"checkpoint": str(path), "trained_on": tested.trained_on}
    with open_loggers(config, folder, "evaluate") as loggers:
        results = meta_test(learner, tasks, config, folder, "trained", path.stem, tested.split)
        log_results(loggers, results)
    report |= environment(learner, config)
    watch, said = Stopwatch(), stopwatch(content, path, "checkpoint")
    watch.load_state_dict(said or watch.state_dict())
    report |= progress(watch, learner.meta_iteration, learner.meta_batch)
    report |= {} if said else {"train_seconds": None}
    report["results"] = results
    finish(report, folder)
    return report


def fit(
    learner: MetaLearner,
    tasks: TaskModule,
    config: Config,
    folder: Path,
    label: str,
    loggers: Sequence[Logger] = (),
) -> tuple[Stopwatch, Checkpoints]:
    """Train to `max_meta_iterations`, from `config["resume"]` where it is given."""
    watch, every = Stopwatch(), config["eval"]["val_every"] if "val" in tasks.splits else None
    test = config["eval"]
    measure = Measure(every, test["val_tasks"], test["test_every"], test["test_tasks"])
    resume = config["resume"] and checkpoint.find(config["resume"], key="resume")
    saved = Checkpoints(folder / "checkpoints", config["checkpoint_every"], measure, resume)
    metrics = MetricsFile(folder / "metrics.csv")
    learner.origin = kept(tasks.splits, config)
    if resume:
        metrics.cut_back(checkpoint.read(resume)["fewstep"]["meta_iteration"])
    trainer = pl.Trainer(
        **trainer_options(config),
        max_steps=config["max_meta_iterations"],
        max_epochs=-1,
        limit_val_batches=0,  # `Measure` decides when to validate: exactly resumable
        logger=[metrics, *loggers],
        callbacks=[watch, measure, Progress(watch, measure, label), saved, Resume(watch)],
    )
    trainer.fit(learner, tasks, ckpt_path=resume, weights_only=True)
    return watch, saved


def meta_test(
    learner: MetaLearner,
    tasks: TaskModule,
    config: Config,
    folder: Path,
    init: str,
    name: str | None,
    split: str = "test",
) -> list[dict[str, Any]]:
    """Test a learner as it is, in all settings and protocols; entries for results.json, which
    only rank zero has."""
    trainer = pl.Trainer(
        **trainer_options(config), logger=False, callbacks=[TestProgress(f"{split} {init}")]
    )
    run = trainer.test if split == "test" else trainer.validate
    run(learner, tasks, verbose=False)
    if not trainer.is_global_zero:
        return []
    source = tasks.splits[split]
    return [result(r, source, tasks.eval_seed, init, name, folder) for r in learner.records]


@rank_zero_only
def finish(report: dict[str, Any], folder: Path) -> None:
    """Write results.json and curves.png and tell the user."""
    write_json(folder / "results.json", report)
    title = f"{report['algorithm']} on {report['dataset']}, seed {report['seed']}"
    draw_curves(folder, report["results"], title)
    where = f"mean ± 95 % half-width over tasks; {printable(folder)}"
    print(f"\n{table(report['results'])}\n\n{where}")


def environment(learner: MetaLearner, config: Config) -> dict[str, Any]:
    """Where and how it ran."""
    return {
        # Not the learner's own: Lightning leaves it on the CPU when it is done.
        "device": device_name(learner.trainer.strategy.root_device),
        "world_size": learner.trainer.world_size,
        "precision": str(config["trainer"]["precision"]),
        "execution": learner.execution.name,
    }


def _test_chosen(
    learner: MetaLearner,
    tasks: TaskModule,
    config: Config,
    folder: Path,
    init: str,
    saved: Checkpoints | None,
) -> list[dict[str, Any]]:
    """Test the best iterate by meta-validation, or the last; an untrained learner as it is."""
    if saved is None:
        return meta_test(learner, tasks, config, folder, init, None)
    if (config["eval"]["checkpoint"] or "best") == "last" or not saved.best:
        return meta_test(learner, tasks, config, folder, init, "last")
    writer = learner.trainer.is_global_zero
    content = broadcast(checkpoint.read(saved.best_path) if writer else {})
    checkpoint.adopt(learner, content)
    entries = meta_test(learner, tasks, config, folder, init, "best")
    return [{**entry, "selected_by": selected_by(content)} for entry in entries]


def _baselines(
    config: Config, tasks: TaskModule, objective: Any, folder: Path
) -> Iterator[tuple[str, MetaLearner, Checkpoints | None]]:
    """`(init, learner, its checkpoints)` of each baseline.

    They meet the same tasks and adapt at meta-test exactly as the trained one does; joint training
    has an outer step of its own and nothing else.
    """
    if config["baselines"]["random"]:
        yield "random", build.build_learner(config, objective), None
    if joint := config["baselines"]["joint"]:
        algorithm = {**joint, "inner": config["algorithm"]["inner"]}
        changed = {**config, "algorithm": algorithm, "resume": None, "logger": {}}
        learner = build.build_learner(changed, objective)
        aside = folder / "joint"
        if tasks.trainer.is_global_zero:
            aside.mkdir(exist_ok=True)
        _, saved = fit(learner, tasks, changed, aside, label="joint baseline")
        yield "joint", learner, saved
