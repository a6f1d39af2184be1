"""Floor 1c: how a product's shift is split between its lane and the adder row it goes to.

The lane shifts by some *fine* steps, one bit of the amount each; the row picks, for each of its
bits, from the few bits of that short word that can stand there, by the *coarse* part.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

ROW_INPUTS = 5
"""What a row's LUT6 has left beside the bit it adds to."""
GATHER_INPUTS = 6
"""Inputs of the LUT that decodes a line, or gathers bits which do not all fit the row."""
GROUP = 3
"""Bits that are gathered in one LUT, with a line for each."""


def shifts_of(steps: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shift of each code of some steps, the first step's bit lowest."""
    sums = [0]
    for step in steps:
        sums += [done + step for done in sums]
    return tuple(sums)


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the bits of a product stand in a row.

    Parameters
    ----------
    product_bits
        Width of the product of significands.
    fine
        Places of the fine steps, in the order they are taken.
    shifts
        Places the row shifts by, for each coarse code, rising.
    lowest, highest
        Range of the amount, its offset included.
    width
        Places of the placed product; low places no amount reaches are dropped.
    inverted
        Whether the lane inverts the word by its sign (the row fills with the sign what the word
        does not reach); else the row inverts.
    mirrored
        Whether word and row are counted from the top: the shift goes to the right, and what passes
        the last place is lost.
    joined
        Numbers of the fine steps that are taken in one LUT level together with the next one: the
        bits near the ends of the word have fewer than four sources and still share a LUT6_2.
    exchanging
        Whether ends of the fine word that meet at a place are exchanged by the coarse code.

    """

    product_bits: int
    fine: tuple[int, ...]
    shifts: tuple[int, ...]
    lowest: int
    highest: int
    width: int
    inverted: bool
    mirrored: bool = False
    joined: tuple[int, ...] = ()
    exchanging: bool = False

    @property
    def word_bits(self) -> int:
        """Width of the fine word."""
        return self.product_bits + sum(self.fine)

    @property
    def coarse_bits(self) -> int:
        """Width of the coarse code."""
        return (len(self.shifts) - 1).bit_length()

    @property
    def fine_levels(self) -> tuple[tuple[int, ...], ...]:
        """Numbers of the fine steps, those of one level together."""
        second = {number + 1 for number in self.joined}
        return tuple(
            (number, number + 1) if number in self.joined else (number,)
            for number in range(len(self.fine))
            if number not in second
        )

    @property
    def fine_sums(self) -> tuple[int, ...]:
        """Shift of each code of the fine steps, the first step's bit lowest."""
        return shifts_of(self.fine)

    def code(self, amount: int) -> int:
        """Return fine and coarse code of an amount in one word, fine bits low; −1 if there is none.

        The largest coarse shift is taken that leaves a fine one.
        """
        return _codes(self.fine, self.shifts).get(amount, -1)

    @property
    def reached(self) -> tuple[tuple[int, tuple[int, ...]], ...]:
        """The coarse codes that occur, each with the fine shifts that occur with it."""
        return _reached(self)

    @property
    def is_complete(self) -> bool:
        """Whether every amount of the range has a code."""
        codes = _codes(self.fine, self.shifts)
        return all(amount in codes for amount in range(self.lowest, self.highest + 1))


@cache
def _codes(fine: tuple[int, ...], shifts: tuple[int, ...]) -> dict[int, int]:
    """Return fine and coarse code in one word, by amount."""
    return {
        shift + done: coarse << len(fine) | code
        for coarse, shift in enumerate(shifts)
        for code, done in enumerate(shifts_of(fine))
    }


@cache
def _reached(placement: Placement) -> tuple[tuple[int, tuple[int, ...]], ...]:
    found: dict[int, set[int]] = {}
    codes, fine, shifts = _codes(placement.fine, placement.shifts), placement.fine, placement.shifts
    for amount in range(placement.lowest, placement.highest + 1):
        coarse = codes.get(amount, -1) >> len(fine)
        found.setdefault(coarse, set()).add(amount - shifts[coarse])
    return tuple((coarse, tuple(sorted(fine))) for coarse, fine in sorted(found.items()))


def _sources(
    placement: Placement, reached: tuple[tuple[int, tuple[int, ...]], ...], place: int
) -> tuple[tuple[int, int], ...]:
    """Return (bit of the fine word, coarse code) for all that can stand at a place."""
    found = []
    for coarse, fine in reached:
        index = place + placement.lowest - placement.shifts[coarse]
        if fine[0] <= index < placement.product_bits + fine[-1]:
            found.append((index, coarse))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Term:
    """A bit that stands at some place of a row.

    Parameters
    ----------
    index
        Bit of the fine word or, beyond its width, exchanged or gathered bit.
    codes
        The coarse codes that put it there; none for a gathered bit, which is 0 otherwise.

    """

    index: int
    codes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Wiring:
    """What the rows of a placement read.

    Parameters
    ----------
    bits
        For each place the terms that are or-ed there.
    decoded
        For each place whether the row reads a line per term instead of the coarse code.
    gathered
        For each gathered bit its (index, coarse) pairs.
    lines
        Coarse codes that are decoded to a line each, in rising order.
    exchanged
        Bits of the fine word in pairs, low and high. The first net made of a pair is the high one
        for the lower half of the coarse codes, the low one for the others; the second net is the
        other bit.

    """

    bits: tuple[tuple[Term, ...], ...]
    decoded: tuple[bool, ...]
    gathered: tuple[tuple[tuple[int, int], ...], ...]
    lines: tuple[int, ...]
    exchanged: tuple[tuple[int, int], ...] = ()

    @property
    def more_bits(self) -> int:
        """Bits that rows read beside the fine word: exchanged ones, then gathered ones."""
        return 2 * len(self.exchanged) + len(self.gathered)


EXCHANGED_BITS = 2
"""Width of coarse codes by which bits are exchanged."""


@cache
def wiring(placement: Placement) -> Wiring | None:
    """Return how rows read a placed word, None if too many bits meet at a place."""
    gathered: list[tuple[tuple[int, int], ...]] = []
    bits: list[tuple[Term, ...]] = []
    decoded: list[bool] = []
    reached, coarse_bits = placement.reached, placement.coarse_bits
    exchanged = _exchanged(placement)
    for place in range(placement.width):
        sources = _sources(placement, reached, place)
        filled = placement.inverted and len(sources) == len(reached)
        free = ROW_INPUTS - (not filled)
        terms = _terms(placement, exchanged, sources)
        by_line = len(terms) + coarse_bits > free
        if by_line and (2 * len(sources) > free or placement.inverted):
            if placement.inverted:
                return None
            groups = [sources[i : i + GROUP] for i in range(1, len(sources), GROUP)]
            if 2 + len(groups) > free:
                return None
            terms = terms[:1]
            for group in groups:
                made = placement.word_bits + 2 * len(exchanged) + len(gathered)
                terms += (Term(made, ()),)
                gathered.append(group)
        bits.append(terms)
        decoded.append(by_line)
    lines = _lines(placement, bits, decoded, gathered)
    if lines and placement.coarse_bits > GATHER_INPUTS:
        return None
    return Wiring(tuple(bits), tuple(decoded), tuple(gathered), lines, exchanged)


def _lines(
    placement: Placement,
    bits: list[tuple[Term, ...]],
    decoded: list[bool],
    gathered: list[tuple[tuple[int, int], ...]],
) -> tuple[int, ...]:
    """Return the coarse codes that something reads as a line."""
    read = {
        code
        for terms, lined in zip(bits, decoded, strict=True)
        for term in terms
        for code in term.codes
        if lined
    }
    for group in gathered:
        if len(group) + placement.coarse_bits > GATHER_INPUTS or placement.coarse_bits > 2:
            read.update(coarse for _, coarse in group)
    return tuple(sorted(read))


def _exchanged(placement: Placement) -> tuple[tuple[int, int], ...]:
    """Return the ends of the fine word that meet at places, if they are to be exchanged.

    Where three bits can stand, the outer ones have codes that differ in the upper bit alone.
    """
    if not placement.exchanging or placement.coarse_bits != EXCHANGED_BITS:
        return ()
    found = set()
    for place in range(placement.width):
        sources = _sources(placement, placement.reached, place)
        if len(sources) == 3 and sources[-1][1] - sources[0][1] == EXCHANGED_BITS:
            found.add((sources[-1][0], sources[0][0]))
    nets = [net for pair in found for net in pair]
    return tuple(sorted(found)) if len(set(nets)) == len(nets) else ()


def _terms(
    placement: Placement,
    exchanged: tuple[tuple[int, int], ...],
    sources: tuple[tuple[int, int], ...],
) -> tuple[Term, ...]:
    """Return what stands at a place, exchanged bits in their place."""
    found: dict[int, tuple[int, ...]] = {}
    for index, code in sources:
        net = index
        for number, (low, high) in enumerate(exchanged):
            if index in (low, high):
                second = (index == low) == (code < EXCHANGED_BITS)
                net = placement.word_bits + 2 * number + second
        found[net] = (*found.get(net, ()), code)
    return tuple([Term(net, codes) for net, codes in found.items()])


def packed_choices(placement: Placement) -> tuple[Placement, ...]:
    """Return the placement with every choice of fine steps that share a level, none first.

    Each also with bits exchanged, if that is possible. Where the word is inverted no inputs are
    left for either.
    """
    if placement.inverted:
        return (placement,)
    choices: list[tuple[int, ...]] = [()]
    for number in range(len(placement.fine) - 1):
        choices += [(*some, number) for some in choices if number - 1 not in some]
    exchanges = (False, True) if _exchanged(replace(placement, exchanging=True)) else (False,)
    return tuple(
        replace(placement, joined=some, exchanging=exchanging)
        for exchanging in exchanges
        for some in choices
    )


def placements(
    product_bits: int, lowest: int, highest: int, width: int, free_code: bool
) -> tuple[Placement, ...]:
    """Return the placements to choose from.

    Parameters
    ----------
    product_bits, lowest, highest, width
        As in `Placement`.
    free_code
        Whether the amount may have any code; else it is a plain binary number.

    """
    found = []
    for bits in range(highest.bit_length() + 1):
        fine = tuple(1 << bit for bit in range(bits))
        coarse = tuple(range(0, highest + 1, 1 << bits))
        found.append(Placement(product_bits, fine, coarse, lowest, highest, width, False))
        if fine:
            found.append(Placement(product_bits, fine, coarse, lowest, highest, width, True))
    if free_code:
        for step in (1, 2, 3, 4):
            for coarse in ((0, 1), (0, 1, 2), (0, 2, 4)):
                found.append(Placement(product_bits, (step,), coarse, lowest, highest, width, True))
    return tuple(placement for placement in found if placement.is_complete)
