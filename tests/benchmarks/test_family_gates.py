"""What the tables of the family claim follows from their files, and would not from others."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from family.verdict import PARTS, RESULTS, estimates, kept, lines, waves


@pytest.mark.parametrize("part", kept())
def test_every_claim_holds_by_the_files_that_are_kept(part: str) -> None:
    found = PARTS[part]()
    assert len(found) >= 3
    assert all(verdict.holds for verdict in found), "\n".join(lines(found))


def test_claims_fail_where_two_have_changed_places(tmp_path: Path) -> None:
    """First-order MAML's losses under the name of MAML's estimate, and the other way round."""
    folder = shutil.copytree(RESULTS / "estimators", tmp_path / "estimators")
    swapped = {"first-order MAML": "BinomMAML 1", "BinomMAML 1": "first-order MAML"}
    for file in folder.glob("*.json"):
        content = json.loads(file.read_text())
        content["label"] = swapped.get(content["label"], content["label"])
        file.write_text(json.dumps(content))
    failing = {verdict.claim for verdict in waves(folder) if not verdict.holds}
    assert "BinomMAML 1 is below truncated MAML 1, at a = 0.005 after 5 steps" in failing
    assert "first-order MAML is below BinomMAML 1, at a = 0.02 after 5 steps" in failing


@pytest.mark.parametrize(("before", "after", "holds"), [(0.97, 0.1, True), (0.9, 0.5, False)])
def test_which_estimate_is_nearer_in_how_many_tasks(before, after, holds, tmp_path: Path) -> None:
    """The fourth order is not asked about."""
    points = [(False, 0.001, before), (False, 0.005, before), (True, 0.02, after)]
    rows = [
        {"case": "sine waves", "trained": t, "rate": a, "binomial_nearer": [share] * 3 + [0.5]}
        for t, a, share in points
    ]
    (tmp_path / "theory.json").write_text(json.dumps({"estimators": rows}))
    assert [verdict.holds for verdict in estimates(tmp_path / "theory.json")] == [holds] * 3
