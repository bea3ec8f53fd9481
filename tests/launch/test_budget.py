"""Equal work: a budget makes a number of meta-iterations for each algorithm, and nothing else."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
import yaml

from fewstep.commands import following, train
from fewstep.config.arguments import read
from fewstep.config.budget import superseded
from fewstep.config.compose import compose_config, plain
from fewstep.launch.resume import keep
from fewstep.launch.settling import settled, settled_sweep
from fewstep.launch.supervisor import Supervised, running
from fewstep.messages.errors import ConfigError
from fewstep.records.identity import config_hash
from fewstep.report.runs.command import single
from fewstep.report.runs.gather import Run


def _config(*words: str) -> dict:
    return plain(compose_config("train", list(words)))


@pytest.mark.parametrize(
    ("words", "unit", "cost"),
    [
        (["algorithm=reptile"], "tasks", 5),
        (["algorithm=reptile"], "gradients", 5 * 5),
        (["algorithm=reptile"], "examples", 5 * 5 * 10),
        (["algorithm=joint"], "gradients", 5 * 5),
        (["algorithm=fomaml"], "gradients", 32 * 2),
        (["algorithm=fomaml", "algorithm.tail=cycle"], "gradients", 32 * 2),
        (["algorithm=maml"], "examples", 32 * (5 + 5)),
        (["algorithm=maml", "shots=20w5s", "algorithm.inner.steps=3"], "examples", 32 * 400),
        (["algorithm=binomial"], "gradients", 4 * 6),
        (["algorithm=combination"], "gradients", 2),
        (["algorithm=maml", "dataset=sine", "dataset.points=30"], "examples", 32 * (10 + 30)),
    ],
)
def test_a_budget_is_rounded_down_to_whole_meta_iterations(words, unit: str, cost: int) -> None:
    for amount, meta_iterations in ((7 * cost, 7), (8 * cost - 1, 7), (cost, 1)):
        config = _config(*words, f"budget.{unit}={amount}")
        assert following.of_training(config) == {"max_meta_iterations": meta_iterations}
    with pytest.raises(ConfigError) as refusal:
        following.of_training(_config(*words, f"budget.{unit}={cost - 1}"))
    assert f"budget.{unit}={cost - 1}: must be at least {cost}, one" in str(refusal.value)
    assert f"Use budget.{unit}={cost} or more" in str(refusal.value)


REFUSED = {
    "budget.tasks=0": "budget.tasks=0: must be a whole number of at least 1 or null. For example "
    "budget.tasks=10000",
    "budget.gradients=1e6": "budget.gradients=1000000.0: must be a whole number of at least 1 or "
    "null, written out as 1000000. For example budget.gradients=50000",
    "budget.examples=lots": "budget.examples=lots: must be a whole number of at least 1 or null. "
    "For example budget.examples=500000",
    "budget=7": "budget=7: must be null or one of tasks, gradients, examples with a number. For "
    "example budget.tasks=10000",
    "budget.gradients=7": "budget.gradients=7: must be at least 25, one meta-iteration of reptile "
    "(meta_batch=5 tasks of 5 gradients). Use budget.gradients=25 or more",
    "budget.tasks=4": "budget.tasks=4: must be at least 5, one meta-iteration of reptile "
    "(meta_batch=5 tasks). Use budget.tasks=5 or more",
    "budget.tasks=50 budget.examples=500": "budget.tasks=50 budget.examples=500: a training has "
    "one budget, and these are 2. Leave all but one of them out",
    "budget.tasks=50 max_meta_iterations=9": "max_meta_iterations=9: budget.tasks=50 says how long "
    "the training is. Leave one of them out, or switch the budget off with budget=null",
    "budget.steps=9": "budget.steps=9: there is no key budget.steps.",
    "budget={task:9}": "budget={task:9}: budget has no such key, only tasks, gradients, examples",
    "budget=[9]": "budget=[9]: has keys of its own. Give them as budget.KEY=VALUE",
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_is_no_budget_is_refused(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    assert train.main(words.split()) == 2
    assert capsys.readouterr().err.startswith(f"fewstep: {REFUSED[words]}")
    assert not list(tmp_path.iterdir())


def test_a_budget_of_a_file_is_refused_beside_words_and_switched_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "conf" / "experiment" / "mine.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("# @package _global_\nmax_meta_iterations: 400\nbudget: {gradients: 250}\n")
    assert following.of_training(_config("experiment=mine")) == {"max_meta_iterations": 10}
    words = ["experiment=mine", "max_meta_iterations=20"]
    with pytest.raises(ConfigError, match=r"max_meta_iterations=20: budget\.gradients=250 says"):
        settled(train.command(), words)
    with pytest.raises(ConfigError, match="max_meta_iterations=20: budget"):
        settled_sweep(train.command(), [*words, "seed=1,2"])
    off = [*words, "budget=null"]
    assert following.of_training(_config(*off), off) == {}


def test_the_resolved_number_is_what_is_hashed_and_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["dataset.classes=60", "trainer=cpu", "meta_batch=2", "model.channels=4"]
    composed, _ = settled(train.command(), [*words, "budget.gradients=100"])
    assert composed.max_meta_iterations == 10
    assert composed.hydra.overrides.task == [*words, "budget.gradients=100"]
    config = _config(*words, "max_meta_iterations=10")
    asked = _config(*words, "budget.tasks=20")
    assert config_hash({**asked, **following.of_training(asked)}) == config_hash(config)
    older = {name: value for name, value in config.items() if name != "budget"}
    assert config_hash(older) == config_hash(config)


def test_each_job_of_a_sweep_has_its_own_length(tmp_path: Path) -> None:
    """Its configuration, before it runs, and the words that its launcher is given."""
    launcher = Supervised()

    class Context:
        class config_loader:
            @staticmethod
            def load_sweep_config(_: object, words: list[str]):
                from fewstep.config.compose import compose_hydra

                return compose_hydra("train", words)

    with running(tmp_path, lambda _: {}, following.of_training) as launcher.sweep:
        from fewstep.launch.job_folders import Folders

        launcher.config, launcher.context = None, Context()
        launcher.folders = Folders(tmp_path, lambda _: {})
        jobs = [
            launcher._job([f"algorithm={name}", "budget.tasks=320"], number)
            for number, name in enumerate(("reptile", "maml", "combination"))
        ]
        more = launcher._job(["algorithm=maml", "budget.tasks=31"], 3)
        places = [launcher._place(job)[2:] for job in jobs]
    lengths = [yaml.safe_load((job.folder / "config.yaml").read_text()) for job in jobs]
    assert [config["max_meta_iterations"] for config in lengths] == [64, 10, 320]
    assert places == [[f"max_meta_iterations={n}"] for n in (64, 10, 320)]
    assert more.folder.name == "3"  # which fails on its own, with the reason
    with pytest.raises(ConfigError, match=r"budget\.tasks=31: must be at least 32"):
        train.settle(yaml.safe_load((more.folder / "config.yaml").read_text()))


def test_a_sweep_over_a_budget_does_not_name_its_jobs_by_what_follows(tmp_path: Path) -> None:
    words = ["budget.tasks=320,640", "algorithm=reptile,maml"]
    excluded, *_ = settled_sweep(train.command(), [*words, f"hydra.sweep.dir={tmp_path / 'new'}"])
    assert "'max_meta_iterations'" in excluded
    axes = [*words, "max_meta_iterations=3,4"]
    with pytest.raises(ConfigError, match=r"max_meta_iterations=3: budget\.tasks=320 says"):
        settled_sweep(train.command(), [*axes, f"hydra.sweep.dir={tmp_path / 'new'}"])


BUDGET = {"budget": {"tasks": 9, "gradients": None, "examples": None}}


@pytest.mark.parametrize(
    ("stored", "given", "config", "dropped"),
    [
        (["seed", "max_meta_iterations"], ["resume", "seed"], {}, set()),
        (["max_meta_iterations"], ["budget"], {"budget": None}, set()),
        (["budget.tasks"], ["resume"], BUDGET, {"max_meta_iterations"}),
        (
            ["budget.tasks"],
            ["max_meta_iterations"],
            BUDGET,
            {"budget.tasks", "max_meta_iterations"},
        ),
        (["+budget"], ["budget.examples"], BUDGET, {"+budget", "max_meta_iterations"}),
        (["experiment", "max_meta_iterations"], [], BUDGET, {"max_meta_iterations"}),
    ],
)
def test_a_resumed_run_is_as_long_as_the_newest_word_says(stored, given, config, dropped) -> None:
    assert superseded(stored, given, config) == dropped


def test_a_job_of_a_sweep_is_resumed_with_its_budget(tmp_path: Path) -> None:
    """Its words have the length as well, which its launcher was given."""
    job = tmp_path / "swept" / "0"
    job.mkdir(parents=True)
    (job / "overrides.yaml").write_text("[budget.tasks=320, max_meta_iterations=64, seed=3]")
    (job / "config.yaml").write_text(yaml.safe_dump(BUDGET))
    words = [f"resume={job}"]
    assert train.prepared(read("train", words)).overrides == ["budget.tasks=320", "seed=3", *words]
    longer = [*words, "max_meta_iterations=80"]
    assert train.prepared(read("train", longer)).overrides == ["seed=3", *longer]


@pytest.mark.parametrize(
    ("given", "own"),
    [
        (["budget.gradients=300", "seed=1"], ["budget.gradients=300", "seed=1"]),
        (["experiment=mine", "seed=1"], ["experiment=mine", "seed=1"]),
        (["budget=null", "max_meta_iterations=12"], ["budget=null", "max_meta_iterations=12"]),
        (["+budget.tasks=300", "init=a.ckpt"], ["+budget.tasks=300", "init=a.ckpt"]),
    ],
)
def test_the_command_of_a_single_job_of_a_sweep_can_be_given(
    given: list[str], own: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What its launcher has added stands in its overrides, and would be refused beside a budget."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "conf" / "experiment" / "mine.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("# @package _global_\nbudget: {gradients: 250}\n")
    job = tmp_path / "sweep" / "0"
    job.mkdir(parents=True)
    (job.parent / "multirun.yaml").touch()
    added = [] if "budget=null" in given else ["max_meta_iterations=12"]
    added += ["init_sha256=0123", "resume=a", "hydra.sweep.subdir='0'"]
    keep(job, {**_config(*given), **following.of_training(_config(*given[:1]))}, [*given, *added])
    told = shlex.split(single(Run(job, {"command": "fewstep train -m seed=1,2"})))
    assert told == ["fewstep", "train", *own]
    if "init=a.ckpt" not in own:  # which is not there
        config = _config(*told[2:])
        train.check({**config, **following.of_training(config, told[2:])})
