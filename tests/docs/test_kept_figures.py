"""What every test task said is kept beside each committed result, and gives its figures again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from fewstep.records.packed import packed_beside, unpack
from fewstep.records.two_way import two_way


RESULTS = Path(__file__).resolve().parents[2] / "docs" / "results"
FILES = sorted(RESULTS.rglob("results*.json"))

LOST = {"gradient_combinations", "gradient_combinations_40000", "image_folder_5w_reptile_300"}
LOST |= {"omniglot_20w_reptile_1000", "omniglot_5w_maml", "omniglot_5w_reptile"}
LOST |= {"omniglot_5w_reptile_2000", "omniglot_5w_reptile_2000_sequential"}
LOST |= {"overlap", "overlap_10000"}
"""Results of runs whose directories are gone. Their pages give no paired figure; a result that is
added brings its tasks along (`python -m making.keep`)."""

KEPT = [file for file in FILES if file.parent.name not in LOST]


def test_every_result_has_its_tasks_or_is_known_to_have_lost_them() -> None:
    assert {file.parent.name for file in FILES if packed_beside(file).is_file()} == {
        file.parent.name for file in KEPT
    }
    assert all(packed_beside(file).is_file() for file in KEPT)
    assert {file.parent.name for file in FILES} >= LOST


@pytest.mark.parametrize("file", KEPT, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_figures_follow_from_the_tasks_that_are_kept(file: Path) -> None:
    """The mean of each result, and the half-width of its interval over tasks."""
    content, kept = json.loads(file.read_text()), unpack(packed_beside(file))
    assert len(kept) == len(content["results"])
    for place, result in enumerate(content["results"]):
        metric = "acc" if "acc" in result else "loss"
        values = np.array(kept[place][metric])
        assert len(values) == result["tasks"]
        assert values.mean() == pytest.approx(result[metric], rel=1e-6)
        half = 1.959964 * values.std() / len(values) ** 0.5
        assert half == pytest.approx(result[f"{metric}_ci95"], rel=1e-5)


def test_a_paired_interval_is_that_of_the_tasks_that_are_kept() -> None:
    """How far Reptile is below joint training on waves, by the files alone."""
    figures = unpack(RESULTS / "sine" / "results_seed0.per_task.csv.gz")
    content = json.loads((RESULTS / "sine" / "results_seed0.json").read_text())
    trained, joint = (
        np.array(figures[place]["loss"])
        for init in ("trained", "joint")
        for place, result in enumerate(content["results"])
        if result["init"] == init
    )
    found = two_way([joint - trained])
    assert found.mean - found.half_width > 0
    assert found.mean == pytest.approx(joint.mean() - trained.mean())
