"""The W&B run's own record file, read back."""

from __future__ import annotations

import json
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fewstep.dashboard import Dashboard


RESULT = {
    "init": "trained",
    "ways": 5,
    "shots": 1,
    "protocol": "inductive",
    "steps": 5,
    "tasks": 10,
    "acc": 0.75,
    "acc_ci95": 0.01,
    "curve": {"steps": [0, 5], "acc": [0.2, 0.75], "acc_ci95": [0.01, 0.01]},
}


def records(folder: Path) -> Iterator:
    """The records of an offline run: a LevelDB log of protocol buffers, behind 7 bytes of header.

    Each block of 32 KiB holds chunks of {checksum 4, length 2, kind 1}; a record is one chunk of
    kind 1, or several from kind 2 to kind 4.
    """
    from wandb.proto import wandb_internal_pb2

    (file,) = folder.glob("wandb/offline-run-*/*.wandb")
    data, at, parts = file.read_bytes(), 7, b""
    while at + 7 <= len(data):
        if 32768 - at % 32768 < 7:  # the tail of a block is padding
            at += 32768 - at % 32768
            continue
        length, kind = struct.unpack("<HB", data[at + 4 : at + 7])
        parts += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(parts)
            yield record
            parts = b""


def rows(found: list) -> list[dict]:
    return [
        {
            ".".join(item.nested_key) or item.key: json.loads(item.value_json)
            for item in r.history.item
        }
        for r in found
        if r.WhichOneof("record_type") == "history"
    ]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list:
    folder = tmp_path_factory.mktemp("wandb")
    dashboard = Dashboard(str(folder), offline=True, name="one", group="sweep")
    dashboard.log_hyperparams({"algorithm": {"name": "reptile"}, "seed": 3})
    dashboard.log_metrics({"train/acc": 0.5, "meta_iteration": 10, "tasks_seen": 50})
    dashboard.log_metrics({"val/acc": 0.6, "meta_iteration": 10, "tasks_seen": 50})
    dashboard.log_metrics({"epoch": 0})  # Lightning's own bookkeeping
    dashboard.log_results([RESULT])
    dashboard.finish(failed=False)
    return whole(folder)


def whole(folder: Path) -> list:
    """All records; W&B's own process writes the last of them a moment after `finish` returns."""
    for _ in range(100):
        found = list(records(folder))
        if any(r.WhichOneof("record_type") == "exit" for r in found):
            return found
        time.sleep(0.1)
    raise AssertionError("the run was never closed")


def test_configuration_becomes_columns(found: list) -> None:
    updates = [u for r in found for u in (*r.run.config.update, *r.config.update)]
    values = {u.key: json.loads(u.value_json) for u in updates}
    assert values["algorithm"] == {"name": "reptile"}
    assert values["seed"] == 3


def test_scalars_lie_on_the_axis_of_meta_iterations(found: list) -> None:
    axes = {r.metric.name or r.metric.glob_name: r.metric.step_metric for r in found}
    assert axes["train/*"] == axes["val/*"] == axes["test/acc"] == "meta_iteration"
    assert axes["test/acc_at_step*"] == "inner_step"
    train = next(row for row in rows(found) if "train/acc" in row)
    assert (train["train/acc"], train["meta_iteration"], train["tasks_seen"]) == (0.5, 10, 50)
    assert not any("epoch" in row for row in rows(found))


def test_the_adaptation_curve_has_an_axis_of_its_own(found: list) -> None:
    name = "test/acc_at_step/5w1s_inductive"
    points = [(row["inner_step"], row[name]) for row in rows(found) if name in row]
    assert points == [(0, 0.2), (5, 0.75)]


def test_final_figures_are_the_summary(found: list) -> None:
    updates = [u for r in found for u in r.summary.update]
    values = {".".join(u.nested_key) or u.key: json.loads(u.value_json) for u in updates}
    assert values["test/acc"] == 0.75
    assert values["test/acc_ci95/5w1s_inductive"] == 0.01
