"""Floor 4. Progress on stderr: a moving line on a terminal, now and then a plain one elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self, TextIO

TERMINAL_SECONDS = 0.1
PLAIN_SECONDS = 10.0
_ERASE = "\r\x1b[K"


@dataclass(slots=True)
class Progress:
    """Progress of one piece of work; a context manager that ends with one line that stays.

    `sweeps.engine.evaluate_all` takes an instance as its `report`.

    Parameters
    ----------
    label
        What is done, as in ``accuracy``.
    total
        How many steps there are; 0 if nobody knows.
    stream
        Where to; stderr if none is given. A stream that breaks is written to no more.
    clock
        Seconds that only rise.

    """

    label: str
    total: int = 0
    stream: TextIO | None = None
    clock: Callable[[], float] = time.monotonic
    done: int = 0
    reused: int = 0
    _start: float = field(init=False, default=0.0)
    _shown: float = field(init=False, default=0.0)
    _note: str = field(init=False, default="")
    _broken: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self._start = self._shown = self.clock()

    def __call__(self, done: int, total: int, reused: int = 0, note: str = "") -> None:
        """Show that `done` of `total` steps are done, `reused` of them without work."""
        self.done, self.total, self.reused = done, total, reused
        if note:
            self._note = f" · {note}"
        if self.clock() - self._shown >= self._pause:
            self._shown = self.clock()
            self._write(self._moving())

    def advance(self, steps: int = 1, note: str = "") -> None:
        """Show that some more steps are done."""
        self(self.done + steps, self.total, self.reused, note)

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return self.clock() - self._start

    def __enter__(self) -> Self:
        if self._terminal:
            self._write(self._moving())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        outcome = "" if kind is None else " · stopped"
        erase = _ERASE if self._terminal else ""
        self._write(f"{erase}{self.label}  {self._count}  {duration(self.seconds)}{outcome}\n")

    @property
    def _terminal(self) -> bool:
        return self._stream.isatty()

    @property
    def _stream(self) -> TextIO:
        return self.stream or sys.stderr

    @property
    def _pause(self) -> float:
        return TERMINAL_SECONDS if self._terminal else PLAIN_SECONDS

    @property
    def _count(self) -> str:
        kept = f" ({self.reused} already there)" if self.reused else ""
        return (f"{self.done}/{self.total}" if self.total else f"{self.done}") + kept + self._note

    def _moving(self) -> str:
        share = f"  {100 * self.done // self.total} %" if self.total else ""
        text = f"{self.label}  {self._count}{share}  {duration(self.seconds)}{self._left()}"
        return f"{_ERASE}{text}" if self._terminal else f"{text}\n"

    def _left(self) -> str:
        worked = self.done - self.reused
        if not self.total or worked <= 0 or self.done >= self.total:
            return ""
        return f", {duration(self.seconds / worked * (self.total - self.done))} left"

    def _write(self, text: str) -> None:
        if self._broken:
            return
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            self._broken = True


@dataclass(slots=True)
class Stages:
    """The stages of a long command: a heading for each, and the seconds each took.

    >>> stages = Stages(2)
    >>> with stages("sweep"):       # doctest: +SKIP
    ...     pass
    [1/2] sweep
    """

    count: int
    stream: TextIO | None = None
    clock: Callable[[], float] = time.monotonic
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Head a stage and time it, whether or not it ends well."""
        stream = self.stream or sys.stderr
        print(f"[{len(self.seconds) + 1}/{self.count}] {name}", file=stream, flush=True)
        start = self.clock()
        try:
            yield
        finally:
            self.seconds[name] = self.clock() - start

    def summary(self) -> str:
        """All stages with their times, one line."""
        times = [f"{name} {duration(seconds)}" for name, seconds in self.seconds.items()]
        return " · ".join([*times, f"together {duration(sum(self.seconds.values()))}"])


def duration(seconds: float) -> str:
    """Seconds as people write them: `0.4 s`, `12 s`, `3 min 05 s`, `2 h 03 min`.

    >>> duration(0.42), duration(12.3), duration(185), duration(7380)
    ('0.4 s', '12 s', '3 min 05 s', '2 h 03 min')
    """
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"
