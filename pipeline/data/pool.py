"""Worker processes of stage prepare: each loads the lists of words and names once."""

from __future__ import annotations

import gc
import multiprocessing
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from types import TracebackType
from typing import TypeVar

_WAITING = 4  # pieces of work that a process may be ahead of whoever takes the results

Given = TypeVar("Given")
Result = TypeVar("Result")


class Pool:
    """Some processes, or this one alone; what they give is the same."""

    def __init__(self, workers: int, load: Callable[..., None], *arguments: object) -> None:
        """``load`` with its arguments, all of which can be pickled, runs once in each process."""
        self._workers = workers
        self._executor: ProcessPoolExecutor | None = None
        if workers == 1:
            load(*arguments)
        else:
            self._executor = ProcessPoolExecutor(
                workers,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_start,
                initargs=(load, arguments),
            )

    def __enter__(self) -> Pool:
        """Nothing more to start."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the processes; what they have not begun is left."""
        if self._executor:
            self._executor.shutdown(cancel_futures=True)

    def map(self, work: Callable[[Given], Result], given: Iterable[Given]) -> Iterator[Result]:
        """Results in the order of what was given, which is read only a little ahead of them."""
        if self._executor is None:
            yield from map(work, given)
            return
        waiting: deque[Future[Result]] = deque()
        for one in given:
            if len(waiting) == self._workers * _WAITING:
                yield waiting.popleft().result()
            waiting.append(self._executor.submit(work, one))
        while waiting:
            yield waiting.popleft().result()


def _start(load: Callable[..., None], arguments: tuple[object, ...]) -> None:
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # the processes are the parallelism
    # spaCy and Presidio load these where they can; nothing here needs them, and they cost a
    # process 320 MB and two seconds. Python takes None for a module that is not installed.
    for name in ("torch", "transformers"):
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]
    load(*arguments)
    gc.freeze()  # hundreds of thousands of words that stay: no collection need look at them
