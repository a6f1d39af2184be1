"""Floor 2c: selected words, weight-stationary arrays and binary planes as modules of gates.

As `costmodel.asic_parts`, which has what these share with other designs. Of a weight-stationary
array the registers of partial sums stand in the cells, beside what keeps them while a result waits;
all others, weights and skew and control, in the top module.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from functools import cache

from costmodel.asic_parts import Module, made
from costmodel.bitplane import sequencer_key
from hw.plan import AccumulatePlan, FlagTree, Sign, StationaryCell, StationaryPlan, SumRow
from hw.plan.bitplane import PlaneAccumulate, PlaneOffset, Sequencer
from hw.plan.plane_sums import PlaneCount, PlaneRow

KINDS = {Sign.PLAIN: "", Sign.CARRY: "c", Sign.NEGATE: "n"}
COUNTS = ((2, "and"), (3, "and"), (2, "xnor"), (3, "xnor"))
SHELL = "array shell"


@cache
def sum_row_module(row: SumRow) -> Module:
    """Return the module of a row of two words of which signs or carries may be pending.

    Raises
    ------
    ValueError
        If it adds three words, as no row does on gates.

    """
    if len(row.words) != 2:
        raise ValueError(f"gates have rows of two words, not {len(row.words)}")
    first, second = (word.bounds for word in row.words)
    kinds = [KINDS[word.sign] for word in row.words]
    sides = "_".join(
        f"{'s' if word.bounds.signed else 'u'}{word.bounds.bits}{KINDS[word.sign]}"
        for word in row.words
    )
    name = f"sum_{sides}_{row.width}"
    both = min(first.bits, second.bits)
    apart = max(first.bits, second.bits) - both
    constant = first.low == first.high == 0
    if constant:
        name_of = f"sum_zero_{kinds[1] or 'p'}"
        return made(name, "adder row", name_of, (second.bits, row.width - second.bits, 1), name)
    formula = f"sum_{kinds[0] or 'p'}{kinds[1] or 'p'}"
    features = (both, apart, row.width - both - apart, second.bits, 1)
    return made(name, "adder row", formula, features, name)


def has_pending(plan: AccumulatePlan) -> bool:
    """Whether an accumulator adds words of selected products."""
    return plan.subtracts or any(word.sign is Sign.CARRY for word in plan.words)


@cache
def selected_accumulate_modules(plan: AccumulatePlan) -> tuple[Module, ...]:
    """Return the module of an exact or wrapping accumulator of selected products.

    Raises
    ------
    ValueError
        If it saturates or negates what it takes away.

    """
    saturates = plan.sum_bits > plan.bits
    if saturates or plan.relative or len(plan.words) > 1:
        raise ValueError(
            "the cost model of asic has no formula for saturating sums of binary and ternary "
            "products, nor for those of two words or of signs; synthesize measures such a design"
        )
    addend = min(plan.addend.bits, plan.bits)
    pending = plan.words[0].pending
    features = (
        plan.bits,
        addend,
        plan.bits - addend,
        plan.bits * plan.total_on_last,
        len(plan.flags),
        "overflow" in plan.flags,
        1,
    )
    formula = f"accumulate_{'less' if plan.subtracts else 'more'}{'_carry' if pending else ''}"
    return (made("accumulate", "accumulator", formula, features, ff=plan.ff),)


def stationary_modules(plan: StationaryPlan) -> tuple[Counter[Module], Counter[Hashable]]:
    """Return the modules of shell and cells, and the parts in the cells, accumulators included."""
    columns = plan.shell.columns
    found: Counter[Module] = Counter({_stationary_shell(plan): 1})
    parts: Counter[Hashable] = Counter({plan.accumulate: columns})
    for number, cell in enumerate(plan.cells):
        found[_stationary_cell(cell, number)] += columns
        for part, count in cell.parts().items():
            if not isinstance(part, FlagTree):  # within the cell
                parts[part] += count * columns
    return found, parts


def _stationary_cell(cell: StationaryCell, number: int) -> Module:
    """Return what a cell holds beside its modules: registers that wait, and gates of flags."""
    flags = len(cell.flags)
    features = (cell.ff, flags * (cell.flag_inputs - 1))
    name = f"processing_element_{number}"
    return made(name, "partial sums", "stationary_cell", features, ff=cell.ff)


def _stationary_shell(plan: StationaryPlan) -> Module:
    """Return registers and control around the cells."""
    shell = plan.shell
    cells = shell.rows * shell.columns
    weights = 2 * shell.weight_bits * cells
    waves = shell.rows * (shell.columns - 1) + shell.rows + shell.columns - 2
    held = sum(length * bits for length, bits in shell.chains.items())
    own = shell.tapped_ff - sum(cell.ff for cell in plan.cells) * shell.columns
    control = 2 * shell.delay
    across = shell.activation_bits * shell.rows * (shell.columns - 1)
    features = (weights, held + across, waves, control, cells, shell.rows, 1)
    return made("", SHELL, "stationary_shell", features, ff=own + held)


@cache
def plane_row_module(row: PlaneRow) -> Module:
    """Return the module of a row of two words, each gated or not."""
    one, two = (word.bounds for word in row.words)
    gates = [word.gate for word in row.words]
    sides = "_".join(
        f"{'s' if word.bounds.signed else 'u'}{word.bounds.bits}{word.gate}" for word in row.words
    )
    name = f"plane_{sides}{'_c' * row.carries}_{row.width}"
    if two.low == two.high == 0:
        return made(name, "plane row", f"plane_lone_{gates[0]}", (one.bits, 1), name)
    both = min(one.bits, two.bits)
    apart = max(one.bits, two.bits) - both
    formula = f"plane_{gates[0] or 'plain'}_{gates[1] or 'plain'}"
    features = (both, apart, row.width - both - apart, one.signed or two.signed, 1)
    return made(name, "plane row", formula, features, name)


@cache
def plane_count_module(plan: PlaneCount) -> Module:
    """Return the module that counts two or three gated bits."""
    kind = (plan.bits, plan.gate)
    name = f"plane_count_{plan.bits}_{plan.gate}"
    return made(name, "plane count", "plane_count", [kind == known for known in COUNTS], name)


@cache
def plane_accumulate_module(plan: PlaneAccumulate) -> Module:
    """Return the module of an accumulator of planes."""
    word = min(plan.word.bits, plan.bits)
    above = plan.bits - word
    features = (plan.bits, above * plan.word.signed, above * (not plan.word.signed), 1)
    formula = "plane_accumulate" + "_doubles" * plan.doubles + "_negates" * plan.negates
    return made("plane_accumulate", "accumulator", formula, features, ff=plan.ff)


@cache
def plane_offset_module(plan: PlaneOffset) -> Module:
    """Return the module that adds a constant."""
    width = plan.bounds.bits
    constant = plan.constant % (1 << width)
    below = (constant & -constant).bit_length() - 1
    above = max(width - plan.word.bits, 0)
    features = (width - below, above, constant.bit_count(), 1)
    key = f"{'s' if plan.word.signed else 'u'}{plan.word.bits}_{constant}_{width}"
    return made("plane_offset", "offset", "plane_offset", features, key)


@cache
def sequencer_module(plan: Sequencer) -> Module:
    """Return the module that counts passes."""
    sides = [max(bits - 1, 0).bit_length() for bits in (plan.weight_bits, plan.activation_bits)]
    features = (sides[0], sides[1], sides[0] * sides[1], plan.signs, bool(plan.weight_bits), 1)
    return made("sequencer", "sequencer", "plane_sequencer", features, sequencer_key(plan), plan.ff)
