"""Floor 1c: merged lanes in an alignment window (`hw.plan.merged`, `hw.plan.window`).

Each product is shifted right by its distance to the largest exponent of the sum: finely in the
lane, coarsely in its adder row, both on the reversed word, so that what leaves the window is what
passes its limit. The largest exponent is found bit by bit, highest first: candidates that lack a
bit another one has drop out, which takes a LUT and a half per exponent and bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from hw.design import Design
from hw.plan.builder import any_of, exclusive_or
from hw.plan.cells import Chain, ChainBit, Lut, Netlist, bitwise
from hw.plan.merged import ChainPlan, TwoOperands, chains_of
from hw.plan.merged_cells import LaneBuilder, best_placement, from_table, lowest_bit
from hw.plan.merged_product import TABLE_INPUTS
from hw.plan.operand import OperandPlan
from hw.plan.placement import Placement, wiring
from hw.plan.product import Bounds
from hw.target import Target


@dataclass(frozen=True, slots=True)
class MergedWindowLanePlan(TwoOperands):
    """Product of significands, its exponent, and the fine part of its alignment.

    Parameters
    ----------
    weight, activation
        The operands, minifloats both.
    placement
        How the reversed product is placed in the reversed window.
    exponent_bits
        Width of the exponent sum.
    flags
        Special outputs of the lane.
    packed
        Whether cells are instances of LUT6_2 and CARRY4, packed as planned.

    """

    weight: OperandPlan
    activation: OperandPlan
    placement: Placement
    exponent_bits: int
    flags: tuple[str, ...]
    packed: bool

    @property
    def offset(self) -> int:
        """What exponents are too large by."""
        return 0 if self.from_table else sum(bool(o.field_bits) for o in self.operands)

    @property
    def product(self) -> Netlist:
        """The cells that multiply: ``p0 …``, ``e0 …`` (exponent), ``nz`` (not zero)."""
        return product_netlist(self.weight, self.activation, self.placement, self.exponent_bits)

    @property
    def alignment(self) -> Netlist:
        """The cells that align: read ``p0 … e0 …``, ``r0 …`` (reference) and ``ws as`` (signs).

        They drive ``s`` and ``x0 … c0 … l0 …``.
        """
        return alignment_netlist(self.placement, self.exponent_bits)


@dataclass(frozen=True, slots=True)
class MaximumPlan:
    """Largest exponent of all lanes with a product and of the sum so far.

    Parameters
    ----------
    lanes, bits
        Exponents and their width.
    packed
        As in `MergedWindowLanePlan`.
    so_far
        Whether the sum so far is among them; else only lanes are, and none gives 0.

    """

    lanes: int
    bits: int
    packed: bool
    so_far: bool = True

    @property
    def netlist(self) -> Netlist:
        """The cells: read ``e0 …`` (lane 0 first), ``nz0 …``, ``h0 …`` (so far), drive ``r0 …``."""
        return maximum_netlist(self.lanes, self.bits, self.so_far)


@dataclass(frozen=True, slots=True)
class MergedWindowAccumulatePlan:
    """Accumulator of a window whose row takes in the last shift of the sum so far.

    Parameters
    ----------
    bits
        Width of the accumulator.
    addend
        Range of what one step adds, two's complement.
    exponent_bits, offset, shown_bits, flags, total_on_last
        As in `hw.plan.window.WindowAccumulatePlan`.
    packed
        As in `MergedWindowLanePlan`.
    ahead
        Whether the largest exponent is kept elsewhere (`hw.plan.running_window`), which then says
        how far the sum is shifted.

    """

    bits: int
    addend: Bounds
    exponent_bits: int
    offset: int
    shown_bits: int
    flags: tuple[str, ...]
    total_on_last: bool
    packed: bool
    ahead: bool = False

    @property
    def ff(self) -> int:
        """Registers: accumulator, exponent and flags, twice, and ``total_valid``.

        An exponent that is kept ahead has one register here, for what is shown.
        """
        exponents = self.exponent_bits if self.ahead else 2 * self.exponent_bits
        return 2 * (self.bits + len(self.flags)) + exponents + 1

    @property
    def netlist(self) -> Netlist:
        """The cells: read ``a0 …`` (addend), ``q0 …`` (sum), ``h0 …``, ``r0 …``, drive ``t0 …``.

        They read the distance ``d0 …`` where exponents are kept ahead.
        """
        return realign_netlist(self.bits, self.addend.bits, self.exponent_bits, self.ahead)


def can_merge_window(design: Design) -> bool:
    """Whether the lanes of a window design can be merged."""
    operands = OperandPlan(design.weight), OperandPlan(design.activation)
    return (
        design.is_window
        and all(operand.is_minifloat and operand.format.signed for operand in operands)
        and all(operand.significand_bits <= 8 for operand in operands)
        and any(operand.field_bits for operand in operands)
        and _best(*operands, design.accumulator.bits, False) is not None
    )


def plan_merged_window_lane(design: Design, target: Target) -> MergedWindowLanePlan:
    """Return the lane of a merged window design."""
    weight, activation = OperandPlan(design.weight), OperandPlan(design.activation)
    placement = _best(weight, activation, design.accumulator.bits, target.primitives)
    assert placement is not None
    flags = tuple(name for name in design.flags if name != "overflow")
    bits = _exponent_bits(weight, activation)
    return MergedWindowLanePlan(weight, activation, placement, bits, flags, target.primitives)


def plan_window_chains(lanes: int, lane: MergedWindowLanePlan, length: int = 0) -> ChainPlan:
    """Return the chains that add the aligned products of all lanes; see `chains_of`."""
    placement = lane.placement
    reach = lane.weight.high * lane.activation.high << placement.width - placement.product_bits
    return chains_of(lanes, placement, reach, lane.packed, length)


def _exponent_bits(weight: OperandPlan, activation: OperandPlan) -> int:
    operands = (weight, activation)
    offset = 0 if from_table(operands) else sum(bool(o.field_bits) for o in operands)
    return (offset + sum(o.largest_shift for o in operands)).bit_length()


@cache
def _best(
    weight: OperandPlan, activation: OperandPlan, window: int, packed: bool
) -> Placement | None:
    """Return the placement with the fewest sites, None if there is none."""
    bits = _exponent_bits(weight, activation)
    product = (weight.high * activation.high).bit_length()
    candidates = []
    for fine in range(bits + 1):
        steps = tuple(1 << bit for bit in range(fine))
        shifts = tuple(range(0, 1 << bits, 1 << fine))
        most = (1 << bits) - 1
        candidates.append(Placement(product, steps, shifts, 0, most, window, False, True))
    served = [placement for placement in candidates if wiring(placement) is not None]
    return best_placement(served, lambda placement: alignment_netlist(placement, bits), packed)


@cache
def product_netlist(
    weight: OperandPlan, activation: OperandPlan, placement: Placement, exponent_bits: int
) -> Netlist:
    """Return the cells that multiply; inputs as in `hw.plan.merged.lane_netlist`."""
    build = LaneBuilder(weight, activation, placement)
    build.exponent([f"e{i}" for i in range(exponent_bits)])
    for i, net in enumerate(build.product()):
        build.rename(net, f"p{i}")
    significands = [
        tuple(f"{side}m{i}" for i in range(operand.significand_bits))
        for side, operand in (("w", weight), ("a", activation))
    ]
    kill = "kill" if build.gated else "0"
    first, second = significands
    if len(first) + len(second) + build.gated > TABLE_INPUTS:
        first = _any_of(build, "some_w", first)
    if len(first) + len(second) + build.gated > TABLE_INPUTS:
        second = _any_of(build, "some_a", second)
    build.lut("nz", (*first, *second, kill), _not_zero, len(first))
    return build.done()


def _not_zero(*values: int) -> int:
    """Return whether neither word is 0, nor ``kill`` set; how long the first one is comes last."""
    *nets, kill, first = values
    return any_of(*nets[:first]) & any_of(*nets[first:]) & ~kill


def _any_of(build: LaneBuilder, name: str, nets: tuple[str, ...]) -> tuple[str, ...]:
    """Add the or of at most 11 nets, as at most two nets whose or it is."""
    if len(nets) <= 1:
        return nets
    build.lut(name, nets[:TABLE_INPUTS], any_of)
    rest = nets[TABLE_INPUTS:]
    return (name,) if not rest else (name, *_any_of(build, f"{name}_rest", rest))


@cache
def alignment_netlist(placement: Placement, exponent_bits: int) -> Netlist:
    """Return the cells that align a product: its distance, fine shift and decoding, and its sign.

    The sign stands here because a bit of the fine shift is often without a mate.
    """
    fine = len(placement.fine)
    names = [f"f{i}" if i < fine else f"c{i - fine}" for i in range(exponent_bits)]
    build = LaneBuilder(None, None, placement)
    build.sign()
    build.add(*difference("r", "e", names))
    build.fine([f"p{i}" for i in reversed(range(placement.product_bits))], names)
    build.decode()
    return build.done()


def difference(left: str, right: str, names: list[str]) -> tuple[list[Lut], list[Chain]]:
    """Return the cells of ``left − right``, of words as wide as the result.

    Its lowest bit stands before the chain: Yosys would add an inverter to one that starts with 1.
    """
    first = (f"{left}0", f"{right}0")
    luts = [
        bitwise(names[0], first, exclusive_or),
        bitwise(f"{names[0]}_carry", first, lowest_bit),
    ]
    bits = []
    for i, name in enumerate(names[1:], 1):
        select = bitwise("", (f"{left}{i}", f"{right}{i}"), _equal)
        bits.append(ChainBit(name, select, f"{left}{i}"))
    return luts, [Chain(luts[1].output, tuple(bits), "")] if bits else []


@cache
def maximum_netlist(lanes: int, bits: int, so_far: bool = True) -> Netlist:
    """Return the cells that find the largest exponent, bit by bit."""
    luts: list[Lut] = []
    names = [[f"e{lane * bits + bit}" for bit in range(bits)] for lane in range(lanes)]
    alive = [f"nz{lane}" for lane in range(lanes)]
    if so_far:
        names.append([f"h{bit}" for bit in range(bits)])
        alive.append("1")
    for bit in reversed(range(bits)):
        reads = [(live, word[bit]) for live, word in zip(alive, names, strict=True)]
        luts += _any_alive(reads, f"r{bit}")
        if not bit:
            continue
        following = []
        for number, (live, net) in enumerate(reads):
            output = f"k{bit}_{number}"
            luts.append(bitwise(output, (live, net, f"r{bit}"), _stays))
            following.append(output)
        alive = following
    return Netlist(tuple(luts), ())


def _any_alive(reads: list[tuple[str, str]], output: str) -> list[Lut]:
    """Return the LUTs of the or of ``alive & bit`` over candidates."""
    luts: list[Lut] = []
    groups: list[str] = []
    for start in range(0, len(reads), 3):
        nets = tuple(net for pair in reads[start : start + 3] for net in pair)
        name = f"{output}_g{start}"
        luts.append(bitwise(name, nets, _any_pair))
        groups.append(name)
    while len(groups) > 1:
        last = len(groups) <= TABLE_INPUTS
        name = output if last else f"{output}_o{len(groups)}"
        luts.append(bitwise(name, tuple(groups[:TABLE_INPUTS]), any_of))
        groups = [*groups[TABLE_INPUTS:], name]
    if groups[0] != output:
        luts[-1] = Lut(output, luts[-1].inputs, luts[-1].truth)
    return luts


def _any_pair(*values: int) -> int:
    return any_of(*(a & e for a, e in zip(values[::2], values[1::2], strict=True)))


def _stays(alive: int, bit: int, largest: int) -> int:
    """Return whether a candidate stays: it has the bit, or the largest has not."""
    return alive & (bit | ~largest)


def _equal(a: int, b: int) -> int:
    return ~(a ^ b)


@cache
def realign_netlist(
    bits: int, addend_bits: int, exponent_bits: int, ahead: bool = False
) -> Netlist:
    """Return the cells that shift the sum to the new maximum and add; `ahead`: by a distance."""
    names = [f"d{i}" for i in range(exponent_bits)]
    luts, chains = ([], []) if ahead else difference("r", "h", names)
    steps = [(f"d{i}", min(1 << i, bits)) for i in range(exponent_bits)]
    kept = 2 if len(steps) > 1 and steps[-1][1] >= bits - 1 else 1
    word = [f"q{i}" for i in range(bits)]
    sign = word[-1]
    for number, (amount, step) in enumerate(steps[:-kept]):
        following = []
        for i in range(bits - 1):
            output = f"y{number}_{i}"
            high = word[i + step] if i + step < bits else sign
            luts.append(bitwise(output, (amount, high, word[i]), _moved))
            following.append(output)
        word = [*following, sign]
    row = []
    for i in range(bits):
        added = f"a{min(i, addend_bits - 1)}"
        nets = [added, word[i]]
        for amount, step in steps[-kept:]:
            nets += [amount, word[i + step] if i + step < bits else sign]
        row.append(ChainBit(f"t{i}", bitwise("", tuple(nets), _realigned), added))
    chains.append(Chain("0", tuple(row), ""))
    return Netlist(tuple(luts), tuple(chains))


def _realigned(added: int, word: int, *moves: int) -> int:
    """Return the sum bit of the row: of two moves, the later one leaves only the sign."""
    for amount, high in zip(moves[::2], moves[1::2], strict=True):
        word = _moved(amount, high, word)
    return added ^ word


def _moved(amount: int, high: int, word: int) -> int:
    return amount & high | ~amount & word
