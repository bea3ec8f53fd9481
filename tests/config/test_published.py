"""The experiments and sweeps of the paper hold the numbers that were published."""

from __future__ import annotations

import copy
from functools import cache
from typing import NamedTuple

import pytest
from torch import nn

from fewstep.config.arguments import combinations
from fewstep.config.checks import flatten
from fewstep.config.compose import compose_config, compose_hydra, plain
from fewstep.config.groups import options
from fewstep.config.limits import LATER
from fewstep.core.types import EpisodeSpec
from fewstep.records.identity import config_hash, hashed
from fewstep.records.older import BEFORE
from fewstep.report.reproduction import orderings, overlap
from fewstep.run.construction import assembly, parts


class Finn(NamedTuple):
    """A recipe of Finn et al. 2017, appendix A.1; all train for 60,000 meta-iterations."""

    dataset: str
    ways: int
    rate: float
    """Of the inner step, on a loss that is summed over the ways."""
    steps: tuple[int, int]
    """In training, at meta-test."""
    meta_batch: int
    queries: int | None = None
    """A class in training; None is as many as shots."""


FINN = {
    "omniglot_5w": Finn("omniglot", 5, 0.4, (1, 3), 32),
    "omniglot_20w": Finn("omniglot", 20, 0.1, (5, 5), 16),
    "miniimagenet_5w": Finn("miniimagenet", 5, 0.01, (5, 10), 4, queries=15),
}


def composed(*overrides: str) -> dict:
    return plain(compose_config("train", overrides))


@pytest.mark.parametrize("algorithm", ["maml", "fomaml"])
@pytest.mark.parametrize("shots", [1, 5])
@pytest.mark.parametrize(("family", "row"), FINN.items())
def test_maml_and_fomaml_have_the_recipe_of_finn_et_al(family, row, shots, algorithm):
    name = f"{family}{shots}s_{algorithm}"
    config = composed(f"experiment={name}")
    inner, outer = config["algorithm"]["inner"], config["algorithm"]["outer"]
    assert config["name"] == name
    assert config["algorithm"]["name"] == algorithm
    assert config["dataset"]["name"] == row.dataset
    assert config["dataset"].get("split") == ("with_val" if row.dataset == "omniglot" else None)
    network = {"omniglot": "MAMLOmniglotConv", "miniimagenet": "MiniImagenetConv"}[row.dataset]
    assert config["model"]["_target_"] == f"fewstep.models.{network}"
    assert config["max_meta_iterations"] == 60_000
    assert config["meta_batch"] == row.meta_batch
    assert config["shots"]["ways"] == row.ways
    spec = (row.ways, shots, row.queries or shots, row.steps[0], None, False)
    assert assembly.draft(config).recipe.spec == EpisodeSpec(*spec)
    assert (inner["rule"], inner["loss"]) == ("sgd", "mean")
    assert inner["lr"] == pytest.approx(row.rate * row.ways)
    loop = parts.build_algorithm(config["algorithm"]).inner
    model = parts.build_model(config["model"])
    norms = [f"{n}." for n, m in model.named_modules() if isinstance(m, nn.BatchNorm2d)]
    for parameter, _ in model.named_parameters():  # batch norm's are learned and not adapted
        assert loop.adapts(parameter) != parameter.startswith(tuple(norms))
    assert (outer["optimizer"], outer["lr"], outer["final_lr"]) == ("Adam", 0.001, None)
    assert (config["eval"]["tasks"], config["eval"]["checkpoint"]) == (10_000, "last")
    assert config["eval"]["queries"] == shots
    assert config["eval"]["settings"] == [
        {"shots": shots, "steps": row.steps[1], "batch_size": None}
    ]


class Family(NamedTuple):
    """A recipe on Mini-ImageNet of another paper."""

    meta_iterations: int
    inner: tuple[str, float, int, int | None]
    """Rule, rate, steps, batch size."""
    test_steps: int
    meta_batch: int
    outer: tuple[str, float, float | None, str]
    """Optimizer, its rate from and to, and the way."""


ADAM, SLOWER = ("Adam", 0.001, None, "linear"), ("Adam", 0.001, 0.00001, "cosine")
ALONE = {
    "binomial": Family(20_000, ("sgd", 0.01, 5, None), 10, 4, ADAM),
    "mamlpp": Family(50_000, ("lslr", 0.01, 5, None), 5, 8, SLOWER),
    "sign_maml": Family(60_000, ("sign", 0.0035, 5, None), 10, 8, ADAM),
    "eigen_reptile": Family(100_000, ("adam", 0.0005, 7, 10), 50, 5, ("SGD", 1.0, 0.0, "linear")),
}


def is_of_the_family(config: dict, algorithm: str) -> None:
    """What an experiment of the family has of its recipe, and its network."""
    row, own = ALONE[algorithm], config["algorithm"]
    inner, outer = own["inner"], own["outer"]
    assert own["name"] == algorithm
    assert config["dataset"]["name"] == "miniimagenet"
    network = {"_target_": "fewstep.models.MiniImagenetConv", "ways": 5, "in_channels": 3}
    assert config["model"] == {**network, "size": 84, "channels": 32}
    assert config["max_meta_iterations"] == row.meta_iterations
    assert (inner["rule"], inner["lr"], inner["steps"], inner["batch_size"]) == row.inner
    assert (inner["loss"], config["meta_batch"]) == ("mean", row.meta_batch)
    found = (outer["optimizer"], outer["lr"], outer["final_lr"], outer["schedule"])
    assert found == row.outer
    assert own["eval"]["steps"] == row.test_steps
    assert (config["eval"]["tasks"], config["eval"]["checkpoint"]) == (10_000, "last")


@pytest.mark.parametrize("shots", [1, 5])
@pytest.mark.parametrize("algorithm", ["binomial", "mamlpp", "sign_maml"])
def test_the_family_on_mini_imagenet_has_its_recipes(algorithm: str, shots: int) -> None:
    """And what these leave open is MAML's: the queries, what no task moves, and the test."""
    config = composed(f"experiment=miniimagenet_5w{shots}s_{algorithm}")
    maml = composed(f"experiment=miniimagenet_5w{shots}s_maml")
    is_of_the_family(config, algorithm)
    assert config["name"] == f"miniimagenet_5w{shots}s_{algorithm}"
    steps = ALONE[algorithm].inner[2]
    assert assembly.draft(config).recipe.spec == EpisodeSpec(5, shots, 15, steps, None, False)
    assert config["algorithm"]["inner"]["fixed"] == maml["algorithm"]["inner"]["fixed"]
    settings = {"shots": shots, "steps": ALONE[algorithm].test_steps, "batch_size": None}
    assert config["eval"] == {**maml["eval"], "steps": settings["steps"], "settings": [settings]}
    if algorithm == "mamlpp":
        own = config["algorithm"]
        assert (own["epoch"], own["multi_step_epochs"], own["first_order_until"]) == (500, 10, 0)
        assert own["inner"]["options"] == {"steps": 5}


def test_eigen_reptile_on_mini_imagenet_is_tested_as_reptile_is() -> None:
    config = composed("experiment=miniimagenet_5w_eigen_reptile")
    is_of_the_family(config, "eigen_reptile")
    assert config["name"] == "miniimagenet_5w_eigen_reptile"
    assert assembly.draft(config).recipe.spec == EpisodeSpec(5, 15, 0, 7, 10, False)
    assert config["eval"] == composed("experiment=miniimagenet_5w_reptile")["eval"]


def test_truncated_maml_has_the_recipe_of_its_neighbour() -> None:
    words = ("experiment=miniimagenet_5w1s_binomial", "algorithm=truncated")
    config, other = composed(*words), composed(words[0])
    assert config["name"] == "miniimagenet_5w1s_truncated"
    own, beside = config["algorithm"], other["algorithm"]
    assert (own["order"], own["window"], beside["window"]) == (1, 1, None)
    assert own == {**beside, "name": "truncated", "window": 1}


TWICE = {"lgd": 1}
"""Jobs that another one is as well: of Gaussian tasks the mode is ridge regression."""


@cache
def jobs(sweep: str) -> list[dict]:
    """The configuration of every job of a sweep, in order, each of which passes the check."""
    axes = compose_hydra("train", [f"sweep={sweep}"]).hydra.sweeper.params
    words = [f"sweep={sweep}", *(f"{key}={values}" for key, values in axes.items())]
    configs = [composed(*overrides) for overrides in combinations(words)]
    for config in configs:
        assembly.check(config)
    assert len({config_hash(config) for config in configs}) == len(configs) - TWICE.get(sweep, 0)
    return configs


@pytest.mark.slow
@pytest.mark.parametrize("sweep", options("sweep"))
def test_every_sweep_composes_and_has_a_folder_of_its_name(sweep):
    hydra_config = compose_hydra("train", [f"sweep={sweep}"]).hydra
    assert hydra_config.sweep.dir == f"outputs/sweeps/{sweep}"
    assert jobs(sweep)


def is_as_in_section_6(config: dict) -> bool:
    """Whether a job is trained and tested as all of Figures 3 and 4 are."""
    inner, outer, test = (config["algorithm"][part] for part in ("inner", "outer", "eval"))
    return (
        (config["dataset"]["name"], config["dataset"]["split"]) == ("omniglot", "authors")
        and (inner["rule"], inner["lr"], inner["loss"]) == ("sgd", 0.003, "sum")
        and (outer["optimizer"], outer["final_lr"]) == ("SGD", 0.0)
        and (config["meta_batch"], config["max_meta_iterations"]) == (1, 40_000)
        and (config["shots"]["ways"], config["shots"]["shots"]) == (5, 5)
        and (test["steps"], test["batch_size"]) == (5, 25)
        and (config["eval"]["protocol"], config["eval"]["checkpoint"]) == ("inductive", "last")
    )


FIGURE_3 = {
    # inner iterations, train shots, the authors' outer step, which gradients count
    "g1": (1, 5, 0.25, {1}),
    "g1+g2": (2, 10, 0.25, {1, 2}),
    "(g1+g2)/2": (2, 10, 0.125, {1, 2}),
    "g2": (2, 10, 0.25, {2}),
    "g1+g2+g3": (3, 15, 0.25, {1, 2, 3}),
    "(g1+g2+g3)/3": (3, 15, 0.08325, {1, 2, 3}),
    "g3": (3, 15, 0.25, {3}),
    "g1+g2+g3+g4": (4, 20, 0.25, {1, 2, 3, 4}),
    "(g1+g2+g3+g4)/4": (4, 20, 0.0625, {1, 2, 3, 4}),
    "g4": (4, 20, 0.25, {4}),
}


def test_the_ten_curves_of_figure_3_have_the_outer_steps_of_the_authors():
    configs = jobs("gradient_combinations")
    assert [config["label"] for config in configs] == list(FIGURE_3)
    assert set(FIGURE_3) == set(orderings.CURVES)  # what the report looks for
    for config in configs:
        iterations, train_shots, step, counted = FIGURE_3[config["label"]]
        algorithm = config["algorithm"]
        assert is_as_in_section_6(config)
        assert algorithm["name"] == "combination"
        assert assembly.draft(config).recipe.spec == EpisodeSpec(5, train_shots, 0, iterations, 25)
        for i, weight in enumerate(algorithm["weights"], start=1):
            expected = step * algorithm["inner"]["lr"] if i in counted else 0
            assert weight * algorithm["outer"]["lr"] == pytest.approx(expected), config["label"]
        assert config["eval"]["test_every"] == 1000


METHODS = {
    # label: algorithm, tail
    "shared tail, cycle": ("fomaml", "cycle"),
    "shared tail, replacement": ("fomaml", "replacement"),
    "separate tail": ("fomaml", "separate"),
    "Reptile": ("reptile", None),
}


@pytest.mark.slow
def test_the_methods_of_figure_4_share_their_points_and_their_twenty_drawings():
    configs = jobs("overlap")
    assert set(METHODS) == set(overlap.METHODS)  # what the report looks for
    points = [config["point"] for config in configs[:10]]
    assert [c["label"] for c in configs] == [label for label in METHODS for _ in points]
    assert [c["point"] for c in configs] == points * len(METHODS)
    for config in configs:
        algorithm, point = config["algorithm"], config["point"]
        assert is_as_in_section_6(config)
        name, tail = METHODS[config["label"]]
        assert (algorithm["name"], algorithm.get("tail")) == (name, tail)
        assert algorithm.get("direction", "last_step") == "last_step"
        assert algorithm["outer"]["lr"] == point["outer_step"]
        held = point["tail_shots"] if tail == "separate" else 0
        minibatches = point["iterations"] - (tail == "separate")
        assert assembly.draft(config).recipe.spec == EpisodeSpec(
            5, 20 - held, held, minibatches, point["batch_size"], tail == "replacement"
        )


@pytest.mark.slow
def test_the_panels_of_figure_4_cross_the_line_where_examples_come_again():
    points = [config["point"] for config in jobs("overlap")[:10]]
    values = {
        panel.x: sorted(
            {p[panel.x] for p in points if all(p[k] == v for k, v in panel.held.items())}
        )
        for panel in overlap.PANELS
    }
    assert values["iterations"] == [2, 4, 5, 6, 8]
    assert values["batch_size"] == [10, 25, 50, 100]
    assert values["outer_step"] == [0.25, 0.5, 1.0]
    for point in points:  # a tail as long as its minibatches, as long as there are drawings
        assert 5 * point["tail_shots"] == min(point["batch_size"], 50)


def test_any_other_combination_is_a_point_of_ones_own():
    point = "point={label: g1+g4, weights: [1, 0, 0, 1], steps: 4, train_shots: 20}"
    config = composed("sweep=gradient_combinations", point)
    assembly.check(config)
    assert config["label"] == "g1+g4"
    assert config["algorithm"]["weights"] == [1, 0, 0, 1]


def test_a_configuration_keeps_its_hash_when_keys_are_added() -> None:
    """So that sweeps and `resume=auto` find the runs of earlier versions."""
    words = ["experiment=omniglot_5w_reptile", "eval.test_every=5000", "dataset.root=DATA"]
    assert config_hash(composed(*words)) == "48f0947c9852"  # as commit 17ed7f9 wrote it


@pytest.mark.parametrize(
    ("words", "known"),
    [
        (["experiment=quickstart"], "778e0e4dc118"),
        (["experiment=sine", "max_meta_iterations=1000", "eval.tasks=200"], "0f92cf0eddb9"),
    ],
)
def test_one_with_a_joint_baseline_keeps_it_too(words: list[str], known: str) -> None:
    """As commit 43e8be0 wrote it."""
    assert config_hash(composed(*words)) == known


def test_what_an_older_configuration_may_lack_is_known_once() -> None:
    """To the check of its names, and to its hash, which leaves such a key out at its old value."""
    for part, names in LATER.items():
        assert names == {key.removeprefix(f"{part}.") for key in BEFORE if part in key}
    config = composed("experiment=omniglot_5w_reptile")
    assert not {key for key, _ in flatten(hashed(config))} & BEFORE.keys()
    for key in BEFORE.keys() - {"model.norm"}:
        changed = copy.deepcopy(config)
        node, (*parts, name) = changed, key.split(".")
        for part in parts:
            node = node[part]
        node[name] = "another"
        assert hashed(changed) != hashed(config), key
