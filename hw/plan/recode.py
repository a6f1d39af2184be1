"""Floor 1c: functions of the bits of a short code, as few look-up tables.

A function is known by the codes where it is 1 and those where it matters, both as integers whose
bit i stands for code i. What was built before may be read by what comes after: the selects of a
priority are found that way, one from the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from hw.plan.cells import Lut, lookup
from hw.plan.truth import column

MOST_READ = 4
"""Functions built last that another may read."""
FOUR = 2
"""Selects of a multiplexer of four in one LUT of six inputs."""
SIX = 6
STRIDE = 3
"""Every so many-th net is tried as the first to leave out."""


@dataclass(slots=True)
class Recoder:
    """Builds functions of a word.

    Parameters
    ----------
    nets
        Bits of the word, lowest first.
    lut_inputs
        Inputs of a LUT, 4 or 6.
    luts
        What was built, in order; their outputs are ``r1``, ``r2``, ….
    columns
        For each net that may be read the codes where it is 1.

    """

    nets: tuple[str, ...]
    lut_inputs: int
    luts: list[Lut]
    columns: dict[str, int]

    @classmethod
    def of(cls, nets: Sequence[str], lut_inputs: int) -> Recoder:
        """Return one for a word, nothing built."""
        columns = {net: column(place, len(nets)) for place, net in enumerate(nets)}
        return cls(tuple(nets), lut_inputs, [], columns)

    @property
    def codes(self) -> int:
        """All codes, as a set."""
        return (1 << (1 << len(self.nets))) - 1

    def function(self, on: int, care: int | None = None) -> str:
        """Return the net, or constant, of a function that is 1 on some codes.

        Parameters
        ----------
        on
            Codes where it is 1.
        care
            Codes where it matters; all unless given.

        """
        care = self.codes if care is None else care
        return self._built(on & care, ~on & care & self.codes)

    def smallest(self, classes: Sequence[int], most: int) -> tuple[str, ...] | None:
        """Return few nets, at most so many, that tell sets of codes from each other.

        From all nets those are left out that need not be there, one by one, begun in some places.
        """
        recent = [lut.output for lut in self.luts[-MOST_READ:]]
        nets = (*recent, *self.nets)
        mask = _fewest(tuple(self.columns[net] for net in nets), len(self.nets), tuple(classes))
        chosen = tuple(net for place, net in enumerate(nets) if mask >> place & 1)
        return chosen if len(chosen) <= most else None

    def pattern(self, chosen: Sequence[str], index: int) -> int:
        """Return the codes where nets read as an index, the first one lowest."""
        found = self.codes
        for place, net in enumerate(chosen):
            found &= self.columns[net] if index >> place & 1 else ~self.columns[net]
        return found

    def _built(self, on: int, off: int) -> str:
        if not on or not off:
            return "1" if on else "0"
        for net, codes in self.columns.items():
            if not on & ~codes and not off & codes:
                return net
        chosen = self.smallest((on, off), self.lut_inputs)
        if chosen is None:
            return self._split(on, off)
        truth = sum(
            1 << index for index in range(1 << len(chosen)) if self.pattern(chosen, index) & on
        )
        return self._placed(chosen, truth)

    def _split(self, on: int, off: int) -> str:
        """Return a multiplexer of functions of less, where they are small."""
        for count in range(1, (FOUR if self.lut_inputs >= SIX else 1) + 1):
            for chosen in zip(*(self.nets[i:] for i in range(count)), strict=False):
                parts = [self.pattern(chosen, index) for index in range(1 << count)]
                if all(self._fits(on & part, off & part) for part in parts):
                    return self._choice(chosen, parts, on, off)
        live = on | off
        top = next(n for n in reversed(self.nets) if live & self.columns[n] not in (0, live))
        return self._choice((top,), [self.pattern((top,), index) for index in (0, 1)], on, off)

    def _fits(self, on: int, off: int) -> bool:
        return self.smallest((on, off), self.lut_inputs) is not None

    def _choice(self, chosen: tuple[str, ...], parts: list[int], on: int, off: int) -> str:
        found = [self._built(on & part, off & part) for part in parts]
        nets = tuple(dict.fromkeys(net for net in (*found, *chosen) if net not in ("0", "1")))
        truth = 0
        for code in range(1 << len(nets)):
            known = {"0": 0, "1": 1} | {net: code >> i & 1 for i, net in enumerate(nets)}
            index = sum(known[net] << place for place, net in enumerate(chosen))
            truth |= known[found[index]] << code
        return self._placed(nets, truth)

    def _placed(self, nets: tuple[str, ...], truth: int) -> str:
        made = lookup(f"r{len(self.luts) + 1}", nets, truth)
        self.luts.append(made)
        self.columns[made.output] = sum(
            self.pattern(made.inputs, index)
            for index in range(1 << len(made.inputs))
            if made.truth >> index & 1
        )
        return made.output


@lru_cache(maxsize=1 << 14)
def _fewest(columns: tuple[int, ...], bits: int, classes: tuple[int, ...]) -> int:
    """Return which of these nets, the last so many of which are the code's bits, tell classes."""
    known = _known(columns, classes)
    places = range(len(columns))
    everything = (1 << len(columns)) - 1
    best = everything >> len(columns) - bits << len(columns) - bits
    for first in places[::STRIDE]:
        kept = everything
        for place in (*places[first:], *places[:first]):
            less = kept & ~(1 << place)
            kept = less if _tells(known, less) else kept
        best = min(best, kept, key=int.bit_count)
    return best


def _known(columns: Sequence[int], classes: Sequence[int]) -> list[tuple[int, int]]:
    """Return for each code that matters what the nets read, and the number of its class."""
    found: dict[tuple[int, int], None] = {}
    for number, codes in enumerate(classes):
        while codes:
            code = codes & -codes
            read = sum(1 << place for place, column in enumerate(columns) if column & code)
            found[read, number] = None
            codes ^= code
    return list(found)


def _tells(known: Sequence[tuple[int, int]], mask: int) -> bool:
    """Whether no two classes read the same in the nets of a mask."""
    seen: dict[int, int] = {}
    return all(seen.setdefault(read & mask, number) == number for read, number in known)
