"""Tasks in two parts: each step once, in order, in one hand at a time, and no thread idle."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator

import pytest

from fewstep.core.fast.follow import Follow, to_the_end
from fewstep.execution.relay import Relay


COUNT = 12
"""Steps of a task, so that halves, thirds and quarters of it are whole steps."""
SECONDS = 10
"""How long a thread may wait before the test says that it waits for ever."""


class Clock:
    """A world in which a step takes one unit of time on every thread, and nothing else any."""

    def __init__(self, threads: int) -> None:
        self.now, self._busy, self._arrived = 0, threads, 0
        self._moved = threading.Condition()

    def step(self) -> None:
        with self._moved:
            until, self._arrived = self.now + 1, self._arrived + 1
            self._advance()
            assert self._moved.wait_for(lambda: self.now >= until, SECONDS), "a thread is idle"

    def leave(self) -> None:
        with self._moved:
            self._busy -= 1
            self._advance()

    def _advance(self) -> None:
        if self._arrived == self._busy > 0:
            self.now, self._arrived = self.now + 1, 0
            self._moved.notify_all()


def at_once(work: Callable[[int], None], threads: int) -> list[BaseException]:
    """What each thread raised, if it did."""
    raised = []

    def run(thread: int) -> None:
        try:
            work(thread)
        except BaseException as error:
            raised.append(error)

    workers = [threading.Thread(target=run, args=(i,), daemon=True) for i in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(SECONDS)
        assert not worker.is_alive(), "a thread waits for ever"
    return raised


@pytest.mark.parametrize("threads", [1, 2, 3, 4])
@pytest.mark.parametrize("tasks", range(1, 10))
def test_every_step_once_in_order_and_all_threads_end_together(tasks: int, threads: int) -> None:
    taken: list[list[int]] = [[] for _ in range(tasks)]
    clock = Clock(threads)

    def task(i: int, follow: Follow) -> tuple[int, int]:
        def steps() -> Iterator[int]:
            for step in range(COUNT):
                clock.step()
                taken[i].append(step)
                yield step

        return i, follow(steps(), COUNT)

    relay = Relay(task, tasks, threads)

    def work(thread: int) -> None:
        relay.work(thread)
        clock.leave()

    assert not at_once(work, threads)
    assert relay.results == [(i, COUNT - 1) for i in range(tasks)]
    assert taken == [list(range(COUNT))] * tasks
    assert clock.now * threads == max(tasks, threads) * COUNT


def test_no_tasks() -> None:
    relay = Relay(lambda i, follow: follow(iter([1]), 1), 0, 2)
    assert not at_once(relay.work, 2)
    assert relay.results == []


def test_a_task_may_have_any_number_of_loops_and_steps() -> None:
    def task(i: int, follow: Follow) -> list[int]:
        return [follow(iter(range(count)), count) for count in (1, 2, 7, 3)]

    relay = Relay(task, 5, 2)
    assert not at_once(relay.work, 2)
    assert relay.results == [[0, 1, 6, 2]] * 5


def after(event: threading.Event, relay: Relay) -> Callable[[int], None]:
    """Work of which thread 0 begins when the event has come, and thread 1 at once."""

    def work(thread: int) -> None:
        assert thread or event.wait(SECONDS)
        relay.work(thread)

    return work


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_in_the_second_part_reaches_both_threads(error: type[BaseException]) -> None:
    """A thread that is interrupted while it helps another must not leave that one waiting."""
    left, helped = threading.Event(), threading.Event()

    def task(i: int, follow: Follow) -> None:
        def steps() -> Iterator[int]:
            yield 0
            helped.set()
            raise error("task 0 is impossible")

        if i == 0:
            follow(steps(), 2)
        if i == 1:  # the thread that left task 0 is busy here
            left.set()
            assert helped.wait(SECONDS)

    raised = at_once(after(left, Relay(task, 3, 2)), 2)
    assert [repr(e) for e in raised] == [repr(error("task 0 is impossible"))] * 2


def test_an_interrupt_between_two_calls_leaves_nobody_waiting() -> None:
    """One may come anywhere: here when what was left is taken, and not yet begun."""
    left, taken = threading.Event(), threading.Event()

    class Interrupted(deque):
        def popleft(self) -> None:
            super().popleft()
            taken.set()
            raise KeyboardInterrupt

    def task(i: int, follow: Follow) -> None:
        if i == 0:
            follow(iter([0, 1]), 2)
        if i == 1:
            left.set()
            assert taken.wait(SECONDS)

    relay = Relay(task, 3, 2)
    relay._left = Interrupted()
    raised = at_once(after(left, relay), 2)
    assert [type(e) for e in raised] == [KeyboardInterrupt] * 2


def test_an_error_is_not_lost_in_the_task_that_it_passes_through() -> None:
    passed = threading.Event()

    def task(i: int, follow: Follow) -> None:
        if i == 1:
            raise ValueError("task 1 is impossible")
        try:
            follow(iter([0, 1]), 2)
        except ValueError:  # of its own, it believes
            passed.set()

    raised = at_once(after(passed, Relay(task, 3, 2)), 2)
    assert [str(e) for e in raised] == ["task 1 is impossible"] * 2


def test_tasks_that_nobody_began_are_dropped_after_an_error() -> None:
    begun = []

    def task(i: int, follow: Follow) -> None:
        begun.append(i)
        raise ValueError("task 0 is impossible")

    relay = Relay(task, 5, 1)
    with pytest.raises(ValueError, match="task 0 is impossible"):
        relay.work(0)
    assert begun == [0]


def test_to_the_end_says_what_the_last_step_found() -> None:
    assert to_the_end(iter("abc"), 3) == "c"
