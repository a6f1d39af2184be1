"""Floor 2b: what the right bits are, on Python integers, one clock at a time. Naive on purpose.

A core (`hw.design`) adds the products of a step to its accumulator. The accumulators:

exact
    ``accumulator_bits`` wide; `overflow` rises when accumulator plus tree does not fit and stays
    up to the end of the sum, and the sum wraps.
wrap, saturate
    Applied once per step, to the accumulator plus the whole tree.
window
    An operand is ``sign · m · 2^e``: m is the significand with its hidden bit and
    ``e = max(exponent field, 1) - 1`` for minifloats, m is the magnitude and e = 0 for fixed point.
    Product i has ``P = m_w·m_a`` and ``E = e_w + e_a``. With the running maximum exponent X (0 at
    the start of a sum) and G guard bits, one step is ::

        X' = max(X, E of every product that is not 0)
        s  = (accumulator >> (X' - X), rounding down) + Σ ± ((P << G) >> (X' - E))

    Bits shifted out are lost; `overflow` as for exact. Value: total · 2^(X' + design.lsb_exponent).
binned
    A sum for each group of exponents (`hw.design.binned`); `overflow` rises when one of them wraps,
    and `total` is the sum of all, wrapped to ``accumulator_bits``.
float
    `total` is a code of the accumulator's format: see `sim.golden.floating`.

In the mode "once" of saturate and float, a register of ``exact_bits`` keeps the sum as exact does,
and `total` is that register clamped, or rounded.

A special operand contributes 0. A product is NaN if an operand is NaN or if it is infinity times
zero, and infinite if an operand is; flags stay up to the end of the sum, and `nan` also rises when
both infinities have been seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hw.accumulators import AccumulatorKind
from hw.design import Design, MxDotProduct, is_signs
from hw.design.binned import bins_of
from hw.formats import Format, MinifloatFormat, Special
from sim.golden import floating, mx


@dataclass(frozen=True, slots=True)
class Output:
    """What a core shows one cycle after a step.

    Parameters
    ----------
    total
        The running sum, this step included, as a signed integer; a code if the accumulator is
        floating.
    total_valid
        Whether this step ended its sum.
    flags
        The design's flags by name, this step included.
    exponent
        Running maximum exponent of a window design, else 0.

    """

    total: int
    total_valid: bool
    flags: dict[str, bool]
    exponent: int


class GoldenCore:
    """The accumulation core of a design: what every implementation must equal, bit for bit.

    Parameters
    ----------
    design
        A MAC, a dot product, or an array, of which this is one cell.

    """

    def __init__(self, design: Design) -> None:
        self.design = design
        self.reset()

    def reset(self) -> None:
        """Forget the sum, as a cycle with ``rst`` high does."""
        self._total = 0
        self._register = 0
        self._exponent = 0
        self._bins: dict[int, int] = {}
        self._flags: set[str] = set()

    def step(self, weights: Sequence[int], activations: Sequence[int], last: bool) -> Output:
        """Add the products of one step (one code per lane) and return what is shown after it.

        An MX dot product takes the code of the scale after those of the lanes.

        Raises
        ------
        ValueError
            If there is not one code per lane, or a code is not one of its format.

        """
        design, codes = self.design, self.design.operand_codes
        if len(weights) != codes or len(activations) != codes:
            raise ValueError(
                f"{design.slug} takes {codes} weights and as many activations per step, "
                f"not {len(weights)} and {len(activations)}"
            )
        if isinstance(design, MxDotProduct):
            shown = Output(mx.stepped(design, self._total, weights, activations), bool(last), {}, 0)
            self._total = 0 if last else shown.total
            return shown
        pairs = list(zip(map(int, weights), map(int, activations), strict=True))
        for weight, activation in pairs:
            self._flags |= product_flags(design.weight, weight, design.activation, activation)
        if {"pos_inf", "neg_inf"} <= self._flags:
            self._flags.add("nan")
        self._accumulate(pairs)
        flags = {name: name in self._flags for name in design.flags}
        output = Output(self._total, bool(last), flags, self._exponent)
        if last:
            self.reset()
        return output

    def _accumulate(self, pairs: list[tuple[int, int]]) -> None:
        design = self.design
        if design.accumulator.is_once:
            self._register = self._kept(self._register + self._tree(pairs), design.exact_bits)
            self._total = self._shown()
        elif design.is_floating:
            self._total = floating.stepped(design, self._total, pairs)
        elif design.is_window:
            self._total = self._kept(self._window_sum(pairs), design.accumulator_bits)
        elif design.is_binned:
            self._total = self._binned_sum(pairs)
        elif design.accumulator.kind is AccumulatorKind.SATURATE:
            self._total = clamped(self._total + self._tree(pairs), design.accumulator_bits)
        else:
            self._total = self._kept(self._total + self._tree(pairs), design.accumulator_bits)

    def _tree(self, pairs: list[tuple[int, int]]) -> int:
        weight, activation = self.design.weight, self.design.activation
        return sum(weight.integer(w) * activation.integer(a) for w, a in pairs)

    def _kept(self, total: int, bits: int) -> int:
        """Wrap to a register and note whether that changed anything."""
        kept = wrapped(total, bits)
        if kept != total:
            self._flags.add("overflow")
        return kept

    def _shown(self) -> int:
        design = self.design
        if design.is_floating:
            return floating.shown(design, self._register, self._flags)
        return clamped(self._register, design.accumulator_bits)

    def _binned_sum(self, pairs: list[tuple[int, int]]) -> int:
        design, bins = self.design, bins_of(self.design)
        for w, a in pairs:
            weight, weight_shift = significand(design.weight, w)
            activation, activation_shift = significand(design.activation, a)
            place = weight_shift + activation_shift + bins.offset
            number, inner = divmod(place, bins.step)
            added = self._bins.get(number - bins.first, 0) + (weight * activation << inner)
            self._bins[number - bins.first] = self._kept(added, bins.bits)
        sums = [self._bins.get(number, 0) for number in range(bins.count)]
        return wrapped(bins.total(sums), bins.total_bits)

    def _window_sum(self, pairs: list[tuple[int, int]]) -> int:
        design = self.design
        products = []
        for w, a in pairs:
            weight, weight_exponent = significand(design.weight, w)
            activation, activation_exponent = significand(design.activation, a)
            products.append((weight * activation, weight_exponent + activation_exponent))
        top = max([self._exponent, *(exponent for product, exponent in products if product)])
        total = self._total >> (top - self._exponent)
        for product, exponent in products:
            if product:
                aligned = (abs(product) << design.guard_bits) >> (top - exponent)
                total += aligned if product > 0 else -aligned
        self._exponent = top
        return total


def wrapped(value: int, bits: int) -> int:
    """Return the two's complement reading of the lowest `bits` bits."""
    half = 1 << (bits - 1)
    return (value + half) % (2 * half) - half


def clamped(value: int, bits: int) -> int:
    """Return the two's complement integer of so many bits that is nearest."""
    half = 1 << (bits - 1)
    return min(max(value, -half), half - 1)


def significand(format: Format, code: int) -> tuple[int, int]:
    """Return (signed significand, exponent shift) of a code; specials give 0."""
    if format.special(code) is not None:
        return 0, 0
    if not isinstance(format, MinifloatFormat):
        return format.integer(code), 0
    shift = max(format.fields(code)[1], 1) - 1
    return format.integer(code) // (1 << shift), shift


def product_flags(
    weight_format: Format, weight: int, activation_format: Format, activation: int
) -> set[str]:
    """Return the flags a product of two codes raises: nothing, `nan`, `pos_inf` or `neg_inf`."""
    signs = []
    special = False
    for format, code in ((weight_format, weight), (activation_format, activation)):
        value = None if is_signs(format) else format.special(code)
        if value is Special.NAN:
            return {"nan"}
        special |= value is not None
        signs.append(format.integer(code) if value is None else _sign(value))
    if not special:
        return set()
    if 0 in signs:
        return {"nan"}
    return {"neg_inf"} if (signs[0] < 0) != (signs[1] < 0) else {"pos_inf"}


def _sign(infinity: Special) -> int:
    return 1 if infinity is Special.POS_INF else -1


def array_results(
    design: Design, weights: Sequence[Sequence[int]], activations: Sequence[Sequence[int]]
) -> list[list[Output]]:
    """Return the results of one tile of an array, row by row.

    Parameters
    ----------
    design
        Its cells add one product per lane and beat.
    weights
        Codes, k by k: one per column. A beat takes as many k as the design has lanes.
    activations
        Codes, row by row: one per k.

    """
    return [
        [
            _cell(design, [beat[column] for beat in weights], row)
            for column in range(len(weights[0]))
        ]
        for row in activations
    ]


def _cell(design: Design, weights: Sequence[int], activations: Sequence[int]) -> Output:
    count, lanes = len(weights), design.lanes
    if count != len(activations):
        raise ValueError(
            f"a tile has as many k of activations as of weights, not {len(activations)} and {count}"
        )
    if not count or count % lanes:
        raise ValueError(f"a tile has whole beats of {lanes} k, not {count}")
    core = GoldenCore(design)
    for start in range(0, count, lanes):
        beat = slice(start, start + lanes)
        output = core.step(weights[beat], activations[beat], start + lanes == count)
    return output
