"""Tasks shared out among threads; where they do not divide evenly, some are done in two parts.

Five tasks on two threads are three and two, and one thread idles while the other does the fifth.
McNaughton's wrap-around rule (1959) keeps every thread at work for two and a half: a thread leaves
its first task part of the way through and goes on to whole ones, and whoever finds nothing else to
begin carries on what was left. So all end together, and no task is in two hands at a time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from functools import partial
from itertools import islice
from typing import Any


Follow = Callable[[Iterator[Any], int], Any]
"""`follow(steps, count)`: takes that many steps and says what the last of them found."""


def to_the_end(steps: Iterator[Any], count: int) -> Any:
    """Take all steps, here and now."""
    return deque(steps, maxlen=1)[0]


class Relay:
    """`run(i, follow)` for each of some tasks, shared out among the threads that call `work`.

    A task takes the steps of its inner loop by `follow`, which may hand some of them on to another
    thread while this one does other tasks: they must be free of what belongs to a thread, and what
    a task uses must be its own until it ends.
    """

    def __init__(self, run: Callable[[int, Follow], Any], tasks: int, threads: int) -> None:
        self.results: list[Any] = [None] * tasks
        self._run, self._threads = run, threads
        self._tasks: deque[int] = deque(range(tasks))
        self._left: deque[_Rest] = deque()

    def work(self, thread: int) -> None:
        """Do what there is to do, as this thread (from 0), until nothing is left to begin.

        Raises:
            BaseException: what a task raised; tasks that nobody has begun are then dropped.
        """
        part = first_part(thread, len(self.results), self._threads)
        try:
            self._next_task(partial(self._in_parts, part))
            self._go_on()
        except BaseException:
            self._tasks.clear()
            raise

    def _go_on(self) -> None:
        while self._next_task(to_the_end):
            pass
        while rest := _first(self._left):
            rest.follow()

    def _next_task(self, follow: Follow) -> bool:
        if (i := _first(self._tasks)) is None:
            return False
        self.results[i] = self._run(i, follow)
        return True

    def _in_parts(self, part: float, steps: Iterator[Any], count: int) -> Any:
        """The first steps at once, then other work, then the rest unless it has been done."""
        first = int(part * count)
        if first in (0, count):
            return to_the_end(steps, count)
        to_the_end(islice(steps, first), first)
        rest = _Rest(steps, count - first)
        self._left.append(rest)
        self._go_on()
        return rest.end.result()


class _Rest:
    """The steps that a thread left."""

    def __init__(self, steps: Iterator[Any], count: int) -> None:
        self.steps, self.count = steps, count
        self.end: Future[Any] = Future()

    def follow(self) -> None:
        try:
            self.end.set_result(to_the_end(self.steps, self.count))
        except BaseException as error:  # whose task it is must hear of an interrupt, too
            self.end.set_exception(error)
            raise


def first_part(thread: int, tasks: int, threads: int) -> float:
    """The part of its first task that a thread does before it leaves it; 1 is all of it.

    On a line of tasks, thread j's share begins at `j * tasks / threads`, and what the task there
    still holds from that point is the part.
    """
    if tasks <= threads:
        return 1.0
    return (-thread * tasks % threads) / threads or 1.0


def _first(queue: deque) -> Any | None:
    try:
        return queue.popleft()
    except IndexError:  # another thread may have been here since it was last seen full
        return None
