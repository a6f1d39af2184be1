"""Floor 3: driver and monitor of the weight-stationary array's streams. They know no arithmetic."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from sim.drivers import Word

RESET, RESULT_READY, OPERANDS_VALID, OPERANDS_SWAP, OPERANDS_LAST, WEIGHTS_VALID = range(6)
"""Positions of the handshakes in an input word."""
OPERANDS_READY, WEIGHTS_READY, RESULT_VALID = range(3)
"""Positions of the handshakes in an output word."""


@dataclass(frozen=True, slots=True)
class StationarySegment:
    """What an array is driven with between two resets.

    Parameters
    ----------
    weights, operands
        Beats as text; those of operands start with ``swap`` and ``last``.
    weight_gaps, gaps
        Idle cycles before each.
    ready
        Pattern of ``result_ready``, repeated.
    due
        Result beats to wait for.
    linger
        Cycles to go on after that, in which nothing may come.

    """

    weights: list[str]
    operands: list[str]
    weight_gaps: list[int]
    gaps: list[int]
    ready: list[bool]
    due: int
    linger: int


class _Stream:
    """One input stream: its beats with the gaps between them."""

    def __init__(self, beats: list[str], gaps: list[int]) -> None:
        self._beats, self._gaps = beats, gaps
        self._at = 0
        self._gap = gaps[0] if gaps else 0

    @property
    def ended(self) -> bool:
        """Whether all beats were taken."""
        return self._at == len(self._beats)

    def offer(self) -> tuple[str, str]:
        """Return valid and payload for the next edge; between beats the payload is noise."""
        valid = not self.ended and self._gap == 0
        self._gap = max(self._gap - 1, 0)
        return str(int(valid)), self._beats[min(self._at, len(self._beats) - 1)]

    def taken(self) -> None:
        """Go to the next beat."""
        self._at += 1
        self._gap = self._gaps[self._at] if self._at < len(self._gaps) else 0


class StationaryDriver:
    """Sends both streams of each segment after a reset; gives up one without any progress."""

    def __init__(self, segments: list[StationarySegment], patience: int) -> None:
        self._segments = iter(segments)
        self._patience = patience
        self._now: StationarySegment | None = None
        self._streams: tuple[_Stream, _Stream] | None = None
        self._sent = ""
        self._due = self._linger = self._stalled = self._cycle = 0

    def word(self, response: str) -> Word | None:
        """Return the inputs of the next edge."""
        if self._now is None or self._streams is None:
            return self._reset()
        weights, operands = self._streams
        self._note(response, weights, operands)
        if operands.ended and self._due <= 0:
            self._linger -= 1
        if self._linger < 0 or self._stalled > self._patience:
            return self._reset()
        ready = "01"[self._now.ready[self._cycle % len(self._now.ready)]]
        self._cycle += 1
        offered, weight = weights.offer()
        valid, operand = operands.offer()
        self._sent = f"0{ready}{valid}{operand[:2]}{offered}{weight}{operand[2:]}"
        return self._sent

    def _note(self, response: str, weights: _Stream, operands: _Stream) -> None:
        """Take note of what the last edge moved."""
        if not self._sent:
            return
        self._stalled += 1
        for stream, valid, ready in (
            (operands, self._sent[OPERANDS_VALID], response[OPERANDS_READY]),
            (weights, self._sent[WEIGHTS_VALID], response[WEIGHTS_READY]),
        ):
            if valid == ready == "1":
                stream.taken()
                self._stalled = 0
        if self._sent[RESULT_READY] == response[RESULT_VALID] == "1":
            self._due -= 1
            self._stalled = 0

    def _reset(self) -> Word | None:
        found = next(self._segments, None)
        if found is None:
            return None
        self._now, self._due, self._linger = found, found.due, found.linger
        self._streams = (
            _Stream(found.weights, found.weight_gaps),
            _Stream(found.operands, found.gaps),
        )
        self._cycle = self._stalled = 0
        self._sent = ""
        return f"1011{found.operands[0][1]}1{found.weights[0]}{found.operands[0][2:]}"


class StationaryMonitor:
    """Collects the result beats of each segment and what breaks the contract of the streams.

    Both ready signals, and whether a result is there, are told in every cycle: all moves but while
    a result waits; a row of weights is taken while its tile is not complete; a beat that swaps when
    it is, or with the last of several rows; a result comes `latency` moves after its beat.
    """

    def __init__(self, latency: int, rows: int) -> None:
        self.segments: list[list[str]] = []
        self.faults: list[str] = []
        self._latency, self._rows = latency, rows
        self._edge = 0
        self._start()

    def _start(self) -> None:
        self._moves = self._loaded = self._swapped = 0
        self._due: deque[int] = deque()
        self._waiting = ""

    def sample(self, word: Word, response: str) -> None:
        """Take note of one edge."""
        sent = str(word)
        self._edge += 1
        if sent[RESET] == "1":
            self.segments.append([])
            self._start()
            return
        due = bool(self._due) and self._due[0] == self._moves
        if (response[RESULT_VALID] == "1") != due:
            self.faults.append(f"a result is late or not due at clock edge {self._edge}")
            self._due.clear()
        if self._waiting and response[RESULT_VALID:] != self._waiting:
            self.faults.append(f"a waiting result changed at clock edge {self._edge}")
        taken = response[RESULT_VALID] == sent[RESULT_READY] == "1"
        if taken:
            self.segments[-1].append(response[RESULT_VALID + 1 :])
        moves = taken or response[RESULT_VALID] == "0"
        self._waiting = "" if moves else response[RESULT_VALID:]
        self._check_ready(sent, response, moves)
        self._moves += moves

    def _check_ready(self, sent: str, response: str, moves: bool) -> None:
        """Compare the ready signals with the rule, and follow the tiles."""
        if moves and self._due and self._due[0] == self._moves:
            self._due.popleft()
        swap = sent[OPERANDS_SWAP] == "1"
        full = self._loaded == self._rows * (self._swapped + 1)
        loads = sent[WEIGHTS_VALID] == "1"
        weights = moves and not full
        last_row = loads and self._rows > 1 and self._loaded % self._rows == self._rows - 1
        operands = moves and (full or last_row or not swap)
        exchange = sent[OPERANDS_VALID] == "1" and swap and operands
        if (response[OPERANDS_READY] == "1", response[WEIGHTS_READY] == "1") != (operands, weights):
            self.faults.append(f"a stream is not ready when it should be at edge {self._edge}")
        self._loaded += weights and loads
        self._swapped += exchange
        if operands and sent[OPERANDS_VALID] == sent[OPERANDS_LAST] == "1":
            self._due.append(self._moves + self._latency)
