"""What a run writes: strict JSON, a file for each setting, a table, whatever the numbers are."""

from __future__ import annotations

import json
import math
from pathlib import Path

import torch

from fewstep.adapters.meta_test import Setting
from fewstep.commands.merging import merged
from fewstep.config.compose import compose_config, plain
from fewstep.core.types import EpisodeSpec
from fewstep.data.glyphs import Glyphs
from fewstep.records.figures.curves import draw_curves
from fewstep.records.results import table, write_json
from fewstep.records.statistics.intervals import show
from fewstep.run.stored import checkpoint
from fewstep.run.testing.entrant import Entrant
from fewstep.run.testing.results import result


NAN, INF = math.nan, math.inf


def entry(metric: str, value: float | None, **changed) -> dict:
    curve = {"steps": [0, 1], "tasks": 4, metric: [0.5, value], f"{metric}_ci95": [0.1, value]}
    found = {"init": "trained", "checkpoint": "last", "ways": 5, "shots": 1, "queries": 1}
    found |= {"protocol": "inductive", "steps": 1, "batch_size": 5, "tasks": 4, "loss": value}
    return {**found, metric: value, f"{metric}_ci95": value, "curve": curve, **changed}


def test_what_is_not_finite_is_null(tmp_path: Path) -> None:
    write_json(tmp_path / "results.json", {"a": NAN, "b": [1.5, (-INF, 2)], "c": {"d": INF}})
    text = (tmp_path / "results.json").read_text()
    assert json.loads(text) == {"a": None, "b": [1.5, [None, 2]], "c": {"d": None}}


def test_a_table_says_what_diverged() -> None:
    for lost in (NAN, INF, None):
        assert table([entry("acc", lost)]).endswith("diverged")
        assert show({"loss": lost, "loss_ci95": lost}) == "diverged"
    assert show({"acc": 0.2, "acc_ci95": 0.0, "loss": NAN}) == "20.00 ± 0.00 % (diverged)"
    assert show({"acc": 0.2, "acc_ci95": 0.0, "loss": 1.0}) == "20.00 ± 0.00 %"


def test_curves_are_drawn_with_gaps(tmp_path: Path) -> None:
    rows = "meta_iteration,train/loss,val/loss,val/loss_ci95\n1,nan,nan,nan\n2,inf,inf,nan\n"
    (tmp_path / "metrics.csv").write_text(rows)
    for metric in ("acc", "loss"):
        for lost in (NAN, INF, None):
            nothing = entry(metric, lost, curve=None)
            nothing["curve"] = {"steps": [0], "tasks": 4, metric: [lost], f"{metric}_ci95": [lost]}
            for e in (entry(metric, lost), nothing):
                run = {"algorithm": "reptile", "dataset": "glyphs", "seed": 0, "results": [e]}
                path = draw_curves(tmp_path, run)
                assert path.stat().st_size > 0
                path.unlink()


def test_settings_that_differ_in_batch_or_queries_alone_are_kept_apart(tmp_path: Path) -> None:
    split = Glyphs(classes=60).open()["test"]
    specs = [EpisodeSpec(5, 1, q, 3, batch) for q, batch in ((1, 5), (1, None), (2, 5))]
    numbers = {"acc": 0.5, "acc_ci95": 0.1, "loss": 1.0}
    record = {"protocol": "inductive", "per_task": {"loss": [1.0, 1.0]}, **numbers}
    found = [
        result({"setting": Setting(spec), **record}, split, 0, Entrant("trained", "last", tmp_path))
        for spec in specs
    ]
    assert len({r["per_task_file"] for r in found}) == 3
    assert all((tmp_path / r["per_task_file"]).exists() for r in found)
    lines = table(found).splitlines()
    assert lines[0].split() == [
        *("initialization", "checkpoint", "setting", "steps", "batch", "queries", "tasks"),
        "inductive",
    ]
    assert len(lines) == 5
    assert "batch" not in table(found[:1])


def test_evaluate_in_fewer_settings_than_the_training_was(monkeypatch) -> None:
    settings = [{"shots": 1, "steps": n, "batch_size": 5} for n in (5, 50)]
    base = plain(compose_config("train", [])) | {"resume": None}
    base["eval"]["settings"] = settings
    monkeypatch.setattr(checkpoint, "find", lambda path: Path(path))
    monkeypatch.setattr(checkpoint, "read", lambda path: {"fewstep": {"config": base}})
    config = plain(compose_config("evaluate", ["checkpoint=any", "eval.steps=10"]))
    made, _ = merged(config)
    assert made["eval"]["settings"] == [{"shots": 1, "steps": 10, "batch_size": 5}]


def test_a_run_directory_stands_for_the_checkpoint_that_it_reported(tmp_path: Path) -> None:
    """By its results; where it did not finish, by its configuration; else the best."""
    (tmp_path / "checkpoints").mkdir()

    def save(name: str, wanted: str | None) -> None:
        config = {"eval": {"checkpoint": wanted, "settings": []}, "shots": {"ways": 5}}
        config |= {"model": {"_target_": "any"}, "trainer": {"precision": "32"}}
        config |= {"algorithm": {}, "dataset": {}}
        ours = {"config": config, "meta_iteration": 0, "inner_state": {}}
        content = {"fewstep": ours, "state_dict": {}}
        torch.save(content, tmp_path / "checkpoints" / f"{name}.ckpt")

    def found(key: str = "checkpoint") -> str:
        return checkpoint.find(tmp_path, key).stem

    save("last", "last")
    assert found() == "last"
    save("best", "last")
    assert found() == "last"
    save("last", None)
    assert found() == "best"
    for reported in ("last", "best"):
        write_json(tmp_path / "results.json", {"results": [{"checkpoint": reported}]})
        assert found() == reported
        assert found("resume") == "last"
    (tmp_path / "results.json").write_text("{")
    assert found() == "best"
