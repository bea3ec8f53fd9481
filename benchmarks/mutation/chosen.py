"""Which wrong programs are tried: some by name, the others drawn by a seed."""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path
from typing import NamedTuple

from mutation.operators import Mutant, mutants


ROOT = Path(__file__).resolve().parents[2]
SEED, EACH = 13, 8

ONE_TASK = ["rules", "closed_forms", "derivatives", "combination", "evaluation", "seams"]
TASKS = ["data_sampler", "data_images", "data_module"]
RUNS = ["learner", "oracle", "stopwatch", "chosen", "outer"]


class Part(NamedTuple):
    """Some files, and the fast tests that are about them, the likeliest first."""

    files: tuple[str, ...]
    tests: list[str]


PARTS = {
    "rules": Part(
        ("core/rules/rule", "core/rules/sgd", "core/rules/adam", "core/rules/trees"),
        [*ONE_TASK, "maml_checkpointing", "oracle"],
    ),
    "inner": Part(
        ("adapters/gradient", "adapters/beginning", "core/fast/steps", "core/fast/layout"),
        [*ONE_TASK, "maml_checkpointing", "oracle"],
    ),
    "algorithms": Part(
        tuple(f"algorithms/{n}" for n in ("combination", "fomaml", "joint", "maml", "reptile")),
        [*ONE_TASK, "maml_checkpointing", "oracle"],
    ),
    "learner": Part(("run/learner", "run/measuring", "execution/meta_batch", "core/outer"), RUNS),
    "sampler": Part(("data/sampler", "data/classes/split", "run/episodes"), [*TASKS, "oracle"]),
    "evaluation": Part(
        (
            "adapters/meta_test",
            "run/testing/summary",
            "records/statistics/intervals",
            "run/stored/chosen",
        ),
        ["evaluation", "intervals", "oracle", "chosen"],
    ),
}

NAMED = {
    "meta-validation is measured on the test split": (
        "run/measuring",
        "loader = own.loader(split, setting, tasks)",
        'loader = own.loader("test", setting, tasks)',
    ),
    "meta-test starts from a fresh Adam": (
        "run/measuring",
        "(self.tested(),), chunk.episodes",
        "(Start(self.tested().params, self.algorithm.inner.rule.init(self.tested().params)),), "
        "chunk.episodes",
    ),
    "the largest loss is the best": (
        "run/stored/chosen",
        'new["loss"] < best["loss"]',
        'new["loss"] > best["loss"]',
    ),
    "a loss that is not a number is the best": (
        "run/stored/chosen",
        "if not _whole(new):",
        "if not new:",
    ),
    "training tasks hang on eval.seed": (
        "run/episodes",
        "self.train_spec, self.seed, self.meta_batch, start",
        "self.train_spec, self.eval_seed, self.meta_batch, start",
    ),
    "validation goes by the last protocol": (
        "run/measuring",
        "collectives.all_gather(outcomes), setting.protocols[0]",
        "collectives.all_gather(outcomes), setting.protocols[-1]",
    ),
    "the record names the last protocol": (
        "run/stored/chosen",
        '"protocol": setting.protocols[0]',
        '"protocol": setting.protocols[-1]',
    ),
    "train/acc is divided by one meta-batch": (
        "run/learner",
        "len(self._recent) * self.meta_batch",
        "self.meta_batch",
    ),
    "last_step goes from the memory before the inner loop": (
        "algorithms/fomaml",
        "self.inner.step(adapted.start, grads)",
        "self.inner.step(Start(adapted.params, start.state), grads)",
    ),
    "a query image is in the support": (
        "data/classes/members",
        "query = [image for own in images for image in own[:queries]]",
        "query = [image for own in images for image in own[queries : 2 * queries]]",
    ),
    "the stopwatch counts validation": (
        "run/observers/stopwatch",
        "        self.stopwatch.resume()\n\n    def on_train_batch_end(self, *_: Any) -> None:\n"
        "        self.stopwatch.resume()\n",
        "        pass\n",
    ),
    "what is tested is the last iterate": (
        "run/training",
        "    checkpoint.adopt(learner, content)\n",
        "",
    ),
}
"""Wrong programs that the tests of an earlier version let pass, and kin of theirs: a file, what
stands there, what is put in its place. All of the part `named`."""


def source(file: str) -> Path:
    """Where a file of the package lies."""
    return ROOT / "src" / "fewstep" / f"{file}.py"


def file_of(test: str) -> str:
    """Where the tests of a name lie, whatever folder they are in, from the root of the tree."""
    return next((ROOT / "tests").rglob(f"test_{test}.py")).relative_to(ROOT).as_posix()


def named() -> list[Mutant]:
    """The wrong programs of `NAMED`.

    Raises:
        ValueError: what one of them changes is no longer there, exactly once.
    """
    found = []
    for what, (file, before, after) in NAMED.items():
        text = source(file).read_text()
        if text.count(before) != 1:
            raise ValueError(f"{what}: {file}.py has not exactly one {before!r}; change NAMED")
        start = len(text[: text.index(before)].encode())
        line = text[: text.index(before)].count("\n") + 1
        found.append(Mutant(file, what, line, "by hand", before, after, start))
    return found


def drawn(part: str, seed: int, each: int) -> list[Mutant]:
    """`each` mutants of a part's files by a seed, in the order of the text."""
    every = _every(part)
    chosen = random.Random(f"{seed} {part}").sample(range(len(every)), min(each, len(every)))
    return [every[i] for i in sorted(chosen)]


@cache
def _every(part: str) -> list[Mutant]:
    """All mutants of a part's files, in the order of the text."""
    return [m for file in PARTS[part].files for m in mutants(file, source(file).read_text())]
