"""Floor 1c: the cells of merged lanes and rows (`hw.plan.merged`), LUT by LUT."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from hw.formats import MinifloatFormat, Specials
from hw.plan.builder import (
    CellBuilder,
    all_of,
    any_both,
    any_of,
    chosen,
    equals,
    exclusive_or,
    same,
)
from hw.plan.cells import Chain, ChainBit, Lut, Netlist, bitwise, leanest, selected
from hw.plan.merged_product import TABLE_INPUTS, product_cells
from hw.plan.operand import OperandPlan
from hw.plan.placement import Placement, Wiring, packed_choices, shifts_of, wiring
from hw.plan.truth import columns_of

NEAR_SITES = 2
"""Sites by which the bound of a placement may pass the best one to be looked at further."""


def from_table(operands: tuple[OperandPlan, ...]) -> bool:
    """Whether the exponent sum of operands is a table of their fields."""
    return sum(operand.field_bits for operand in operands) <= TABLE_INPUTS


@cache
def lane_netlist(weight: OperandPlan, activation: OperandPlan, placement: Placement) -> Netlist:
    """Return the cells of a lane.

    It reads ``ws as`` (signs), ``wm0 … am0 …`` (significands), ``wf0 … af0 …`` (fields), ``wn an``
    (field is not 0) and ``kill`` if specials must give 0; it drives ``s``, ``x0 …`` (fine word,
    gathered bits above), ``c0 …`` (coarse code) and ``l0 …`` (its lines).
    """
    build = LaneBuilder(weight, activation, placement)
    build.sign()
    codes = build.codes()
    build.fine(build.product(), codes)
    build.decode()
    return build.done()


def best_placement(
    served: Sequence[Placement], cells: Callable[[Placement], Netlist], packed: bool
) -> Placement | None:
    """Return the placement whose cells take the fewest sites, the first of these; None of none.

    Fine steps may share levels only where cells are `packed` as planned. That is tried for the best
    of the others and those whose bound lies near it.
    """
    found = [cells(placement) for placement in served]
    number = leanest(found)
    if number is None or not packed:
        return None if number is None else served[number]
    limit = found[number].sites + NEAR_SITES
    near = [p for p, netlist in zip(served, found, strict=True) if netlist.least_sites <= limit]
    choices = [choice for placement in near for choice in packed_choices(placement)]
    number = leanest([cells(choice) for choice in choices])
    return None if number is None else choices[number]


class LaneBuilder(CellBuilder):
    """Collects the cells of one lane."""

    def __init__(
        self, weight: OperandPlan | None, activation: OperandPlan | None, placement: Placement
    ) -> None:
        CellBuilder.__init__(self)
        self.operands = [
            (side, operand) for side, operand in (("w", weight), ("a", activation)) if operand
        ]
        self.placement = placement

    def sign(self) -> None:
        """Add the sign of the product."""
        self.lut("s", ("ws", "as"), exclusive_or)

    def codes(self) -> list[str]:
        """Add the exponent sum as a code of the placement; return its nets, fine bits first."""
        place, fine = self.placement, len(self.placement.fine)
        names = [f"f{i}" for i in range(fine)] + [f"c{i}" for i in range(place.coarse_bits)]
        self.exponent(names, lambda amount: max(place.code(min(amount, place.highest)), 0))
        return names

    def exponent(self, names: list[str], code: Callable[[int], int] = int) -> None:
        """Add the exponent sum; `code` may change it where it is a table of the fields."""
        fields = [(side, o.field_bits) for side, o in self.operands if o.field_bits]
        if not from_table(tuple(operand for _, operand in self.operands)):
            self._exponent_sum(fields, names)
            return
        nets = tuple(f"{side}f{i}" for side, bits in fields for i in range(bits))

        amounts = _amounts(tuple(bits for _, bits in fields))
        codes = [code(amount) for amount in range(max(amounts) + 1)]
        tables = columns_of(tuple([codes[amount] for amount in amounts]), len(names))
        for name, truth in zip(names, tables, strict=True):
            self.table(name, nets, truth)

    def _exponent_sum(self, fields: list[tuple[str, int]], names: list[str]) -> None:
        """Add ``Σ max(field, 1)`` with its lowest bits ``field[0] | ~normal``."""

        def lowest(side: str) -> tuple[str, str]:
            return f"{side}f0", f"{side}n"

        if len(fields) == 1:
            ((side, bits),) = fields
            self.lut(names[0], lowest(side), lowest_bit)
            for i in range(1, bits):
                self.lut(names[i], (f"{side}f{i}",), same)
            return
        (left, left_bits), (right, right_bits) = sorted(fields, key=lambda f: -f[1])
        both = (*lowest(left), *lowest(right))
        first = ChainBit(
            names[0],
            bitwise("", both, lowest_bits),
            bitwise("", lowest(left), lowest_bit),
        )
        chain = [first]
        for i in range(1, left_bits):
            other = f"{right}f{i}" if i < right_bits else "0"
            select = bitwise("", (f"{left}f{i}", other), exclusive_or)
            chain.append(ChainBit(names[i], select, f"{left}f{i}"))
        top = names[left_bits] if left_bits < len(names) else ""
        self.chains.append(Chain("0", tuple(chain), top))

    @property
    def gated(self) -> bool:
        """Whether special operands must be kept out: ``kill`` makes the product 0."""
        return any(operand.gated for _, operand in self.operands)

    def product(self) -> list[str]:
        """Add the product of significands; return its nets, inverted by the sign if asked for."""
        first, second = (operand.significand_bits for _, operand in self.operands)
        place = self.placement
        luts, chains, nets = product_cells(
            first, second, self.gated, place.inverted, place.product_bits
        )
        self.add(luts, chains)
        return list(nets)

    def fine(self, word: list[str], codes: list[str]) -> None:
        """Add the fine levels, one or two steps each; two bits share a site if they can."""
        place = self.placement
        table = not any(net.startswith("r") for net in word)
        fill = "s" if place.inverted else "0"
        for number, level in enumerate(place.fine_levels):
            invert = place.inverted and table and number == 0
            before, sign = ("0", "s") if invert else (fill, "0")
            name = "x" if number == len(place.fine_levels) - 1 else f"y{number}_"
            selects = tuple(codes[step] for step in level)
            shifts = shifts_of(tuple(place.fine[step] for step in level))
            following = []
            for i in range(len(word) + shifts[-1]):
                sources = tuple(
                    word[i - shift] if 0 <= i - shift < len(word) else before for shift in shifts
                )
                inputs = (*sources, *selects, sign)
                following.append(self.lut(f"{name}{i}", inputs, chosen, len(selects)))
            word = following
        if not place.fine:
            for i, net in enumerate(word):
                self.rename(net, f"x{i}")

    def decode(self) -> None:
        """Add lines of the coarse code, exchanged and gathered bits."""
        place = self.placement
        wires = wiring_of(place)
        coarse = tuple(f"c{i}" for i in range(place.coarse_bits))
        self._exchange(wires)

        for line, code in enumerate(wires.lines):
            self.lut(f"l{line}", coarse, _reads, code)
        for index, group in enumerate(wires.gathered):
            output = f"x{place.word_bits + 2 * len(wires.exchanged) + index}"
            words = tuple(f"x{bit}" for bit, _ in group)
            amounts = tuple(code for _, code in group)
            if not all(code in wires.lines for code in amounts):
                self.lut(output, (*words, *coarse), _gathered, tuple((code,) for code in amounts))
                continue
            lines = tuple(f"l{wires.lines.index(code)}" for code in amounts)
            self.lut(output, (*words, *lines), any_both)

    def _exchange(self, wires: Wiring) -> None:
        """Add exchanged bits, made of what the fine word's bits read if that are few nets."""
        read = {term.index for terms in wires.bits for term in terms}
        read |= {index for group in wires.gathered for index, _ in group}
        made = {lut.output: lut for lut in self.luts}
        for number, pair in enumerate(wires.exchanged):
            low, high = (made[f"x{index}"] for index in pair)
            upper = f"c{self.placement.coarse_bits - 1}"
            for second in (0, 1):
                output = f"x{self.placement.word_bits + 2 * number + second}"
                first, other = (low, high) if second else (high, low)
                chosen = selected(output, first, other, upper)
                self.luts.append(chosen)
                read |= {index for index in pair if f"x{index}" in chosen.inputs}
            for index, lut in zip(pair, (low, high), strict=True):
                if index not in read:
                    self.luts.remove(lut)
                    self.luts.append(Lut(lut.output, (), 0))


@cache
def _amounts(field_bits: tuple[int, ...]) -> tuple[int, ...]:
    """Return ``Σ (max(field, 1) − 1)`` for each code of some fields, the first field lowest."""
    found: tuple[int, ...] = (0,)
    for bits in field_bits:
        shifts = [max(field, 1) - 1 for field in range(1 << bits)]
        found = tuple(shift + below for shift in shifts for below in found)
    return found


def lowest_bit(field: int, normal: int) -> int:
    """Return the lowest bit of ``max(field, 1)``."""
    return field | ~normal


def lowest_bits(field: int, normal: int, other: int, other_normal: int) -> int:
    """Return the lowest bit of the sum of two."""
    return lowest_bit(field, normal) ^ lowest_bit(other, other_normal)


def _reads(*values: int) -> int:
    """Return whether a word, the last argument left out, is that code."""
    return equals(values[:-1], values[-1])


def _gathered(*values: Any) -> int:
    """Return the or of the bits one of whose codes a word has; the codes are the last argument."""
    *nets, codes = values
    words, select = nets[: len(codes)], nets[len(codes) :]
    return any_of(
        *(
            x & any_of(*(equals(select, code) for code in some))
            for x, some in zip(words, codes, strict=True)
        )
    )


@cache
def kill_netlist(operands: tuple[OperandPlan, OperandPlan]) -> Netlist:
    """Return the cells that tell special operands: read ``w0 … a0 …`` (codes), drive ``kill``."""
    telling: list[list[str]] = []
    for side, operand in zip("wa", operands, strict=True):
        format = operand.format
        if operand.gated and isinstance(format, MinifloatFormat):
            low = 0 if format.specials is Specials.FN else format.fraction_bits
            telling.append([f"{side}{i}" for i in range(low, format.bits - 1)])
    build = CellBuilder()
    while sum(map(len, telling)) > TABLE_INPUTS:
        longest = max(telling, key=len)
        name = build.lut(f"all{len(build.luts)}", tuple(longest[:TABLE_INPUTS]), all_of)
        longest[:TABLE_INPUTS] = [name]
    nets = tuple(net for group in telling for net in group)
    build.lut("kill", nets, _all_of_either, len(telling[0]))
    return build.done()


def _all_of_either(*values: int) -> int:
    """Return whether the first nets or all others are set; the last argument says how many."""
    *nets, first = values
    others = nets[first:]
    return all_of(*nets[:first]) | (all_of(*others) if others else 0)


@cache
def row_netlist(placement: Placement, previous: bool, width: int, carries: bool = False) -> Netlist:
    """Return the cells of a row.

    It reads ``p0 …`` (previous), ``s x0 … c0 … l0 …`` (of the lane) and drives ``t0 …`` (the sum),
    and ``co`` if the carry leaves it. A mirrored placement counts its places from the highest of
    the window.
    """
    bits = []
    wires = wiring_of(placement)
    for place in range(width):
        before = f"p{place}" if previous else "0"
        at = placement.width - 1 - place if placement.mirrored else place
        bits.append(ChainBit(f"t{place}", _row_lut(placement, wires, at, before), before))
    return Netlist((), (Chain("s", tuple(bits), "co" if carries else ""),))


def _row_lut(placement: Placement, wires: Wiring, place: int, before: str) -> Lut:
    inside = 0 <= place < placement.width
    terms = wires.bits[place] if inside else ()
    lined = inside and wires.decoded[place]
    words = tuple(f"x{term.index}" for term in terms)
    if lined:
        selects = tuple(f"l{wires.lines.index(t.codes[0])}" if t.codes else "1" for t in terms)
    else:
        selects = tuple(f"c{i}" for i in range(placement.coarse_bits))
    codes = tuple([term.codes for term in terms])
    inputs = (before, "s", *words, *selects)
    if placement.inverted:
        known = tuple([coarse for coarse, _ in placement.reached])
        return bitwise("", inputs, _row_inverted, codes, known)
    return bitwise("", inputs, _row_lined if lined else _row_coded, codes)


def _row_lined(previous: int, sign: int, *values: Any) -> int:
    """Return the sum bit of a row whose bits come with a line each."""
    return previous ^ sign ^ any_both(*values[:-1])


def _row_coded(previous: int, sign: int, *values: Any) -> int:
    """Return the sum bit of a row whose bits stand there for a code each."""
    return previous ^ sign ^ _gathered(*values)


def _row_inverted(previous: int, sign: int, *values: Any) -> int:
    """Return the sum bit of a row of words inverted before: the sign where none stands.

    Codes that never occur may give any bit: that of the first word.
    """
    *nets, codes, known = values
    data, select = nets[: len(codes)], nets[len(codes) :]
    hits = [any_of(*(equals(select, code) for code in some)) for some in codes]
    bit = any_of(*(x & hit for x, hit in zip(data, hits, strict=True)))
    elsewhere = ~any_of(*hits)
    if data:
        never = ~any_of(*(equals(select, code) for code in known)) & elsewhere
        bit |= never & data[0]
        elsewhere &= ~never
    return previous ^ (bit | elsewhere & sign)


def wiring_of(placement: Placement) -> Wiring:
    """Return how rows read a placement that is known to be possible."""
    found = wiring(placement)
    assert found is not None
    return found
