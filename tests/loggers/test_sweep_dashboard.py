"""The comparison dashboard, and a sweep as one run, read back from what W&B would be sent."""

from __future__ import annotations

import json
import re
import statistics
from pathlib import Path
from typing import Any

import pytest
import yaml
from wandb_records import columns, rows, summary, whole

from fewstep.commands import dashboard
from fewstep.config.compose import compose_config, plain
from fewstep.records.identity import recipe_hash
from fewstep.report.runs.gather import read
from fewstep.report.sections import sections
from fewstep.report.statistics.aggregate import figures
from fewstep.report.statistics.intervals import over_seeds


pytest.importorskip("wandb_workspaces", reason="pip install 'fewstep[dashboard]'")

pytestmark = pytest.mark.filterwarnings("ignore:Pydantic V1 style")  # W&B's package

ACCURACIES = {("reptile", 0): 0.6, ("reptile", 1): 0.7, ("fomaml", 0): 0.8, ("fomaml", 1): 0.84}


@pytest.fixture(autouse=True)
def no_account(tmp_path_factory: pytest.TempPathFactory, monkeypatch) -> None:
    for name in ("CONFIG", "CACHE", "DATA"):
        monkeypatch.setenv(f"WANDB_{name}_DIR", str(tmp_path_factory.mktemp(name.lower())))
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.delenv("WANDB_RUN_ID", raising=False)
    monkeypatch.chdir(tmp_path_factory.mktemp("here"))


@pytest.fixture
def swept(tmp_path: Path) -> Path:
    """A finished sweep of two algorithms and two seeds."""
    sweep = tmp_path / "mine"
    for place, ((algorithm, seed), acc) in enumerate(ACCURACIES.items()):
        job(
            sweep / str(place),
            plain(compose_config("train", [f"algorithm={algorithm}"])),
            seed,
            acc,
        )
    (sweep / "multirun.yaml").touch()
    return sweep


def job(folder: Path, config: dict, seed: int, value: float, metric: str = "acc") -> None:
    folder.mkdir(parents=True)
    config["seed"] = seed
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    entry: dict[str, Any] = {"init": "trained", "checkpoint": "last", "ways": 5, "shots": 1}
    entry |= {"steps": 50, "tasks": 1000, "protocol": "inductive"}
    entry |= {metric: value, f"{metric}_ci95": 0.02}
    entry |= {"curve": {"steps": [0, 50], metric: [0.2, value], f"{metric}_ci95": [0.02, 0.02]}}
    content = {"schema": 1, "name": config["name"], "algorithm": config["algorithm"]["name"]}
    content |= {"dataset": "glyphs", "seed": seed, "meta_iterations": 2000}
    content |= {"recipe_hash": recipe_hash(config), "command": "fewstep train -m ..."}
    (folder / "results.json").write_text(json.dumps(content | {"results": [entry]}))


def test_a_sweep_becomes_one_run_and_one_chart(swept: Path, tmp_path: Path, capsys) -> None:
    file = tmp_path / "dashboard.json"
    words = ["me/compared", str(swept), "--offline", str(file)]
    assert dashboard.main(words) == 0
    out = capsys.readouterr().out
    assert f"{file}: the workspace as W&B would be sent it" in out
    assert f"{swept}: 2 figures as one run; upload it: wandb sync {swept}/wandb/" in out

    found = whole(swept)
    said, told = summary(found), columns(found)
    assert told["sweep"] == "mine"
    means = {"reptile": 0.65, "fomaml": 0.82}
    for algorithm, mean in means.items():
        name = f"{algorithm}_5w1s_inductive"
        values = [acc for (one, _), acc in ACCURACIES.items() if one == algorithm]
        assert said[f"sweep/acc/{name}"] == pytest.approx(statistics.fmean(values))
        assert said[f"sweep/acc/{name}"] == pytest.approx(mean)
        assert said[f"sweep/acc_ci95_seeds/{name}"] == pytest.approx(over_seeds(values))
        assert said[f"sweep/acc_ci95_tasks/{name}"] == pytest.approx(0.02)

    curves = [row for row in rows(found) if "inner_step" in row]
    assert [row["inner_step"] for row in curves] == [0, 50]
    names = {f"sweep/acc_at_step/{algorithm}_5w1s_inductive" for algorithm in means}
    assert all(names <= set(row) for row in curves)
    assert curves[-1]["sweep/acc_at_step/reptile_5w1s_inductive"] == pytest.approx(0.65)
    (run,) = {r.run.run_id for r in found if r.WhichOneof("record_type") == "run"}
    assert run == (swept / "wandb" / "run_id").read_text()

    charts = [p["config"] for p in panels(json.loads(file.read_text()), "Adaptation")]
    whole_sweep = [c for c in charts if all(re.search(c["metricRegex"], name) for name in names)]
    assert len(whole_sweep) == 1  # one chart with the curves of every recipe
    assert whole_sweep[0]["xAxis"] == "inner_step"


def panels(view: dict, section: str) -> list[dict]:
    found = view["spec"]["section"]["panelBankConfig"]["sections"]
    (own,) = [s for s in found if s["name"].startswith(section)]
    return own["panels"]


def test_the_layout_needs_no_sweep_and_no_account(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("somebody was called"))
    file = tmp_path / "dashboard.json"
    assert dashboard.main(["compared", "--offline", str(file)]) == 0
    assert dashboard.main(["compared", "--offline", str(file)]) == 0  # its own it writes anew
    view = json.loads(file.read_text())
    assert (view["entity"], view["project"]) == ("", "compared")
    section = view["spec"]["section"]
    names = [s["name"] for s in section["panelBankConfig"]["sections"]]
    assert names == [
        "Meta-test over a sweep",
        "Adaptation to unseen tasks",
        "Final figures",
        "Training",
    ]
    (runs,) = section["runSets"]
    grouped = [key["name"] for key in runs["grouping"]]
    assert grouped == ["choices.value.algorithm", "choices.value.shots"]
    drawn = {(p["config"]["metricRegex"], p["config"]["xAxis"]) for p in panels(view, "Meta-test")}
    assert ("^test/acc$", "meta_iteration") in drawn
    assert ("^val/acc$", "tasks_seen") in drawn
    axes = {p["config"]["xAxis"] for p in panels(view, "Adaptation")}
    assert axes == {"inner_step"}


def test_a_seed_that_diverged_is_no_figure(swept: Path) -> None:
    file = swept / "0" / "results.json"
    content = json.loads(file.read_text())
    content["results"][0] |= {"acc": None, "acc_ci95": None, "curve": None}
    file.write_text(json.dumps(content))
    (section,) = sections(read([swept]))
    lost, whole_one = figures(section)
    assert (lost.mean, lost.columns["seeds"]) == (None, 2)
    assert whole_one.mean == pytest.approx(0.82)


def test_names_of_figures_are_told_apart(swept: Path) -> None:
    (section,) = sections(read([swept]))
    found = figures(section)
    assert [f.name for f in found] == ["reptile_5w1s_inductive", "fomaml_5w1s_inductive"]
    assert found[0].columns["seeds"] == 2
    assert found[0].curve == {0: pytest.approx(0.2), 50: pytest.approx(0.65)}


def test_a_regression_is_told_in_its_own_unit(tmp_path: Path) -> None:
    config = plain(compose_config("train", ["experiment=sine"]))
    for seed, loss in enumerate((0.3, 0.5)):
        job(tmp_path / "mine" / str(seed), config, seed, loss, "loss")
    (tmp_path / "mine" / "multirun.yaml").touch()
    file = tmp_path / "dashboard.json"
    assert dashboard.main(["it", str(tmp_path / "mine"), "--offline", str(file)]) == 0
    said = {k: v for k, v in summary(whole(tmp_path / "mine")).items() if k.startswith("sweep/")}
    assert [v for k, v in said.items() if k.startswith("sweep/loss/")] == [pytest.approx(0.4)]
    assert not [k for k in said if "/acc" in k]
    drawn = panels(json.loads(file.read_text()), "Training")
    assert {p["config"]["metricRegex"] for p in drawn} == {"^train/loss$"}


@pytest.mark.parametrize(
    ("words", "mode", "says"),
    [
        ([], "", "name the W&B project: fewstep dashboard [ENTITY/]PROJECT [SWEEP ...]"),
        (["one", "--of", "x"], "", "unrecognized arguments: --of x. See fewstep dashboard --help"),
        (["a/b/c"], "", "a/b/c: is no W&B project, which comes first, as [ENTITY/]PROJECT"),
        (["one", "nowhere", "--offline", "x.json"], "", "nowhere: no such file or folder"),
        (["one"], "offline", "WANDB_MODE=offline: a workspace is kept by W&B alone"),
        (["one", "--offline", "mine.json"], "", "--offline mine.json: is there already and is no"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(words, mode, says, monkeypatch, capsys) -> None:
    monkeypatch.setenv("WANDB_MODE", mode)
    Path("mine.json").write_text("{}")
    assert dashboard.main(words) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"fewstep: {says}")
    assert said.count("\n") == 1
    assert Path("mine.json").read_text() == "{}"


def test_a_run_that_is_no_sweeps_is_refused(swept: Path, capsys) -> None:
    (swept / "multirun.yaml").unlink()
    assert dashboard.main(["one", str(swept / "0"), "--offline", "x.json"]) == 2
    assert f"{swept}/0: is no sweep, whose runs are summed up" in capsys.readouterr().err
    assert not Path("x.json").exists()


def test_wandb_that_does_not_answer_is_told_in_one_line(monkeypatch, capsys) -> None:
    import wandb

    class Api:
        @property
        def default_entity(self) -> str:
            raise wandb.errors.CommError("nobody there\nat all")

    monkeypatch.setattr(wandb, "Api", Api)
    assert dashboard.main(["compared"]) == 2
    said = capsys.readouterr().err
    assert "compared: W&B has not taken the workspace (nobody there)" in said
    assert "--offline FILE.json" in said


def test_a_search_shows_its_trials_by_objective(tmp_path: Path) -> None:
    from fewstep.loggers.layout import as_json, layout

    view = json.loads(as_json(layout("me", "it", ["loss"], ["algorithm.inner.lr"])))
    (plot,) = [p for p in panels(view, "Final") if p["viewType"] == "Parallel Coordinates Plot"]
    assert [c["accessor"] for c in plot["config"]["columns"]] == [
        "config:algorithm.value.inner.lr",
        "summary:objective",
    ]
