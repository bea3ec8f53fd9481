"""Which rows are told apart, where seeds differ or are few."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from made_rows import run

from fewstep.report.sections import sections
from fewstep.report.statistics.contrast import contrast
from fewstep.report.tables.best import best


def curve(accs: Mapping[int, float], tasks: int = 1000) -> list[dict]:
    """An entry of each seed, whose own tasks nobody kept."""
    return [
        {"seed": seed, "acc": acc, "acc_ci95": 0.02, "tasks": tasks, "protocol": "inductive"}
        for seed, acc in accs.items()
    ]


def test_rows_that_share_no_seed_are_held_against_each_other_by_the_spread_of_their_seeds() -> None:
    """Means 0.6 and 0.5, of three seeds that spread by 0.1 each: 0.0577 twice, and 0.0102 twice of
    the tasks; some four degrees of freedom, so that 0.1 is nothing."""
    one, other = {1: 0.5, 2: 0.6, 3: 0.7}, {4: 0.4, 5: 0.5, 6: 0.6}
    found = contrast({"a": 1, "b": -1}, {"a": curve(one), "b": curve(other)})
    assert found.mean == pytest.approx(10.0)
    assert found.half_width == pytest.approx(22.6, abs=0.2)
    assert found.p > 0.2
    assert found.basis == "unpaired: 3 and 3 seeds, none shared, 1,000 tasks"
    paired = contrast({"a": 1, "b": -1}, {"a": curve(one), "b": curve({1: 0.4, 2: 0.5, 3: 0.6})})
    assert paired.basis == "unpaired: 3 seeds, 1,000 tasks"
    assert paired.told_apart  # of the same seeds, the spread of the differences counts


def test_of_one_seed_each_that_are_not_the_same_tasks_alone_are_known() -> None:
    found = contrast({"a": 1, "b": -1}, {"a": curve({1: 0.6}), "b": curve({2: 0.5})})
    assert found.basis == "unpaired: one seed each, none shared, 1,000 tasks"
    assert found.half_width == pytest.approx(2.0 * 2**0.5, rel=0.01)


def rows(tmp_path, accs: Mapping[str, Mapping[int, float]]) -> Sequence:
    runs = [
        run(tmp_path / f"{name}{seed}", acc, seed, protocols=("inductive",), algorithm__name=name)
        for name, seeds in accs.items()
        for seed, acc in seeds.items()
    ]
    (section,) = sections(runs)
    return section.rows


def bold(tmp_path, accs: Mapping[str, Mapping[int, float]]) -> set[str]:
    table = rows(tmp_path, accs)
    found = {place for place, _ in best(table)}
    return {row["algorithm"] for row in table if id(row) in found}


def test_a_row_that_is_better_over_the_shared_seeds_is_bold_beside_the_highest_mean(
    tmp_path,
) -> None:
    """Reptile's other seeds lift its mean; over the one that both have it is behind."""
    accs = {"reptile": {1: 0.50, 2: 0.95, 3: 0.95}, "fomaml": {1: 0.60}}
    assert bold(tmp_path, accs) == {"reptile", "fomaml"}
    assert bold(tmp_path / "b", {"reptile": {1: 0.7}, "fomaml": {1: 0.6}}) == {"reptile"}


def test_the_row_that_is_truly_the_best_is_among_the_bold(tmp_path) -> None:
    """Of six, 300 times: Holm's correction is enough for this one, whichever comes out first."""
    random, lost = np.random.default_rng(0), 0
    names = ("maml", "fomaml", "boil", "anil", "sign_maml", "reptile")
    for number in range(300):
        means = 0.6 + 0.02 / 1.96 * random.normal(size=6) + 0.001 * np.arange(6)
        accs = {name: {1: float(acc)} for name, acc in zip(names, means, strict=True)}
        lost += names[-1] not in bold(tmp_path / str(number), accs)
    assert lost <= 15
