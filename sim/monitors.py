"""Floor 3: bench monitors: what the outputs showed at every clock edge, and the stream protocol."""

from __future__ import annotations

from typing import Protocol

from sim.drivers import (
    OPERANDS_LAST,
    OPERANDS_READY,
    OPERANDS_VALID,
    RESET,
    RESULT_READY,
    RESULT_VALID,
    Word,
)


class Monitor(Protocol):
    """Watches the inputs and outputs of every clock edge."""

    def sample(self, word: Word, response: str) -> None:
        """Take note of one edge."""
        ...


class CoreMonitor:
    """Keeps the outputs of every cycle."""

    def __init__(self) -> None:
        self.responses: list[str] = []

    def sample(self, word: Word, response: str) -> None:
        """Keep one response."""
        self.responses.append(response)


class ArrayMonitor:
    """Collects the result beats of each segment and what breaks the stream protocol.

    A result that waits must stay as it is; the first result of a tile appears exactly
    `latency` cycles after its last operands were accepted. Knowing how many `rows` of results a
    tile has, it tells of an early one, too.
    """

    def __init__(self, latency: int, rows: int = 0) -> None:
        self.segments: list[list[str]] = []
        self.faults: list[str] = []
        self._latency = latency
        self._rows = rows
        self._left = 0
        self._edge = 0
        self._waiting = ""
        self._due: int | None = None

    def sample(self, word: Word, response: str) -> None:
        """Take note of one edge."""
        sent = str(word)
        self._edge += 1
        if sent[RESET] == "1":
            self.segments.append([])
            self._waiting, self._due, self._left = "", None, 0
            return
        if self._waiting and response[RESULT_VALID:] != self._waiting:
            self._fault("a waiting result changed")
        valid = response[RESULT_VALID] == "1"
        self._check_latency(valid)
        if valid and sent[RESULT_READY] == "1":
            self.segments[-1].append(response[RESULT_VALID + 1 :])
            self._left -= 1
        self._waiting = response[RESULT_VALID:] if valid and sent[RESULT_READY] == "0" else ""
        if sent[OPERANDS_VALID] == sent[OPERANDS_LAST] == response[OPERANDS_READY] == "1":
            self._due = self._edge + self._latency

    def _check_latency(self, valid: bool) -> None:
        if self._edge == self._due:
            if not valid:
                self._fault("the first result of a tile is late")
            self._due = None
            self._left = self._rows
        elif self._rows and valid and self._left <= 0:
            self._fault("the first result of a tile is early")

    def _fault(self, what: str) -> None:
        self.faults.append(f"{what} at clock edge {self._edge}")
