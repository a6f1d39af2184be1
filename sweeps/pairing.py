"""Floor 4. Pairs of formats and schemes of scales: how they multiply, and the design that does it.

- Single codes, scales per tensor, channel or token: the design a sweep states; scales are applied
  outside, to whole sums.
- Blocks with power-of-two scales on a side (MX, `bfp`, groups of single codes at ``@e8m0``):
  `mxdot`, as many lanes as the smaller block; a side without blocks has the scale 1 there. Elements
  that are sign and magnitude go in as two's complement. Second scales (of a tensor or row) are
  outside.
- `bitmod3`, `bitmod4` with 8-bit scales × int8 or fp16: `bitmod`, or `bitmodtile` where the sweep
  states a tile or an array.
- Other scales of blocks or groups: no hardware; the reason is told. What is measured then is an
  fp32 accumulator rounded once per block, as `mxdot` has it, and for groups of single codes exact
  sums, scaled and added in float64, group after group.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from hw.design import Design, from_record
from hw.design.bitmod import BitmodPe
from hw.formats import FixedFormat, Format, MinifloatFormat
from hw.formats.bitmod_datatypes import weight_datatype
from hw.formats.block import BlockFormat
from hw.formats.mixture import MixtureFormat
from sweeps.scales import Scheme

AnyFormat = Format | BlockFormat | MixtureFormat
BLOCK_ACCUMULATOR = "float:fp32:step"
_E8M0_POWERS = (-127, 127)
_BITMOD = {"bitmod3": "fp3", "bitmod4": "fp4"}
_LEAST_LENGTH = 4096
"""Weights per output that a BitMoD element is made for, at least: its own default."""


def has_own_scales(format: AnyFormat) -> bool:
    """Whether a format's name says its scales: blocks and mixtures."""
    return not isinstance(format, Format)


def is_in_blocks(weight: AnyFormat, activation: AnyFormat, scheme: Scheme) -> bool:
    """Whether sums are rounded block by block."""
    own = has_own_scales(weight) or has_own_scales(activation)
    return own or scheme.has_power_groups


def relevant(weight: AnyFormat, activation: AnyFormat, scheme: Scheme) -> Scheme | None:
    """The scheme as far as it matters to a pair; None where both bring their own scales."""
    own = has_own_scales(weight), has_own_scales(activation)
    if all(own):
        return None
    dynamic = scheme.is_dynamic and not own[1]
    if own[0]:  # what was said of groups was said of weights, their scale format too
        format = None if scheme.group else scheme.format
        return Scheme(scheme.method, scheme.percent, None, False, dynamic, format)
    return replace(scheme, is_dynamic=dynamic)


def step_lanes(weight: AnyFormat, activation: AnyFormat, scheme: Scheme, usual: int) -> int:
    """Products that share both scales: the smaller block; `usual` where there is none.

    Raises
    ------
    ValueError
        If one block does not divide the other.
    """
    sizes = [
        getattr(weight, "block_size", scheme.group),
        getattr(activation, "block_size", None),
    ]
    known = sorted(size for size in sizes if size)
    if len(known) == 2 and known[1] % known[0]:
        raise ValueError(
            f"the blocks of one operand divide those of the other, {weight} and {activation} "
            f"have {sizes[0]} and {sizes[1]} terms"
        )
    return known[0] if known else usual


def storage_bits(format: AnyFormat, group: int | None = None, scale: Format | None = None) -> float:
    """Bits of a value with its share of the scales; scales per tensor, row or channel count 0."""
    if not isinstance(format, Format):
        return float(format.bits_per_element)
    return format.bits + ((scale.bits if scale else 64) / group if group else 0.0)


def element_of(format: AnyFormat) -> Format:
    """The format of a single element, as hardware takes it; of a mixture the first codebook."""
    if isinstance(format, MixtureFormat):
        return format.codebooks[0]
    element = format.element if isinstance(format, BlockFormat) else format
    if isinstance(element, MinifloatFormat) and element.exponent_bits == 0:
        return FixedFormat(element.bits, element.bits + element.lsb_exponent)
    return element


@dataclass(frozen=True, slots=True)
class Hardware:
    """The design that multiplies a pair, or why there is none.

    Parameters
    ----------
    design
        None if there is no hardware.
    reason
        Why; empty if there is.
    lanes
        Products per clock cycle.

    """

    design: Design | None
    reason: str
    lanes: int


def hardware(
    weight: AnyFormat,
    activation: AnyFormat,
    scheme: Scheme,
    common: Mapping[str, Any],
    accumulator: str,
    terms: int,
) -> Hardware:
    """The design for a pair.

    Parameters
    ----------
    weight, activation, scheme
        The pair and its scales.
    common
        What a sweep states of its design: kind, sides, lanes, specials, structure.
    accumulator
        A name; of blocks a floating one.
    terms
        Products in the largest sum.

    Raises
    ------
    ValueError
        For a pair of single codes that the stated design cannot have, or blocks that do not
        divide each other.
    """
    lanes = int(common.get("lanes", 1))
    if not is_in_blocks(weight, activation, scheme):
        if scheme.group:
            named = scheme.format.name if scheme.format else "float64"
            reason = f"scales per group in {named} need a multiplier behind the sums: no design has"
            return Hardware(None, reason, lanes)
        names = {"weight": weight.name, "activation": activation.name, "accumulator": accumulator}
        design = from_record({**common, **names})
        return Hardware(design, "", design.lanes * design.cores)
    if isinstance(weight, MixtureFormat) or isinstance(activation, MixtureFormat):
        return _bitmod(weight, activation, common, terms)
    lanes = step_lanes(weight, activation, scheme, lanes)
    for format in (weight, activation):
        if isinstance(format, BlockFormat) and not _is_e8m0(format):
            reason = f"mxdot has e8m0 scales, {format} has {format.scale_format} ones"
            return Hardware(None, reason, lanes)
    record = {
        "kind": "mxdot",
        "weight": element_of(weight).name,
        "activation": element_of(activation).name,
        "accumulator": accumulator,
        "lanes": lanes,
        "specials": common.get("specials", "ignore"),
    }
    return _built(record, lanes)


def is_bitmod(weight: AnyFormat, activation: AnyFormat) -> bool:
    """Whether a BitMoD element takes the pair: 8-bit scales, int8 or fp16 activations."""
    if not isinstance(weight, MixtureFormat) or activation.name not in ("int8", "fp16"):
        return False
    return weight.name.partition("<")[0] in _BITMOD and weight.scale_kind == "int8"


def bitmod_element(weight: MixtureFormat, activation: Format, terms: int) -> BitmodPe:
    """The element for sums of `terms` products, the last group filled with zeros.

    Raises
    ------
    ValueError
        For groups that it does not have.
    """
    length = -(-max(terms, _LEAST_LENGTH) // weight.block_size) * weight.block_size
    return BitmodPe(
        activation=activation,
        group=weight.block_size,
        length=length,
        datatypes=(_BITMOD[weight.name.partition("<")[0]],),
    )


def _bitmod(
    weight: AnyFormat, activation: AnyFormat, common: Mapping[str, Any], terms: int
) -> Hardware:
    if not is_bitmod(weight, activation):
        reason = "bitmod elements take bitmod3 or bitmod4 (8-bit scales) times int8 or fp16"
        return Hardware(None, reason, 1)
    assert isinstance(weight, MixtureFormat)
    assert isinstance(activation, Format)
    try:
        element = bitmod_element(weight, activation, terms)
    except ValueError as error:
        return Hardware(None, str(error), 1)
    record = element.to_record()
    sides = {key: common[key] for key in ("rows", "columns") if key in common}
    if common.get("kind") in ("tile", "array"):
        record |= {"kind": "bitmodtile", **sides}
    made = _built(record | {"specials": common.get("specials", "ignore")}, 1)
    if made.design is None:
        return made
    cycles = weight_datatype(element.datatypes[0]).cycles
    lanes = Fraction(made.design.lanes * made.design.cores, cycles)
    return Hardware(made.design, "", int(lanes))


def _built(record: Mapping[str, Any], lanes: int) -> Hardware:
    try:
        return Hardware(from_record(record), "", lanes)
    except ValueError as error:
        return Hardware(None, str(error), lanes)


def _is_e8m0(format: BlockFormat) -> bool:
    """Whether an E8M0 scale can say every scale of the format."""
    powers = format.scale_powers
    return powers is not None and _E8M0_POWERS[0] <= powers[0] and powers[1] <= _E8M0_POWERS[1]
