"""Whole trainings with their validation and test, computed again from the pixels.

Nothing of the package is used for the second computation: who is in which task, the network, its
gradients by autograd, the inner loop, Adam as TensorFlow has it, the memories of a meta-batch
merged, the outer step, what is logged, which iterate is chosen and both protocols are written out
here once more, as the paper and the README say them. Only the random initialization is handed over.
"""

from __future__ import annotations

import csv
import hashlib
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from fewstep.config.compose import compose_config, plain
from fewstep.models import OmniglotConv
from fewstep.run import training
from fewstep.run.construction.assembly import assemble


pytestmark = pytest.mark.run


SIZE, CHANNELS, DRAWINGS = 16, 4, 9
CLASSES = {"train": range(8), "val": range(8, 12), "test": range(12, 16)}
SEED, EVAL_SEED, WAYS, META_BATCH, ITERATIONS = 3, 7, 3, 2, 4
BETA2, EPS = 0.999, 1e-8

Params = dict[str, Tensor]


class Task(NamedTuple):
    support: tuple[Tensor, Tensor]
    query: tuple[Tensor, Tensor]
    minibatches: list[list[int]]


class Memory(NamedTuple):
    v: Params
    t: int


# --- the tasks


def drawn(pixels: np.ndarray, split: str, seed: int, index: int, *counts: Any) -> Task:
    """Task `index` of a split: `counts` are shots, queries, steps and the minibatch's size."""
    shots, queries, steps, size = counts
    word = int.from_bytes(hashlib.sha256(split.encode()).digest()[:8], "little")

    def words(stream: int, n: int) -> list[int]:
        key, counter = np.array([seed, word], np.uint64), np.array([0, stream, index, 0], np.uint64)
        return np.random.Philox(key=key, counter=counter).random_raw(n).tolist()

    def prefix(stream: int, n: int, of: int) -> list[int]:
        order = list(range(of))
        for i, w in enumerate(words(stream, n)):
            j = i + (w * (of - i) >> 64)
            order[i], order[j] = order[j], order[i]
        return order[:n]

    chosen = [CLASSES[split][c] for c in prefix(0, WAYS, len(CLASSES[split]))]
    images = [prefix(2 + place, queries + shots, DRAWINGS) for place in range(WAYS)]
    x = [pixels[c][rows] / 255 for c, rows in zip(chosen, images, strict=True)]  # queries first
    support = np.concatenate([part[queries:] for part in x])
    query = np.concatenate([part[:queries] for part in x])
    n = WAYS * shots
    stream: list[int] = []
    if size is not None:
        rounds = math.ceil(steps * size / n)
        for keys in np.array(words(1, rounds * n), np.uint64).reshape(rounds, n):
            stream += sorted(range(n), key=lambda i: keys[i])
    rows = [stream[s * size : (s + 1) * size] if size else list(range(n)) for s in range(steps)]
    return Task(_labelled(support, shots), _labelled(query, queries), rows)


def _labelled(x: np.ndarray, each: int) -> tuple[Tensor, Tensor]:
    labels = [label for label in range(WAYS) for _ in range(each)]
    return torch.tensor(x, dtype=torch.float64)[:, None], torch.tensor(labels)


# --- the network and its losses


def outputs(params: Params, x: Tensor) -> Tensor:
    for layer in (0, 3, 6, 9):
        total = max((math.ceil(x.shape[-1] / 2) - 1) * 2 + 3 - x.shape[-1], 0)
        x = F.pad(x, (total // 2, total - total // 2) * 2)
        x = F.conv2d(x, params[f"features.{layer}.weight"], stride=2)
        mean = x.mean((0, 2, 3), keepdim=True)
        spread = ((x - mean) ** 2).mean((0, 2, 3), keepdim=True)
        scale, shift = (params[f"features.{layer + 1}.{n}"] for n in ("weight", "bias"))
        x = (x - mean) / (spread + 1e-3).sqrt() * scale[:, None, None] + shift[:, None, None]
        x = x.clamp(min=0)
    return x.flatten(1) @ params["head.weight"].T + params["head.bias"]


def cross_entropy(logits: Tensor, y: Tensor) -> Tensor:
    return logits.logsumexp(1) - logits[torch.arange(len(y)), y]


def figures(logits: Tensor, y: Tensor) -> np.ndarray:
    """Loss and accuracy."""
    right = (logits.argmax(1) == y).double().mean()
    return np.array([cross_entropy(logits, y).mean().item(), right.item()])


def gradient(params: Params, x: Tensor, y: Tensor, reduce: Callable, graph: bool = False) -> Params:
    leaves = params if graph else {n: p.detach().requires_grad_() for n, p in params.items()}
    loss = reduce(cross_entropy(outputs(leaves, x), y))
    grads = torch.autograd.grad(loss, list(leaves.values()), create_graph=graph, allow_unused=True)
    pairs = zip(leaves.items(), grads, strict=True)
    return {n: torch.zeros_like(p) if g is None else g for (n, p), g in pairs}


# --- one task


class Recipe(NamedTuple):
    """What differs between the trainings."""

    algorithm: str
    rule: str
    lr: float
    reduce: Callable
    words: tuple[str, ...]
    weights: tuple[float, ...] = ()
    """Of the gradients, where the direction is their weighted sum."""


def adapted(
    recipe: Recipe, params: Params, memory: Memory, task: Task, graph: bool = False
) -> list[tuple[Params, Memory, np.ndarray | None]]:
    """Where the inner loop is before it begins and after each step, and the figures of the
    minibatch before the step."""
    path = [(params, memory, None)]
    for rows in task.minibatches:
        x, y = task.support[0][rows], task.support[1][rows]
        grads = gradient(params, x, y, recipe.reduce, graph)
        seen = figures(outputs(params, x).detach(), y)
        if recipe.rule == "sgd":
            params = {n: p - recipe.lr * grads[n] for n, p in params.items()}
        else:
            t = memory.t + 1
            v = {n: BETA2 * memory.v[n] + (1 - BETA2) * g**2 for n, g in grads.items()}
            rate = recipe.lr * math.sqrt(1 - BETA2**t)
            params = {n: p - rate * grads[n] / (v[n].sqrt() + EPS) for n, p in params.items()}
            memory = Memory(v, t)
        path.append((params, memory, seen))
    return path


def direction(
    recipe: Recipe, params: Params, memory: Memory, task: Task
) -> tuple[Params, Memory, np.ndarray]:
    if recipe.algorithm == "reptile":
        end, memory, seen = adapted(recipe, params, memory, task)[-1]
        return {n: p - end[n] for n, p in params.items()}, memory, seen
    if recipe.weights:  # gradients along the path, or for joint training all at its start
        grads, along = [], params
        for rows in task.minibatches:
            step = task._replace(minibatches=[rows])
            here = params if recipe.algorithm == "joint" else along
            minibatch = task.support[0][rows], task.support[1][rows]
            grads.append(gradient(here, *minibatch, recipe.reduce))
            along, memory, seen = adapted(recipe, here, memory, step)[-1]
        pairs = list(zip(recipe.weights, grads, strict=True))
        return {n: sum(w * g[n] for w, g in pairs) for n in params}, memory, seen
    x, y = task.query
    second = recipe.algorithm == "maml"
    start = {n: p.detach().requires_grad_() for n, p in params.items()} if second else params
    end, memory, _ = adapted(recipe, start, memory, task, graph=second)[-1]
    seen = figures(outputs(end, x).detach(), y)
    if not second:
        return gradient(end, x, y, torch.mean), memory, seen
    loss = cross_entropy(outputs(end, x), y).mean()
    grads = torch.autograd.grad(loss, list(start.values()), allow_unused=True)
    pairs = zip(start.items(), grads, strict=True)
    return {n: torch.zeros_like(p) if g is None else g for (n, p), g in pairs}, memory, seen


def measured(recipe: Recipe, params: Params, memory: Memory, task: Task) -> dict[str, np.ndarray]:
    """By protocol, loss and accuracy after each number of steps: [steps + 1, 2]."""
    found: dict[str, list[np.ndarray]] = {"inductive": [], "transductive": []}
    (x, y), support = task.query, task.support[0]
    for end, *_ in adapted(recipe, params, memory, task):
        alone = [outputs(end, torch.cat([support, query[None]]))[-1] for query in x]
        found["inductive"].append(figures(torch.stack(alone).detach(), y))
        found["transductive"].append(figures(outputs(end, x).detach(), y))
    return {protocol: np.stack(points) for protocol, points in found.items()}


# --- one training

SHOTS, QUERIES, STEPS, BATCH = 3, 2, 3, 4
SETTINGS = ((2, 2, 3, 4), (1, 2, 2, None))
"""Shots, queries, steps and the minibatch's size at meta-test."""
VAL_TASKS, TASKS, CURVE_TASKS = 3, 5, 3


def mean_ci95(values: list[float]) -> tuple[float, float]:
    return float(np.mean(values)), 1.959963984540054 * float(np.std(values)) / len(values) ** 0.5


def trained(recipe: Recipe, params: Params, pixels: np.ndarray) -> tuple[dict, dict]:
    """What each meta-iteration logs, and after each the parameters and the memory."""
    memory = Memory({n: torch.zeros_like(p) for n, p in params.items()}, 0)
    first, second = ({n: torch.zeros_like(p) for n, p in params.items()} for _ in range(2))
    rows: dict[int, dict[str, float]] = {}
    iterates, recent = {}, []
    queries = QUERIES if recipe.algorithm in ("fomaml", "maml") else 0
    for i in range(ITERATIONS):
        found = [
            direction(recipe, params, memory, task)
            for j in range(META_BATCH)
            for task in [
                drawn(pixels, "train", SEED, i * META_BATCH + j, SHOTS, queries, STEPS, BATCH)
            ]
        ]
        kept = {n: BETA2 ** (META_BATCH * STEPS) * v for n, v in memory.v.items()}
        if recipe.rule == "adam":
            for _, end, _ in found:
                kept = {n: kept[n] + end.v[n] - BETA2**STEPS * memory.v[n] for n in kept}
            memory = Memory(kept, memory.t + META_BATCH * STEPS)
        mean = {n: sum(d[n] for d, *_ in found) / META_BATCH for n in params}
        rate = 0.7 * (1 - i / ITERATIONS) + 0.1 * i / ITERATIONS
        if recipe.algorithm == "maml":  # its outer step is Adam, as PyTorch has it
            first = {n: 0.9 * m + 0.1 * mean[n] for n, m in first.items()}
            second = {n: 0.999 * v + 0.001 * mean[n] ** 2 for n, v in second.items()}
            left = 1 - 0.9 ** (i + 1), 1 - 0.999 ** (i + 1)
            mean = {n: first[n] / left[0] / ((second[n] / left[1]).sqrt() + EPS) for n in mean}
            rate *= 0.01
        params = {n: p - rate * mean[n] for n, p in params.items()}
        iterates[i + 1] = params, memory
        recent += [seen for *_, seen in found]
        row = rows.setdefault(i + 1, {})
        if (i + 1) % 2 == 0:
            row["train/loss"], row["train/acc"] = np.mean(recent, axis=0)
            recent = []
        tasks = [drawn(pixels, "val", EVAL_SEED, j, *SETTINGS[0]) for j in range(VAL_TASKS)]
        ends = np.stack([measured(recipe, params, memory, task)["inductive"][-1] for task in tasks])
        row["val/loss"] = ends[:, 0].mean()
        row["val/acc"], row["val/acc_ci95"] = mean_ci95(ends[:, 1].tolist())
    return rows, iterates


RECIPES = [
    Recipe("reptile", "adam", 0.02, torch.mean, ()),
    Recipe("fomaml", "adam", 0.02, torch.mean, ("algorithm.outer.optimizer=SGD",)),
    Recipe("maml", "sgd", 0.03, torch.sum, ("algorithm.inner.loss=sum",)),
    Recipe("joint", "adam", 0.02, torch.mean, ("algorithm.outer.optimizer=SGD",), (1 / 3,) * 3),
    Recipe(
        *("combination", "adam", 0.02, torch.sum, ("algorithm.weights=[0.5,0,2]",)),
        (0.5, 0.0, 2.0),
    ),
]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray]:
    """A folder of classes with a list file a split, and their pixels."""
    top, random = tmp_path_factory.mktemp("oracle"), np.random.default_rng(0)
    kinds = random.integers(60, 196, (16, 1, SIZE, SIZE))
    pixels = (kinds + random.integers(-60, 60, (16, DRAWINGS, SIZE, SIZE))).astype(np.uint8)
    for c, drawings in enumerate(pixels):
        (top / "data" / f"class{c:02}").mkdir(parents=True)
        for d, drawing in enumerate(drawings):
            Image.fromarray(drawing).save(top / "data" / f"class{c:02}" / f"{d}.png")
    for split, classes in CLASSES.items():
        (top / f"{split}.txt").write_text("".join(f"class{c:02}\n" for c in classes))
    return top, pixels


def run(recipe: Recipe, top: Path, folder: Path) -> tuple[list[dict], dict[int, dict], dict]:
    """The package's results and rows of metrics.csv, and the best iterate's checkpoint."""
    settings = [dict(zip(("shots", "steps", "batch_size"), (s, k, b), strict=True))
                for s, _, k, b in SETTINGS]  # fmt: skip
    lists = ",".join(f"{split}:{top / split}.txt" for split in CLASSES)
    text = json.dumps(settings).replace('"', "")
    words = [
        *(f"algorithm={recipe.algorithm}", f"algorithm.inner.rule={recipe.rule}"),
        *("dataset=image_folder", f"dataset.root={top / 'data'}", f"dataset.size={SIZE}"),
        *("dataset.channels=1", f"dataset.split_files={{{lists}}}", "model=omniglot_conv"),
        *(f"model.channels={CHANNELS}", "trainer=cpu", "trainer.precision=64"),
        *(f"seed={SEED}", f"eval.seed={EVAL_SEED}", f"shots.ways={WAYS}", f"shots.shots={SHOTS}"),
        *(f"shots.train_shots={SHOTS}", f"shots.queries={QUERIES}", f"eval.queries={QUERIES}"),
        *(f"meta_batch={META_BATCH}", f"max_meta_iterations={ITERATIONS}", "log_every=2"),
        *(f"algorithm.inner.steps={STEPS}", f"algorithm.inner.batch_size={BATCH}"),
        *(f"algorithm.inner.lr={recipe.lr}", f"eval.settings={text}", "eval.val_every=1"),
        *(f"eval.val_tasks={VAL_TASKS}", f"eval.tasks={TASKS}", f"eval.curve_tasks={CURVE_TASKS}"),
        *("algorithm.outer.lr=0.7", "algorithm.outer.final_lr=0.1", "execution=serial"),
        *recipe.words,
    ]
    if recipe.algorithm == "maml":
        words += ["algorithm.outer.lr=0.007", "algorithm.outer.final_lr=0.001"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "draw_curves", lambda *_: None)
        results = training.train(assemble(plain(compose_config("train", words))), folder, "")[
            "results"
        ]
    with (folder / "metrics.csv").open(newline="") as lines:
        logged = {int(row["meta_iteration"]): row for row in csv.DictReader(lines)}
    return results, logged, torch.load(folder / "checkpoints" / "best.ckpt", weights_only=True)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.algorithm)
def test_a_training_and_its_test_from_the_pixels(
    recipe: Recipe, data: tuple[Path, np.ndarray], tmp_path: Path
) -> None:
    top, pixels = data
    torch.manual_seed(SEED)
    module = OmniglotConv(WAYS, 1, SIZE, CHANNELS).double()
    start = {name: p.detach().clone() for name, p in module.named_parameters()}
    rows, iterates = trained(recipe, start, pixels)
    results, logged, best = run(recipe, top, tmp_path)

    close = {"rel": 1e-9, "abs": 1e-11}
    for i, row in rows.items():
        found = {n: float(logged[i][n]) for n in logged[i] if "/" in n and logged[i][n]}
        assert found == pytest.approx(row, **close), i
        assert float(logged[i]["tasks_seen"]) == i * META_BATCH

    accuracies = {i: (row["val/acc"], -i) for i, row in rows.items()}  # the first of equals
    chosen = max(accuracies, key=accuracies.__getitem__)
    assert best["fewstep"]["meta_iteration"] == chosen
    params, memory = iterates[chosen]
    for name, p in params.items():
        torch.testing.assert_close(best["state_dict"][f"module.{name}"], p, rtol=1e-9, atol=1e-12)
    if recipe.rule == "adam":
        kept = best["fewstep"]["inner_state"]
        assert int(kept["t"]) == memory.t
        for name, v in memory.v.items():
            torch.testing.assert_close(kept["v"][name], v, rtol=1e-9, atol=1e-15)

    entries = iter(results)
    for counts in SETTINGS:
        tasks = [drawn(pixels, "test", EVAL_SEED, j, *counts) for j in range(TASKS)]
        every = [measured(recipe, params, memory, task) for task in tasks]
        for protocol in ("inductive", "transductive"):
            curves, entry = np.stack([task[protocol] for task in every]), next(entries)
            assert (entry["shots"], entry["protocol"]) == (counts[0], protocol)
            acc, half_width = mean_ci95(curves[:, -1, 1].tolist())
            expected = {"loss": curves[:, -1, 0].mean(), "acc": acc, "acc_ci95": half_width}
            assert {n: entry[n] for n in expected} == pytest.approx(expected, **close)
            steps = entry["curve"]["steps"]
            assert steps == list(range(counts[2] + 1))
            along = curves[:CURVE_TASKS, :, 1].mean(0)
            assert entry["curve"]["acc"] == pytest.approx(along.tolist(), **close)
            with (tmp_path / entry["per_task_file"]).open(newline="") as lines:
                per_task = [
                    (float(row["loss"]), float(row["acc"])) for row in csv.DictReader(lines)
                ]
            assert np.array(per_task) == pytest.approx(curves[:, -1], **close)
            told = entry["selected_by"]
            assert (told["split"], told["protocol"], told["meta_iteration"]) == (
                *("val", "inductive"),
                chosen,
            )
            assert told["acc"] == pytest.approx(rows[chosen]["val/acc"])
    assert next(entries, None) is None
