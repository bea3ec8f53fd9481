"""Tasks shared out among threads; where they do not divide evenly, some are done in two parts.

Five tasks on two threads are three and two, and one thread idles while the other does the fifth.
McNaughton's wrap-around rule (1959) keeps every thread at work for two and a half: a thread leaves
its first task part of the way through and goes on to whole ones, and whoever finds nothing else to
begin carries on what was left. So all end together, and no task is in two hands at a time.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import islice
from typing import Any

from fewstep.core.fast.follow import Follow, to_the_end


class Relay:
    """`run(i, follow)` for each of some tasks, shared out among the threads that call `work`.

    A task takes the steps of an inner loop by `follow`, which may hand some of them on to another
    thread while this one does other tasks. What a task uses must be its own until it ends. A task
    of several loops is left in the first of them that can be cut.
    """

    def __init__(self, run: Callable[[int, Follow], Any], tasks: int, threads: int) -> None:
        self.results: list[Any] = [None] * tasks
        self._run, self._threads = run, threads
        self._tasks: deque[int] = deque(range(tasks))
        self._left: deque[_Rest] = deque()
        self._rests: list[_Rest] = []
        self._error: BaseException | None = None

    def work(self, thread: int) -> None:
        """Do what there is to do, as this thread (from 0), until nothing is left to begin.

        Raises:
            BaseException: what any thread met; what nobody has begun by then is dropped.
        """
        with self._watch():
            self._next_task(partial(self._in_parts, thread))
            self._go_on()
        self._check()

    def _go_on(self) -> None:
        while self._next_task(to_the_end):
            pass
        while rest := _take(self._left):
            with self._watch():
                rest.found = to_the_end(rest.steps)
                rest.done.set()

    def _next_task(self, follow: Follow) -> bool:
        if (i := _take(self._tasks)) is None:
            return False
        with self._watch():
            self.results[i] = self._run(i, follow)
        return True

    def _in_parts(self, thread: int, steps: Iterator[Any], count: int) -> Any:
        """The first steps at once, then other work, then the rest unless it has been done."""
        first = first_steps(count, thread, len(self.results), self._threads)
        if first in (0, count):
            return to_the_end(steps, count)
        to_the_end(islice(steps, first))
        rest = _Rest(steps)
        self._rests.append(rest)
        self._left.append(rest)
        self._go_on()
        rest.done.wait()
        self._check()
        return rest.found

    @contextmanager
    def _watch(self) -> Iterator[None]:
        """An error, an interrupt included, ends the work of all, and nobody waits any longer. It is
        kept, for what it passes through on its way is another task, which might not let it on."""
        try:
            yield
        except BaseException as error:
            self._error = self._error or error
            self._tasks.clear()
            self._left.clear()
            for rest in self._rests:
                rest.done.set()
            raise

    def _check(self) -> None:
        if self._error is not None:
            raise self._error


class _Rest:
    """The steps that a thread left, and what the last of them found."""

    def __init__(self, steps: Iterator[Any]) -> None:
        self.steps = steps
        self.found: Any = None
        self.done = threading.Event()


def first_steps(count: int, thread: int, tasks: int, threads: int) -> int:
    """How many of `count` steps a thread takes of its first task before it leaves it.

    On a line of tasks, the share of thread j begins at `j * tasks / threads`. What the task there
    holds from that point on is its first part, and the share before ends with the other part.
    """
    part = -thread * tasks % threads  # of `threads` parts of a task
    return part * count // threads if part else count


def _take(queue: deque) -> Any | None:
    try:
        return queue.popleft()
    except IndexError:
        return None
