"""Floor 0: minifloats as the fields of a QONNX `FloatQuant` node, and back.

Source: QONNX custom operators, ``docs/qonnx-custom-ops/floatquant_v1.md`` of
fastmachinelearning/qonnx. There `has_infinity`, `has_nan`, `has_subnormal` (1 unless given) and
`saturation` (1 unless given) only inform; `max_val` is what limits values. The implementation
spells the first `has_inf`; both are accepted. Nodes are signed, and have −0.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from hw.formats.base import Overflow, Specials
from hw.formats.minifloat import MinifloatFormat

FIELDS = (
    *("exponent_bitwidth", "mantissa_bitwidth", "exponent_bias", "max_val"),
    *("has_infinity", "has_inf", "has_nan", "has_subnormal", "saturation", "signed"),
)
_KINDS = {
    (False, False): (Specials.FINITE,),
    (False, True): (Specials.FN, Specials.FNUZ),
    (True, True): (Specials.IEEE, Specials.EXTENDED),
}
"""(infinity, NaN) → kinds, told apart by `max_val`; the first where it is not given."""


def to_fields(
    format: MinifloatFormat, overflow: Overflow = Overflow.SATURATE
) -> dict[str, int | float]:
    """Return the fields of a `FloatQuant` node.

    Parameters
    ----------
    format
        A signed minifloat with E and M at least 1.
    overflow
        SATURATE, or TO_INFINITY where the format has infinities or NaN.

    Raises
    ------
    ValueError
        For a format or an overflow mode that these fields do not describe.

    """
    if not isinstance(format, MinifloatFormat):
        raise ValueError(f"QONNX FloatQuant describes minifloats, not {format}")
    if not format.signed:
        raise ValueError(f"QONNX FloatQuant is signed, {format} is not")
    _check_widths(format.exponent_bits, format.fraction_bits)
    if overflow not in (Overflow.SATURATE, Overflow.TO_INFINITY):
        raise ValueError(f"QONNX saturation means saturate or to_infinity, not {overflow.value}")
    _check_overflow(format, overflow)
    fields: dict[str, int | float] = {
        "exponent_bitwidth": format.exponent_bits,
        "mantissa_bitwidth": format.fraction_bits,
        "exponent_bias": format.bias,
        "max_val": float(format.maximum),
        "has_infinity": int(format.has_infinity),
        "has_nan": int(format.has_specials),
        "has_subnormal": int(format.subnormals),
        "saturation": int(overflow is Overflow.SATURATE),
    }
    if from_fields(fields)[0] != format:
        raise ValueError(f"QONNX FloatQuant has no field that tells {format} from its like")
    return fields


def from_fields(fields: Mapping[str, Any]) -> tuple[MinifloatFormat, Overflow]:
    """Return the format and the overflow mode that the fields of a `FloatQuant` node describe.

    Parameters
    ----------
    fields
        Both widths and the bias are needed. Numbers of any type, or what `float` takes.

    Raises
    ------
    ValueError
        For fields that are missing, unknown or not whole; for a combination no format has.

    """
    for name in fields:
        if name not in FIELDS:
            near = difflib.get_close_matches(str(name), FIELDS, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f" (fields: {', '.join(FIELDS)})"
            raise ValueError(f"QONNX FloatQuant has no field {name!r}{hint}")
    exponent_bits, fraction_bits = (
        _whole(fields, name) for name in ("exponent_bitwidth", "mantissa_bitwidth")
    )
    _check_widths(exponent_bits, fraction_bits)
    if not _flag(fields, "signed", True):
        raise ValueError("QONNX FloatQuant is signed: field signed is 1, not 0")
    bias = _whole(fields, "exponent_bias")
    subnormals = _flag(fields, "has_subnormal", True)
    format = _chosen(fields, exponent_bits, fraction_bits, bias, subnormals)
    saturates = _flag(fields, "saturation", True)
    overflow = Overflow.SATURATE if saturates else Overflow.TO_INFINITY
    _check_overflow(format, overflow)
    return format, overflow


def _chosen(
    fields: Mapping[str, Any], exponent_bits: int, fraction_bits: int, bias: int, subnormals: bool
) -> MinifloatFormat:
    infinity, nan = _has_infinity(fields), _flag(fields, "has_nan", False)
    if infinity and not nan:
        raise ValueError("no format has infinities and no NaN: has_infinity is 1, has_nan is 0")
    found = []
    for specials in _KINDS[infinity, nan]:
        try:
            format = MinifloatFormat(
                exponent_bits, fraction_bits, specials, bias, subnormals=subnormals
            )
        except ValueError:
            continue
        if format.specials is specials:
            found.append(format)
    split = f"e{exponent_bits}m{fraction_bits}"
    if not found:
        raise ValueError(f"no {split} has has_infinity {infinity:d} and has_nan {nan:d}")
    wanted = _maximum(fields)
    for format in found:
        if wanted is None or format.maximum == wanted:
            return format
    maxima = " or ".join(str(float(format.maximum)) for format in found)
    raise ValueError(
        f"max_val of {split} with bias {bias}, has_infinity {infinity:d} and has_nan {nan:d} is "
        f"{maxima}, not {float(wanted or 0)}"
    )


def _check_widths(exponent_bits: int, fraction_bits: int) -> None:
    for name, bits in (("exponent", exponent_bits), ("mantissa", fraction_bits)):
        if bits < 1:
            raise ValueError(f"QONNX {name}_bitwidth is at least 1, not {bits}")


def _check_overflow(format: MinifloatFormat, overflow: Overflow) -> None:
    if overflow is Overflow.TO_INFINITY and not format.has_specials:
        raise ValueError(f"saturation 0 needs infinities or NaN, {format} has neither")


def _has_infinity(fields: Mapping[str, Any]) -> bool:
    spellings = [name for name in ("has_infinity", "has_inf") if name in fields]
    values = {_flag(fields, name, False) for name in spellings}
    if len(values) > 1:
        raise ValueError("has_infinity and has_inf contradict each other")
    return values == {True}


def _number(fields: Mapping[str, Any], name: str) -> float:
    if name not in fields:
        raise ValueError(f"QONNX FloatQuant needs the field {name}")
    try:
        return float(fields[name])
    except (TypeError, ValueError):
        raise ValueError(f"QONNX {name} is one number, not {fields[name]!r}") from None


def _whole(fields: Mapping[str, Any], name: str) -> int:
    value = _number(fields, name)
    if not math.isfinite(value) or value != int(value):
        hint = "; put the rest of a real bias into the scale" if name == "exponent_bias" else ""
        raise ValueError(f"QONNX {name} is a whole number here, not {value}{hint}")
    return int(value)


def _flag(fields: Mapping[str, Any], name: str, usual: bool) -> bool:
    if name not in fields:
        return usual
    value = _number(fields, name)
    if value not in (0.0, 1.0):
        raise ValueError(f"QONNX {name} is 0 or 1, not {fields[name]!r}")
    return value == 1.0


def _maximum(fields: Mapping[str, Any]) -> Fraction | None:
    if fields.get("max_val") is None:
        return None
    value = _number(fields, "max_val")
    if not math.isfinite(value):
        raise ValueError(f"QONNX max_val is finite, not {value}")
    return Fraction(value)
