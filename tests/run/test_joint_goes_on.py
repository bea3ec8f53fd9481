"""A joint baseline that was stopped goes on with its own training, and with no other."""

from __future__ import annotations

import shutil
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from test_runs import TINY, Run, run, same

from fewstep.commands import train
from fewstep.run.construction import assembly
from fewstep.run.experiment import Experiment
from fewstep.run.learner import MetaLearner
from fewstep.run.testing import baselines


pytestmark = [pytest.mark.slow, pytest.mark.run, pytest.mark.usefixtures("undrawn")]

WORDS = [*TINY, "+algorithm@baselines.joint=joint", "max_meta_iterations=4", "checkpoint_every=2"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run(train.main, tmp_path_factory.mktemp("whole"), *WORDS)


def joint(experiment: Experiment, folder: Path) -> Path | None:
    """What the baseline goes on from."""
    return baselines.joint_baseline(experiment, folder).resume


def test_its_own_training_alone(whole: Run, tmp_path: Path) -> None:
    config, folder = whole.config, tmp_path / "joint"
    own = assembly.assemble(config)
    assert joint(own, folder) is None
    shutil.copytree(whole.folder / "joint", folder)
    file = folder / "checkpoints" / "last.ckpt"
    assert joint(own, folder) == file
    for key, value in (("seed", 1), ("max_meta_iterations", 8)):
        assert joint(assembly.assemble({**config, key: value}), folder) is None
    other = assembly.assemble({**config, "dataset": {**config["dataset"], "classes": 61}})
    assert joint(replace(other, config=config), folder) is None
    (folder / "metrics.csv").write_text("x\ny\n")
    assert joint(own, folder) is None
    shutil.copyfile(whole.folder / "joint" / "metrics.csv", folder / "metrics.csv")
    file.write_bytes(file.read_bytes()[:1000])
    assert joint(own, folder) is None


@pytest.mark.parametrize("other", [True, False])
def test_several_ranks_go_on_together_or_begin_anew_together(
    whole: Run, other: bool, monkeypatch
) -> None:
    """Each must have the file, and one that has not would wait for the others for ever."""
    monkeypatch.setattr(baselines, "all_gather", lambda own: [*own, other])
    file = whole.folder / "joint" / "checkpoints" / "last.ckpt"
    found = joint(assembly.assemble(whole.config), whole.folder / "joint")
    assert found == (file if other else None)


def test_it_ends_as_if_nobody_had_stopped_it(whole: Run, tmp_path: Path, monkeypatch) -> None:
    directions, met = MetaLearner.directions, []

    def interrupted(learner: MetaLearner, *given):
        if learner.meta_iteration == 3 and learner.config["algorithm"]["name"] == "joint":
            raise KeyboardInterrupt
        return directions(learner, *given)

    def noted(learner: MetaLearner, *given):
        met.append((learner.config["algorithm"]["name"], learner.meta_iteration))
        return directions(learner, *given)

    with monkeypatch.context() as patch:
        patch.setattr(MetaLearner, "directions", interrupted)
        with pytest.raises(SystemExit):
            run(train.main, tmp_path, *WORDS)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    (folder,) = (tmp_path / "outputs" / "runs").glob("*/*")
    monkeypatch.setattr(MetaLearner, "directions", noted)
    same(run(train.main, tmp_path, f"resume={folder}"), whole)
    assert ("joint", 3) in met
    assert ("joint", 2) not in met
