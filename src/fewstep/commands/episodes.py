"""`fewstep episodes`: write the tasks of a test down, so that others can test on the same."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fewstep.config.checks import Check, count
from fewstep.config.keys import Key, help_of, read
from fewstep.disk.homes import expanded
from fewstep.disk.reading import reading
from fewstep.messages.complaint import complain
from fewstep.messages.errors import ConfigError, first_line
from fewstep.messages.printable import printable
from fewstep.messages.words import overridden


if TYPE_CHECKING:
    from fewstep.data.manifests.manifest import Manifest
    from fewstep.run.experiment import Experiment

ABOUT = """\
fewstep episodes [key=value ...] [override ...]   the tasks of a test as a small file

Beside its own keys it takes the overrides of fewstep train, and writes which classes, support and
query images are in the eval.tasks tasks of that training's test, with their hash: the
episodes_sha256 of its results.json. eval.manifest=FILE tests on exactly these.
"""

EXAMPLES = """\
  fewstep episodes dataset=omniglot shots=5w5s eval.tasks=1000 to=tasks.npz
  fewstep episodes dataset=omniglot dataset.split=background dataset.within=alphabet shots=20w1s
  fewstep episodes experiment=omniglot_5w_reptile setting=1   its 5-shot tasks
  fewstep evaluate checkpoint=outputs/runs/NAME eval.manifest=tasks.npz
"""

KEYS = {
    "to": Key("the file to write", Check(str, example="tasks.npz"), "tasks.npz"),
    "split": Key(
        "the split whose tasks they are",
        Check(str, choices=("test", "val"), example="test"),
        "test",
        choices=("test", "val"),
    ),
    "setting": Key("which of eval.settings, from 0", count(0, 0), 0),
}


def help_text() -> str:
    """What `fewstep episodes --help` prints."""
    return help_of(KEYS, ABOUT, EXAMPLES)


def main(words: Sequence[str] | None = None) -> int:
    """Write the file; the exit status."""
    from fewstep.disk.files import CannotWrite

    words = sys.argv[1:] if words is None else words
    own = [word for word in words if overridden(word) in KEYS]
    try:
        values = read("episodes", KEYS, own)
        with reading(words):
            print(_write(values, [word for word in words if word not in own]))
    except CannotWrite as error:
        return complain(error, status=1)
    except ConfigError as error:
        return complain(error)
    return 0


def _write(values: dict[str, Any], overrides: Sequence[str]) -> str:
    """Writes the file; what is told of it.

    Raises:
        ConfigError: a configuration that cannot be, words that nothing would follow, or tasks
            without classes.
        CannotWrite: the file cannot be written.
    """
    from fewstep.commands.train import check_keys
    from fewstep.config.arguments import read as read_overrides
    from fewstep.config.compose import compose_config, plain
    from fewstep.config.evaluation import check_words

    arguments = read_overrides("episodes", overrides)
    if arguments.sweep or arguments.shows:
        raise ConfigError("fewstep episodes writes the tasks of one test: give it key=value alone")
    config = plain(compose_config("train", arguments.overrides))
    check_words(config, arguments.overrides)
    check_keys(config)
    from fewstep.data.manifests import manifest
    from fewstep.run.checks.splits import check_setting
    from fewstep.run.construction import assembly

    path, before = _target(values["to"])
    experiment = assembly.with_data(assembly.draft(config), trains=False)
    setting, split = _setting(experiment, values["setting"]), _split(experiment, values["split"])
    test = experiment.test
    try:
        check_setting(split, experiment, values["setting"])
        tasks = manifest.of(split, setting.spec, test.seed, test.tasks)
    except ValueError as error:
        raise ConfigError(str(error)) from None
    _check_distinct(tasks)
    manifest.write(path, tasks)
    size = path.stat().st_size / 1000
    other = before not in (None, tasks.sha256)
    instead = f"\nin the place of other tasks, episodes_sha256 {before}" if other else ""
    return (
        f"{printable(path)}: {test.tasks} tasks, {tasks.described}, of the {split.name} split of "
        f"{split.dataset}\n{size:.1f} kB, episodes_sha256 {tasks.sha256}{instead}"
    )


def _check_distinct(tasks: Manifest) -> None:
    """Refuse tasks of which `eval.manifest` would refuse the file.

    Raises:
        ConfigError: naming both places.
    """
    from fewstep.data.manifests import manifest

    try:
        manifest.check_distinct(tasks.tasks)
    except ValueError as error:
        raise ConfigError(
            f"eval.tasks={len(tasks.tasks)}: of such a list {error}. The {tasks.about['split']} "
            "split has few tasks: ask for fewer, or for more eval.queries"
        ) from None


def _target(name: str) -> tuple[Path, str | None]:
    """The file to write: a new one, or one of tasks in whose place these may be written; and what
    hash those have."""
    from fewstep.data.manifests import manifest
    from fewstep.disk.files import check_file

    path = expanded(name, "to")
    check_file(path, "to")
    if path.is_dir():
        raise ConfigError(f"to={name}: is a folder. Name a file, as to={name}/tasks.npz")
    before = None
    if path.exists():
        try:
            before = manifest.read(path).sha256
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"to={name}: is another file, which is not overwritten ({first_line(error)}). Name "
                "one that is not there, or remove it"
            ) from None
    return path, before


def _setting(experiment: Experiment, number: int) -> Any:
    settings = experiment.test.settings
    if number >= len(settings):
        raise ConfigError(
            f"setting={number}: eval.settings has {len(settings)}, counted from 0. For example "
            "setting=0"
        )
    return settings[number]


def _split(experiment: Experiment, name: str) -> Any:
    from fewstep.data.classes.split import ClassSplit

    splits, source = experiment.splits, experiment.source
    if name not in splits:
        raise ConfigError(
            f"split={name}: {source.name} has no such split here, only {', '.join(splits)}. For "
            "example split=test"
        )
    split = splits[name]
    if not isinstance(split, ClassSplit):
        raise ConfigError(
            f"dataset={source.name}: its tasks are no classes with images, and cannot be listed. "
            "Use a dataset with classes, for example dataset=glyphs"
        )
    return split
