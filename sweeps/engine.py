"""Floor 4. Evaluates the tasks of a sweep in worker processes and keeps every result at once.

The result of a task depends on its record alone, so who evaluates it, in which order and in which
run makes no difference. Only the calling process touches the store. The first Ctrl-C lets the
tasks under way finish, keeps them and raises `Interrupted`; the second stops at once.
"""

from __future__ import annotations

import json
import os
import pickle
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from sweeps.store import Record, Store, Task, canonical
from sweeps.workers import deaf_children, local_pool, one_thread_each

Evaluate = Callable[[Record], Record]
"""Computes a result from a task's record; a module-level function: workers import it."""

Chunk = tuple[Task, ...]
LARGEST_CHUNK = 8
MOST_DEATHS = 3
_WAKE_SECONDS = 0.2


class Report(Protocol):
    """Called with progress; `sweeps.progress.Progress` is one."""

    def __call__(self, done: int, total: int, reused: int = 0, note: str = "") -> None:
        """`done` of `total` tasks have results, `reused` of them were in the store already."""


@runtime_checkable
class Newsy(Protocol):
    """An executor that has something to say now and then, as `sweeps.cluster`'s do."""

    def news(self) -> str:
        """What happened since it was last asked; empty if nothing did."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C: everything that was finished is kept."""

    def __init__(self, kept: int, total: int) -> None:
        super().__init__(f"stopped: {kept} of {total} points are kept; the same command resumes")
        self.kept = kept
        self.total = total


def evaluate_all(
    tasks: Sequence[Task],
    evaluate: Evaluate,
    store: Store,
    *,
    workers: int | None = None,
    executor: Callable[[], Executor] | None = None,
    report: Report | None = None,
) -> list[dict[str, Any]]:
    """The results of some tasks in their order, computing only those the store does not have.

    Parameters
    ----------
    tasks
        Neighbours go to the same worker: put together what shares preparations.
    evaluate
        Pure: equal records give equal results.
    store
        Where results are looked up and kept.
    workers
        Processes; the number of CPUs if none is given. 1 evaluates in this process.
    executor
        Makes an executor to use instead of local processes.
    report
        Called with progress.

    Raises
    ------
    ValueError
        If `workers` is less than 1; else what `evaluate` raises, with what was finished kept.
    ChildProcessError
        If worker processes die again and again (out of memory, killed).
    Interrupted
        After Ctrl-C.

    """
    count = _checked(workers)
    results = store.get(tasks)
    missing = tuple({task.key: task for task in tasks if task.key not in results}.values())
    run = _Run(evaluate, store, results, len({t.key for t in tasks}), len(results), report)
    run.show()
    with _interruptible() as stop:
        if executor is None and (count == 1 or len(missing) < 2):
            run.here(missing, stop)
        elif missing:
            width = min(count, len(missing))
            chunks = deque(_chunks(missing, width))
            run.elsewhere(chunks, executor or (lambda: local_pool(width)), width, stop)
    if stop.is_set() and len(results) < run.total:
        raise Interrupted(len(results), run.total)
    return [results[task.key] for task in tasks]


@dataclass(slots=True)
class _Run:
    """One call of `evaluate_all`: what it fills, and how far it is."""

    evaluate: Evaluate
    store: Store
    results: dict[str, dict[str, Any]]
    total: int
    reused: int
    report: Report | None
    deaths: int = field(default=0, init=False)

    def keep(self, chunk: Iterable[Task], values: Sequence[Record]) -> None:
        """Put results into the store and give them back as the store would."""
        pairs = list(zip(chunk, values, strict=False))
        self.store.put(pairs)
        for task, value in pairs:
            self.results[task.key] = json.loads(canonical(value))
        self.deaths = 0
        self.show()

    def show(self, note: str = "") -> None:
        """Report progress."""
        if self.report is not None:
            self.report(len(self.results), self.total, self.reused, note)

    def here(self, tasks: Chunk, stop: threading.Event) -> None:
        """Evaluate in this process, one task after the other."""
        for task in tasks:
            if stop.is_set():
                return
            self.keep((task,), [self.evaluate(task.record)])

    def elsewhere(
        self,
        chunks: deque[Chunk],
        make: Callable[[], Executor],
        width: int,
        stop: threading.Event,
    ) -> None:
        """Evaluate in an executor; make a new one where workers died."""
        while chunks and not stop.is_set():
            flying: dict[Future[_Outcome], Chunk] = {}
            with one_thread_each(), make() as executor:
                try:
                    self._feed(executor, chunks, flying, 2 * width, stop)
                    self._pass_on(executor)
                except BrokenProcessPool:
                    chunks.extendleft(self._survivors(flying))
                    self._mourn(chunks)
                except BaseException:
                    executor.shutdown(wait=False, cancel_futures=True)
                    raise

    def _feed(
        self,
        executor: Executor,
        chunks: deque[Chunk],
        flying: dict[Future[_Outcome], Chunk],
        most: int,
        stop: threading.Event,
    ) -> None:
        failure: Exception | None = None
        while flying or (chunks and not failure and not stop.is_set()):
            while chunks and len(flying) < most and not failure and not stop.is_set():
                records = [task.record for task in chunks[0]]
                with deaf_children():
                    future = executor.submit(_evaluate_chunk, self.evaluate, records)
                flying[future] = chunks.popleft()
            if stop.is_set():
                for future in [future for future in flying if future.cancel()]:
                    del flying[future]
            self._pass_on(executor)
            for future in wait(flying, _WAKE_SECONDS, FIRST_COMPLETED).done:
                outcome = future.result()
                self.keep(flying.pop(future), outcome.values)
                failure = failure or outcome.failure
        if failure:
            raise failure

    def _pass_on(self, executor: Executor) -> None:
        """Report what an executor has to say."""
        if isinstance(executor, Newsy) and (note := executor.news()):
            self.show(note)

    def _survivors(self, flying: dict[Future[_Outcome], Chunk]) -> Iterator[Chunk]:
        """Keep what came back before a worker died; the chunks that did not."""
        for future, chunk in flying.items():
            if future.done() and not future.cancelled() and future.exception() is None:
                self.keep(chunk, future.result().values)
            else:
                yield chunk

    def _mourn(self, chunks: deque[Chunk]) -> None:
        self.deaths += 1
        if self.deaths >= MOST_DEATHS:
            raise ChildProcessError(
                f"worker processes died {self.deaths} times in a row (killed, or out of memory?); "
                f"{len(self.results)} of {self.total} points are kept, "
                f"among the next is {canonical(chunks[0][0].record)}"
            )
        self.show("a worker died, its points are evaluated again")


@dataclass(frozen=True, slots=True)
class _Outcome:
    """Results of the first tasks of a chunk, and what stopped the rest."""

    values: list[Record]
    failure: Exception | None = None


def _evaluate_chunk(evaluate: Evaluate, records: Sequence[Record]) -> _Outcome:
    """Evaluate records in a worker; an error ends the chunk but loses nothing before it."""
    values: list[Record] = []
    for record in records:
        try:
            values.append(evaluate(record))
        except Exception as error:
            return _Outcome(values, _portable(error))
    return _Outcome(values)


def _portable(error: Exception) -> Exception:
    """The error itself if it survives the way between processes, else one that says the same."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def _chunks(tasks: Chunk, width: int) -> Iterator[Chunk]:
    """Neighbouring tasks together; small enough that all workers end at about the same time."""
    size = max(1, min(LARGEST_CHUNK, len(tasks) // (8 * width)))
    for start in range(0, len(tasks), size):
        yield tasks[start : start + size]


def _checked(workers: int | None) -> int:
    if workers is None:
        return os.cpu_count() or 1
    if workers < 1:
        raise ValueError(f"workers must be at least 1, not {workers}")
    return workers


@contextmanager
def _interruptible() -> Iterator[threading.Event]:
    """Turn the first Ctrl-C into an event and leave the second its usual meaning."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    usual = signal.getsignal(signal.SIGINT)

    def ask_to_stop(number: int, frame: Any) -> None:
        stop.set()
        signal.signal(signal.SIGINT, usual)

    signal.signal(signal.SIGINT, ask_to_stop)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, usual)
