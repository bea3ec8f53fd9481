"""A meta-test that is stopped goes on where it was, and says what one says that never was."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fewstep.commands import evaluate, train
from fewstep.core.types import Episode
from fewstep.launch.stopping import how_to_go_on
from fewstep.run import measuring


pytestmark = pytest.mark.usefixtures("undrawn")

SETTINGS = [{"shots": n, "steps": 1, "batch_size": 5} for n in (1, 2)]
WORDS = ["checkpoint=glyphs", "trainer=cpu", "eval.tasks=70", "eval.curve_tasks=10"]
WORDS += [f"eval.settings={json.dumps(SETTINGS).replace(chr(34), '')}"]
CHUNKS = [10, 32, 28]
"""Tasks of those that are measured at once: the curve's, then the others."""
LAST = CHUNKS[-1]


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many tasks were measured in each setting, by their shots."""
    counts: list[int] = []
    whole = measuring.evaluate_task

    def counted(*given: object, **options: object) -> object:
        (episode,) = (one for one in given if isinstance(one, Episode))
        counts.append(len(episode.support_x) // 5)
        return whole(*given, **options)

    monkeypatch.setattr(measuring, "evaluate_task", counted)
    return counts


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "run"
    assert evaluate.main([*WORDS, "execution=serial", f"hydra.run.dir={folder}"]) == 0
    return folder


def stopped(folder: Path, after: int, counts: list[int], *words: str) -> Path:
    """An evaluation that is killed after as many tasks; its file."""
    before = measuring.Measuring._evaluate

    def until(self: measuring.Measuring, chunk: object) -> list:
        if len(counts) >= after:
            signal.raise_signal(signal.SIGTERM)
        return before(self, chunk)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measuring.Measuring, "_evaluate", until)
        with pytest.raises(SystemExit):
            evaluate.main([*WORDS, "execution=serial", *words, f"hydra.run.dir={folder}"])
    counts.clear()
    (file,) = (folder / "per_task").glob("*.so_far")
    return file


def said(folder: Path) -> list[dict]:
    """What results and every task say, but for what hangs on the clock."""
    content = json.loads((folder / "results.json").read_text())
    files = sorted((folder / "per_task").iterdir())
    return [*content["results"], {file.name: file.read_text() for file in files}]


def test_only_what_is_left_is_measured(
    tmp_path: Path, measured: list[int], undisturbed: Path
) -> None:
    folder = tmp_path / "run"
    stopped(folder, 70 + 42, measured)
    words = how_to_go_on(folder).partition("fewstep evaluate ")[2]
    assert words == f"resume={folder}"
    assert evaluate.main([words]) == 0
    assert [measured.count(shots) for shots in (1, 2)] == [LAST, LAST]
    assert said(folder) == said(undisturbed)


@pytest.mark.slow
@pytest.mark.parametrize("after", [0, 10, 42, 70])
def test_wherever_it_stops(
    after: int, tmp_path: Path, measured: list[int], undisturbed: Path
) -> None:
    folder = tmp_path / "run"
    stopped(folder, after, measured)
    assert evaluate.main([f"resume={folder}"]) == 0
    assert len(measured) == 140 - min(after, 42)
    assert said(folder) == said(undisturbed)


def _last_line_cut(file: Path) -> int:
    file.write_text(file.read_text()[:-40])
    return 140 - 10


def _another_test(file: Path) -> int:
    first, _, rest = file.read_text().partition("\n")
    file.write_text(f'"{"0" * len(first)}"\n{rest}')
    return 140


def _tasks_missing(file: Path) -> int:
    first, line, *rest = file.read_text().splitlines()
    place, part = json.loads(line)
    file.write_text("\n".join([first, json.dumps([place, part[1:]]), *rest]))
    return 140


DAMAGE: dict[str, Callable[[Path], int]] = {
    "last line cut": _last_line_cut,
    "of another test": _another_test,
    "tasks missing": _tasks_missing,
    "empty": lambda file: file.write_text("") or 140,
    "no text": lambda file: file.write_bytes(b"\xff\xfe\x00") and 140,
    "no records": lambda file: file.write_text(file.read_text().splitlines()[0] + "\n7\n") and 140,
    "deep": lambda file: (
        file.write_text(file.read_text().splitlines()[0] + "\n" + 10**5 * "[") and 140
    ),
    "gone": lambda file: file.unlink() or 140,
}


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_what_is_damaged_is_measured_again(
    damage: Callable[[Path], int], tmp_path: Path, measured: list[int], undisturbed: Path
) -> None:
    folder = tmp_path / "run"
    left = damage(stopped(folder, 42, measured))
    words = [*WORDS, "execution=serial", f"resume={folder}"]
    assert evaluate.main(words) == 0
    assert len(measured) == left
    assert said(folder) == said(undisturbed)


OTHERS = ("eval.tasks=71", "eval.seed=1", "eval.curve_tasks=11", "eval.protocol=inductive")
OTHERS += ("eval.shift=1", "trainer.precision=64", "execution=threads")


@pytest.mark.slow
@pytest.mark.parametrize("other", OTHERS)
def test_of_another_test_nothing_is_taken(
    other: str, tmp_path: Path, measured: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    stopped(folder, 42, measured)
    assert evaluate.main([f"resume={folder}", other]) == 0
    assert f"note: {folder}: the test that was stopped here was another" in capsys.readouterr().err
    assert len(measured) == (142 if other == "eval.tasks=71" else 140)


@pytest.mark.slow
def test_auto_is_the_newest_of_the_command(
    tmp_path: Path, measured: list[int], monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "outputs" / "runs" / "evaluate" / "2026-01-01_00-00-00-000000"
    stopped(folder, 42, measured)
    words = [*WORDS, "execution=serial", "resume=auto"]
    assert evaluate.main([*words, "eval.seed=1"]) == 0
    assert "no run of this configuration in outputs/runs/evaluate" in capsys.readouterr().out
    measured.clear()
    assert evaluate.main(words) == 0
    assert f"going on with {folder.relative_to(tmp_path)}" in capsys.readouterr().out
    assert len(measured) == 140 - 42
    assert evaluate.main(words) == 0
    assert " is finished; starting a new run" in capsys.readouterr().out


def test_a_finished_one_is_not_written_over(undisturbed: Path, capsys) -> None:
    before = (undisturbed / "results.json").read_bytes()
    assert evaluate.main([f"resume={undisturbed}"]) == 2
    refusal = f"fewstep: resume={undisturbed}: is finished. Leave resume out to test again"
    assert capsys.readouterr().err.strip() == refusal
    assert (undisturbed / "results.json").read_bytes() == before


def test_a_run_is_gone_on_with_by_its_own_command(
    tmp_path: Path, measured: list[int], capsys
) -> None:
    folder = tmp_path / "run"
    stopped(folder, 10, measured)
    assert train.main([f"resume={folder}"]) == 2
    assert (
        capsys.readouterr()
        .err.strip()
        .endswith(
            f"fewstep: resume={folder}: is a run of fewstep evaluate. Continue it with: fewstep "
            f"evaluate resume={folder}"
        )
    )
    assert evaluate.main([*WORDS, f"hydra.run.dir={folder}"]) == 2
    assert f"Continue it with: fewstep evaluate resume={folder}" in capsys.readouterr().err


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A training whose test is stopped after its first chunk."""
    before, calls = measuring.Measuring._evaluate, []

    def until(self: measuring.Measuring, chunk: object) -> list:
        calls.append(1)
        if len(calls) == 2:
            signal.raise_signal(signal.SIGTERM)
        return before(self, chunk)

    words = ["trainer=cpu", "execution=serial", "max_meta_iterations=1", "eval.val_every=null"]
    words += ["eval.tasks=70", "eval.curve_tasks=10", "eval.steps=1", "checkpoint_every=1"]
    with monkeypatch.context() as patch:
        patch.setattr(measuring.Measuring, "_evaluate", until)
        with pytest.raises(SystemExit):
            train.main([*words, f"hydra.run.dir={tmp_path / 'run'}"])
    return tmp_path / "run"


def test_so_does_the_test_of_a_training(trained: Path, measured: list[int]) -> None:
    assert train.main([f"resume={trained}"]) == 0
    assert len(measured) == 60
    assert not list((trained / "per_task").glob("*.so_far"))


@pytest.mark.slow
@pytest.mark.process
def test_so_do_two_ranks_each_with_its_own(tmp_path: Path, undisturbed: Path) -> None:
    folder, last = tmp_path / "run", tmp_path / "last"
    words = [word for word in WORDS if word != "trainer=cpu"]
    words += ["execution=serial", "trainer=ddp_cpu", f"hydra.run.dir={folder}"]
    command = [sys.executable, "-m", "fewstep", "evaluate"]
    with last.open("w") as log, subprocess.Popen([*command, *words], stderr=log) as process:
        files = [folder / "per_task" / f"test_trained_glyphs_rank{n}.so_far" for n in (0, 1)]
        while not all(file.is_file() and file.read_text().count("\n") > 2 for file in files):
            assert process.poll() is None, last.read_text()
            time.sleep(0.01)
        process.kill()
    again = [*command, f"resume={folder}"]
    done = subprocess.run(again, capture_output=True, text=True, check=True)
    begins = re.search(r"\| (\d+)/70 ", done.stderr)
    assert begins
    assert int(begins[1]) > 0
    assert said(folder) == said(undisturbed)
