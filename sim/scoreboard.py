"""Floor 3: the bench's scoreboard: expected words against seen words, every bit of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from sim.ports import Bits


class Scoreboard:
    """Compares words bit by bit and remembers the first difference.

    Parameters
    ----------
    fields
        Names and widths of the ports in a word, highest bits first.

    """

    def __init__(self, fields: list[tuple[str, int]]) -> None:
        self._fields = fields
        self.mismatches = 0
        self.first: dict[str, Any] | None = None

    def compare(
        self,
        expected: Bits,
        seen: Bits,
        where: str,
        describe: Callable[[int], str] | None = None,
    ) -> None:
        """Compare two matrices of words; rows that only one of them has are mismatches.

        `describe` gives more words about the place of the first different row.
        """
        both = min(len(expected), len(seen))
        wrong = np.flatnonzero((expected[:both] != seen[:both]).any(axis=1))
        self.mismatches += len(wrong)
        if len(wrong):
            row = int(wrong[0])
            place = f"{where} {row}{describe(row) if describe else ''}"
            self._remember(place, self._difference(expected[row], seen[row]))
        if len(expected) != len(seen):
            self.mismatches += abs(len(expected) - len(seen))
            counts = {"expected": str(len(expected)), "got": str(len(seen)), "port": "words"}
            self._remember(f"{where} count", counts)

    def fault(self, what: str) -> None:
        """Count a broken protocol."""
        self.mismatches += 1
        self._remember(what, {"port": "protocol", "expected": "", "got": ""})

    def _remember(self, where: str, difference: dict[str, str]) -> None:
        if self.first is None:
            self.first = {"where": where, **difference}

    def _difference(self, expected: Bits, seen: Bits) -> dict[str, str]:
        start = 0
        for name, width in self._fields:
            part = slice(start, start + width)
            if (expected[part] != seen[part]).any():
                texts = (
                    "".join("01X"[min(int(bit), 2)] for bit in row[part])
                    for row in (expected, seen)
                )
                want, got = texts
                return {"port": name, "expected": want, "got": got}
            start += width
        return {"port": "?", "expected": "", "got": ""}


def port_values(fields: list[tuple[str, int]], word: Bits) -> str:
    """Return the values of ports in a word, such as `` (valid=1 weight=0x3f)``."""
    texts, start = [], 0
    for name, width in fields:
        value = int("".join(map(str, word[start : start + width].tolist())), 2)
        texts.append(f"{name}={value if width == 1 else hex(value)}")
        start += width
    return f" ({' '.join(texts)})"
