"""Floor 3: bench drivers: the inputs of every clock edge. They know no arithmetic."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

import numpy as np

from sim.ports import Bits, bit_strings

Word = int | str
"""Inputs of one clock edge: an integer, or its bits as text, highest first."""
RESET, RESULT_READY, OPERANDS_VALID, OPERANDS_LAST = range(4)
"""Positions of an array's handshake in its input word."""
OPERANDS_READY, RESULT_VALID = range(2)
"""Positions of an array's handshake in its output word."""

ROWS_AT_ONCE = 4096


class Driver(Protocol):
    """Gives the word of the next clock edge, or None at the end."""

    def word(self, response: str) -> Word | None:
        """Return the inputs of the next edge, knowing the outputs at the last one."""
        ...


class CoreDriver:
    """Plays the words of a MAC or dot product, then idles until the last outputs are out."""

    def __init__(self, words: Bits, latency: int) -> None:
        idle = np.zeros((latency, words.shape[1]), np.uint8)
        self._words = chain(_words(words), _words(idle))

    def word(self, response: str) -> Word | None:
        """Return the next word."""
        return next(self._words, None)


def _words(bits: Bits) -> Iterator[Word]:
    """Give rows of bits as words: narrow ones as integers, which simulators take faster."""
    for start in range(0, len(bits), ROWS_AT_ONCE):
        for text in bit_strings(bits[start : start + ROWS_AT_ONCE]):
            yield int(text, 2) if len(text) <= 32 else text


@dataclass(frozen=True, slots=True)
class ArraySegment:
    """What an array is driven with between two resets.

    Parameters
    ----------
    words
        Input words of the operand beats.
    gaps
        Idle cycles before each beat.
    ready
        Pattern of ``result_ready``, repeated.
    due
        Result beats to wait for.
    linger
        Cycles to go on after that, in which nothing may come.

    """

    words: list[str]
    gaps: list[int]
    ready: list[bool]
    due: int
    linger: int


class ArrayDriver:
    """Sends operand beats through a ready/valid handshake, resetting before each segment.

    Parameters
    ----------
    segments
        What to send.
    patience
        Cycles without any progress after which a segment is given up.

    """

    def __init__(self, segments: list[ArraySegment], patience: int) -> None:
        self._segments = iter(segments)
        self._patience = patience
        self._now = ArraySegment(["0"], [0], [True], 0, 0)
        self._gap = self._cycle = self._stalled = self._due = self._linger = 0
        self._beat = 1
        self._sent = ""

    def word(self, response: str) -> Word | None:
        """Return the next word: a reset, a beat offered until it is accepted, or an idle cycle."""
        self._note_progress(response)
        beats = self._now.words
        if self._beat == len(beats) and self._due <= 0:
            self._linger -= 1
        if self._linger < 0 or self._stalled > self._patience:
            return self._reset()
        ready = "01"[self._now.ready[self._cycle % len(self._now.ready)]]
        self._cycle += 1
        valid = self._beat < len(beats) and self._gap == 0
        self._gap = max(self._gap - 1, 0)
        noise = beats[min(self._beat, len(beats) - 1)]
        self._sent = f"0{ready}{int(valid)}{noise[OPERANDS_LAST:]}"
        return self._sent

    def _note_progress(self, response: str) -> None:
        if not self._sent:
            return
        self._stalled += 1
        if self._sent[OPERANDS_VALID] == "1" and response[OPERANDS_READY] == "1":
            self._beat += 1
            self._gap = self._now.gaps[self._beat] if self._beat < len(self._now.gaps) else 0
            self._stalled = 0
        if self._sent[RESULT_READY] == "1" and response[RESULT_VALID] == "1":
            self._due -= 1
            self._stalled = 0

    def _reset(self) -> Word | None:
        """Start the next segment with a reset; after the last there is nothing."""
        found = next(self._segments, None)
        if found is None:
            return None
        self._now, self._due, self._linger = found, found.due, found.linger
        self._beat = self._cycle = self._stalled = 0
        self._gap, self._sent = found.gaps[0], ""
        return "1" + found.words[0][1:]
