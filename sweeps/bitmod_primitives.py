"""Floor 4: the modules of BitMoD's elements and tiles, measured for `costmodel.bitmod`.

Every module of a design is kept and mapped by itself, and but for widths there are few, so each is
measured. ``python -m sweeps.bitmod_primitives TARGET …`` writes ``bitmod_<target>.csv`` anew.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

from amaranth.lib import wiring

from costmodel.bitmod import (
    ALL_DATATYPES,
    STEPS,
    Named,
    cells_name,
    counted,
    dequantiser_name,
    flag_name,
    row_name,
    scale_row_name,
    sequencer_name,
)
from costmodel.bitmod_tile import COLUMN_BITS, SIDES, bank_name, column_name, control_name
from hw.design import MAXIMUM_SIDE
from hw.design.bitmod import LANES, LEAST_GROUP, MOST_GROUP, MOST_LENGTH, BitmodPe
from hw.formats import parse_element
from hw.plan.bitmod import (
    BitmodElementPlan,
    BitmodIntPlan,
    DequantiserPlan,
    SequencerPlan,
    SpecialValuesPlan,
    TermGeneratorPlan,
)
from hw.plan.bitmod_tile import SpecialBankPlan, TileColumnPlan, TileControlPlan
from hw.rtl.bitmod import BitmodElement
from hw.rtl.bitmod_bank import SpecialBank, TileControl
from hw.rtl.bitmod_column import TileColumn
from hw.rtl.bitmod_int import BitmodIntElement
from hw.rtl.bitmod_scale import Dequantiser
from hw.rtl.bitmod_terms import Sequencer, SpecialValues, TermGenerator
from hw.rtl.sums import sum_row_name
from hw.target import Target, load
from sweeps.calibrate import DATA, to_csv
from sweeps.module_sizes import RUN, measure_inside
from sweeps.primitives import COLUMNS

Offered = tuple[wiring.Component, bool, Mapping[str, Named]]
"""A component, whether it is clocked, and the names of it ("") and of the modules inside."""
OPERANDS = ("int8", "fp16")
CELLS = ("exponent", "align", "maximum", "realign")


def group_widths(activation: str) -> list[int]:
    """Return the widths of the significands of groups."""
    groups = range(LEAST_GROUP, MOST_GROUP + 1, LANES)
    designs = (BitmodPe(activation=parse_element(activation), group=n, length=n) for n in groups)
    return sorted({design.group_bits for design in designs})


def elements() -> Iterator[Offered]:
    """Yield elements for fp16 and int8, to which cells and rows belong."""
    for bits in group_widths("fp16"):
        for flagged in (False, True):
            plan = BitmodElementPlan(bits, flagged, False)
            names = {name: cells_name(plan.cells(name)) for name in CELLS}
            names |= {sum_row_name(row): row_name(row) for row in plan.rows}
            names |= {"": ("element", flag_name(flagged)), "signs": ("signs", "pair")}
            yield BitmodElement(plan), True, names
    for bits in group_widths("int8"):
        own = BitmodIntPlan(bits, False)
        names = {"int_lane": cells_name(own.lane), "base": cells_name(own.base)}
        names |= {sum_row_name(row): row_name(row) for row in own.rows}
        names |= {"": ("int_element", ""), "exact_row": ("exact_row", str(bits))}
        yield BitmodIntElement(own), True, names


def generators() -> Iterator[Offered]:
    """Yield term generators of all sets of datatypes."""
    for count in range(1, len(ALL_DATATYPES) + 1):
        for served in combinations(ALL_DATATYPES, count):
            for summed in (False, True):
                plan = TermGeneratorPlan(served, summed, False)
                parts = {
                    "term_select": "select",
                    "special_term": "special",
                    "weight_term": "weight",
                }
                names = {module: cells_name(plan.cells(part)) for module, part in parts.items()}
                yield TermGenerator(plan), False, names


def sequencers() -> Iterator[Offered]:
    """Yield the sequencers whose costs add up to those of all others."""
    every = ALL_DATATYPES
    steps = {counted(n) for n in range(LEAST_GROUP // LANES, MOST_GROUP // LANES + 1)}
    groups = {counted(n) for n in range(1, MOST_LENGTH // LEAST_GROUP + 1)}
    sizes = [(number, 1, every) for number in sorted(steps)]
    sizes += [(STEPS, number, every) for number in sorted(groups)]
    for count in range(1, len(every)):
        sizes += [(STEPS, 1, served) for served in combinations(every, count)]
    for count, number, served in sizes:
        plan = SequencerPlan(served, count, number)
        yield Sequencer(plan), True, {"": sequencer_name(count, number, served)}


def scalers() -> Iterator[Offered]:
    """Yield special values and dequantisers of single elements."""
    yield SpecialValues(SpecialValuesPlan()), True, {"": ("special_values", "")}
    for activation in OPERANDS:
        for bits in group_widths(activation):
            for exponent, flagged in ((0, False), (4, False), (4, True)):
                plan = DequantiserPlan(bits, exponent, flagged)
                names = {"": dequantiser_name(plan), "scale_row": scale_row_name(bits)}
                yield Dequantiser(plan), True, names


def tiles() -> Iterator[Offered]:
    """Yield what tiles have beside their elements."""
    for rows in range(1, MAXIMUM_SIDE + 1):
        yield TileControl(TileControlPlan(rows)), True, {"": control_name(rows)}
    for side in SIDES:
        bank = {"": bank_name(side), "special_select": ("special_select", "")}
        yield SpecialBank(SpecialBankPlan(side)), True, bank
        for bits in COLUMN_BITS:
            plan = TileColumnPlan(side, bits, 0, False, bits)
            yield TileColumn(plan), True, {"": column_name(side, bits)}


FAMILIES = (elements, generators, sequencers, scalers, tiles)


def measure(target: Target) -> list[dict[str, str | int]]:
    """Return a row of `sweeps.primitives.COLUMNS` for each module; of equal names the first."""
    found: dict[Named, dict[str, str | int]] = {}
    for family in FAMILIES:
        offered = list(family())
        for start in range(0, len(offered), RUN):
            some = offered[start : start + RUN]
            counts = measure_inside([(part, clocked) for part, clocked, _ in some], target)
            for (_, _, names), inside in zip(some, counts, strict=True):
                for module, name in names.items():
                    numbers = {column: inside[module][column] for column in COLUMNS[2:]}
                    found.setdefault(name, {"part": name[0], "key": name[1], **numbers})
    return [found[name] for name in sorted(found)]


def main(targets: Sequence[str]) -> None:
    """Write the files."""
    for target in targets:
        text = to_csv(measure(load(target)), COLUMNS)
        (DATA / f"bitmod_{target}.csv").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
