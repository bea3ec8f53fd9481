"""One typed object between the configuration and the run: every part is built once."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch

from fewstep.commands import evaluate, train
from fewstep.config import compose
from fewstep.config.checks import flatten
from fewstep.config.compose import compose_config, plain
from fewstep.config.evaluation import OF_EVALUATION
from fewstep.config.reference import reference
from fewstep.config.renamed import current, renamed_word
from fewstep.config.trust import check_stored
from fewstep.messages.errors import ConfigError
from fewstep.run import handover
from fewstep.run.construction import build, parts, recipes
from fewstep.run.construction.assembly import assemble


pytestmark = pytest.mark.usefixtures("undrawn")


WORDS = [
    "dataset=sine",
    "trainer=cpu",
    "execution=serial",
    "meta_batch=2",
    "eval.tasks=2",
    "eval.steps=1",
]
WORDS += ["eval.curve_tasks=1", "eval.val_every=null", "max_meta_iterations=2"]
PARTS = ("build_algorithm", "build_outer", "build_model", "build_dataset", "build_test", "compose")


def home(name: str) -> ModuleType:
    """Where a part is made from."""
    made_in = {"build_outer": recipes, "build_test": build, "compose": compose}
    return made_in.get(name, parts)


def counting(calls: Counter[str], name: str) -> Callable[..., object]:
    made = getattr(home(name), name)

    def call(*args: object, **more: object) -> object:
        calls[name] += 1
        return made(*args, **more)

    return call


def counted(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    calls: Counter[str] = Counter()
    for name in PARTS:
        monkeypatch.setattr(home(name), name, counting(calls, name))
    return calls


def test_a_run_builds_each_part_once(monkeypatch, tmp_path) -> None:
    calls = counted(monkeypatch)
    assert train.main([*WORDS, f"hydra.run.dir={tmp_path / 'run'}"]) == 0
    assert calls == dict.fromkeys(PARTS, 1)
    calls.clear()
    words = ["trainer=cpu", f"checkpoint={tmp_path / 'run'}"]
    assert evaluate.main([*words, f"hydra.run.dir={tmp_path / 'again'}"]) == 0
    assert calls == dict.fromkeys(PARTS, 1)


def test_the_keys_of_an_evaluation_are_those_of_its_file() -> None:
    keys = {key for key, _ in flatten(plain(compose_config("evaluate", ["checkpoint=any"])))}
    assert {key for key in keys if not key.startswith(evaluate.OPEN)} == OF_EVALUATION


def test_a_run_that_goes_on_uses_what_settling_built(tmp_path) -> None:
    """Its programs were written at the values that the seed gives, as in an undisturbed run."""
    folder = tmp_path / "run"
    assert train.main([*WORDS, f"hydra.run.dir={folder}"]) == 0
    words = [*WORDS, "execution=threads", "max_meta_iterations=3", f"resume={folder}"]
    config = plain(compose_config("train", words))
    added = train.settle(config)
    experiment = handover.taken({**config, "resume": added["resume"]})
    assert experiment.learner.execution.name  # it was chosen by the preflight
    assert experiment.learner.config["resume"] == added["resume"]
    fresh = assemble(config).learner.state_dict()
    own = experiment.learner.state_dict()
    assert all(torch.equal(value, own[name]) for name, value in fresh.items())


def test_it_is_frozen_and_made_of_frozen_parts() -> None:
    experiment = assemble(plain(compose_config("train", WORDS)))
    parts = [experiment, experiment.recipe, experiment.schedule, experiment.test]
    parts += [experiment.machine, experiment.source, experiment.labels]
    for part in parts:
        first = dataclasses.fields(part)[0].name
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(part, first, None)


# --- what commit 43e8be0 wrote

OLD = {
    "logger": {"_target_": "fewstep.dashboard.Dashboard", "project": "mine"},
    "algorithm": {"inner": {"rule": "fewstep.rules.SGD"}, "tags": ["fewstep.dashboards"]},
    "model": {"_target_": "fewstep.patches.Patches", "inside": [{"_target_": "torch.nn.ReLU"}]},
}


def test_yesterdays_names_are_read_with_todays() -> None:
    read = current(OLD)
    assert read["logger"] == {"_target_": "fewstep.loggers.dashboard.Dashboard", "project": "mine"}
    assert read["algorithm"]["inner"]["rule"] == "fewstep.core.rules.SGD"
    assert read["algorithm"]["tags"] == ["fewstep.dashboards"]
    assert read["model"]["inside"] == [{"_target_": "torch.nn.ReLU"}]
    assert read["label"] is read["point"] is None
    assert current(read) == read
    stored = {name: read[name] for name in ("logger", "algorithm")}
    check_stored(stored, "a checkpoint", [])  # and they need no trust


def test_yesterdays_overrides_are_read_with_todays_names() -> None:
    word = "algorithm.inner.rule=fewstep.rules.SGD"
    assert renamed_word(word) == "algorithm.inner.rule=fewstep.core.rules.SGD"
    assert renamed_word("name=fewstep.rulesets") == "name=fewstep.rulesets"


@pytest.mark.slow
def test_a_checkpoint_of_yesterday_is_resumed(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert train.main([*WORDS, f"hydra.run.dir={folder}"]) == 0
    file = folder / "checkpoints" / "last.ckpt"
    content = torch.load(file, weights_only=True)
    for key in ("label", "point", "trust", "other_data"):
        content["fewstep"]["config"].pop(key)
    content["fewstep"]["config"]["logger"] = OLD["logger"]
    torch.save(content, file)
    (folder / "results.json").unlink()
    assert train.main([f"resume={folder}", "max_meta_iterations=3"]) == 0
    assert (folder / "results.json").is_file()


# --- the reference page


CHOICES = [[], ["algorithm=maml"], ["dataset=image_folder", "dataset.root=x"], ["dataset=sine"]]
CHOICES += [["algorithm=combination", "logger=wandb"], ["dataset=omniglot", "shots=20w5s"]]


@pytest.mark.parametrize("words", CHOICES, ids=" ".join)
def test_every_key_is_on_the_reference_page(words: list[str]) -> None:
    page = reference()
    composed = dict(flatten(plain(compose_config("train", words))))
    assert len(composed) > 40
    for key in composed.keys() - {"logger"}:  # a group without keys of its own is empty
        assert f"| `{key}` |" in page, key


def test_the_page_says_the_limit_the_default_and_what_it_does() -> None:
    page = reference()
    row = "| `log_every` | a whole number of at least 1 | `10` | meta-iterations |"
    assert row in page.splitlines()
    protocols = "both, one of inductive, transductive, support, or a list of these"
    assert f"| `eval.protocol` | {protocols} |" in page
    assert "| `FEWSTEP_CACHE` |" in page


# --- keys are required by what is chosen


def test_an_algorithm_needs_no_keys_that_nobody_reads() -> None:
    config = plain(compose_config("train", WORDS))
    for part, name in (("eval", "batch_size"), ("inner", "state")):
        del config["algorithm"][part][name]
    assert assemble(config).recipe.algorithm.inner.state == "carry"
    del config["algorithm"]["eval"], config["algorithm"]["queries"]
    train.check(config)
    config["algorithm"]["eval"] = {"step": 3}
    with pytest.raises(ConfigError, match=r"there is no key algorithm\.eval\.step"):
        train.check(config)
