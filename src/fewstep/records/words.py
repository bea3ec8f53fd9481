"""How a run is said in words: its algorithm, its setting, a key and its value.

Pictures speak to readers who have not seen the configuration: "inner learning rate 0.01", never
`algorithm.inner.lr=0.01`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any


ALGORITHMS = {
    "reptile": "Reptile",
    "fomaml": "FOMAML",
    "maml": "MAML",
    "joint": "joint training",
    "combination": "gradient combination",
    "truncated": "truncated MAML",
    "binomial": "BinomMAML",
    "imaml": "iMAML",
    "hessian_free": "Hessian-free MAML",
    "mamlpp": "MAML++",
    "eigen_reptile": "Eigen-Reptile",
    "prox_reptile": "Meta-MinibatchProx",
    "metasgd": "Meta-SGD",
    "sign_maml": "Sign-MAML",
    "anil": "ANIL",
    "boil": "BOIL",
    "cavia": "CAVIA",
    "proto_fomaml": "first-order Proto-MAML",
    "protonet": "prototypical network",
    "hebbian": "Hebbian fast weights",
    "titans": "neural memory",
    "in_context": "in-context decoder",
    "focusft": "FocuSFT",
    "finetuning": "fine-tuning",
    "harmony": "federated Reptile",
}

DATASETS = {
    "glyphs": "glyphs",
    "omniglot": "Omniglot",
    "miniimagenet": "Mini-ImageNet",
    "cifar_fs": "CIFAR-FS",
    "image_folder": "image folder",
    "sine": "sine waves",
    "streams": "streams of pairs",
    "subjects": "subjects",
    "subject_files": "subjects",
    "recall": "recall",
    "clients": "clients",
    "modulation": "radio signals",
    "ground": "grounds",
}

INITIALIZATIONS = {
    "random": "random initialization",
    "joint": "joint training",
    "least_squares": "least squares that forget",
    "ridge": "ridge regression",
    "weighted_ridge": "ridge, weighted by noise",
    "start": "as it started",
    "oracle": "the dataset's own answer",
}
"""Baselines; `trained` goes by its algorithm."""

KEYS = {
    "algorithm.inner.lr": "inner learning rate",
    "algorithm.inner.steps": "inner steps",
    "algorithm.inner.batch_size": "inner batch size",
    "algorithm.inner.rule": "inner rule",
    "algorithm.inner.loss": "inner loss",
    "algorithm.inner.state": "inner state",
    "algorithm.outer.lr": "outer learning rate",
    "algorithm.outer.final_lr": "final outer learning rate",
    "algorithm.outer.optimizer": "outer optimizer",
    "algorithm.outer.schedule": "outer schedule",
    "algorithm.checkpoint_steps": "checkpointed steps",
    "algorithm.train_shots": "training shots",
    "algorithm.queries": "training queries",
    "algorithm.eval.steps": "test steps",
    "algorithm.eval.batch_size": "test batch size",
    "shots.train_shots": "training shots",
    "shots.queries": "training queries",
    "max_meta_iterations": "meta-iterations",
    "meta_batch": "meta-batch",
    "algorithm.meta_batch": "meta-batch",
    "eval.steps": "test steps",
    "eval.batch_size": "test batch size",
    "eval.queries": "test queries",
    "eval.shift": "test pictures shifted by up to",
    "eval.seed": "seed of the test tasks",
    "eval.tasks": "test tasks",
    "trainer.precision": "precision",
    "budget.tasks": "budget of tasks",
    "budget.gradients": "budget of gradients",
    "budget.examples": "budget of examples",
}

WHOLE = ("algorithm", "dataset", "model", "label", "run")
"""Keys whose values say what they are of."""


def algorithm(name: str) -> str:
    """An algorithm's name as papers write it, and one of a user's as it is."""
    return ALGORITHMS.get(name, name)


def dataset(name: str) -> str:
    """A dataset's name as papers write it."""
    return DATASETS.get(name, name)


def run(learner: str, data: str, seed: int) -> str:
    """`Reptile on Omniglot, seed 0`."""
    return f"{algorithm(learner)} on {dataset(data)}, seed {seed}"


def of_split(text: str, *splits: str) -> str:
    """What is said of test tasks, where all of them are of meta-validation."""
    return text.replace("test tasks", "meta-validation tasks") if {*splits} == {"val"} else text


def setting(ways: int, shots: int, metric: str, varies: bool = False) -> str:
    """`5-way 1-shot`, `10 points` where there are no classes to tell apart, `10-shot` where what is
    told apart are not a task's classes; of tasks that draw their own numbers `any-way any-shot`,
    with the most."""
    if varies:
        return f"any-way any-shot (up to {ways}-way {shots}-shot)"
    if ways == 1:
        return counted("{} points", shots) if metric == "loss" else f"{shots}-shot"
    return f"{ways}-way {shots}-shot"


def counted(phrase: str, count: Any) -> str:
    """`3 test steps`, but `1 test step`: a phrase whose first plural is what is counted."""
    phrase = re.sub(r"^({} (?:\w+ )*?[\w-]+)s\b", r"\1", phrase) if str(count) == "1" else phrase
    return phrase.format(count)


def assigned(key: str, value: Any) -> str:
    """A key and its value: `inner learning rate 0.01`, `ResNet12`, `5-shot`."""
    if key in ("shots.ways", "shots.shots"):
        return f"{value}-{key[6:].removesuffix('s')}"
    whole = key.removesuffix(".name") in WHOLE or key.endswith("_target_")
    return valued(key, value) if whole else f"{named(key)} {valued(key, value)}"


def valued(key: str, value: Any) -> str:
    """The value of a key in words."""
    if key.endswith("_target_"):
        return str(value).rpartition(".")[2]
    names = {"algorithm": ALGORITHMS, "dataset": DATASETS}.get(key.removesuffix(".name"), {})
    return names.get(said(value), said(value))


def named(key: str) -> str:
    """A key in words; one that has none by its last part."""
    last = key.removesuffix(".name").removesuffix("._target_").rpartition(".")[2]
    return KEYS.get(key) or last.replace("_", " ")


def said(value: Any) -> str:
    """A value as people write it."""
    if isinstance(value, bool) or value is None:
        return {True: "on", False: "off", None: "none"}[value]
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, (list, tuple)):
        return f"({', '.join(map(said, value))})"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {said(v)}" for name, v in value.items())
    return str(value)
