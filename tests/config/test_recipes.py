"""What `algorithm=NAME shots=SETTING` alone comes to, and that every file of conf/ composes."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest
from omegaconf import OmegaConf

from fewstep.commands import evaluate
from fewstep.commands.following import of_training
from fewstep.config.compose import compose_config, plain
from fewstep.config.groups import conf_dir, options
from fewstep.messages.errors import ConfigError
from fewstep.run.construction import assembly, parts


class Recipe(NamedTuple):
    train_shots: int
    queries: int
    meta_batch: int
    inner: tuple[str | None, float | None, int | None, int | None]
    """Rule, learning rate, steps, batch size; None where there is no inner loop."""
    test: tuple[int, int | None]
    """Steps, batch size."""
    outer: tuple[str, float, float | None]
    """Optimizer, learning rate, final learning rate."""


REPTILE = Recipe(10, 0, 5, ("adam", 0.001, 5, 10), (50, 5), ("SGD", 1.0, 0.0))
JOINT = Recipe(10, 0, 5, ("adam", 0.001, 5, 10), (50, 5), ("Adam", 0.001, 0.0))
COMBINATION = Recipe(10, 0, 1, ("sgd", 0.003, 2, 25), (5, None), ("SGD", 0.00075, 0.0))
BINOMIAL = {
    f"{ways}w{k}s": Recipe(k, k, 4, ("sgd", 0.01, 5, None), (10, None), ("Adam", 0.001, None))
    for ways in (5, 20)
    for k in (1, 5)
}
MAML_1 = Recipe(1, 1, 32, ("sgd", 0.1, 1, None), (3, None), ("Adam", 0.001, None))
MAML_5 = Recipe(5, 5, 32, ("sgd", 0.1, 1, None), (3, None), ("Adam", 0.001, None))


def family(shots: int) -> dict[str, Recipe]:
    """Those whose recipe hangs on the number of shots alone, where it hangs on anything."""
    k, adam = shots, ("Adam", 0.001, None)
    return {
        "imaml": Recipe(k, 15, 16, ("prox", 0.01, 16, None), (16, None), ("Adam", 0.01, None)),
        "hessian_free": Recipe(k, k, 4, ("sgd", 0.02, 5, None), (5, None), adam),
        "eigen_reptile": Recipe(15, 0, 5, ("adam", 0.0005, 7, 10), (50, 5), ("SGD", 1.0, 0.0)),
        "mamlpp": Recipe(k, k, 8, ("lslr", 0.1, 5, None), (5, None), ("Adam", 0.001, 0.00001)),
        "anil": Recipe(k, 15, 16, ("sgd", 0.1, 5, None), (10, None), adam),
        "boil": Recipe(k, 15, 16, ("sgd", 0.1, 5, None), (10, None), adam),
        "metasgd": Recipe(k, 15, 16, ("metasgd", 0.1, 5, None), (5, None), adam),
        "sign_maml": Recipe(k, 15, 8, ("sign", 0.0035, 5, None), (10, None), adam),
        "proto_fomaml": Recipe(
            k, 5, 1, ("sgd", 0.01, 1, None), (1, None), ("Adam", 0.001, 0.00001)
        ),
        "cavia": Recipe(k, k, 25, ("sgd", 1.0, 1, None), (5, None), adam),
        "prox_reptile": Recipe(10, 0, 5, ("prox", 0.01, 5, 10), (50, 5), ("SGD", 1.0, 0.0)),
        "focusft": Recipe(k, k, 16, ("clipped", 1.0, 2, None), (0, None), ("AdamW", 0.001, None)),
        "harmony": Recipe(k, 0, 6, ("sgd", 0.1, 5, None), (5, None), ("SGD", 1.0, None)),
        "protonet": Recipe(k, 5, 1, (None, None, None, None), (0, None), ("Adam", 0.001, 0.0)),
    }


RECIPES = {
    **{
        (name, f"{ways}w{k}s"): recipe
        for ways in (5, 20)
        for k in (1, 5)
        for name, recipe in family(k).items()
    },
    ("reptile", "5w1s"): REPTILE,
    ("reptile", "5w5s"): REPTILE,
    ("reptile", "20w1s"): REPTILE,
    ("reptile", "20w5s"): REPTILE,
    ("joint", "5w1s"): JOINT,
    ("joint", "5w5s"): JOINT,
    ("joint", "20w1s"): JOINT,
    ("joint", "20w5s"): JOINT,
    **{
        (name, shots): made
        for name in ("binomial", "truncated")
        for shots, made in BINOMIAL.items()
    },
    ("combination", "5w1s"): COMBINATION,
    ("combination", "5w5s"): COMBINATION,
    ("combination", "20w1s"): COMBINATION,
    ("combination", "20w5s"): COMBINATION,
    ("maml", "5w1s"): MAML_1,
    ("maml", "5w5s"): MAML_5,
    ("maml", "20w1s"): MAML_1,
    ("maml", "20w5s"): MAML_5,
    ("fomaml", "5w1s"): MAML_1,
    ("fomaml", "5w5s"): MAML_5,
    ("fomaml", "20w1s"): MAML_1,
    ("fomaml", "20w5s"): MAML_5,
}
NEEDS = {"focusft_qwen": ("transformers", "peft")}
"""Libraries of a full size, which is refused without them."""
SHOTS = {"5w1s": (5, 1), "5w5s": (5, 5), "20w1s": (20, 1), "20w5s": (20, 5)}


def composed(*overrides: str) -> dict:
    return plain(compose_config("train", overrides))


def names(group: str) -> list[str]:
    return sorted(file.stem for file in (conf_dir() / group).glob("*.yaml"))


def test_the_table_has_every_algorithm_and_every_classification_setting():
    settings = [name for name in names("shots") if "w" in name]
    assert len(names("algorithm")) > 0
    assert set(RECIPES) == {(a, s) for a in names("algorithm") for s in settings}


@pytest.mark.parametrize(("algorithm", "shots"), RECIPES)
def test_an_algorithm_alone_is_its_own_recipe(algorithm, shots):
    config = composed(f"algorithm={algorithm}", f"shots={shots}")
    inner, outer, setting = config["algorithm"]["inner"], config["algorithm"]["outer"], SHOTS[shots]
    assert (config["shots"]["ways"], config["shots"]["shots"]) == setting
    found = Recipe(
        config["shots"]["train_shots"],
        config["shots"]["queries"],
        config["meta_batch"],
        (inner.get("rule"), inner.get("lr"), inner.get("steps"), inner.get("batch_size")),
        (config["eval"]["steps"], config["eval"]["batch_size"]),
        (outer["optimizer"], outer["lr"], outer["final_lr"]),
    )
    assert found == RECIPES[algorithm, shots]
    assert config["eval"]["settings"] == [
        {"shots": setting[1], "steps": found.test[0], "batch_size": found.test[1]}
    ]
    assert config["eval"]["queries"] == 1
    assert config["name"] == f"{algorithm}_glyphs_{setting[0]}w{setting[1]}s"
    assembly.check(config)


@pytest.mark.parametrize("algorithm", ["reptile", "joint", "maml"])
def test_minibatches_may_be_drawn_each_on_its_own(algorithm):
    """Paper code, reptile.py:232-235."""
    config = composed(f"algorithm={algorithm}", "+algorithm.replacement=true")
    assert assembly.draft(config).recipe.spec.replacement


def test_a_key_of_the_command_line_wins_over_the_recipe():
    config = composed("algorithm=maml", "meta_batch=3", "shots.train_shots=4", "eval.steps=7")
    assert config["meta_batch"] == 3
    assert config["shots"]["train_shots"] == 4
    assert config["eval"]["settings"] == [{"shots": 1, "steps": 7, "batch_size": None}]


BRING = {name: ["dataset.root=somewhere"] for name in ("hebbian_swin", "subjects_nsd")}
"""What a user must bring to an experiment at its published size: large, and of libraries that take
seconds to import."""


@pytest.mark.parametrize(
    "experiment",
    [
        pytest.param(name, marks=pytest.mark.slow if name in BRING else ())
        for name in names("experiment")
    ],
)
def test_every_experiment_passes_the_check(experiment):
    for library in NEEDS.get(experiment, ()):
        pytest.importorskip(library)
    assembly.check(composed(f"experiment={experiment}", *BRING.get(experiment, [])))


NEEDS_ROOT = ("omniglot", "image_folder", "cifar_fs", "miniimagenet", "subject_files")


@pytest.mark.parametrize("dataset", names("dataset"))
def test_every_dataset_passes_the_check_and_its_keys_are_those_of_its_class(dataset):
    config = composed(f"dataset={dataset}", "++dataset.root=somewhere")
    if dataset not in NEEDS_ROOT:
        config = composed(f"dataset={dataset}")
    if dataset == "conversations":  # whose network needs a library
        config = composed(f"dataset={dataset}", "model=recall_decoder")
    assembly.check(config)
    made = parts.build_dataset(config["dataset"])
    assert made.name == config["dataset"]["name"] == dataset


@pytest.mark.parametrize("group", ["shots", "model", "trainer", "logger"])
def test_every_option_of_the_other_groups_composes(group):
    found = names(group)
    assert len(found) > 0
    for option in found:
        assert composed(f"{group}={option}")[group] is not None


class Published(NamedTuple):
    """A row of the authors' README; a training tested with 1 shot and with 5."""

    dataset: str
    model: str
    ways: int
    train_shots: int
    meta_iterations: int
    inner: tuple[float, int, int]
    """Learning rate, steps, batch size."""
    test_batch_sizes: tuple[int, int]


PUBLISHED = {
    "omniglot_5w_reptile": Published(
        "omniglot", "omniglot_conv", 5, 10, 100_000, (0.001, 5, 10), (5, 5)
    ),
    "omniglot_20w_reptile": Published(
        "omniglot", "omniglot_conv", 20, 10, 200_000, (0.0005, 10, 20), (10, 10)
    ),
    "miniimagenet_5w_reptile": Published(
        "miniimagenet", "miniimagenet_conv", 5, 15, 100_000, (0.001, 8, 10), (5, 15)
    ),
}


@pytest.mark.parametrize(("experiment", "row"), PUBLISHED.items())
def test_the_experiments_of_the_paper_are_those_of_the_paper(experiment, row):
    config, model = composed(f"experiment={experiment}"), composed(f"model={row.model}")["model"]
    inner, outer = config["algorithm"]["inner"], config["algorithm"]["outer"]
    assert config["name"] == experiment
    assert config["dataset"]["name"] == row.dataset
    assert config["dataset"].get("split") == ("authors" if row.dataset == "omniglot" else None)
    assert config["model"]["_target_"] == model["_target_"]
    assert config["max_meta_iterations"] == row.meta_iterations
    assert config["meta_batch"] == 5
    shots = {"ways": row.ways, "shots": 1, "train_shots": row.train_shots, "queries": 0}
    assert config["shots"] == shots | {"train_ways": None, "varies": None}
    assert (inner["rule"], inner["loss"], inner["state"]) == ("adam", "mean", "carry")
    assert (inner["lr"], inner["steps"], inner["batch_size"]) == row.inner
    assert (outer["optimizer"], outer["lr"], outer["final_lr"]) == ("SGD", 1.0, 0.0)
    assert config["eval"]["checkpoint"] == "last"
    assert config["eval"]["tasks"] == 10_000
    assert config["eval"]["protocol"] == "both"
    assert config["eval"]["queries"] == 1
    assert config["eval"]["settings"] == [
        {"shots": shots, "steps": 50, "batch_size": size}
        for shots, size in zip((1, 5), row.test_batch_sizes, strict=True)
    ]


def test_reptile_on_sines_takes_the_whole_grid_in_training():
    config = composed("experiment=sine")
    inner = config["algorithm"]["inner"]
    assert (inner["rule"], inner["lr"], inner["steps"], inner["batch_size"]) == ("sgd", 0.02, 5, 10)
    assert config["shots"] == {"ways": 1, "shots": 10, "train_shots": 50, "queries": 50}
    assert config["eval"]["settings"] == [{"shots": 10, "steps": 32, "batch_size": 10}]


def test_maml_on_sines_adapts_to_the_points_of_meta_test():
    config = composed("experiment=sine_maml")
    inner, outer = config["algorithm"]["inner"], config["algorithm"]["outer"]
    assert config["algorithm"]["name"] == "maml"
    assert (inner["rule"], inner["lr"], inner["steps"]) == ("sgd", 0.02, 5)
    assert inner["batch_size"] is None
    assert (outer["optimizer"], outer["lr"], config["meta_batch"]) == ("Adam", 0.001, 4)
    assert config["shots"]["train_shots"] == config["shots"]["shots"] == 10
    assert config["eval"]["settings"] == [{"shots": 10, "steps": 32, "batch_size": None}]


@pytest.mark.parametrize("algorithm", names("algorithm"))
def test_every_algorithm_takes_a_rate_on_sines_that_does_not_explode(algorithm):
    config = composed("dataset=sine", f"algorithm={algorithm}")
    inner = config["algorithm"]["inner"]
    assert inner["rule"] == config["algorithm"].get("needs_rule", "sgd")
    assert inner["lr"] == config["algorithm"].get("needs_lr", 0.02)
    assert ("needs_lr" in config["algorithm"]) == (algorithm in ("cavia", "sign_maml"))
    assert config["shots"]["train_shots"] == (15 if algorithm == "eigen_reptile" else 10)
    assert composed("dataset=sine", "algorithm.inner.lr=0.5")["algorithm"]["inner"]["lr"] == 0.5


TYPED = """
seed name algorithm algorithm.inner.lr algorithm.inner.steps algorithm.inner.batch_size
algorithm.inner.state algorithm.inner.loss algorithm.outer.lr dataset shots shots.ways shots.shots
shots.train_shots shots.queries model meta_batch max_meta_iterations eval.tasks eval.seed
eval.settings eval.queries eval.protocol eval.test_every trainer trainer.devices trainer.precision
execution logger resume
"""


@pytest.mark.parametrize(
    ("command", "overrides", "keys"),
    [
        ("train", [], TYPED.split()),
        ("train", ["algorithm=fomaml"], ["algorithm.tail", "algorithm.direction"]),
        (
            "train",
            ["dataset=omniglot"],
            ["dataset.root", "dataset.split", "dataset.split_seed"],
        ),
        ("train", ["dataset=image_folder"], ["dataset.root"]),
        ("evaluate", [], ["checkpoint", "dataset.root", "eval.tasks", "eval.settings"]),
    ],
)
def test_the_keys_that_users_type_are_there(command, overrides, keys):
    config = compose_config(command, overrides, complete=False)
    raw = OmegaConf.to_container(config)
    for key in keys:
        node = raw
        for part in key.split("."):
            assert part in node, key
            node = node[part]


def test_a_folder_conf_of_ones_own_adds_options(tmp_path: Path, monkeypatch):
    mine = tmp_path / "it's, [mine]" / "conf" / "shots"  # whatever a folder may be called
    mine.mkdir(parents=True)
    (mine / "3w2s.yaml").write_text("ways: 3\nshots: 2\ntrain_shots: 4\nqueries: 1\n")
    monkeypatch.chdir(mine.parents[1])
    assert composed("shots=3w2s")["shots"]["ways"] == 3
    assert composed("shots=5w1s")["shots"]["ways"] == 5
    assert "3w2s" in options("shots")


FOLLOWED = ["experiment=glyphs_5w_reptile", "eval.steps=3", "eval.batch_size=2"]
IGNORED = (
    "eval.steps=3: each entry of eval.settings has a steps of its own (5, 40), and none would "
)
IGNORED += "follow. Change it in eval.settings, or leave eval.steps out"


def test_steps_of_a_test_are_followed_by_its_settings_or_refused() -> None:
    settings = composed(*FOLLOWED)["eval"]["settings"]
    assert settings == [{"shots": shots, "steps": 3, "batch_size": 2} for shots in (1, 5)]
    words = ["experiment=ifwi", "eval.steps=3"]
    with pytest.raises(ConfigError) as told:
        of_training(composed(*words), words)
    assert str(told.value) == IGNORED
    of_training(composed(*words), ["experiment=ifwi"])  # a file may say what nothing follows
    own = ["eval.settings=[{shots: 3, steps: 5, batch_size: null}]", "checkpoint=any"]
    own.append("eval.batch_size=5")
    with pytest.raises(ConfigError) as told:
        evaluate.check(plain(compose_config("evaluate", own)))
    assert str(told.value) == (
        "eval.batch_size=5: each entry of eval.settings has a batch_size of its own (null), and "
        "none would follow. Change it in eval.settings, or leave eval.batch_size out"
    )
