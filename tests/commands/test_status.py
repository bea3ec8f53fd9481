"""`fewstep status`: what has become of jobs, from their records alone."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

from fewstep import cli
from fewstep.commands import status
from fewstep.commands.completion import query
from fewstep.disk.lock import held
from fewstep.launch import job as one
from fewstep.launch.job_folders import Job, summary
from fewstep.records.job_record import write_record
from fewstep.records.pace import Pace, read_pace, write_pace
from fewstep.records.run_folders import jobs
from fewstep.records.states import of_sweep
from fewstep.report.runs.gather import Run
from fewstep.report.sections import Section
from made_files import FINISHED


@pytest.fixture
def sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Eleven jobs, of which the first five have begun."""
    monkeypatch.chdir(tmp_path)
    folder = Path("outputs", "sweeps", "mine")
    for number in range(11):
        job = folder / str(number)
        job.mkdir(parents=True)
        (job / "config.yaml").write_text("max_meta_iterations: 400\n")
        words = [f"seed={number}", "budget.tasks=2000", "algorithm=maml"]
        words += ["max_meta_iterations=400", "resume=there"] if number < 5 else []
        (job / "overrides.yaml").write_text(json.dumps(words))
    (folder / "multirun.yaml").touch()
    (folder / "0" / "results.json").write_text(FINISHED)
    write_record(folder / "1", "failed", "OSError: no space left on device")
    write_pace(folder / "2", Pace(100, 400, 81.25, 725.0))
    write_pace(folder / "3", Pace(400, 400, 90.0, None))
    (folder / "4" / "metrics.csv").write_text("meta_iteration,train/loss\n10,2.5\n20,2.0\n")
    return folder


def _said(capsys, *words: str) -> str:
    assert status.main(words) == 0
    return capsys.readouterr().out


def test_a_sweep_at_work(sweep: Path, capsys) -> None:
    with held(sweep), held(sweep / "2"), held(sweep / "3"):
        said = _said(capsys, str(sweep))
    assert [re.sub(" {2,}", " | ", line) for line in said.splitlines()] == [
        "job | state | progress | tasks/s | left",
        "0 | finished | seed=0",
        "1 | failed | seed=1",
        "2 | running | 100/400 (25 %) | 81 | 12 min | seed=2",
        "3 | running | 400/400 (100 %), testing | 90 | seed=3",
        "4 | waiting | 20/400 (5 %) | seed=4",
        *(f"{n} | waiting | seed={n}" for n in range(5, 11)),
        "outputs/sweeps/mine: 11 jobs: 1 finished, 2 running, 7 waiting, 1 failed",
        "failed: outputs/sweeps/mine/1: OSError: no space left on device",
    ]


def test_a_sweep_that_was_stopped(sweep: Path, capsys) -> None:
    said = _said(capsys, f"folder={sweep}")
    assert "2    stopped   100/400 (25 %)" in said
    assert "11 jobs: 1 finished, 1 failed, 9 stopped" in said
    assert "The command of the sweep again runs what is left." in said


@pytest.mark.parametrize("closed", [False, True])
def test_what_is_at_work_for_somebody_else(closed: bool, sweep: Path, capsys, monkeypatch) -> None:
    """Whose locks may be read and not written; of one that may not be read nobody can tell."""
    system = os.open

    def theirs(path, flags, *more, **named):
        lock = str(path).endswith(".lock")
        if lock and (flags & os.O_ACCMODE != os.O_RDONLY or (closed and "/2/" in str(path))):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return system(path, flags, *more, **named)

    with held(sweep / "2"), held(sweep / "3"):
        monkeypatch.setattr(os, "open", theirs)
        said, alone = _said(capsys, str(sweep)), _said(capsys, str(sweep / "2"))
        monkeypatch.undo()
    assert re.search(f"^2 +{'unknown' if closed else 'running'} +100/400 ", said, re.M)
    assert re.search("^3 +running ", said, re.M)
    assert re.search("^4 +stopped ", said, re.M)
    counts = "1 running, 1 failed, 7 stopped, 1 unknown" if closed else "2 running, 1 failed, 7 "
    assert f"11 jobs: 1 finished, {counts}" in said
    for text in (said, alone):
        assert ("can be told by whoever may read its .lock" in text) == closed
        assert "Continue with" not in text
        assert "again" not in text


def test_jobs_of_a_sweep_that_nobody_may_tell_of_are_unknown(sweep: Path, monkeypatch) -> None:
    system = os.open

    def theirs(path, *more, **named):
        if str(path) == str(sweep / ".lock"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return system(path, *more, **named)

    monkeypatch.setattr(os, "open", theirs)
    found = [state.state for state in of_sweep(sweep)]
    assert found == ["finished", "failed", *["unknown"] * 9]


@pytest.mark.parametrize("stop", [SystemExit(1), KeyboardInterrupt()])
def test_a_job_that_was_told_to_stop_has_not_failed(
    stop: BaseException, sweep: Path, capsys, monkeypatch
) -> None:
    """By the record that it writes itself, and by the one that older jobs wrote."""

    def stopped(*_: object) -> None:
        raise stop

    monkeypatch.setattr(one, "_work", stopped)
    for hold in ("hold_to_parent", "hold_to_sweep"):
        monkeypatch.setattr(one.tether, hold, lambda *_: None)
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGUSR2)}
    try:
        assert one.main(["no.module", str(sweep / "2"), "fewstep train"]) == 1
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    write_record(sweep / "3", "failed", "stopped before its end")
    for held_now in (held(sweep), nullcontext()):  # it is not tried again by the sweep at work
        with held_now:
            said = _said(capsys, str(sweep))
        assert "2    stopped   100/400 (25 %)" in said
        assert "3    stopped   400/400 (100 %)" in said
        assert "failed: outputs/sweeps/mine/1:" in said
        assert "before its end" not in said
    found = Run(sweep / "2", {}, {"seed": 1, "max_meta_iterations": 400})
    (line,) = Section("Sweep", [found], (), ()).missing
    assert line.endswith("stopped, at meta-iteration 0 of 400")
    told = summary([Job(sweep / "1", ["seed=1"]), Job(sweep / "2", ["seed=2"])])
    assert "2 jobs: 0 finished, 0 of them before; 1 failed, 1 stopped" in told
    assert "stopped: outputs/sweeps/mine/2: stopped before its end" in told


def test_a_run_and_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    for date in ("2026-01-02_00-00-00-000000", "2026-01-01_00-00-00-000000"):
        run = Path("outputs", "runs", "mine", date)
        run.mkdir(parents=True)
        (run / "config.yaml").write_text("max_meta_iterations: 400\n")
    (run / "results.json").write_text(FINISHED)
    name = str(run.parent)
    assert "1 finished" in _said(capsys, str(run))
    newest = Path(name, "2026-01-02_00-00-00-000000")
    said = _said(capsys, name)
    assert f"{newest}: 1 stopped\n" in said
    assert (
        f"There is no checkpoint in {newest} to continue from. The same command begins anew\n"
        in said
    )
    (newest / "checkpoints").mkdir()
    (newest / "checkpoints" / "last.ckpt").touch()
    assert f"Continue with: fewstep train resume={newest}\n" in _said(capsys, name)
    spaced = newest.rename(newest.parent / "my run")
    assert f"Continue with: fewstep train resume='\"{spaced}\"'\n" in _said(capsys, str(spaced))


REFUSED = {
    "": "folder is missing: of a sweep or a run; the word alone will do. Give it, as folder=...",
    "nowhere": "folder=nowhere: there is no such folder. Name one below outputs/sweeps",
    ".": "folder=.: is neither a sweep's folder nor a run's. For example fewstep status "
    "outputs/sweeps/NAME",
    "a b": "folder=b: folder is given twice. Leave one of them out",
    ". watch=0": "watch=0: must be a number above 0 or null. For example watch=5",
    ". extra=1": "extra=1: fewstep status takes key=value, and knows folder, watch.",
    "extra=1": "extra=1: fewstep status takes key=value, and knows folder, watch.",
    "foldr=.": "foldr=.: fewstep status takes key=value, and knows folder, watch. Did you mean "
    "folder?",
    ". --wach": "--wach: fewstep status takes key=value, and knows folder, watch.",
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_is_no_folder_is_one_line(words: str, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    assert status.main(words.split()) == 2
    assert capsys.readouterr().err.startswith(f"fewstep: {REFUSED[words]}")


def test_a_folder_with_a_sign_of_equality_in_its_name_is_one(
    sweep: Path, monkeypatch, capsys
) -> None:
    sweep.rename(sweep.parent / "lr=0.1")
    monkeypatch.chdir(sweep.parent)
    assert "lr=0.1: 11 jobs: " in _said(capsys, "lr=0.1")


def test_watching_ends_when_all_have_ended(sweep: Path, monkeypatch, capsys) -> None:
    def finish(seconds: float) -> None:
        assert seconds == 5.0
        for job in jobs(sweep):
            (job / "results.json").write_text(FINISHED)

    monkeypatch.setattr(status.time, "sleep", finish)
    with held(sweep):
        said = _said(capsys, str(sweep), "--watch")
    assert "7 waiting" in said or "9 waiting" in said
    assert said.endswith("11 jobs: 11 finished\n")


def test_strange_records_are_unknown(sweep: Path, capsys) -> None:
    for number, content in enumerate(("[]", '{"of": "x", "meta_iteration": true}', "nonsense")):
        (sweep / str(number + 2) / "progress.json").write_text(content)
        (sweep / str(number + 5) / "overrides.yaml").write_text("{: [")
    (sweep / "8" / "config.yaml").write_text("- 1\n")
    (sweep / "8" / "metrics.csv").write_text("\n")
    (sweep / "9" / ".lock").symlink_to("elsewhere")
    assert "11 jobs: 1 finished, 1 failed, 9 stopped" in _said(capsys, str(sweep))
    assert read_pace(sweep / "3") == Pace()
    assert read_pace(sweep / "8") == Pace()


NO_RESULTS = {
    "": "it is empty",
    '{"schema": 1, "results": [': "Expecting value: line 1 column 27 (char 26)",
    "mine": "Expecting value: line 1 column 1 (char 0)",
    "[" * 3000: "maximum recursion depth exceeded while decoding",
    "[]": "it is no record",
    '{"acc": 1}': "schema=None, and this version reads 1",
    '{"schema": 0, "results": [{}]}': "schema=0, and this version reads 1",
    '{"schema": 1, "results": []}': "it has no results",
}


@pytest.mark.parametrize("content", NO_RESULTS, ids=range(len(NO_RESULTS)))
def test_results_that_are_none_are_damaged(content: str, sweep: Path, capsys) -> None:
    (sweep / "0" / "results.json").write_text(content)
    said = _said(capsys, str(sweep))
    assert re.search(r"^0 +damaged +seed=0$", said, re.M)
    assert "11 jobs: 1 failed, 9 stopped, 1 damaged" in said
    reason = f"is no results.json of a run ({NO_RESULTS[content]}"
    assert f"damaged: outputs/sweeps/mine/0/results.json: {reason}" in said
    assert "The command of the sweep again runs what is left." in said
    job = Job(sweep / "0", ["seed=0"])
    assert not job.finished
    (sweep / "0" / "results.json").write_text(FINISHED)
    assert job.finished


SIDE_FILES = ("config.yaml", "overrides.yaml", "metrics.csv", "job.json", "progress.json")


@pytest.mark.parametrize("name", [*SIDE_FILES, "results.json"])
def test_a_pipe_in_the_place_of_a_record_is_not_waited_for(name: str, sweep: Path, capsys) -> None:
    (sweep / "6" / name).unlink(missing_ok=True)
    os.mkfifo(sweep / "6" / name)
    said = _said(capsys, str(sweep))
    assert "11 jobs: 1 finished, 1 failed, " in said
    damaged = "damaged: outputs/sweeps/mine/6/results.json: is no results.json of a run (it is no "
    assert (f"{damaged}plain file)" in said) == (name == "results.json")


@pytest.mark.parametrize("text", ["[" * 3000, "[" * 200_000, "\0", "\ufeff"], ids=range(4))
@pytest.mark.parametrize("name", SIDE_FILES)
def test_a_record_that_cannot_be_read_is_none(name: str, text: str, sweep: Path, capsys) -> None:
    (sweep / "6" / name).write_text(text)
    assert "11 jobs: 1 finished, 1 failed, 9 stopped" in _said(capsys, str(sweep))


def test_a_field_without_end_is_no_number(sweep: Path, capsys) -> None:
    (sweep / "4" / "metrics.csv").write_text("meta_iteration\n" + "1" * 140_000 + "\n")
    assert re.search("^4 +stopped +seed=4$", _said(capsys, str(sweep)), re.M)


@pytest.mark.parametrize("value", ["NaN", "-1", "-Infinity", "Infinity", "1e400", "1" * 400, "0.5"])
def test_no_run_is_at_a_number_that_is_none(value: str, sweep: Path) -> None:
    note = '{"meta_iteration": VALUE, "of": 5, "tasks_per_second": 2.5, "seconds_left": VALUE}'
    (sweep / "2" / "progress.json").write_text(note.replace("VALUE", value))
    left = 0.5 if value == "0.5" else None
    assert read_pace(sweep / "2") == Pace(None, 5, 2.5, left)


def test_it_is_a_command_with_help_and_completion(capsys) -> None:
    assert cli.main(["status", "--help"]) == 0
    assert capsys.readouterr().out.startswith("fewstep status FOLDER [--watch]")
    assert query("fewstep stat", cli.COMMANDS) == ["status "]
    assert query("fewstep status f", cli.COMMANDS) == ["folder="]
    assert query("fewstep status --", cli.COMMANDS) == ["--watch "]
    assert query("fewstep status outputs/sw", cli.COMMANDS) == []  # files follow


def test_it_starts_without_torch_and_hydra() -> None:
    text = "import sys\nfrom fewstep.cli import main\nassert main(['status', '.']) == 2\n"
    text += "print({'torch', 'hydra', 'omegaconf', 'numpy'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=60)
    assert done.stdout == "set()\n", done.stderr
