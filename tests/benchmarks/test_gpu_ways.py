"""The ways that are timed on a GPU, where there is none: do they compute the same?"""

from __future__ import annotations

import pytest
import torch

from costs import gpu


def test_every_way_that_a_cpu_can_run_finds_the_same_directions() -> None:
    assert 0 < gpu.largest_difference(compiled=False) < gpu.TOLERANCE


def test_without_a_gpu_nothing_is_claimed() -> None:
    text = gpu.markdown({"gpu": None, "difference": 1e-14})
    assert "Not run: no GPU was at hand" in text
    assert " ms" not in text


@pytest.mark.parametrize("form", gpu.FORMS)
def test_every_form_is_the_convolution(form: str) -> None:
    for stride, size in ((1, 5), (2, 6), (2, 7)):
        conv = gpu.SameConv2d(2, 3, stride)
        x = torch.randn(2, 2, size, size + 1)
        want = conv(x)
        conv.__class__ = gpu.FORMS[form]
        torch.testing.assert_close(conv(x), want)
