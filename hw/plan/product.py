"""Floor 1c: products of significands, as Booth rows, a table, a plain `*` or a DSP block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from hw.plan.digits import BoothRow, Bounds, DigitSelection, booth_rows, selected_rows
from hw.plan.selection import SignSelection
from hw.plan.table import TablePair, pair_up

__all__ = ["BoothRow", "Bounds", "DigitSelection", "ProductPlan", "plan_product", "table_product"]


@dataclass(frozen=True, slots=True)
class ProductPlan:
    """A product of two significands.

    Parameters
    ----------
    structure
        "rows", "table", "behavioural" or "dsp".
    weight, activation
        Ranges of the significands.
    weight_bits, activation_bits
        Their widths.
    rows
        Booth rows, first to last (structure "rows" only); neither rows nor a selection where one
        operand is always 1.
    weight_is_multiplier
        Whether the digits are the weight's.
    selection
        What the rows start with, if not with a row.
    pending
        Range of the product's word when a carry of 1 is still to be added to it, else None.
    entries
        Word at each index, the weight's code varying fastest (structure "table" only).
    pairs
        Bits of the table that share a LUT6_2.

    """

    structure: str
    weight: Bounds
    activation: Bounds
    weight_bits: int
    activation_bits: int
    rows: tuple[BoothRow, ...] = ()
    weight_is_multiplier: bool = True
    selection: DigitSelection | SignSelection | None = None
    pending: Bounds | None = None
    entries: tuple[int, ...] = ()
    pairs: tuple[TablePair, ...] = ()

    @property
    def bounds(self) -> Bounds:
        """Range of the product."""
        return self.weight * self.activation

    @property
    def word_bounds(self) -> Bounds:
        """Range of the word that comes out."""
        return self.bounds if self.pending is None else self.pending

    @property
    def row_sites(self) -> int:
        """Sites of rows and selection."""
        return sum(row.width for row in self.rows) + (self.selection.luts if self.selection else 0)


@cache
def plan_product(
    structure: str,
    weight: Bounds,
    weight_bits: int,
    activation: Bounds,
    activation_bits: int,
    primitives: bool = False,
    may_pend: bool = False,
) -> ProductPlan:
    """Return the product of two significands in a given structure.

    `primitives` allows LUT6_2, `may_pend` with it a carry that the adder tree has still to add.
    """
    one = Bounds(1, 1)
    if one in (weight, activation):
        by_weight = weight == one
        return ProductPlan("rows", weight, activation, weight_bits, activation_bits, (), by_weight)
    if structure == "rows" and primitives and may_pend:
        ways = [_rows_product(weight, weight_bits, activation, activation_bits)]
        ways += _selected_products(weight, weight_bits, activation, activation_bits)
        return min(ways, key=lambda way: way.row_sites + way.word_bounds.bits)
    if structure == "rows":
        return _rows_product(weight, weight_bits, activation, activation_bits)
    if structure == "table":
        codes = _numbers(weight, weight_bits), _numbers(activation, activation_bits)
        return table_product(weight, activation, *codes, primitives)
    return ProductPlan(structure, weight, activation, weight_bits, activation_bits)


def table_product(
    weight: Bounds,
    activation: Bounds,
    weights: Sequence[int],
    activations: Sequence[int],
    primitives: bool,
    may_pend: bool = False,
) -> ProductPlan:
    """Return a table of the products of what the codes of two operands mean.

    Where the greatest product alone asks for one bit more, as with (−4)·(−4), the table may hold
    1 less, left pending.
    """
    product = weight * activation
    less = Bounds(product.low - 1, product.high - 1)
    pends = may_pend and product.signed and less.bits < product.bits
    entries = tuple(w * a - pends for a in activations for w in weights)
    word = less if pends else product
    return ProductPlan(
        "table",
        weight,
        activation,
        (len(weights) - 1).bit_length(),
        (len(activations) - 1).bit_length(),
        pending=less if pends else None,
        entries=entries,
        pairs=pair_up(entries, word.bits) if primitives else (),
    )


def _numbers(bounds: Bounds, bits: int) -> list[int]:
    """Return what the codes of a word mean."""
    half = 1 << (bits - 1)
    return [
        code - (1 << bits) if bounds.signed and code >= half else code for code in range(1 << bits)
    ]


def _selected_products(
    weight: Bounds, weight_bits: int, activation: Bounds, activation_bits: int
) -> list[ProductPlan]:
    """Return the products by selection and rows, with the digits of either operand."""
    sides = ((activation, activation_bits), (weight, weight_bits))
    found = []
    for by_weight in (True, False):
        multiplicand, multiplier = sides if by_weight else sides[::-1]
        if multiplier[1] < 2 or (multiplier[0].low == multiplier[0].high):
            continue
        for inverts_zero in (False, True):
            selection, rows, pending = selected_rows(*multiplicand, *multiplier, inverts_zero)
            found.append(
                ProductPlan(
                    "rows",
                    weight,
                    activation,
                    weight_bits,
                    activation_bits,
                    rows,
                    by_weight,
                    selection,
                    pending,
                )
            )
    return found


def _rows_product(
    weight: Bounds, weight_bits: int, activation: Bounds, activation_bits: int
) -> ProductPlan:
    """Return the product of Booth rows only."""
    by_weight = booth_rows(activation, activation_bits, weight, weight_bits)
    by_activation = booth_rows(weight, weight_bits, activation, activation_bits)
    weight_first = sum(r.width for r in by_weight) <= sum(r.width for r in by_activation)
    return ProductPlan(
        "rows",
        weight,
        activation,
        weight_bits,
        activation_bits,
        rows=by_weight if weight_first else by_activation,
        weight_is_multiplier=weight_first,
    )
