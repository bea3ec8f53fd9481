"""What an evaluation may be asked for: its own keys, and which of them cannot go together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fewstep.config.checks import Check
from fewstep.config.limits import EVAL
from fewstep.messages.errors import ConfigError
from fewstep.messages.words import overridden


SHAPES = {"lake": {"ways": 20, "shots": 1}}
"""Of the tasks of each benchmark."""
BENCHMARKS = tuple(SHAPES)
OF_TASKS = ("tasks", "seed", "queries")
"""Keys of the test that a list of tasks answers itself."""
LISTED = {f"eval.{name}" for name in OF_TASKS}
OF_ALL = ("steps", "batch_size")
"""Keys of the test that its settings may follow, or have each their own of."""
EVALUATE = {
    "eval.split": Check(str, choices=("test", "val"), example="test"),
    "eval.trained_classes": Check(str, choices=("refuse", "leave_out"), example="refuse"),
    "benchmark": Check(str, choices=BENCHMARKS, optional=True, example="lake"),
    "other_data": Check(bool, example=True),
    "checkpoint_sha256": Check(str, optional=True, example="null"),
    "manifest_sha256": Check(str, optional=True, example="null"),
    "resume": Check(str, optional=True, example="outputs/runs/evaluate/DATE"),
}
"""Keys that `evaluate` alone has, or that it has as well."""
OF_EVALUATION = {*EVAL, *EVALUATE, "eval.settings", "name", "execution", "trust", "checkpoint"}
OF_EVALUATION |= {"benchmark", "model", "shots", "algorithm", "logger"}  # nothing by default
"""All keys that an evaluation has, but those inside of the parts that it chooses."""


def check_tasks(config: Mapping[str, Any]) -> None:
    """Hold an evaluation's list of tasks, a benchmark's or a file's, against what else was given of
    the tasks to test on, which a list cannot follow.

    Raises:
        ConfigError: naming both.
    """
    benchmark, test = config["benchmark"], config["eval"]
    if benchmark is None and test["manifest"] is None:
        return
    others = {f"eval.{n}={test[n]}": test[n] is not None for n in OF_TASKS}
    within = config["dataset"].get("within")
    others[f"dataset.within={within}"] = bool(within)
    key, what = f"eval.manifest={test['manifest']}", "the file"
    if benchmark is not None:
        key, what = f"benchmark={benchmark}", "the benchmark"
        others = {**_beside_benchmark(config, SHAPES[benchmark]), **others}
    for other, given in others.items():
        if given:
            raise ConfigError(
                f"{key}, {other}: {what} is a list of tasks of its own. Leave one of them out"
            )


def check_words(config: Mapping[str, Any], words: Sequence[str]) -> None:
    """Refuse words that say of a training's test what its list of tasks says already, or its
    settings.

    Raises:
        ConfigError: naming both.
    """
    test = config["eval"]
    if not isinstance(test, Mapping):
        return
    said = [overridden(word) for word in words if not word.startswith("~")]
    keys = [f"{part}.{name}" for part in ("eval", "algorithm.eval") for name in OF_ALL]
    given = {key: test.get(key.rpartition(".")[2]) for key in keys if key in said}
    check_followed(test.get("settings"), given)
    word = next((word for word in words if overridden(word) in LISTED), None)
    if word and (file := test.get("manifest")):
        raise ConfigError(
            f"eval.manifest={file}, {word}: the file is a list of tasks of its own. Leave one of "
            "them out, or have tasks drawn with eval.manifest=null"
        )


def check_followed(settings: Any, given: Mapping[str, Any]) -> None:
    """Refuse what is given of all settings of a test, where each of them says its own.

    Args:
        settings: `eval.settings`, checked or not.
        given: values of `eval.steps` or `eval.batch_size`, by the keys that they were given under.

    Raises:
        ConfigError: naming both, and the settings that would have it.
    """
    entries = settings if isinstance(settings, list) else []
    if not entries or not all(isinstance(entry, Mapping) for entry in entries):
        return
    for key, value in given.items():
        name = key.rpartition(".")[2]
        if value not in (own := [entry.get(name) for entry in entries]):
            said = ", ".join("null" if v is None else str(v) for v in own)
            raise ConfigError(
                f"{key}={value}: each entry of eval.settings has a {name} of its own ({said}), and "
                f"none would follow. Change it in eval.settings, or leave {key} out"
            )


def answered(words: Iterable[str]) -> set[str]:
    """The keys of a training's test that a list of tasks answers, where these words name one."""
    from fewstep.config.arguments import parsed  # Hydra's, which a report can do without

    named = (parsed(w).value() for w in words if overridden(w) == "eval.manifest")
    return LISTED if any(named) else set()


def _beside_benchmark(config: Mapping[str, Any], shape: Mapping[str, int]) -> dict[str, bool]:
    """What else an evaluation says of its tasks, and whether it is something else."""
    test = config["eval"]
    split, settings = config["dataset"].get("split"), test["settings"]
    entries = settings if isinstance(settings, list) else []
    fits = [
        isinstance(entry, Mapping) and all(entry.get(n, v) == v for n, v in shape.items())
        for entry in entries
    ]
    others = {
        f"eval.manifest={test['manifest']}": test["manifest"] is not None,
        f"eval.split={test['split']}": test["split"] != "test",
        f"eval.settings={settings}": bool(entries) and fits != [True],
    }
    if "_target_" not in config["dataset"]:  # else its file has chosen one
        others[f"dataset.split={split}"] = split not in (None, "background")
    return others
