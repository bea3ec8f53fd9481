"""metrics.csv as spreadsheets save it, and what is not a run's at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fewstep.loggers.metrics_file import MetricsFile
from fewstep.messages.errors import ConfigError
from fewstep.records.metrics import read_history, read_metrics
from fewstep.run.checks.resumable import check_history


ROWS = ["meta_iteration,tasks_seen,train/acc", "1,5,0.5", "10,50,0.75"]
OWN = "".join(f"{row}\n" for row in ROWS)
SAVED = {
    "ours": OWN.encode(),
    "with a mark": b"\xef\xbb\xbf" + OWN.encode(),
    "by Windows": OWN.replace("\n", "\r\n").encode(),
    "by an old Mac": OWN.replace("\n", "\r").encode(),
    "cut short": f"{OWN}11,5".encode(),
}


@pytest.mark.parametrize("saved", SAVED)
def test_a_run_goes_on_with_its_file_however_it_was_saved(saved: str, tmp_path: Path) -> None:
    file = tmp_path / "metrics.csv"
    file.write_bytes(SAVED[saved])
    metrics = MetricsFile(file)
    metrics.cut_back(10)
    metrics.log_metrics({"meta_iteration": 11, "tasks_seen": 55, "train/acc": 1.0})
    assert file.read_text().splitlines() == [*ROWS, "11,55,1.0"]


@pytest.mark.parametrize("text", ["", "\n", "meta_iteration,tasks_seen\n"])
def test_a_file_without_rows_has_nothing_to_lose(text: str, tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text(text)
    assert read_history(tmp_path / "metrics.csv", "resume")[1] == []


FOREIGN = {
    "date,sales\n1,2\n": "it has no column meta_iteration",
    "meta_iteration;train/acc\n1;0,5\n": "could not convert string to float: '1;0'",
    "precious": "it has no column meta_iteration",
    "\nprecious\n": "meta_iteration=: must be a whole number",
    "meta_iteration,acc": "it has no column meta_iteration",
    "meta_iteration,acc\nmany,0.5\n": "could not convert string to float: 'many'",
    "meta_iteration,acc\nnan,0.5\n": "meta_iteration=nan: must be a whole number",
    "meta_iteration,acc\n,0.5\n": "meta_iteration=: must be a whole number",
    f"meta_iteration,acc\n1,{'5' * 140_000}\n": "field larger than field limit (131072)",
}


@pytest.mark.parametrize("text", FOREIGN, ids=range(len(FOREIGN)))
def test_a_file_of_others_stays_as_it_is(text: str, tmp_path: Path) -> None:
    file = tmp_path / "metrics.csv"
    file.write_text(text)
    (tmp_path / "checkpoints").mkdir()
    path = tmp_path / "checkpoints" / "last.ckpt"
    told = (
        f": {file}: cannot be read as what the run has logged ({FOREIGN[text]}), and would be "
        "written over. Move it away, and the run goes on with a new one"
    )
    with pytest.raises(ConfigError) as refusal:
        check_history(path)
    assert str(refusal.value) == f"resume={path}{told}"
    with pytest.raises(ConfigError) as refusal:
        MetricsFile(file).cut_back(10)
    assert str(refusal.value) == f"resume{told}"
    assert file.read_text() == text
    file.rename(tmp_path / "moved")
    check_history(path)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "metrics.csv")
    with pytest.raises(OSError, match="it is no plain file"):
        read_metrics(tmp_path / "metrics.csv")
    with pytest.raises(ConfigError, match=r"logged \(it is no plain file\)"):
        read_history(tmp_path / "metrics.csv", "resume")
