"""Floor 1c: small circuits given LUT by LUT, as the slices of Xilinx hold them.

Nets are named by strings, "0" and "1" are constants. A LUT6_2 holds two functions of the same five
inputs, so functions are packed in pairs; a chain bit holds the function of its S pin and, if
its DI pin is not a bare net, that of DI beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

DUAL_INPUTS = 5
"""Inputs that both functions of a LUT6_2 share."""
LUT_INPUTS = 6
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
        levels = self.levels
        cells = [lut for lut in self.luts if not lut.is_wire]
        ranks = sorted({levels[lut.output] for lut in cells})
        return tuple(
            group
            for rank in ranks
            for group in pack([lut for lut in cells if levels[lut.output] == rank])
        )

    @property
    def levels(self) -> dict[str, int]:
        """How many cells, chains as a whole, stand at most between each net and an outer one.

        LUTs are packed only with their own level, so that no loop runs through a LUT6_2.
        """
        cells: list[tuple[tuple[str, ...], tuple[str, ...]]] = []
        cells += [((lut.output,), lut.inputs) for lut in self.luts]
        cells += [(chain.outputs, chain.inputs) for chain in self.chains]
        driver = {output: cell for cell in cells for output in cell[0]}
        found: dict[str, int] = {}

        def level(net: str) -> int:
            if net not in found:
                cell = driver.get(net)
                depth = 0 if cell is None else 1 + max((level(n) for n in cell[1]), default=0)
                found[net] = depth
            return found[net]

        for net in driver:
            level(net)
        return found

    @property
    def sites(self) -> int:
        """Sites of the whole: packed LUTs, and the bits of the chains."""
        return len(self.pairs) + sum(chain.sites for chain in self.chains)

    @property
    def bare_sites(self) -> int:
        """Sites without a LUT that Yosys counts."""
        wires = sum(bit.select.is_wire for chain in self.chains for bit in chain.bits)
        return wires + sum(chain.spare_bit for chain in self.chains)

    @property
    def carries(self) -> int:
        """CARRY4 cells."""
        return sum(-(-chain.sites // CARRY_BITS) for chain in self.chains)


def function(output: str, inputs: Iterable[str], rule: Callable[..., object]) -> Lut:
    """Return the LUT of a rule over nets; constants and nets that do not matter drop out.

    Raises
    ------
    ValueError
        If more than six nets matter.

    """
    named = tuple(inputs)
    live = tuple(dict.fromkeys(net for net in named if net not in ("0", "1")))
    while True:
        truth = _truth(named, live, rule)
        idle = next((n for n in range(len(live)) if not _matters(truth, len(live), n)), None)
        if idle is None:
            break
        named = tuple("0" if net == live[idle] else net for net in named)
        live = live[:idle] + live[idle + 1 :]
    if len(live) > LUT_INPUTS:
        raise ValueError(f"a LUT has at most {LUT_INPUTS} inputs, not {len(live)}")
    return Lut(output, live, truth)


def _truth(named: tuple[str, ...], live: tuple[str, ...], rule: Callable[..., object]) -> int:
    truth = 0
    for code in range(1 << len(live)):
        values = {net: code >> n & 1 for n, net in enumerate(live)} | {"0": 0, "1": 1}
        truth |= bool(rule(*(values[net] for net in named))) << code
    return truth


def _matters(truth: int, inputs: int, index: int) -> bool:
    return any(
        (truth >> code & 1) != (truth >> (code | 1 << index) & 1)
        for code in range(1 << inputs)
        if not code >> index & 1
    )


def pack(luts: Sequence[Lut]) -> tuple[tuple[Lut, ...], ...]:
    """Return functions in groups of one or two that together read at most five nets.

    Those that share most inputs come together first.
    """
    left = list(luts)
    groups: list[tuple[Lut, ...]] = []
    while left:
        first = left.pop(0)
        mates = [lut for lut in left if len({*first.inputs, *lut.inputs}) <= DUAL_INPUTS]
        if not mates or len(first.inputs) > DUAL_INPUTS:
            groups.append((first,))
            continue
        mate = max(mates, key=lambda lut: len({*first.inputs} & {*lut.inputs}))
        left.remove(mate)
        groups.append((first, mate))
    return tuple(groups)
