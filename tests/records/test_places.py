"""A run writes into a folder that is new, empty or its own, and every suggested word works."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import yaml

from fewstep.commands import report as report_command
from fewstep.commands import theory, train
from fewstep.config.arguments import parsed, read
from fewstep.config.compose import compose_config, compose_hydra, plain
from fewstep.disk.files import check_place
from fewstep.launch.job_folders import Folders
from fewstep.launch.settling import Command, check_folder_keys, settled, settled_sweep
from fewstep.launch.stopping import how_to_go_on
from fewstep.messages.errors import ConfigError
from fewstep.messages.words import quoted, typed
from fewstep.records.outcome import damage, finished
from fewstep.records.places import REPORT, check_output, check_run, check_sweep
from made_files import FINISHED


CONFIG = plain(compose_config("train", []))
OURS = yaml.safe_dump(CONFIG)
UNSAID = ", without the config.yaml of a run. Choose"
OTHER = yaml.safe_dump({**CONFIG, "seed": 1})


def filled(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def test_a_folder_that_is_no_number_is_none_of_a_sweeps(tmp_path: Path) -> None:
    """`²` is a digit to Python, and no number."""
    for name in ("0", "²"):
        (tmp_path / name).mkdir()
    with pytest.raises(ConfigError, match="it holds ²"):
        check_sweep(tmp_path)
    Folders(tmp_path, lambda _: {})


# --- a run directory


@pytest.mark.parametrize(
    "files",
    [
        {},
        {".lock": "pid 1 on there"},
        {".hydra/config.yaml": "", ".hydra/overrides.yaml": ""},
        {".hydra/config.yaml": OURS, ".hydra/hydra.yaml": "x: 1", "train.log": ""},
        {"config.yaml": "", "config.yaml.part": "seed", "evaluate.log": ""},
        {"config.yaml": OURS, "overrides.yaml": "[]", ".hydra/hydra.yaml": "", "train.log": ""},
        {"config.yaml": OURS, "metrics.csv": "", "checkpoints/last.part": "", "config.part": ""},
        {"config.yaml": OURS, "wandb/run_id": "x", "tensorboard/events": ""},
    ],
)
def test_what_a_killed_start_has_left_is_begun_again(files: dict, tmp_path: Path) -> None:
    check_run(filled(tmp_path, files), CONFIG)
    check_run(tmp_path / "new" / "one", CONFIG)


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"notes.txt": ""}, "is not empty, it holds notes.txt. Choose"),
        ({"a": "", "b": "", "c": "", "d": "", "e": ""}, "holds a, b, c and 2 more"),
        ({"config.yaml": "mine: 1"}, "the configuration of something else"),
        ({"config.yaml": "- 1"}, "the configuration of something else"),
        ({"config.yaml": "[broken"}, "the configuration of something else"),
        ({"config.yaml": OTHER, "metrics.csv": ""}, "the configuration of something else"),
        ({"config.yaml": OURS, "results.json": FINISHED}, "holds a finished run, which would be"),
        ({"results.json": FINISHED}, "holds a finished run"),
        ({"config.yaml": OURS, "results.json": ""}, "is not empty, it holds results.json"),
        ({"results.json": "a user's own"}, "is not empty, it holds results.json"),
        ({"config.yaml": OURS, "checkpoints/last.ckpt": ""}, "fewstep train resume="),
        ({"checkpoints/best.ckpt": ""}, "holds a run that was cut off"),
        ({"src/model.py": ""}, "holds src"),
        ({"metrics.csv": "mine"}, f"it holds metrics.csv{UNSAID}"),
        ({"train.log": "mine"}, f"it holds train.log{UNSAID}"),
        ({"checkpoints/mine.txt": ""}, f"it holds checkpoints{UNSAID}"),
        ({"config.yaml": "", "metrics.csv": "mine"}, f"it holds metrics.csv{UNSAID}"),
        ({"overrides.yaml": "- mine", "mine.part": ""}, f"mine.part, overrides.yaml{UNSAID}"),
        ({".hydra/config.yaml": "mine: 1"}, f"it holds .hydra{UNSAID}"),
        ({".hydra/hydra.yaml": "mine: 1"}, f"it holds .hydra{UNSAID}"),
        ({".hydra": "mine"}, f"it holds .hydra{UNSAID}"),
        ({"config.yaml/mine": ""}, "the configuration of something else"),
        ({".git/HEAD": ""}, "holds .git"),
    ],
)
def test_a_folder_that_holds_anything_else_is_refused(
    files: dict, reason: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as refusal:
        check_run(filled(tmp_path, files), CONFIG)
    assert str(refusal.value).startswith(f"hydra.run.dir={tmp_path}: ")
    assert reason in str(refusal.value)
    assert "Choose another folder with hydra.run.dir=..., or leave that out" in str(refusal.value)


def test_an_evaluation_begins_again_in_its_own_folder_alone(tmp_path: Path) -> None:
    config = {"checkpoint": "a.ckpt", "eval": {"tasks": 5}}
    check_run(filled(tmp_path, {"config.yaml": yaml.safe_dump(config)}), config)
    with pytest.raises(ConfigError, match="something else"):
        check_run(tmp_path, {**config, "checkpoint": "b.ckpt"})


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", sys.argv)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return tmp_path


def settle(*words: str, more: dict | None = None) -> Path | None:
    """As `fewstep train` does, but for data and network; the folder of a run that goes on."""
    parts = lambda _: None, lambda _: more or {}, lambda *_: None, lambda _: {}
    command, arguments = Command("train", "no.module", *parts), read("train", words)
    check_folder_keys(arguments)
    if arguments.sweep:
        settled_sweep(command, arguments.overrides)
        return None
    composed, goes_on = settled(command, arguments.overrides)
    return Path(composed.hydra.run.dir) if goes_on else None


@pytest.mark.slow
def test_the_folder_of_a_user_stays_as_it_is(here: Path, capfd: pytest.CaptureFixture) -> None:
    files = {"config.yaml": "mine: 1\n", "checkpoints/last.ckpt": "weights"}
    files["results.json"] = FINISHED
    filled(here, files)
    assert train.main(["hydra.run.dir=.", "trainer=cpu", "dataset.classes=60"]) == 2
    assert capfd.readouterr().err.startswith("fewstep: hydra.run.dir=.: holds a finished run")
    left = {p: p.read_text() for p in here.rglob("*") if p.is_file()}
    assert left == {here / name: text for name, text in files.items()}


def test_a_resumed_run_goes_into_its_own_folder(here: Path) -> None:
    run = filled(here / "run", {"config.yaml": OURS, "checkpoints/last.ckpt": "", "mine.txt": ""})
    assert settle(more={"hydra.run.dir": str(run)}) == run
    with pytest.raises(ConfigError, match="cut off"):
        settle(f"hydra.run.dir={run}")


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["-m", "seed=1,2", "hydra.run.dir=x"], "hydra.run.dir=x: is the folder of a single run"),
        (["hydra.sweep.dir=x"], "hydra.sweep.dir=x: is the folder of a sweep"),
        (["-m", "seed=1,2", "hydra.sweep.subdir=x"], "hydra.sweep.subdir=x: the jobs of a sweep"),
        (
            ["-m", "seed=1,2", "hydra.sweep.subdir=${seed}"],
            "hydra.sweep.subdir=${seed}: the jobs of a sweep are in numbered folders",
        ),
        (["sweep=algorithms", "hydra.run.dir=x"], "and this is a sweep"),
    ],
)
def test_no_folder_is_ignored_in_silence(words: Sequence[str], reason: str, here: Path) -> None:
    with pytest.raises(ConfigError) as refusal:
        settle(*words)
    assert reason in str(refusal.value)
    assert not list(here.iterdir())


def test_a_current_folder_that_a_configuration_would_follow_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "of ${seed}").mkdir()
    monkeypatch.chdir(tmp_path / "of ${seed}")
    with pytest.raises(ConfigError, match=r"of \$\{seed\}: the path of the current folder"):
        check_folder_keys(read("train", []))


# --- a sweep's, a report's, the theory's


@pytest.mark.parametrize(
    "files",
    [
        {},
        {".lock": "", "0/config.yaml": "", "12/results.json": ""},
        {"multirun.yaml": "", "0/config.yaml": "", "notes.md": "", "report.html": ""},
        {"multirun.yaml": "", ".submitit/log": "", "optimization_results.yaml": ""},
        {"multirun.yaml": "hydra: {}", "optimization_results.yaml": "name: optuna"},
        {"optimization_results.yaml": "name: optuna", "search.db": "", "notes.txt": ""},
        {"0/config.yaml": "", "1/config.yaml": OURS, "search.db": ""},
    ],
)
def test_a_sweep_goes_on_in_its_folder(files: dict, tmp_path: Path) -> None:
    check_sweep(filled(tmp_path, files))


@pytest.mark.parametrize(
    ("files", "shown"),
    [
        ({"notes.md": ""}, "notes.md"),
        ({"0/config.yaml": "", "model.py": ""}, "model.py"),
        ({"0/config.yaml": "mine: 1", "0/.hydra/config.yaml": OURS, "model.py": ""}, "model.py"),
        ({"config.yaml": OURS, "multirun.yaml": ""}, "config.yaml"),
        ({".lock": "", "config.yaml": OURS, "checkpoints/last.ckpt": ""}, "checkpoints, config"),
    ],
)
def test_a_sweep_in_a_folder_of_others_is_refused(files: dict, shown: str, here: Path) -> None:
    filled(here, files)
    with pytest.raises(ConfigError) as refusal:
        settle("-m", "seed=1,2", "hydra.sweep.dir=.")
    assert f"hydra.sweep.dir=.: is not a sweep's folder, it holds {shown}" in str(refusal.value)
    assert "name=..." in str(refusal.value)


@pytest.mark.parametrize("name", ["multirun.yaml", "optimization_results.yaml"])
@pytest.mark.parametrize("text", ["mine: 1", "mine", "- 1", "[" * 20_000])
def test_a_file_of_others_by_a_sweeps_name_is_kept(name: str, text: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refusal:
        check_sweep(filled(tmp_path, {name: text}))
    assert str(refusal.value) == (
        f"hydra.sweep.dir={tmp_path}: is not a sweep's folder, its {name} is of something else, and"
        " would be overwritten. Choose another one with hydra.sweep.dir=..., or a name for the "
        "sweep with name=..."
    )


@pytest.mark.parametrize("main", [theory.main, report_command.main])
def test_output_goes_into_a_folder_of_its_own(
    main: Callable, here: Path, capfd: pytest.CaptureFixture
) -> None:
    filled(here / "mine", {"report.md": "mine", "theory.md": "mine"})
    words = ["slopes", "out=mine"] if main is theory.main else ["--out", "mine"]
    assert main(words) == 2
    assert "mine: is not empty, it holds report.md, theory.md" in capfd.readouterr().err
    assert {p.read_text() for p in (here / "mine").iterdir()} == {"mine"}


def test_a_report_takes_the_place_of_an_earlier_one(tmp_path: Path) -> None:
    check_output(filled(tmp_path, dict.fromkeys(REPORT, "")), "--out ", own=REPORT)


# --- names that are too long


@pytest.mark.parametrize(
    "place",
    ["x" * 256, "é" * 128, "outputs/" + "x" * 256 + "/now", "abcdefghi/" * 400, "a/" * 1990],
)
def test_a_name_that_is_too_long_is_refused_at_once(place: str, here: Path) -> None:
    with pytest.raises(ConfigError, match=r"too long.* 255 bytes .*name="):
        check_place(Path(place), "hydra.run.dir")
    assert not list(here.iterdir())


@pytest.mark.parametrize("words", [["name=" + "x" * 256], ["-m", "seed=1,2", "name=" + "x" * 256]])
def test_a_long_name_of_a_run_is_refused_before_anything(words: list[str], here: Path) -> None:
    with pytest.raises(ConfigError, match="File name too long"):
        settle(*words)
    assert not list(here.iterdir())


def test_a_word_that_is_no_text_is_refused(here: Path) -> None:
    with pytest.raises(ConfigError, match="is no UTF-8 text"):
        read("train", ["name='caf\udce9'"])


# --- words that are suggested


VALUES = [
    *("plain", "a=b", "it's", 'say "hi"', "both ' and \"", "a,b", "a b", "[1", "{x", "$HOME"),
    *("`x`", "${x", "${name}", "\\", "a\\", "\\'", "a\\\\", "x:y", "a#b", "tab\t", "null", "1"),
    *("true", "~", "é", "a\\${b}", "'", '"', "(a)", "back\\slash 'q'", "/tmp/my run/it's=1"),
    *("%now", "**", "!x", "a;b", " lead", "trail ", "two\nlines", "'\\", "", "-x", "a|b", "*"),
]


def test_every_text_survives_the_shell_and_hydra() -> None:
    words = [shlex.split(f"fewstep {typed(f'+dataset.v{i}', v)}")[1] for i, v in enumerate(VALUES)]
    words += [f"+dataset.q{i}={quoted(v)}" for i, v in enumerate(VALUES)]
    dataset = compose_config("train", words)["dataset"]
    assert [dataset[f"v{i}"] for i in range(len(VALUES))] == VALUES
    assert [dataset[f"q{i}"] for i in range(len(VALUES))] == VALUES


@pytest.mark.parametrize(
    "value",
    [5, 0.001, 1e-05, True, None, [], ["head.*", "a b"], [{"shots": 1, "batch_size": None}]],
)
def test_every_value_survives_the_shell_and_hydra(value: object) -> None:
    (word,) = shlex.split(typed("eval.settings", value))
    assert parsed(word).value() == value


@pytest.mark.parametrize("word", ["name=it's", 'name=say "hi', "name=a=b", "name=[x", "name=a b,c"])
def test_the_suggested_word_is_read_as_what_was_meant(word: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        read("train", [word])
    suggested = str(refusal.value).rpartition(": ")[2]
    (fixed,) = shlex.split(suggested)
    assert compose_config("train", [fixed]).name == word.partition("=")[2]
    read("train", [fixed])


def test_the_suggested_sweep_is_one() -> None:
    with pytest.raises(ConfigError) as refusal:
        read("train", ["name=a b,c d"])
    suggested = str(refusal.value).partition("fewstep train ")[2].partition(", or")[0]
    assert read("train", shlex.split(suggested)).sweep


@pytest.mark.parametrize("name", ["plain", "my run", "it's", "a=b", "1,2", "[x", "${x"])
def test_the_command_that_goes_on_names_the_folder(name: str, tmp_path: Path) -> None:
    folder = filled(tmp_path / name, {"checkpoints/last.ckpt": ""})
    words = shlex.split(how_to_go_on(folder).partition("fewstep train ")[2])
    assert compose_config("train", words).resume == str(folder)
    assert compose_hydra("train", [f"hydra.run.dir={quoted(str(folder))}"]).hydra.run.dir == str(
        folder
    )


def test_results_of_a_later_version_are_not_done_again(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text('{"schema": 2, "results": [{}]}')
    assert finished(tmp_path)
    assert not damage(tmp_path)
