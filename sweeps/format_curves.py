"""Floor 4. What a figure of number formats draws: exact values turned into points of lines."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby, pairwise

from hw.formats import CodebookFormat, Format, TableFormat
from hw.formats.base import MAXIMUM_TABLE_BITS
from hw.formats.block import BlockFormat
from hw.formats.density import binades
from hw.formats.grammar import AnyFormat
from hw.formats.mixture import MixtureFormat
from hw.formats.scale import floor_log2

Points = list[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Curve:
    """One format of single codes in a figure.

    Parameters
    ----------
    title
        Its name in the figure.
    format
        The format.
    scale
        What values are divided by.

    """

    title: str
    format: Format
    scale: Fraction

    @property
    def values(self) -> list[float] | None:
        """All finite values, rising and distinct, scaled; None for more than 16 bits."""
        if self.format.bits > MAXIMUM_TABLE_BITS:
            return None
        if isinstance(self.format, TableFormat):
            return [float(level / self.scale) for level in self.format.levels()]
        unit = Fraction(2) ** self.format.lsb_exponent / self.scale
        codes = range(1 << self.format.bits)
        numbers = {self.format.integer(c) for c in codes if self.format.special(c) is None}
        return [float(number * unit) for number in sorted(numbers)]

    @property
    def ends(self) -> tuple[float, float]:
        """The smallest and the largest value, scaled."""
        return float(self.format.minimum / self.scale), float(self.format.maximum / self.scale)

    @property
    def smallest(self) -> float:
        """The smallest positive value, scaled."""
        if isinstance(self.format, TableFormat):
            levels = self.format.levels()
            return float(levels[bisect_right(levels, 0)] / self.scale)
        return float(Fraction(2) ** binades(self.format)[0].exponent / self.scale)

    @property
    def tapers(self) -> bool:
        """Whether the largest value is more than four times its lower neighbour, as of posits."""
        if not isinstance(self.format, TableFormat):
            return False
        *_, low, high = self.format.levels()
        return 0 < 4 * low < high

    @property
    def density(self) -> Points:
        """Corners of the steps of values per binade; NaN where a binade is empty."""
        points: Points = []
        for binade in binades(self.format):
            low = Fraction(2) ** binade.exponent / self.scale
            count = binade.count or float("nan")
            points += [(float(low), count), (float(2 * low), count)]
        return points

    @property
    def error(self) -> Points:
        """The largest relative error of rounding to nearest: of each tie, and beyond the largest.

        Within a gap that is the error at its tie; ties of equal neighbouring gaps lie on a line
        and are left out but for the first and the last. Saturation is shown up to twice the
        largest value; NaN parts it from an error that is larger.
        """
        points = [
            (float(magnitude / self.scale), error) for magnitude, error in _peaks(self.format)
        ]
        return points + self._beyond(points[-1][1]) if points else points

    def _beyond(self, last: float) -> Points:
        """The error after the last tie, where it is `last`: it falls to 0, then saturation costs.

        A large error is followed down to 1/8, and the line broken.
        """
        largest = float(self.format.maximum / self.scale)
        excesses = [2.0**-power for power in range(24, 0, -1)] + [0.75, 1.0]
        points = [(largest * (1 + excess), excess / (1 + excess)) for excess in excesses]
        if last > 1 / 8:
            fall = [(largest * 8 / 9, 1 / 8), (float("nan"), float("nan"))]
            return fall + [point for point in points if point[1] >= 1 / 9]
        return [point for point in points if point[1] >= last]

    @property
    def error_by_binade(self) -> Points:
        """Corners of steps: the largest of the ties' errors in each binade that has ties.

        Binades are those of the values before scaling.
        """
        largest: dict[int, float] = {}
        for tie, _, half in _pieces(self.format):
            exponent = floor_log2(tie)
            largest[exponent] = max(largest.get(exponent, 0.0), float(half / tie))
        points: Points = []
        for exponent, error in sorted(largest.items()):
            begin = Fraction(2) ** exponent / self.scale
            end = min(2 * begin, self.format.maximum / self.scale)
            points += [(float(begin), error), (float(end), error)]
        return points


def _peaks(format: Format) -> Iterator[tuple[Fraction, float]]:
    """Yield, from 0 up, the tie of each gap and the relative error there; see `Curve.error`."""
    for half, run in groupby(_pieces(format), key=lambda piece: piece[2]):
        ties = [tie for piece in run for tie in piece[:2]]
        yield ties[0], float(half / ties[0])
        if ties[0] != ties[-1]:
            yield ties[-1], float(half / ties[-1])


def curves(formats: Sequence[AnyFormat], absolute: bool) -> list[Curve]:
    """Return what to draw of formats: elements of blocks and codebooks of mixtures stand for them.

    Parameters
    ----------
    formats
        At least one.
    absolute
        Values as they are, else over the largest magnitude of each.

    """
    found = []
    for title, format in _singles(formats):
        largest = max(format.maximum, -format.minimum)
        found.append(Curve(title, format, Fraction(1) if absolute else largest))
    return found


def _singles(formats: Sequence[AnyFormat]) -> Iterator[tuple[str, Format]]:
    for format in formats:
        if isinstance(format, BlockFormat):
            yield f"{format.name}: {format.element.name}", format.element
        elif isinstance(format, MixtureFormat):
            for codebook in format.codebooks:
                yield f"{format.name}: {codebook.name}", codebook
        elif isinstance(format, CodebookFormat) and not format.known:
            yield format.label or f"{len(format.entries)} values", format
        else:
            yield format.name, format


def _pieces(format: Format) -> Iterator[tuple[Fraction, Fraction, Fraction]]:
    """Yield (first tie, last tie, largest distance to it within its gap) of equal gaps, from 0 up.

    Between 0 and its neighbour the tie of a posit is next to 0, and the error has no bound: shown
    is the middle of the gap.
    """
    if not isinstance(format, TableFormat):
        yield from _uniform_pieces(format)
        return
    for index, (low, high) in enumerate(pairwise(format.levels())):
        if low >= 0:
            tie = format.tie(index) if low else max(format.tie(index), high / 2)
            yield tie, tie, max(tie - low, high - tie)


def _uniform_pieces(format: Format) -> Iterator[tuple[Fraction, Fraction, Fraction]]:
    """As `_pieces`, one for each binade of a format without a table."""
    found = binades(format)
    if not found:
        return
    # The smallest positive value is a power of two, with or without subnormals.
    smallest = Fraction(2) ** found[0].exponent
    yield smallest / 2, smallest / 2, smallest / 2
    for binade in found:
        if binade.roundoff is not None:
            low = Fraction(2) ** binade.exponent
            half = low * binade.roundoff
            yield low + half, min(2 * low, format.maximum) - half, half
