"""Work in threads, results in order."""

from __future__ import annotations

import time

import pytest

from fewstep.data.images.parallel import in_order


def test_results_come_in_order_whoever_is_first():
    def work(item: int) -> int:
        time.sleep(0.002 * (item % 3 == 0))
        return item * item

    assert list(in_order(work, range(40), "squares")) == [i * i for i in range(40)]
    assert list(in_order(work, [], "nothing")) == []


def test_only_a_few_items_run_ahead():
    begun: list[int] = []
    results = in_order(begun.append, range(1000), "items")
    next(results)
    time.sleep(0.05)
    assert len(begun) < 20
    results.close()


def test_an_error_reaches_the_caller():
    def work(item: int) -> int:
        if item == 7:
            raise ValueError("item 7")
        return item

    with pytest.raises(ValueError, match="item 7"):
        list(in_order(work, range(100), "items"))
