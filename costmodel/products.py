"""Floor 2c: products of significands: Booth rows, tables, plain multipliers, DSP blocks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from costmodel.chain import function_luts
from costmodel.coefficients import Coefficients
from costmodel.constant_rows import CELL_BITS
from costmodel.cost import Cost, luts, total
from costmodel.measured import measured, product_key, product_kind
from costmodel.rows import booth_row
from hw.design import is_signs
from hw.plan import Bounds, LanePlan, OperandPlan, ProductPlan, SignSelection, WindowLanePlan

MEASURED_BITS = 8
"""All plain products of words of so many bits are measured on every target."""


@cache
def lane_product(lane: LanePlan | WindowLanePlan, target: Coefficients) -> Cost:
    """Return the cost of a lane's product in its structure."""
    plan = lane.product
    if isinstance(plan.selection, SignSelection):
        return luts(plan.selection.luts)
    if plan.structure == "rows":
        start = luts(plan.selection.luts) if plan.selection else Cost()
        return start + total(booth_row(row, target) for row in plan.rows)
    if plan.structure == "table":
        known = measured(target.target, "table", table_key(lane))
        if known is not None:
            return known
        return luts(table_luts(plan.entries, target) - len(plan.pairs))
    if plan.structure == "dsp" and fits_dsp(plan, target):
        return Cost(dsp=1)
    return multiplier(plan, target)


def fits_dsp(plan: ProductPlan, target: Coefficients) -> bool:
    """Whether Yosys gives a product a DSP block; it leaves small ones to LUTs.

    Beside a signed operand an unsigned one is a bit wider; a product by one bit is no product.
    """
    mixed = plan.weight.signed != plan.activation.signed
    widths = (
        plan.weight_bits + (mixed and not plan.weight.signed),
        plan.activation_bits + (mixed and not plan.activation.signed),
    )
    return min(widths) >= target.of("dsp", "least_operand_bits") and (
        plan.bounds.bits >= target.of("dsp", "least_product_bits")
    )


@cache
def multiplier(plan: ProductPlan, target: Coefficients) -> Cost:
    """Return the cost of a plain ``*`` mapped to LUTs: measured, or by formula beyond the table.

    Yosys compresses the partial products by full adders and adds what is left on a chain as wide
    as the product; how well that goes depends on the widths in no simple way.
    """
    widths = plan.weight_bits, plan.activation_bits
    kinds = word_kind(plan.weight, widths[0]), word_kind(plan.activation, widths[1])
    known = _measured_product(widths, kinds, target)
    if known is not None:
        return known
    if min(widths) <= MEASURED_BITS < max(widths):
        return _lengthened(widths, kinds, target)
    return wide_multiplier(widths, kinds, target)


def _measured_product(
    widths: tuple[int, int], kinds: tuple[str, str], target: Coefficients
) -> Cost | None:
    """Return a measured product, or the nearest to it: words swapped, magnitudes unsigned."""
    plain = "u" if kinds[0] == "m" else kinds[0], "u" if kinds[1] == "m" else kinds[1]
    part = "magnitude_product" if "m" in kinds else "product"
    for name, tried in ((part, kinds), ("product", plain)):
        (a, b), (a_kind, b_kind) = widths, tried
        for key in (product_key(a, b, a_kind, b_kind), product_key(b, a, b_kind, a_kind)):
            known = measured(target.target, name, key)
            if known is not None:
                return known
    return None


def _lengthened(widths: tuple[int, int], kinds: tuple[str, str], target: Coefficients) -> Cost:
    """Return a product with one long word: on a line through those of 4 and 8 bits of it."""
    ends = []
    for bits in (MEASURED_BITS // 2, MEASURED_BITS):
        shorter = tuple(min(width, bits) if width > MEASURED_BITS else width for width in widths)
        ends.append(_measured_product((shorter[0], shorter[1]), kinds, target))
    if ends[0] is None or ends[1] is None:
        return wide_multiplier(widths, kinds, target)
    steps = (max(widths) - MEASURED_BITS) / (MEASURED_BITS - MEASURED_BITS // 2)
    lut, sites = (
        getattr(ends[1], name) + steps * (getattr(ends[1], name) - getattr(ends[0], name))
        for name in ("lut", "sites")
    )
    return Cost(lut, sites, carry=wide_carry(widths, kinds, target))


SHORT_BITS = 3
"""Times an unsigned word of so many bits at most, a longer signed one needs a bit less."""


def wide_carry(widths: tuple[int, int], kinds: tuple[str, str], target: Coefficients) -> int:
    """Return the carry cells of a product of a word of more than 8 bits: one row over its bits.

    A magnitude brings a bit less. On iCE40 carries fold away as in the product of the shorter words
    that were measured, and each bit more is a carry.
    """
    short = min(widths)
    if short == 1:
        return 0
    if target.family == "ice40":
        least = max(short, MEASURED_BITS)
        known = _measured_product((min(widths[0], least), min(widths[1], least)), kinds, target)
        folded = 0 if known is None else known.carry
        return folded + max(widths) - least if folded else sum(widths) - 1
    bits = sum(widths) - ("m" in kinds)
    longer = kinds[widths.index(max(widths))], kinds[widths.index(short)]
    bits -= short <= SHORT_BITS and widths[0] != widths[1] and longer == ("s", "u")
    return -(-bits // CELL_BITS[target.family])


def word_kind(bounds: Bounds, bits: int) -> str:
    """Return how a word is read, as `product_key` names it."""
    if bounds.signed:
        return "s"
    return "m" if bits > 1 and bounds.high == 1 << (bits - 1) else "u"


def wide_multiplier(widths: tuple[int, int], kinds: tuple[str, str], target: Coefficients) -> Cost:
    """Return the cost of a plain ``*`` by formula."""
    signs = product_kind(kinds[0] == "s", kinds[1] == "s")
    per_product, per_bit, constant = target.row("wide_product", signs)
    lut = per_product * widths[0] * widths[1] + per_bit * sum(widths) + constant
    return Cost(lut, lut, carry=wide_carry(widths, kinds, target))


def table_key(lane: LanePlan | WindowLanePlan) -> str:
    """Return the key of a measured table: formats, or widths of significands."""
    whole = isinstance(lane, LanePlan) and lane.is_table
    return ":".join(_table_side(operand, whole) for operand in (lane.weight, lane.activation))


def _table_side(operand: OperandPlan, whole: bool) -> str:
    if whole and (operand.is_minifloat or is_signs(operand.format)):
        return operand.format.name
    return f"{'s' if operand.signed else 'u'}{operand.significand_bits}"


def table_luts(entries: Sequence[int], target: Coefficients) -> float:
    """Return the LUTs of a table: its distinct bits, wires and constants left out.

    Parameters
    ----------
    entries
        Value at each index; as many as a power of two.
    target
        Where it is mapped.

    """
    inputs = (len(entries) - 1).bit_length()
    width = max((entry if entry >= 0 else ~entry).bit_length() for entry in entries) + 1
    functions = {
        sum((entry >> bit & 1) << index for index, entry in enumerate(entries))
        for bit in range(width)
    }
    full = (1 << len(entries)) - 1
    return sum(
        function_luts(_support(function, inputs), target.lut_inputs)
        for function in functions
        if function not in (0, full)
    )


def _support(function: int, inputs: int) -> int:
    """Return how many inputs a function (its truth table as an integer) depends on."""
    size = 1 << inputs
    depends = 0
    for number in range(inputs):
        step = 1 << number
        low = ((1 << size) - 1) // ((1 << step) + 1)
        depends += (function & low) != (function >> step & low)
    return depends
