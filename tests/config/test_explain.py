"""What is said of a key that is not there, or of a value that is not of its kind."""

from __future__ import annotations

import pytest

from fewstep.commands import evaluate
from fewstep.config.arguments import read
from fewstep.config.compose import compose_config, compose_hydra
from fewstep.messages.errors import ConfigError


NO_LOGGER = "no logger is chosen that would read it. Choose one first, for example logger=wandb "
NO_LOGGER += "logger.offline=true, or leave it out"
OF_ITS_OWN = "has keys of its own, which are given as"
PRINTS = "`fewstep train --cfg job` prints them"
VERBOSE = "must be true, false or modules whose logs are wanted in full, and there is no module"
JOBLIB = "hydra/launcher=local_joblib"
REFUSED = {
    # --- a logger's keys where none is chosen
    ("logger.offline=true",): f"logger.offline=true: {NO_LOGGER}",
    ("+logger.foo=1",): f"logger.foo=1: {NO_LOGGER}",
    ("logger=csv", "+logger.foo=1"): f"logger.foo=1: {NO_LOGGER}",
    ("~logger", "logger.foo=1"): f"logger.foo=1: {NO_LOGGER}",
    ("logger=wandb", "logger.ofline=1"): "logger.ofline=1: there is no key logger.ofline. Did you "
    "mean logger.offline? `fewstep train --cfg job` prints every key; +logger.ofline=1 adds it",
    # --- Hydra's keys
    (JOBLIB, "hydra.launcher.n_job=2"): "hydra.launcher.n_job=2: there is no key "
    "hydra.launcher.n_job. Did you mean hydra.launcher.n_jobs? `fewstep train "
    "hydra/launcher=local_joblib --cfg hydra --package hydra.launcher` prints every key",
    ("hydra.launcher.n_jobs=2",): "hydra.launcher.n_jobs=2: no launcher is chosen that has it. "
    "Choose one first, as hydra/launcher=NAME hydra.launcher.n_jobs=2; NAME is one of "
    "local_joblib, local_submitit, ray_cluster, slurm",
    ("hydra.sweeper.n_trials=2",): "hydra.sweeper.n_trials=2: no sweeper is chosen that has it. "
    "Choose one first, as hydra/sweeper=NAME hydra.sweeper.n_trials=2; NAME is one of optuna_val",
    ("hydra.sweeper.max_batch=2",): "hydra.sweeper.max_batch=2: there is no key "
    "hydra.sweeper.max_batch. Did you mean hydra.sweeper.max_batch_size? `fewstep train --cfg "
    "hydra --package hydra.sweeper` prints every key",
    ("hydra.runn.dir=x",): "hydra.runn.dir=x: there is no key hydra.runn.dir. Did you mean "
    "hydra.run.dir? `fewstep train --cfg hydra --package hydra` prints every key",
    ("hydra.run={dirr:x}",): "hydra.run={dirr:x}: hydra.run has no such key, only dir",
    ("hydra.sweeper.params.seed=1",): "hydra.sweeper.params.seed=1: an axis has a name of its own. "
    "Give it as -m seed=1",
    ("~hydra/launcher",): "hydra.launcher=None: is no launcher. Choose one, for example "
    "hydra/launcher=basic",
    ("~hydra.launcher",): "~hydra.launcher: cannot be (HydraConf (DictConfig) does not support "
    "deletion). Leave it out",
    # --- values of another kind
    (JOBLIB, "hydra.launcher.n_jobs=x"): "hydra.launcher.n_jobs=x: must be a whole number. For "
    "example hydra.launcher.n_jobs=2",
    ("hydra.run.dir=null",): "hydra.run.dir=null: must be a text. For example "
    "'hydra.run.dir=outputs/runs/${name}/${now:%Y-%m-%d}_${now:%H-%M-%S-%f}'",
    ("hydra.job.chdir=maybe",): "hydra.job.chdir=maybe: must be true or false. For example "
    "hydra.job.chdir=false",
    ("hydra.job.config.override_dirname.exclude_keys=3",): "hydra.job.config.override_dirname."
    "exclude_keys=3: must be a list. For example "
    "'hydra.job.config.override_dirname.exclude_keys=[]'",
    ("hydra.mode=x",): "hydra.mode=x: cannot be (Invalid value 'x', expected one of [RUN, "
    "MULTIRUN]). Leave it out",
    ("hydra.run=x",): "hydra.run=x: has keys of its own. Give them as hydra.run.KEY=VALUE",
    ("hydra.job=null",): "hydra.job=null: has keys of its own. Give them as hydra.job.KEY=VALUE",
    ("eval.settings.3=1",): "eval.settings.3=1: eval.settings has 1, counted from 0. Give the "
    "whole list, as eval.settings=[...]",
    ("algorithm.inner=3",): f"algorithm.inner=3: {OF_ITS_OWN} algorithm.inner.KEY=VALUE. {PRINTS}",
    ("algorithm.outer=x",): f"algorithm.outer=x: {OF_ITS_OWN} algorithm.outer.KEY=VALUE. {PRINTS}",
    ("algorithm.eval=x",): f"algorithm.eval=x: {OF_ITS_OWN} algorithm.eval.KEY=VALUE. {PRINTS}",
    ("hydra.verbose=maybe",): f"hydra.verbose=maybe: {VERBOSE} maybe. For example "
    "hydra.verbose=[fewstep]",
    ("hydra.verbose=3",): f"hydra.verbose=3: {VERBOSE} 3. For example hydra.verbose=[fewstep]",
    ("hydra.verbose=[hydra,nope.x]",): f"hydra.verbose=['hydra', 'nope.x']: {VERBOSE} nope.x. For "
    "example hydra.verbose=[fewstep]",
}


def composed(words: tuple[str, ...]) -> None:
    """As a run's configuration is, with Hydra's own part."""
    compose_hydra("train", words)
    compose_config("train", words)


@pytest.mark.parametrize("words", REFUSED, ids=" ".join)
def test_the_key_the_value_and_the_fix_are_named(words: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError) as caught:
        composed(words)
    assert str(caught.value) == REFUSED[words]


@pytest.mark.parametrize(
    "words",
    [
        ("logger=wandb", "logger.offline=true"),
        ("logger=tensorboard", "+logger.sub_dir=mine"),
        ("~logger",),
        ("resume=outputs/runs/NAME", "+logger.foo=1"),  # which its run has had
        ("hydra.verbose=true",),
        ("hydra.verbose=[fewstep.launch,__main__]",),
        (JOBLIB, "hydra.launcher.n_jobs=-1"),
        ("algorithm=protonet",),
    ],
    ids=" ".join,
)
def test_what_can_be_is_taken(words: tuple[str, ...]) -> None:
    composed(words)


TAKES = (
    "evaluate keeps what the checkpoint was trained with, and takes settings of the evaluation "
    "alone: trainer.accelerator, trainer.devices, trainer.num_nodes, trainer.precision, logger, "
    "checkpoint, resume, name, execution, trust, benchmark, other_data, dataset.root, "
    "dataset.split, dataset.within, dataset.size, dataset.channels, eval.split, "
    "eval.trained_classes, eval.tasks, eval.seed, eval.queries, eval.protocol, eval.steps, "
    "eval.batch_size, eval.shift, eval.settings, eval.curve_tasks, eval.manifest."
)
FOREIGN = {
    "algorithm.inner.lr=3": "",
    "shots.ways=3": "",
    "+model.channels=3": " Did you mean dataset.channels?",
    "algorithm=maml": "",
    "chekpoint=x": " Did you mean checkpoint?",
    "eval.task=3": " Did you mean eval.tasks?",
    "trainer.precison=64": " Did you mean trainer.precision?",
}


def of_evaluation(word: str) -> None:
    evaluate.prepared(read("evaluate", [word]))
    compose_config("evaluate", ["checkpoint=glyphs", word])


@pytest.mark.parametrize("word", FOREIGN)
def test_an_evaluation_is_offered_what_it_takes_alone(word: str) -> None:
    with pytest.raises(ConfigError) as caught:
        of_evaluation(word)
    more = "To change what is trained, use fewstep train"
    assert str(caught.value) == f"{word}: {TAKES}{FOREIGN[word]} {more}"


def test_an_evaluation_has_hydras_keys_and_a_logger_too() -> None:
    for word, said in {
        "hydra.runn.dir=x": "hydra.runn.dir=x: there is no key hydra.runn.dir. Did you mean "
        "hydra.run.dir? `fewstep evaluate --cfg hydra --package hydra` prints every key",
        "logger.offline=true": f"logger.offline=true: {NO_LOGGER}",
    }.items():
        with pytest.raises(ConfigError) as caught:
            of_evaluation(word)
        assert str(caught.value) == said
