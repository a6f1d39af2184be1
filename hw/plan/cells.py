"""Floor 1c: small circuits given LUT by LUT, as the slices of Xilinx hold them.

Nets are named by strings, "0" and "1" are constants. A LUT6_2 holds two functions of the same five
inputs, so functions are packed in pairs; a chain bit holds the function of its S pin and, if
its DI pin is not a bare net, that of DI beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from hw.plan.packing import DUAL_INPUTS, Graph, pack
from hw.plan.truth import WIDEST, evaluated, supported

LUT_INPUTS = WIDEST
CONSTANTS = {"0": 0, "1": 1}
CARRY_BITS = 4


@dataclass(frozen=True, slots=True)
class Lut:
    """A function of at most six nets.

    Parameters
    ----------
    output
        The net it drives.
    inputs
        The nets it reads, no constants.
    truth
        Bit i is the output where the inputs, the first one lowest, read i.

    """

    output: str
    inputs: tuple[str, ...]
    truth: int

    @property
    def is_wire(self) -> bool:
        """Whether it is no cell: a constant, or another name of a net."""
        return not self.inputs or (len(self.inputs) == 1 and self.truth == 0b10)


@dataclass(frozen=True, slots=True)
class ChainBit:
    """One bit of a carry chain: ``output = select ^ carry``; a carry is made where select is 0.

    Parameters
    ----------
    output
        The net it drives.
    select
        Function of the S pin.
    direct
        What DI reads: a net, or a function in the LUT of `select`.

    """

    output: str
    select: Lut
    direct: str | Lut


@dataclass(frozen=True, slots=True)
class Chain:
    """A carry chain.

    Parameters
    ----------
    carry_in
        A net.
    bits
        Lowest first.
    carry_out
        The net its last carry drives, "" if none.

    """

    carry_in: str
    bits: tuple[ChainBit, ...]
    carry_out: str

    @property
    def inputs(self) -> tuple[str, ...]:
        """The nets it reads."""
        nets = [self.carry_in]
        for bit in self.bits:
            nets += bit.select.inputs
            nets += [bit.direct] if isinstance(bit.direct, str) else bit.direct.inputs
        return tuple(dict.fromkeys(nets))

    @property
    def outputs(self) -> tuple[str, ...]:
        """The nets it drives."""
        outer = (self.carry_out,) if self.carry_out else ()
        return (*(bit.output for bit in self.bits), *outer)

    @property
    def spare_bit(self) -> bool:
        """Whether a bit of its own must lead the carry out: only every fourth leaves directly."""
        return bool(self.carry_out) and len(self.bits) % CARRY_BITS > 0

    @property
    def sites(self) -> int:
        """Sites it takes."""
        return len(self.bits) + self.spare_bit


@dataclass(frozen=True, slots=True)
class Netlist:
    """LUTs and chains between named nets.

    Parameters
    ----------
    luts, chains
        The cells, in no order.

    """

    luts: tuple[Lut, ...]
    chains: tuple[Chain, ...]

    @property
    def pairs(self) -> tuple[tuple[Lut, ...], ...]:
        """LUTs packed into sites, one or two each."""
        return _pairs(self)

    @property
    def sites(self) -> int:
        """Sites of the whole: packed LUTs, and the bits of the chains."""
        return len(self.pairs) + sum(chain.sites for chain in self.chains)

    @property
    def least_sites(self) -> int:
        """A bound on `sites` without packing: LUTs of six inputs are alone, others in pairs."""
        cells = [len(lut.inputs) for lut in self.luts if not lut.is_wire]
        alone = cells.count(LUT_INPUTS)
        return alone - (alone - len(cells)) // 2 + sum([chain.sites for chain in self.chains])

    @property
    def bare_sites(self) -> int:
        """Sites without a LUT that Yosys counts."""
        wires = sum(bit.select.is_wire for chain in self.chains for bit in chain.bits)
        return wires + sum(chain.spare_bit for chain in self.chains)

    @property
    def carries(self) -> int:
        """CARRY4 cells."""
        return sum(-(-chain.sites // CARRY_BITS) for chain in self.chains)


def selected(output: str, low: Lut, high: Lut, select: str) -> Lut:
    """Return the LUT of ``select ? high : low``, of what these read if it is at most five nets."""
    inputs = tuple(dict.fromkeys((*low.inputs, *high.inputs, select)))
    if len(inputs) > DUAL_INPUTS:
        return Lut(output, (low.output, high.output, select), 0b11001010)
    truth = 0
    for code in range(1 << len(inputs)):
        known = {net: code >> place & 1 for place, net in enumerate(inputs)}
        lut = high if known[select] else low
        truth |= (lut.truth >> sum(known[n] << i for i, n in enumerate(lut.inputs)) & 1) << code
    return lookup(output, inputs, truth)


def leanest(netlists: Sequence[Netlist]) -> int | None:
    """Return the number from 0 of the netlist with the fewest sites, the first of these.

    None of none. Those whose bound cannot win are not packed.
    """
    best: tuple[int, int] | None = None
    for bound, number in sorted((cells.least_sites, n) for n, cells in enumerate(netlists)):
        if best is None or (bound, number) < best:
            found = (netlists[number].sites, number)
            best = found if best is None else min(best, found)
    return None if best is None else best[1]


def function(output: str, inputs: Iterable[str], rule: Callable[..., object]) -> Lut:
    """Return the LUT of a rule over nets; constants and nets that do not matter drop out.

    The rule is asked for each code of the nets. `bitwise` asks once for all.

    Raises
    ------
    ValueError
        If more than six nets matter.

    """
    named = tuple(inputs)
    live = tuple(dict.fromkeys(net for net in named if net not in CONSTANTS))
    truth = 0
    for code in range(1 << len(live)):
        values = CONSTANTS | {net: code >> n & 1 for n, net in enumerate(live)}
        truth |= bool(rule(*(values[net] for net in named))) << code
    return lookup(output, live, truth)


def bitwise(
    output: str, inputs: tuple[str, ...], rule: Callable[..., int], *parameters: Hashable
) -> Lut:
    """Return the LUT of a rule in ``& | ^ ~`` over nets, which is kept for inputs of this shape.

    Parameters
    ----------
    output, inputs
        Nets; constants, and nets that do not matter, drop out.
    rule
        A function of a module, called once with the truth tables of the inputs as integers (a
        constant 1 is −1), then the parameters.
    parameters
        What else the rule depends on.

    Raises
    ------
    ValueError
        If more than six nets matter.

    """
    places: dict[str, int] = {}
    shape = tuple(
        [
            -1 - CONSTANTS[net] if net in CONSTANTS else places.setdefault(net, len(places))
            for net in inputs
        ]
    )
    kept, truth = evaluated(shape, rule, parameters)
    live = tuple(places)
    return Lut(output, live if kept is None else tuple([live[n] for n in kept]), truth)


def lookup(output: str, inputs: tuple[str, ...], truth: int) -> Lut:
    """Return the LUT of a truth table over different nets; those that do not matter drop out.

    Raises
    ------
    ValueError
        If more than six nets matter.

    """
    kept, truth = supported(truth, len(inputs))
    return Lut(output, inputs if kept is None else tuple([inputs[n] for n in kept]), truth)


@cache
def _pairs(netlist: Netlist) -> tuple[tuple[Lut, ...], ...]:
    cells: tuple[Lut | Chain, ...] = (*netlist.luts, *netlist.chains)
    outputs = [(lut.output,) for lut in netlist.luts]
    graph = Graph(cells, [*outputs, *(chain.outputs for chain in netlist.chains)])
    functions = frozenset(n for n, lut in enumerate(netlist.luts) if not lut.is_wire)
    found = min((pack(graph, functions, waiting) for waiting in (False, True)), key=len)
    return tuple(tuple(netlist.luts[number] for number in group) for group in found)
