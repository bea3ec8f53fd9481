"""What would crash in a run, or after it, is refused before there is one, in one line."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from fewstep.algorithms import Algorithm, Reptile
from fewstep.commands import train
from fewstep.config import room
from fewstep.config.capacity import check_capacity
from fewstep.config.compose import compose_config, plain
from fewstep.core.types import EpisodeSpec
from fewstep.data.manifests import manifest
from fewstep.messages.errors import ConfigError
from fewstep.run import handover
from fewstep.run.checks.preflight import Preflight
from fewstep.run.construction.assembly import assemble


FEW = ["dataset.classes=60", "trainer=cpu", "execution=serial", "model.channels=4"]
WAVES = ["dataset=sine", "trainer=cpu", "execution=threads"]
OWN = ["+dataset.brings=Objective", "+dataset.spoilt=nothing", "~dataset.classes"]
OWN += ["~dataset.drawings", "~dataset.seed", "~dataset.val", "~dataset.test"]
OWN = ["dataset._target_=misfits.Dataset", "dataset.name=noise", *OWN]


def settle(*words: str, model: str = "") -> None:
    """All that a training checks before it has a run directory."""
    given = [f"model._target_=misfits.{model}"] if model else []
    train.settle(plain(compose_config("train", [*FEW, *given, *words])))


def refusal(*words: str, model: str = "") -> str:
    with pytest.raises(ConfigError) as caught:
        settle(*words, model=model)
    assert "\n" not in str(caught.value)
    return str(caught.value)


MODELS = [
    ("returns_a_tuple", [], ["forward returns a tuple", "one tensor", "Return the logits alone"]),
    ("returns_a_dictionary", [], ["forward returns a dictionary (logits)", "one tensor"]),
    ("returns_nothing", [], ["forward returns None"]),
    ("returns_classes", [], ["forward returns torch.int64", "Return the logits, not the classes"]),
    ("returns_probabilities", [], ["forward returns probabilities", "before the softmax"]),
    ("returns_one_mean", [], ["a tensor of [5] for 10 examples", "x.flatten(1)"]),
    ("returns_nan", [], ["what an untrained network answers is not finite", "division by zero"]),
    ("has_an_infinite_slope", [], ["gradient of head.weight at the start is not finite"]),
    ("has_no_slope", [], ["no derivative leads from the loss", "detach()"]),
    ("wants_indices", [], ["does not fit dataset=glyphs", "1x28x28", "misfits.py:"]),
    ("wants_double", [], ["mixes precisions", "trainer.precision=32", "dtype=x.dtype"]),
    ("wants_ten_images", ["algorithm.inner.batch_size=7"], ["does not fit", "misfits.py:"]),
    ("one_class_too_many", [], ["does not fit", "a tensor of [10, 6], not [examples, 5]"]),
    ("NeverEnds", [], ["RecursionError", "calls itself without an end"]),
    ("takes_a_petabyte", [], ["takes more memory than there is", "Lower"]),
    ("WritesIntoItsWeight", [], ["writes into a parameter", "x = x + y, not x += y"]),
    ("lazy", [], ["its layer 1 (LazyLinear) has no sizes", "nn.Linear"]),
    ("lstm", ["execution=vmap"], ["execution=vmap", "Use execution=threads or execution=serial"]),
    ("gru", ["execution=vmap"], ["execution=vmap", "Use execution=threads or execution=serial"]),
    (
        "Normalized",
        ["algorithm.inner.batch_size=1"],
        ["algorithm.inner.batch_size=1: a batch norm", "one value a channel", "=2 or more"],
    ),
    ("Normalized", ["eval.batch_size=1"], ["eval.batch_size=1: a batch norm", "2 or more"]),
    (
        "Normalized",
        [
            "eval.settings=[{shots: 1, steps: 3, batch_size: 5}, "
            "{shots: 1, steps: 3, batch_size: 1}]"
        ],
        ["eval.settings[1].batch_size=1: a batch norm"],
    ),
]


@pytest.mark.parametrize(("model", "words", "parts"), MODELS)
def test_a_network_that_cannot_be_trained(model, words, parts):
    message = refusal(*words, model=model)
    for part in parts:
        assert part in message


WORKING = [
    ("Attention", ["algorithm=maml", "execution=serial"]),
    ("Attention", ["algorithm=maml", "execution=vmap"]),
    pytest.param("Attention", ["algorithm=maml", "execution=threads"], marks=pytest.mark.slow),
    ("Volumes", []),
    ("Volumes", ["execution=vmap"]),
    ("old_weight_norm", []),
    ("new_weight_norm", []),
    ("new_weight_norm", ["algorithm=maml", "execution=vmap"]),
    ("lstm", []),
    ("gru", ["algorithm=maml"]),
    ("Normalized", []),
    ("plain", ["algorithm=combination", "execution=vmap"]),
    ("plain", ["algorithm.inner.steps=3000"]),
    ("plain", ["trainer.precision=64"]),
    ("plain", ["+algorithm@baselines.joint=joint"]),
    ("plain", ["eval.steps=0", "eval.curve_tasks=0"]),
]


@pytest.mark.parametrize(("model", "words"), WORKING)
def test_a_network_that_can(model, words):
    settle(*words, model=model)


OBJECTIVES = [
    ("MeanLoss", ["MeanLoss.inner_loss gives a tensor of [] for 10", 'reduction="none"']),
    ("FloatLoss", ["FloatLoss.outer_loss gives a float for 10 examples", "a tensor of [10]"]),
    ("FloatMetrics", ["FloatMetrics.metrics gives a float as loss", "without .item()"]),
    ("MetricsOfEach", ["metrics gives a tensor of [10] as right", "one number"]),
    ("CountedMetrics", ["metrics gives torch.int64 as right"]),
    ("MetricsWithoutLoss", ["metrics gives a dictionary (acc)", "with a loss"]),
    ("NoMetrics", ["NoMetrics has no metrics", "inner_loss, outer_loss and metrics"]),
    ("MetricsThatFail", ["metrics fails on outputs of [10, 5] and targets of [10] (IndexError"]),
    ("WritesIntoTargets", ["WritesIntoTargets.inner_loss writes into the outputs or the targets"]),
    ("RandomLoss", ["RandomLoss.inner_loss gives something else when it is asked again"]),
    ("TakenMetric", ["metrics gives tasks, which results.json has of its own. Call it something"]),
    ("LossWithoutSlope", ["no derivative leads from the loss", "in the losses of dataset=noise"]),
]


@pytest.mark.parametrize(("objective", "parts"), OBJECTIVES)
def test_an_objective_that_lacks_what_a_run_needs(objective, parts):
    message = refusal(*OWN, f"dataset.brings={objective}", model="plain")
    for part in parts:
        assert part in message


def test_a_dataset_of_ones_own_is_tried_as_well():
    settle(*OWN, model="plain")
    message = refusal(*OWN, "dataset.spoilt=not finite", model="plain")
    assert "dataset=noise: the inputs of a task hold values that are not finite" in message
    words = [*OWN, "dataset.spoilt=unequal queries"]
    settle(*words, model="plain")
    message = refusal(*words, "execution=vmap", model="plain")
    assert "execution=vmap: " in message
    assert "Use execution=threads or execution=serial" in message


def test_pictures_whose_channels_are_elsewhere_are_told_where_to_put_them():
    message = refusal(*OWN, "dataset.spoilt=channels last", "dataset.channels=3")
    assert message.endswith("channels first: np.moveaxis(x, -1, 1) has inputs of 3x28x28")
    message = refusal(*OWN, "dataset.spoilt=no channels")
    assert message.endswith("an axis for their channels: x[:, None] has inputs of 1x28x28")


def test_only_pictures_are_shifted():
    settle("eval.shift=1", "dataset.size=12", "eval.steps=1")
    with pytest.raises(ConfigError) as caught:
        train.settle(plain(compose_config("train", [*WAVES, "eval.shift=1"])))
    assert str(caught.value) == (
        "eval.shift=1: moves pictures of [channels, height, width], and the inputs of dataset=sine "
        "are of 1. Use eval.shift=0"
    )


def test_what_blows_up_is_looked_for_once_the_network_is_known_to_fit():
    with pytest.raises(ConfigError) as caught:
        train.settle(plain(compose_config("train", ["experiment=lgd", "model.d=3"])))
    told = str(caught.value)
    assert told.startswith("model=fewstep.models.LinearChains: does not fit dataset=linear with")
    assert "inputs of 2" in told


UNSOUND = [
    (
        ["algorithm=hessian_free", "algorithm.eps=1e-45"],
        "algorithm=hessian_free: its direction for layers.0.weight is not finite on the first "
        "training task, and one outer step would ruin the network. It hangs on "
        "algorithm.inner.lr=0.02, algorithm.eps=1e-45. Use a lower rate, or the usual value of "
        "what was changed",
    ),
    (
        ["algorithm=imaml", "algorithm.inner.options.lam=1e30"],
        "algorithm.inner.options.lam=1e+30: times algorithm.inner.lr=0.02 is 2e+28, and the pull "
        "to the start overshoots it from 2 on. Use algorithm.inner.options.lam=50 or less, or a "
        "lower algorithm.inner.lr",
    ),
]


@pytest.mark.parametrize(("words", "told"), UNSOUND)
def test_a_direction_that_ruins_the_network_is_refused(words, told):
    with pytest.raises(ConfigError) as caught:
        train.settle(plain(compose_config("train", [*WAVES, *words])))
    assert str(caught.value) == told


def test_one_class_cannot_be_learned():
    assert "shots.ways=1: with one class every answer is right" in refusal("shots.ways=1")


def test_a_joint_baseline_is_tried_as_well(monkeypatch):
    words = ["+algorithm@baselines.joint=joint", "baselines.joint._target_=test_preflight.Broken"]
    assert "Broken: its direction fails (RuntimeError: no way" in refusal(*words)


class Broken(Algorithm):
    """An algorithm that cannot find its direction."""

    def __init__(self, inner):
        self.inner = inner

    def direction(self, problem, start, episode):
        raise RuntimeError("no way")


class Later(Reptile):
    """From the second meta-iteration on, what cannot find its direction takes its place."""

    def at(self, meta_iteration, of):
        return Broken(self.inner) if meta_iteration else self


class Gathers(Reptile):
    """Something is made of what all tasks of a meta-batch hand over."""

    uploads = True

    def upload(self, problem, end, episode):
        return {"tasks": episode.support_y.new_ones(())}

    def together(self, module, params, uploads):
        raise RuntimeError(f"of {int(uploads['tasks'])} tasks")


def test_an_algorithm_is_tried_at_its_later_turns_and_with_a_whole_meta_batch():
    def told(name):
        words = [*WAVES, f"algorithm._target_=test_preflight.{name}", "meta_batch=4"]
        with pytest.raises(ConfigError) as caught:
            train.settle(plain(compose_config("train", words)))
        return str(caught.value)

    start = "algorithm=test_preflight"
    assert told("Later").startswith(f"{start}.Broken: its direction fails (RuntimeError: no way,")
    assert told("Gathers").startswith(
        f"{start}.Gathers: its together fails (RuntimeError: of 4 tasks,"
    )


def test_nothing_of_the_run_is_changed():
    config = plain(compose_config("train", WAVES))
    experiment = assemble(config)
    splits, learner = experiment.splits, experiment.learner
    before = [value.clone() for value in learner.state_dict().values()]
    versions = [value._version for value in learner.state_dict().values()]
    chance = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()
    preflight = Preflight(experiment)
    preflight.training(splits["train"])
    preflight.test(splits["test"])
    assert torch.equal(chance[0], torch.get_rng_state())
    assert chance[1:] == (random.getstate(), np.random.get_state()[1].tolist())
    assert versions == [value._version for value in learner.state_dict().values()]
    for old, new in zip(before, learner.state_dict().values(), strict=True):
        assert torch.equal(old, new)
    assert learner.meta_iteration == 0


def test_the_run_takes_over_the_programs_that_were_written():
    config = plain(compose_config("train", WAVES))
    train.settle(config)
    assert handover.taken({**config, "seed": 1}).seed == 1
    train.settle(config)
    torch.rand(1)
    settled = handover.taken(config)
    learner, other = settled.learner, handover.taken(config)
    fresh = other.learner
    assert fresh is not learner
    assert torch.equal(settled.chance, other.chance)  # as if it had just been built
    known = learner.execution._programs._known
    assert len(known) == 1
    split, spec = settled.splits["train"], settled.recipe.spec
    episodes = [split.episode(spec, config["seed"], i) for i in range(2)]
    (found, _, _), (expected, _, _) = (one.directions(episodes) for one in (learner, fresh))
    assert len(known) == 1
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_the_run_tests_on_the_tasks_of_a_list(tmp_path):
    config = plain(compose_config("train", FEW))
    file, split = tmp_path / "tasks.npz", assemble(config).splits["test"]
    manifest.write(file, manifest.of(split, EpisodeSpec(5, 1, 1, 0), 7, 3))
    config["eval"]["manifest"] = str(file)
    train.settle(config)
    test = handover.taken(config).test
    assert (test.tasks, test.seed, test.settings[0].spec.queries) == (3, 7, 1)
    told = refusal("eval.manifest=nowhere.npz")
    assert told.startswith("eval.manifest=nowhere.npz: cannot be read (No such file or directory)")


BATCH = "algorithm.inner.batch_size"
TOO_MUCH = [
    (["meta_batch=1000000000"], ["meta_batch=1000000000: the tasks of a meta-batch", "or less"]),
    ([f"{BATCH}=1000000000"], [f"{BATCH}=1000000000: a minibatch", "2.9 TiB"]),
    ([f"{BATCH}=1000000"], [f"{BATCH}=1000000: the derivative needs about", "an example"]),
    (["algorithm.inner.steps=10000000000"], ["inner.steps=10000000000: the indices", "3.6 TiB"]),
    (["dataset.drawings=100000000"], ["dataset.drawings=100000000: the drawings of one class"]),
    (["dataset.classes=1000000000"], ["dataset.classes=1000000000: the names of the classes"]),
    (["dataset.size=100000"], ["dataset.size=100000: the images that are made at once", "TiB"]),
    (["eval.steps=1000000000"], ["eval.steps=1000000000: the indices of all minibatches"]),
    (["eval.batch_size=1000000000"], ["eval.batch_size=1000000000: a minibatch", "2.9 TiB"]),
    (["eval.tasks=1000000000000"], ["eval.tasks=1000000000000: the figures", "727.6 TiB"]),
    (["eval.val_tasks=1000000000000"], ["eval.val_tasks=1000000000000: the figures"]),
    (["eval.queries=1000000000"], ["1 + 1000000000 = 1000000001 are needed"]),
    (["shots.ways=1000000000"], ["1000000000x", "shots.ways"]),
    (["shots.train_shots=1000000000"], ["= 1000000000 + 0 = 1000000000 are needed"]),
    (["model.channels=1000000"], ["1000000x1000000x3x3", "32.7 TiB", "Lower the model's sizes"]),
    (
        ["algorithm=maml", "algorithm.inner.steps=10000000"],
        ["algorithm.inner.steps=10000000: the derivative needs", "algorithm.checkpoint_steps"],
    ),
    (["dataset=sine", "shots.shots=1000000000"], ["the sine grid has 50 points"]),
    (["dataset=sine", "model.hidden=10000000"], ["10000000x10000000"]),
    (["dataset=sine", "dataset.points=100000000000"], ["dataset.points=100000000000: the grid"]),
    (["meta_batch=1e9"], ["must be a whole number", "written out as 1000000000"]),
    (["dataset.drawings=1e8"], ["must be a whole number, written out as 100000000"]),
    (["eval.settings=[{shots: 1, steps: 1e9, batch_size: 5}]"], ["written out as 1000000000"]),
    (["resume="], ["resume=: must be a text or null", "resume=outputs/runs/NAME/DATE"]),
]


@pytest.mark.parametrize(("words", "parts"), TOO_MUCH)
def test_values_that_no_machine_holds(words, parts, monkeypatch):
    monkeypatch.setattr(room, "of_machine", lambda: 16 << 30)
    few = FEW if "dataset=sine" not in words else ["trainer=cpu"]
    with pytest.raises(ConfigError) as caught:
        train.settle(plain(compose_config("train", [*few, *words])))
    for part in parts:
        assert part in str(caught.value)


HARMLESS = ["log_every", "checkpoint_every", "eval.val_every", "max_meta_iterations"]


def test_values_that_cost_nothing_may_be_as_large_as_they_like():
    settle(*(f"{key}=1000000000" for key in HARMLESS))
    words = ["eval.queries=1000000000", "execution=serial"]  # a wave is measured on its whole grid
    train.settle(plain(compose_config("train", ["dataset=sine", "trainer=cpu", *words])))


def test_an_evaluation_is_held_against_what_it_needs_itself(monkeypatch):
    monkeypatch.setattr(room, "of_machine", lambda: 1 << 30)
    config = plain(compose_config("train", [*FEW, "meta_batch=10000000"]))
    check_capacity(config, training=False)
    with pytest.raises(ConfigError, match="meta_batch=10000000"):
        check_capacity(config)


def test_the_largest_value_that_is_named_is_not_refused(monkeypatch):
    monkeypatch.setattr(room, "of_machine", lambda: 1 << 30)
    for key in ("meta_batch", BATCH, "eval.steps"):
        config = plain(compose_config("train", [*FEW, f"{key}=1000000000000"]))
        with pytest.raises(ConfigError) as caught:
            check_capacity(config)
        best = str(caught.value).rpartition(f"Use {key}=")[2].split()[0]
        config = plain(compose_config("train", [*FEW, f"{key}={best}"]))
        check_capacity(config)


def test_a_cache_that_does_not_fit_its_disk_is_not_begun(monkeypatch, tmp_path):
    monkeypatch.setenv("FEWSTEP_CACHE", str(tmp_path))
    with pytest.raises(ConfigError) as caught:
        settle("dataset.classes=100000000", "dataset.size=64")
    assert "would take 7629.4 GiB in the cache" in str(caught.value)
    assert "set FEWSTEP_CACHE" in str(caught.value)
    assert not list(tmp_path.glob("*.npy*"))
