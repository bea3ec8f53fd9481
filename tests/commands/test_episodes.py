"""`fewstep episodes`: what it writes and says, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from fewstep.cli import COMMANDS
from fewstep.commands import episodes
from fewstep.commands.completion import query
from fewstep.data.manifests import manifest


SMALL = ["dataset.classes=60", "eval.tasks=3", "trainer=cpu"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_tasks_of_a_setting_are_written_with_their_hash(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = [
        "eval.settings=[{shots: 1, steps: 1, batch_size: 1},{shots: 3, steps: 1, batch_size: 1}]"
    ]
    assert episodes.main([*SMALL, *words, "setting=1", "split=val", "to=three.npz"]) == 0
    tasks = manifest.read(Path("three.npz"))
    told = capsys.readouterr().out
    assert told.startswith(
        "three.npz: 3 tasks, 5-way 3-shot with 1 query a class, of the val split of glyphs\n"
    )
    assert told.rstrip().endswith(f"episodes_sha256 {tasks.sha256}")
    assert (tasks.about["seed"], tasks.about["split"], len(tasks.tasks)) == (0, "val", 3)


REFUSED = {
    ("setting=1",): "setting=1: eval.settings has 1, counted from 0. For example setting=0",
    ("split=train",): ("split=train: must be one of test, val. For example split=test"),
    ("to=",): "to=: must be a text. For example to=tasks.npz",
    (
        "+to=t.npz",
    ): "+to=t.npz: fewstep episodes takes key=value, and knows to, split, setting. Did "
    "you mean to?",
    ("eval.tasks=abc",): "eval.tasks=abc: must be a whole number of at least 2. For example "
    "eval.tasks=1000",
    ("eval.tasks=1",): "eval.tasks=1: must be a whole number of at least 2. For example "
    "eval.tasks=1000",
    (
        "eval.seed=-1",
    ): "eval.seed=-1: must be a whole number of at least 0. For example eval.seed=0",
    ("eval.queries=0",): "eval.queries=0: must be a whole number of at least 1. For example "
    "eval.queries=1",
    ("eval.settings=[{shots: 1}]",): "eval.settings[0]={'shots': 1}: must have shots, steps, "
    "batch_size. For example eval.settings='[{shots: 1, steps: 50, batch_size: 5}]'",
    ("+shots.varies=always",): "shots.varies=always: must be one of train, test, both or null. For "
    "example shots.varies=both",
    ("algorithm.inner.lr=-1",): "algorithm.inner.lr=-1: must be a number above 0. For example "
    "algorithm.inner.lr=0.001",
    ("-m", "seed=1,2"): ("fewstep episodes writes the tasks of one test: give it key=value alone"),
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_cannot_be_is_refused_in_one_line(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert episodes.main([*SMALL, *words]) == 2
    assert capsys.readouterr().err.strip().endswith(REFUSED[words])
    assert not list(Path().iterdir())


@pytest.mark.parametrize("word", ["eval.tasks=3", "eval.seed=1", "eval.queries=2"])
def test_what_a_list_of_tasks_says_itself_is_refused(word: str, capsys) -> None:
    words = ["dataset.classes=60", "trainer=cpu", "eval.manifest=t.npz", word]
    assert episodes.main(words) == 2
    assert capsys.readouterr().err == (
        f"fewstep: eval.manifest=t.npz, {word}: the file is a list of tasks of its own. Leave one "
        "of them out, or have tasks drawn with eval.manifest=null\n"
    )


UNWRITABLE = "Make room there, see to its permissions, or choose another place with to=..."


def test_where_it_goes_is_tried_before_the_work(capsys, monkeypatch) -> None:
    """And another file than one of tasks is kept."""
    monkeypatch.setattr("fewstep.run.construction.assembly.draft", None)
    Path("mine.npz").write_text("precious")
    Path("below").mkdir()
    for place, told in {
        "mine.npz": "is another file, which is not overwritten (it cannot be read as a manifest "
        "(it is no NumPy archive)). Name one that is not there, or remove it",
        "below": "is a folder. Name a file, as to=below/tasks.npz",
        "mine.npz/tasks.npz": f"cannot be written to (mine.npz: Not a directory). {UNWRITABLE}",
        "/proc/no/tasks.npz": f"cannot be written to (/proc: No such file or directory). "
        f"{UNWRITABLE}",
    }.items():
        assert episodes.main([*SMALL, f"to={place}"]) == 2
        assert capsys.readouterr().err == f"fewstep: to={place}: {told}\n"
    assert Path("mine.npz").read_text() == "precious"


def test_tasks_take_the_place_of_tasks(capsys: pytest.CaptureFixture[str]) -> None:
    told = []
    for seed in (0, 0, 1):
        assert episodes.main([*SMALL, f"eval.seed={seed}", "to=own.npz"]) == 0
        told.append(capsys.readouterr().out.strip().splitlines())
    assert manifest.read(Path("own.npz")).about["seed"] == 1
    first, again, other = told
    assert len(first) == len(again) == 2
    assert other[2] == f"in the place of other tasks, {first[1].partition(', ')[2]}"


def test_keys_that_nothing_reads_and_tasks_that_fit_nowhere_are_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert episodes.main([*SMALL, "+eval.taks=5"]) == 2
    assert "there is no key eval.taks. Did you mean tasks?" in capsys.readouterr().err
    assert episodes.main([*SMALL, "eval.tasks=99999999999"]) == 2
    told = capsys.readouterr().err
    assert "eval.tasks=99999999999: the figures of the tasks would take " in told
    assert not list(Path().iterdir())


def test_tasks_without_classes_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert episodes.main(["dataset=sine", "eval.tasks=3", "trainer=cpu"]) == 2
    told = capsys.readouterr().err
    assert "dataset=sine: its tasks are no classes with images, and cannot be listed" in told


def test_classes_that_are_trained_on_need_not_fill_a_task(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Only test tasks are written: of few training classes, and of none."""
    words = ["dataset.classes=10", "dataset.test=0.7", "eval.tasks=3", "trainer=cpu"]
    for more in ([], ["+dataset.split=all"]):
        assert episodes.main([*words, *more]) == 0
        assert "of the test split of glyphs" in capsys.readouterr().out
    assert episodes.main([*words, "split=val"]) == 2
    assert capsys.readouterr().err.startswith("fewstep: shots.ways=5: the val split of glyphs has ")
    setting = "eval.settings=[{ways: 8, shots: 1, steps: 0, batch_size: null}]"
    words += ["algorithm=protonet", setting]
    assert episodes.main(words) == 2
    assert capsys.readouterr().err.startswith("fewstep: eval.settings[0].ways=8: the test split ")


@pytest.mark.slow
def test_the_example_of_its_help_can_be_followed(
    real_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An alphabet to train on has 14 characters at the least; those of the test have 20."""
    (line,) = (one for one in episodes.EXAMPLES.splitlines() if "within=alphabet" in one)
    words = [*line.split()[2:], f"dataset.root={real_data}", "eval.tasks=3", "trainer=cpu"]
    assert episodes.main(words) == 0
    assert "3 tasks, 20-way 1-shot with 1 query a class" in capsys.readouterr().out


def test_tasks_of_which_one_is_there_twice_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["dataset.classes=8", "dataset.test=0.25", "dataset.drawings=2", "shots.ways=2"]
    words += ["trainer=cpu", "eval.tasks=50"]
    assert episodes.main(words) == 2
    told = capsys.readouterr().err
    assert told.startswith("fewstep: eval.tasks=50: of such a list its task ")
    assert told.endswith(
        "again, counted from 0, and an interval is of tasks that are there once. The test split "
        "has few tasks: ask for fewer, or for more eval.queries\n"
    )
    assert not list(Path().iterdir())


def test_its_keys_are_completed_beside_those_of_a_training() -> None:
    assert query("fewstep epi", COMMANDS) == ["episodes "]
    assert query("fewstep episodes split=", COMMANDS) == ["split=test ", "split=val "]
    assert query("fewstep episodes to", COMMANDS) == ["to="]
    assert {"setting=", "seed="} <= set(query("fewstep episodes se", COMMANDS))
    assert query("fewstep evaluate benchmark=", COMMANDS) == ["benchmark=lake "]
    assert "eval.manifest=" in query("fewstep evaluate eval.ma", COMMANDS)
    assert query("fewstep train shots.varies=", COMMANDS) == [
        *("shots.varies=train ", "shots.varies=test ", "shots.varies=both ")
    ]


def test_the_help_names_its_keys() -> None:
    assert all(f"{name}=" in episodes.help_text() for name in ("to", "split", "setting"))
