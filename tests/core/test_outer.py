"""How the outer learning rate falls."""

from __future__ import annotations

import pytest
import torch

from fewstep.core.outer import SCHEDULES, OuterStep


@pytest.mark.parametrize(("at", "wanted"), [(0, 1.0), (2, 0.75), (3, 0.5), (4, 0.25), (6, 0.0)])
def test_the_cosine_is_half_a_wave(at: int, wanted: float) -> None:
    outer = OuterStep(torch.optim.SGD, 2.0, 0.0, schedule=SCHEDULES["cosine"])
    assert outer.scale(at, of=6) == pytest.approx(wanted)


@pytest.mark.parametrize(("at", "wanted"), [(0, 2.0), (3, 1.25), (6, 0.5), (9, 0.5)])
def test_a_line_ends_at_the_final_rate_and_stays_there(at: int, wanted: float) -> None:
    assert 2.0 * OuterStep(torch.optim.SGD, 2.0, 0.5).scale(at, of=6) == pytest.approx(wanted)


def test_without_a_final_rate_it_stays() -> None:
    outer = OuterStep(torch.optim.SGD, 2.0, None, schedule=SCHEDULES["cosine"])
    assert outer.scale(5, of=6) == 1.0
