"""Floor 2c: the clock a design reaches, by formula: delays along its longest path, added up.

The path leads from the registers before the operands through unpacking, product, shifter, adder
tree and accumulator to the accumulator's own register. Each stretch of it is a number of things in
a row (levels of LUTs, rows of the carry chain, bits that a carry runs through), each of which takes
a time; the times are fitted to clocks that nextpnr-ecp5 reports after placing and routing out of
context (`hw.timing`), relative errors least, none negative. `sweeps.clock` measures and fits.

Of a pipelined design the path is that of `hw.pipeline`, which places the registers in the netlist.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from costmodel.model import estimate
from hw.plan import (
    AccumulatePlan,
    CorePlan,
    FloatAccumulatePlan,
    FloatCorePlan,
    LanePlan,
    Plan,
    ProductPlan,
    ScalePlan,
    WindowAccumulatePlan,
    WindowLanePlan,
)

Path = dict[str, float]
"""How often each thing of `THINGS` lies on the path."""

THINGS = {
    "registers": "clock to output, set-up, and the routing around them",
    "array": "the same in a cell of an array",
    "luts": "a function of a few bits, in LUTs",
    "gated": "a special operand made 0",
    "signs": "a product's sign made its word's",
    "table": "a product looked up",
    "dsp": "a product in a DSP block",
    "multiplier": "a multiplier as Yosys builds it",
    "multiplier_levels": "its depth, logarithm of the narrower operand's bits",
    "booth_rows": "rows of a product",
    "booth_bits": "bits of these rows",
    "exponents": "a sum of exponents",
    "shift": "levels of a shifter",
    "tree_rows": "rows of an adder tree",
    "tree_bits": "bits of these rows",
    "add": "the row of an accumulator",
    "add_bits": "its bits",
    "saturate": "clamping",
    "window": "the comparison of exponents of an alignment window",
    "window_maximum": "levels of the maximum of exponents",
    "window_shift": "levels of its two shifters",
    "window_bits": "bits of the window",
    "window_exponent": "bits of its exponents",
    "scales": "a sum of scales",
    "float": "unpacking and packing of a floating accumulator",
    "float_align": "levels of its alignment",
    "float_distance": "bits of the distance of exponents",
    "float_normalize": "levels of its normalisation",
    "float_bits": "bits of its sum",
    "crowd": "doublings of the LUTs of a core, from 16 on: longer wires",
}
"""What paths are made of."""
SMALL_SUM = 4
"""Yosys makes sums of so few bits of plain LUTs on this target."""
CLOCKED = ("ecp5",)


@dataclass(frozen=True, slots=True)
class Clock:
    """A clock by formula.

    Parameters
    ----------
    fmax_mhz
        Estimate of the median over three seeds of placement.
    path_ns
        The period it comes from.
    error_percent
        Mean absolute error on designs the times were not fitted to.

    """

    fmax_mhz: float
    path_ns: float
    error_percent: float


@dataclass(frozen=True, slots=True)
class Delays:
    """Times of a target.

    Parameters
    ----------
    things_ns
        Of each of `THINGS`.
    stage_ns, stage_factor
        A pipelined design's period is ``stage_ns + stage_factor · path``.
    error_percent
        See `Clock`.

    """

    things_ns: dict[str, float]
    stage_ns: float
    stage_factor: float
    error_percent: float


@cache
def delays(target: str) -> Delays:
    """Return the times of a target.

    Raises
    ------
    ValueError
        If they are not known.

    """
    if target not in CLOCKED:
        raise ValueError(f"clocks are estimated for {', '.join(CLOCKED)}, not for {target}")
    import yaml

    file = files("costmodel") / "data" / f"clock_{target}.yaml"
    return Delays(**yaml.safe_load(file.read_text(encoding="utf-8")))


def clock(built: Plan, stage_ns: float | None = None) -> Clock:
    """Return the clock of a plan.

    Parameters
    ----------
    built
        The plan.
    stage_ns
        Of a pipelined design: the longest path between its registers as `hw.pipeline` has it (the
        `path_ns` of the emitted record).

    Raises
    ------
    ValueError
        If the target's times are not known, the model has no path for the design, or a pipelined
        design comes without its path.

    """
    known = delays(built.target.name)
    if built.design.pipeline:
        if stage_ns is None:
            raise ValueError(
                f"the path of {built.design.slug} depends on where its registers are placed: "
                f"emit it first"
            )
        period = known.stage_ns + known.stage_factor * stage_ns
    else:
        period = sum(known.things_ns[name] * count for name, count in path(built).items())
    return Clock(1000 / period, period, known.error_percent)


def path(built: Plan) -> Path:
    """Return what the longest path of an unpipelined plan is made of.

    Raises
    ------
    ValueError
        If the model has no path for such a core.

    """
    core, found = built.core, _Counted()
    if not isinstance(core, CorePlan | FloatCorePlan):
        raise ValueError(f"the model of clocks has no path for a {type(core).__name__}")
    found.add("array" if built.array is not None else "registers")
    bits = _lane(found, core)
    _tree(found, core.lanes, bits)
    if isinstance(core, FloatCorePlan):
        _floating(found, core.accumulate, core.scale)
    elif isinstance(core.accumulate, WindowAccumulatePlan):
        _window(found, core, core.accumulate)
    elif isinstance(core.accumulate, AccumulatePlan):
        _add(found, core.accumulate)
    else:
        raise ValueError(f"the model of clocks has no path for a {type(core.accumulate).__name__}")
    lut = estimate(built).lut / built.design.cores
    found.add("crowd", math.log2(max(lut / 16, 1)))
    return found.things


class _Counted:
    """Things on a path, with their counts so far."""

    def __init__(self) -> None:
        self.things: Path = {}

    def add(self, name: str, count: float = 1) -> None:
        """Put something on the path."""
        if count:
            self.things[name] = self.things.get(name, 0.0) + count


def _lane(found: _Counted, core: CorePlan | FloatCorePlan) -> int:
    """Put a lane on the path; return the bits of its word."""
    lane = core.lane
    product = getattr(lane, "product", None)
    if not isinstance(product, ProductPlan):
        raise ValueError(f"the model of clocks has no path for a {type(lane).__name__}")
    operands = (getattr(lane, "weight", None), getattr(lane, "activation", None))
    found.add("gated", any(operand.gated for operand in operands if operand is not None))
    _product(found, product)
    if isinstance(lane, WindowLanePlan):
        found.add("exponents", lane.exponents is not None)
        return core.align.window_bits if isinstance(core, CorePlan) and core.align else 0
    if isinstance(lane, LanePlan):
        found.add("signs", lane.has_negate or lane.signs_apart)
        if lane.shift is not None:
            found.add("shift", len(lane.shift.levels))
            found.add("exponents", len(lane.shift.exponents.field_bits) > 1)
        return lane.bounds.bits
    found.add("exponents")
    return product.bounds.bits


def _product(found: _Counted, product: ProductPlan) -> None:
    bits = product.weight_bits + product.activation_bits
    match product.structure:
        case "rows":
            found.add("booth_rows", len(product.rows))
            found.add("booth_bits", sum(row.width for row in product.rows))
        case "table":
            found.add("table", max(bits - SMALL_SUM, 1) / SMALL_SUM)
        case "dsp":
            found.add("dsp")
        case _ if bits <= SMALL_SUM:
            found.add("luts")
        case _:
            least = min(product.weight.bits, product.activation.bits)
            found.add("multiplier")
            found.add("multiplier_levels", math.log2(max(least, 1)))


def _tree(found: _Counted, lanes: int, bits: int) -> None:
    for level in range((lanes - 1).bit_length()):
        width = bits + level + 1
        if width <= SMALL_SUM:
            found.add("luts")
        else:
            found.add("tree_rows")
            found.add("tree_bits", width)


def _add(found: _Counted, accumulate: AccumulatePlan) -> None:
    found.add("add", accumulate.sum_bits > SMALL_SUM)
    found.add("add_bits", accumulate.sum_bits)
    found.add("saturate", accumulate.kind.value == "saturate")


def _window(found: _Counted, core: CorePlan, accumulate: WindowAccumulatePlan) -> None:
    found.add("window")
    found.add("window_maximum", (core.lanes - 1).bit_length())
    align = core.align.levels if core.align is not None else ()
    found.add("window_shift", len(accumulate.levels) + len(align))
    found.add("window_bits", accumulate.bits)
    found.add("window_exponent", accumulate.exponent_bits)


def _floating(found: _Counted, accumulate: FloatAccumulatePlan, scale: ScalePlan | None) -> None:
    found.add("float")
    found.add("float_align", len(accumulate.align_levels))
    found.add("float_distance", accumulate.distance_bits)
    found.add("float_normalize", len(accumulate.normalize_levels))
    found.add("float_bits", accumulate.sum_bits)
    found.add("scales", scale is not None)
