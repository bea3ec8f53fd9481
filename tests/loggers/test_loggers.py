"""W&B: the run's own record files, read back, and what happens when nobody answers."""

from __future__ import annotations

import json
import os
import re
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import wandb
from wandb_records import columns, rows, summary, whole

from fewstep.commands import train
from fewstep.config.compose import compose_config
from fewstep.loggers import opening as loggers
from fewstep.loggers.dashboard import Dashboard
from fewstep.loggers.layout import as_json, layout
from fewstep.loggers.scoreboard import labels
from fewstep.records.job_record import read_record


pytestmark = pytest.mark.run


SMALL = [
    *("trainer=cpu", "execution=serial", "dataset.classes=60", "model.channels=8"),
    "meta_batch=2",
    *("algorithm.inner.steps=2", "log_every=1", "max_meta_iterations=2", "logger=wandb"),
    *("eval.tasks=6", "eval.steps=3", "eval.curve_tasks=4", "eval.val_every=2", "eval.val_tasks=4"),
    *("eval.test_every=2", "eval.test_tasks=3"),
]

RESULT = {
    "split": "test",
    "init": "trained",
    "checkpoint": "last",
    "ways": 5,
    "shots": 1,
    "protocol": "inductive",
    "steps": 5,
    "batch_size": 5,
    "tasks": 2,
    "acc": 0.75,
    "acc_ci95": 0.01,
    "per_task_file": "tasks.csv",
    "curve": {"steps": [0, 5], "acc": [0.2, 0.75], "acc_ci95": [0.01, 0.02]},
}


@pytest.fixture(scope="module", autouse=True)
def no_account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No settings, keys or caches of the user's."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("CONFIG", "CACHE", "DATA"):
            patch.setenv(f"WANDB_{name}_DIR", str(tmp_path_factory.mktemp(name.lower())))
        patch.delenv("WANDB_MODE", raising=False)
        patch.delenv("WANDB_RUN_ID", raising=False)
        yield


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list:
    folder = tmp_path_factory.mktemp("wandb")
    (folder / "tasks.csv").write_text("task,acc,loss\n0,0.5,1.0\n1,1.0,0.1\n")
    dashboard = Dashboard(str(folder), offline=True, name="one", group="sweep")
    dashboard.log_hyperparams({"algorithm": {"name": "reptile"}, "seed": 3})
    dashboard.log_metrics({"train/acc": 0.5, "meta_iteration": 10, "tasks_seen": 50})
    dashboard.log_metrics({"val/acc": 0.6, "meta_iteration": 10, "tasks_seen": 50})
    dashboard.log_metrics({"epoch": 0})  # Lightning's own bookkeeping
    dashboard.log_results([RESULT])
    dashboard.finish(failed=False)
    return whole(folder)


def exit_code(found: list) -> int:
    (code,) = [r.exit.exit_code for r in found if r.WhichOneof("record_type") == "exit"]
    return code


def test_configuration_becomes_columns(found: list) -> None:
    values = columns(found)
    assert values["algorithm"] == {"name": "reptile"}
    assert values["seed"] == 3


def test_scalars_lie_on_the_axis_of_meta_iterations(found: list) -> None:
    axes = {r.metric.name or r.metric.glob_name: r.metric.step_metric for r in found}
    for name in ("train/*", "val/acc", "val/acc_ci95", "test/acc", "test/loss"):
        assert axes[name] == "meta_iteration"
    assert axes["test/acc_at_step*"] == "inner_step"
    train = next(row for row in rows(found) if "train/acc" in row)
    assert (train["train/acc"], train["meta_iteration"], train["tasks_seen"]) == (0.5, 10, 50)
    assert not any("epoch" in row for row in rows(found))


def test_the_adaptation_curve_has_an_axis_of_its_own(found: list) -> None:
    name = "test/{}_at_step/5w1s_inductive"
    names = ("inner_step", name.format("acc"), name.format("acc_ci95"))
    points = [tuple(row[n] for n in names) for row in rows(found) if names[1] in row]
    assert points == [(0, 0.2, 0.01), (5, 0.75, 0.02)]


def test_final_figures_are_the_summary(found: list) -> None:
    values = summary(found)
    assert values["test/acc"] == 0.75
    assert values["test/acc_ci95/5w1s_inductive"] == 0.01


def test_labels_tell_settings_apart() -> None:
    assert list(labels([RESULT, {**RESULT, "init": "joint"}])) == [
        "5w1s_inductive",
        "joint_5w1s_inductive",
    ]
    more = {**RESULT, "steps": 50, "batch_size": None}
    assert list(labels([RESULT, more])) == [
        "5w1s_inductive_steps5_batch5",
        "5w1s_inductive_steps50_batchall",
    ]


def test_a_run_that_fails_is_marked_and_closed(tmp_path: Path) -> None:
    settings = {"_target_": "fewstep.loggers.dashboard.Dashboard", "offline": True}
    shown = loggers.Shown(settings, "one", {"name": "one"})
    with pytest.raises(RuntimeError), loggers.open_loggers(shown, tmp_path):
        raise RuntimeError("the machine went away")
    assert exit_code(whole(tmp_path)) == 1


def test_a_resumed_training_goes_on_in_the_same_run(tmp_path: Path) -> None:
    first, again = (Dashboard(str(tmp_path), offline=True) for _ in range(2))
    other = Dashboard(str(tmp_path / "other"), offline=True)
    assert first.version == again.version != other.version


# --- through the command


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, list]]:
    """A sweep over two seeds: folder and records of each job."""
    where = tmp_path_factory.mktemp("swept")
    words = [*SMALL, "logger.offline=true", "logger.checkpoint=true"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(where)
        patch.setattr(sys, "argv", sys.argv)
        patch.setattr(sys, "path", list(sys.path))
        assert train.main([*words, "-m", "seed=1,2", "hydra.sweep.dir=sweeps/seeds"]) == 0
    folders = [where / "sweeps" / "seeds" / job for job in "01"]
    return {folder.name: (folder, whole(folder)) for folder in folders}


@pytest.mark.slow
def test_each_job_of_a_sweep_is_a_run_of_its_own(swept: dict) -> None:
    runs = [next(r.run for r in found if r.run.run_id) for _, found in swept.values()]
    assert len({run.run_id for run in runs}) == 2
    assert [run.run_group for run in runs] == ["seeds", "seeds"]
    assert [run.display_name for run in runs] == ["seed=1", "seed=2"]
    assert [run.job_type for run in runs] == ["train", "train"]
    assert [exit_code(found) for _, found in swept.values()] == [0, 0]


@pytest.mark.slow
def test_choices_and_resolved_configuration_are_columns(swept: dict) -> None:
    values = [columns(found) for _, found in swept.values()]
    assert [v["seed"] for v in values] == [1, 2]
    assert values[0]["choices"]["algorithm"] == "reptile"
    assert values[0]["choices"]["shots"] == "5w1s"
    assert values[0]["name"] == "reptile_glyphs_5w1s"
    assert values[0]["algorithm"]["inner"]["steps"] == 2


@pytest.mark.slow
def test_a_job_logs_what_its_files_say(swept: dict) -> None:
    folder, found = swept["0"]
    report = json.loads((folder / "results.json").read_text())["results"]
    entry = report[0]
    values = summary(found)
    for name in ("acc", "acc_ci95"):
        assert values[f"test/{name}"] == entry[name]
    measured = next(row for row in rows(found) if "val/acc" in row)
    assert {"val/acc", "val/acc_ci95", "meta_iteration", "tasks_seen"} <= set(measured)
    assert any("test/acc" in row and row["meta_iteration"] == 2 for row in rows(found))
    curve = [row for row in rows(found) if "test/acc_at_step/5w1s_inductive" in row]
    assert [row["inner_step"] for row in curve] == entry["curve"]["steps"]
    assert values["objective"] == read_record(folder)["objective"] == entry["selected_by"]["acc"]
    (table,) = (folder / "wandb").glob("offline-run-*/files/media/table/test/tasks_*.json")
    shown = json.loads(table.read_text())
    assert shown["columns"] == ["task", "5w1s_inductive", "5w1s_transductive"]
    assert len(shown["data"]) == entry["tasks"]
    mean = sum(row[1] for row in shown["data"]) / entry["tasks"]
    assert mean == pytest.approx(entry["acc"])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Pydantic V1 style")  # W&B's package for workspaces
def test_every_panel_of_the_comparison_draws_something(swept: dict) -> None:
    pytest.importorskip("wandb_workspaces", reason="pip install 'fewstep[dashboard]'")
    _, found = swept["0"]
    drawn = [set(row) for row in rows(found)]
    view = json.loads(as_json(layout("me", "fewstep", ["acc"])))
    sections = view["spec"]["section"]["panelBankConfig"]["sections"]
    lines = [p["config"] for s in sections for p in s["panels"] if "metricRegex" in p["config"]]
    assert len(lines) == 11
    for panel in lines:
        axis, pattern = panel["xAxis"], panel["metricRegex"]
        if pattern.startswith("^sweep/"):
            continue  # of the run of a whole sweep: test_sweep_dashboard
        axes = {axis} if not axis.startswith("_") else set()
        assert any(axes <= row and any(re.search(pattern, n) for n in row) for row in drawn), panel


@pytest.mark.slow
def test_the_tested_checkpoint_is_an_artifact_if_asked(swept: dict) -> None:
    folder, found = swept["0"]
    artifacts = [r.request.log_artifact.artifact for r in found] + [r.artifact for r in found]
    (model,) = [a for a in artifacts if a.type == "model"]
    assert "best" in model.aliases
    (entry,) = model.manifest.contents
    assert entry.local_path == str(folder / "checkpoints" / "best.ckpt")


# --- when nobody answers


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], None]]:
    """Lets W&B believe in a server on a port of this machine; it reads its settings only once."""

    def at(port: int) -> None:
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("WANDB_API_KEY", 40 * "0")
        wandb.teardown()

    yield at
    wandb.teardown()


@pytest.mark.slow
def test_a_dead_server_costs_the_upload_and_nothing_else(
    server: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", sys.argv)
    monkeypatch.setattr(sys, "path", list(sys.path))
    server(9)  # refuses
    assert train.main([*SMALL, "logger.init_timeout=1"]) == 0
    (folder,) = tmp_path.glob("outputs/runs/*/*")
    text = "".join(capfd.readouterr())
    assert text.count("this run is logged offline") == 1
    result = json.loads((folder / "results.json").read_text())["results"][0]
    assert summary(whole(folder))["test/acc"] == result["acc"]


@pytest.mark.parametrize(
    ("mode", "offline", "asked"),
    [
        (None, None, ["online"]),
        ("online", None, ["online"]),
        ("offline", None, ["offline"]),
        ("dryrun", None, ["offline"]),
        ("disabled", None, ["disabled"]),
        ("disabled", True, ["offline"]),
        ("online", True, ["offline"]),
        ("offline", False, ["online"]),
        ("disabled", False, ["online"]),
    ],
)
def test_the_environment_decides_where_the_command_line_does_not(
    mode: str | None, offline: bool | None, asked: list[str], tmp_path: Path, monkeypatch
) -> None:
    """Without W&B: in what mode it would start."""
    began: list[str] = []

    def init(mode: str | None = None, settings: Any = None, **_: object) -> None:
        said = mode or os.environ.get("WANDB_MODE", "online")
        began.append({"dryrun": "offline"}.get(said, said))
        raise RuntimeError("no further")

    monkeypatch.setattr(wandb, "init", init)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    if mode:
        monkeypatch.setenv("WANDB_MODE", mode)
    Dashboard(str(tmp_path), offline=offline).log_hyperparams({})
    assert began == asked


def test_wandb_that_is_disabled_calls_nobody_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    called, real = [], socket.socket.connect

    def connect(own: socket.socket, at: Any) -> Any:
        """W&B's own service on this machine may be asked, and nobody else."""
        here = own.family == socket.AF_UNIX or at[0] in ("127.0.0.1", "localhost", "::1")
        return real(own, at) if here else called.append(at)

    wandb.teardown()  # else it remembers the environment of the tests before
    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setenv("WANDB_MODE", "disabled")
    (tmp_path / "tasks.csv").write_text("task,acc\n0,0.5\n1,1.0\n")
    offline = compose_config("train", ["logger=wandb"])["logger"]["offline"]
    dashboard = Dashboard(str(tmp_path), offline=offline)
    dashboard.log_hyperparams({"seed": 1})
    dashboard.log_metrics({"train/acc": 0.5, "meta_iteration": 1, "tasks_seen": 5})
    dashboard.log_results([RESULT])
    dashboard.finish(failed=False)
    assert not [r for r in caplog.records if r.name == "fewstep"]  # nothing has failed
    assert not called
    assert not list(tmp_path.glob("wandb/*run-*"))


class Answer(BaseHTTPRequestHandler):
    """As much of W&B's server as a run needs to start."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        project = {"name": "fewstep", "entity": {"name": "me"}}
        bucket = {"id": "1", "name": "one", "displayName": "one", "project": project}
        data = {
            "model": {"bucket": None},
            "upsertBucket": {"bucket": bucket, "inserted": True},
            "serverInfo": {"features": []},
            "createRunFiles": {"runID": "1", "uploadHeaders": [], "files": []},
        }
        body = json.dumps({"data": data}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Not on the terminal."""


@pytest.mark.slow
def test_a_network_that_dies_midway_costs_the_rest_of_the_upload(
    server: Callable, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as answers:
        threading.Thread(target=answers.serve_forever, daemon=True).start()
        server(answers.server_port)
        dashboard = Dashboard(str(tmp_path), init_timeout=60, finish_timeout=1)
        dashboard.log_metrics({"train/acc": 0.5, "meta_iteration": 1, "tasks_seen": 5})
        assert not dashboard.experiment.offline
        answers.shutdown()
    dashboard.log_metrics({"train/acc": 0.6, "meta_iteration": 2, "tasks_seen": 10})
    dashboard.finish(failed=False)
    (message,) = [r.getMessage() for r in caplog.records if r.name == "fewstep"]
    assert "W&B has failed" in message
    assert f"wandb sync {tmp_path}/wandb/latest-run" in message
    wandb.teardown()  # as at the end of the process: what is left goes to the disk
    kept = rows(whole(tmp_path, "wandb/run-*/*.wandb"))
    assert [row["train/acc"] for row in kept] == [0.5, 0.6]
