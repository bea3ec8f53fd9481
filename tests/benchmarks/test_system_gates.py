"""What seven systems must show is computed from their files, and would not follow from others."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from fewstep import report
from fewstep.records.results import write_per_task
from systems import run, verdict
from systems.claim import Arm, Claim
from systems.claims import CLAIMS
from systems.further import FURTHER, name_of
from systems.misses import MISSES
from systems.verdict import RESULTS, Verdict, judged, surprises, table


ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "docs"))
from making.keep import keep_all  # noqa: E402


@pytest.mark.parametrize("system", CLAIMS)
def test_the_files_that_are_kept_say_what_is_told_of_them(system: str) -> None:
    """A claim that is missed has a reason in MISSES, and stands with it in the page's table."""
    found = judged(system)
    assert not surprises(system, found), "\n".join(run.lines(system, found))
    if not any(v.found for v in found):
        pytest.skip(f"{system}: no files in docs/results/systems/{system}")


def test_claims_are_of_arms_that_the_sweeps_have() -> None:
    for system, claims in CLAIMS.items():
        files = [ROOT / "conf" / "sweep" / f"{system}.yaml"]
        files += sorted((ROOT / "conf" / "variant" / system).glob("*.yaml"))
        files += [ROOT / "conf" / "experiment" / "rf_pretrain.yaml"]
        told = "\n".join([file.read_text() for file in files] + FURTHER.get(system, []))
        told = told.replace("${model.context}", "True, in context False")
        assert all(arm.label in told for c in claims for arm in (c.one, c.other, *c.also) if arm), (
            system
        )
        assert len({claim.text for claim in claims}) == len(claims)
    assert {name for name, _ in MISSES} <= set(CLAIMS)


def sweep(folder: Path, figures: dict[str, np.ndarray], metric: str = "acc") -> Path:
    """The results of a sweep whose arms have these figures, [seeds, tasks]."""
    for arm, (label, values) in enumerate(figures.items()):
        for seed, tasks in enumerate(values):
            job = folder / f"{arm}{seed}"
            content = {"schema": 1, "seed": seed, "name": "made", "algorithm": "maml"}
            content |= {"label": label, "meta_iterations": 1, "dataset": "sine"}
            content |= {"recipe_hash": label, "config": {"model": {"deep": label == "deep"}}}
            one = {"protocol": "transductive", "init": "trained", "ways": 5, "shots": 1, "steps": 0}
            one |= {"tasks": len(tasks), "acc": float(tasks.mean()), "acc_ci95": 0.01}
            one |= {"episodes_sha256": "same", "per_task_file": "per_task/one.csv"}
            (job / "per_task").mkdir(parents=True)
            (job / "results.json").write_text(json.dumps({**content, "results": [one]}))
            told = {"loss": [1.0] * len(tasks), metric: tasks.tolist()}
            write_per_task(job / "per_task" / "one.csv", told)
    return folder


def three(mean: float, spread: float = 0.02) -> np.ndarray:
    """Three seeds of 50 tasks about a mean."""
    return mean + spread * np.random.default_rng(round(1000 * mean)).standard_normal((3, 50))


def judge(folder: Path, one: str, other: str | None = None, **more) -> Verdict:
    arms = Arm(one), Arm(other) if other else None
    return verdict.judge(Claim("it", *arms, **more), report.rows(report.read([folder])))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    arms = {"deep": three(0.7), "near": three(0.701), "low": three(0.5), "wild": three(0.7, 0.4)}
    return sweep(tmp_path_factory.mktemp("sweeps") / "made", arms)


@pytest.mark.parametrize(
    ("one", "other", "more", "says"),
    [
        ("deep", "low", {}, "holds"),
        ("low", "deep", {}, "does not hold"),
        ("deep", "wild", {}, "not resolved"),
        ("deep", "low", {"above": 10}, "holds"),
        ("deep", "low", {"above": 25}, "does not hold"),
        ("deep", "low", {"apart": True}, "holds"),
        ("near", "deep", {"above": -2, "below": 2}, "holds"),
        ("low", "deep", {"above": -2, "below": 2}, "does not hold"),
        ("deep", None, {"above": 65}, "holds"),
        ("deep", None, {"below": 65}, "does not hold"),
        ("deep", "none", {}, "no files"),
    ],
)
def test_a_claim_holds_where_the_whole_interval_says_so(made, one, other, more, says) -> None:
    assert judge(made, one, other, **more).says == says


def test_what_holds_stands_though_many_were_tried(tmp_path: Path, monkeypatch) -> None:
    """A slight difference holds by itself, not among seven; a clear one does among any number, and
    what is not asked for counts for itself."""
    base = three(0.5)
    apart = 0.05 * np.random.default_rng(4).standard_normal(base.shape)
    close = base + apart - apart.mean() + 0.035
    arms = {"base": base, "close": close, "clear": base + 0.2 + three(0.0, 0.001)}
    rows = report.rows(report.read([sweep(tmp_path, arms)]))
    slight = Claim("slight", Arm("close"), Arm("base"))
    clear = Claim("clear", Arm("clear"), Arm("base"))
    more = [Claim(f"again {n}", Arm("close"), Arm("base")) for n in range(5)]
    others = [Claim("other", Arm("close"), Arm("base"), asked=False)]
    alone = verdict.judge(slight, rows)
    assert (alone.says, 0.005 < alone.p < 0.05) == ("holds", True)
    monkeypatch.setitem(CLAIMS, "made", [slight])
    assert [v.says for v in judged("made", rows)] == ["holds"]
    monkeypatch.setitem(CLAIMS, "made", [slight, clear, *others, *more])
    found = judged("made", rows)
    assert [v.says for v in found[:4]] == ["not resolved", "holds", "holds", "not resolved"]
    assert (found[0].p, found[2].p) == pytest.approx((6 * alone.p, alone.p))
    apart = Claim("apart", Arm("clear"), Arm("base"), apart=True)
    monkeypatch.setitem(CLAIMS, "made", [apart])
    assert [v.says for v in judged("made", rows)] == ["holds"]


def test_what_is_claimed_of_several_arms_is_told_by_the_least_clear_one(made: Path) -> None:
    more = {name: judge(made, name, "low") for name in ("deep", "near", "wild")}
    both = judge(made, "deep", "low", also=(Arm("near"),))
    least = max((more["deep"], more["near"]), key=lambda v: v.p)
    assert (both.says, both.found, both.p) == ("holds", least.found, least.p)
    assert judge(made, "deep", "near", also=(Arm("low"),)).says == "does not hold"
    assert judge(made, "deep", "low", also=(Arm("wild"),), above=19).says == "not resolved"
    assert judge(made, "deep", "low", also=(Arm("none"),)).says == "no files"


def test_intervals_that_are_apart_are_more_than_a_difference(tmp_path: Path) -> None:
    """Tasks that differ widely, and alike for both arms: the difference alone is known well."""
    easy = three(0.5, 0.3)
    found = sweep(tmp_path, {"one": easy, "other": easy - 0.02 + three(0.0, 0.001)})
    assert judge(found, "one", "other").says == "holds"
    assert judge(found, "one", "other", apart=True).says == "not resolved"


def test_what_is_found_is_said_with_its_interval_and_its_basis(made: Path) -> None:
    found = judge(made, "deep", "low")
    assert found.basis == "3 seeds, 50 tasks"
    assert found.figure.startswith("+20.")
    assert found.figure.endswith(" points")
    assert found.found is not None
    assert abs(found.found.mean - 20) < 1
    assert judge(made, "deep").figure.endswith(" %")


def test_other_tasks_are_not_paired(tmp_path: Path) -> None:
    found = sweep(tmp_path, {"deep": three(0.7), "low": three(0.5)})
    file = found / "00" / "results.json"
    file.write_text(file.read_text().replace('"same"', '"other"'))
    with pytest.raises(ValueError, match="share no tasks"):
        judge(found, "deep", "low")


def test_a_miss_is_a_surprise_until_it_has_a_reason(made: Path, monkeypatch) -> None:
    arms = Arm("low"), Arm("deep")
    claims = [Claim("low is ahead", *arms), Claim("so they say", *arms, asked=False)]
    monkeypatch.setitem(CLAIMS, "made", claims)
    found = judged("made", report.rows(report.read([made])))
    assert surprises("made", found) == {"low is ahead"}
    assert run.lines("made", found)[-1] == "made: UNEXPECTED: low is ahead"
    monkeypatch.setitem(MISSES, ("made", "low is ahead"), "it is not deep")
    assert not surprises("made", found)
    monkeypatch.setitem(MISSES, ("made", "so they say"), "of what is not asked for")
    assert surprises("made", found) == {"so they say"}


def test_a_page_tells_what_is_kept_of_a_sweep(made: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("systems.verdict.RESULTS", tmp_path)
    monkeypatch.setitem(CLAIMS, "made", [Claim("deep is ahead", Arm("deep"), Arm("low"))])
    assert table("made").splitlines()[-1] == "| deep is ahead |  | no files |  |"
    assert run.lines("made", judged("made")) == ["made: no files"]
    kept = keep_all(made, tmp_path / "made")
    assert [file.name for file in kept][:2] == [
        f"results_0{seed}_deep.per_task.csv.gz" for seed in (0, 1)
    ]
    assert table("made").endswith(" points | holds | 3 seeds, 50 tasks |")
    further = keep_all(sweep(tmp_path / "further", {"deep": three(0.7)}), tmp_path / "made")
    assert further[0].name == "results_further_00_deep.per_task.csv.gz"
    assert not {*further} & {*kept}


@pytest.mark.parametrize(
    ("further", "unseen_by"),
    [
        pytest.param(0, ("24 voxels", "128 voxels"), marks=pytest.mark.slow),
        pytest.param(2, ("128 voxels",), marks=pytest.mark.long),
    ],
)
def test_a_sweep_is_trained_and_judged(
    further: int, unseen_by: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Too small to learn: what is asked for is not there, and the exit status says so."""
    monkeypatch.chdir(tmp_path)
    few = FURTHER["subjects"][:further]
    monkeypatch.setitem(FURTHER, "subjects", few)
    words = ["dataset.voxels=[4,8]", "model.width=8", "eval.tasks=8"]
    words += [
        "max_meta_iterations=1",
        "meta_batch=2",
        "trainer=cpu",
        "algorithm.outer.schedule=linear",
    ]
    assert run.main(["anew", "subjects", *words]) == 1
    assert len(list(tmp_path.glob("outputs/sweeps/subjects/*/results.json"))) == 6
    for name in map(name_of, few):
        assert len(list(tmp_path.glob(f"outputs/sweeps/{name}/*/results.json"))) == 3
    rows = report.rows(report.read([tmp_path / "outputs" / "sweeps"]))
    unseen = {c.text for c in CLAIMS["subjects"] if verdict.judge(c, rows).says == "no files"}
    assert len(unseen) == 2 * len(unseen_by)
    assert all(any(name in text for name in unseen_by) for text in unseen)


def test_every_folder_is_a_systems() -> None:
    kept = {folder.name for folder in RESULTS.iterdir()} if RESULTS.is_dir() else set()
    assert kept <= set(CLAIMS)
