"""Results of tasks by their ways and shots: which tasks a row is of, and what it says of them."""

from __future__ import annotations

from fewstep.run.testing.by_size import by_size


def test_a_half_is_rounded_up_and_a_mean_is_that_of_the_figures() -> None:
    """To even numbers, 2.5 shots would be 2; and a float32 of 0.15 is 0.15000000596."""
    own = {"ways": [5.0, 5.0, 6.0, 6.0], "shots": [2.5, 3.5, 2.4, 3.0]}
    found = by_size(own, {"loss": [1.0] * 4, "acc": [0.15, 0.15, 0.7, 0.15]})
    assert [(row["shots"], row["tasks"]) for row in found["by_shots"]] == [(2, 1), (3, 2), (4, 1)]
    assert [row["acc"] for row in found["by_shots"]] == [0.7, 0.15, 0.15]
    assert [(row["ways"], row["tasks"]) for row in found["by_ways"]] == [(5, 2), (6, 2)]
    assert [row["acc"] for row in found["by_ways"]] == [0.15, 0.425]
    assert found["by_ways"][0]["acc_ci95"] == 0
