"""Floor 2b: what a memory shows (`hw.design.memory`): Python integers, cycle by cycle."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

Cycle = tuple[bool, bool, int, int, int]
"""Reset, write enable, write address, word to write, read address."""


def run(cycles: Iterable[Cycle]) -> Iterator[int | None]:
    """Yield the word visible after each cycle, None where it is undefined."""
    words: dict[int, int] = {}
    for reset, write, address, word, asked in cycles:
        writes = write and not reset
        yield None if writes and asked == address else words.get(asked)
        if writes:
            words[address] = word
