"""One function over many items in threads, with the results in order and little in flight."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from tqdm import tqdm


Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(work: Callable[[Item], Result], items: Sequence[Item], title: str) -> Iterator[Result]:
    """`work(item)` for each item, in the order of the items.

    At most a few results wait for the consumer, so the whole never has to fit into memory. A
    progress bar with the title appears on stderr if it takes longer than two seconds.
    """
    workers = min(8, os.cpu_count() or 1)
    todo = iter(items)
    with tqdm(total=len(items), desc=title, delay=2) as bar, ThreadPoolExecutor(workers) as pool:

        def submit(item: Item) -> Future[Result]:
            return pool.submit(work, item)

        waiting = deque(map(submit, islice(todo, 2 * workers)))
        while waiting:
            result = waiting.popleft().result()
            waiting.extend(map(submit, islice(todo, 1)))
            yield result
            bar.update()
