"""Floor 0: names of block formats: those of the literature, and ``block<…>`` for any other."""

from __future__ import annotations

import re
from collections.abc import Callable

from hw.formats.base import Format, Specials
from hw.formats.block import BlockFormat, Outer
from hw.formats.exponent import E8M0, ExponentFormat
from hw.formats.fixed import FixedFormat
from hw.formats.minifloat import MinifloatFormat
from hw.formats.rules import Rule
from hw.formats.scale import ScaleRule

MX_SIZE = 32
_E4M3 = MinifloatFormat(4, 3, Specials.FN)
_E2M1 = MinifloatFormat(2, 1)
_MX_ELEMENTS: dict[str, Format] = {
    "mxfp8e4m3": _E4M3,
    "mxfp8e5m2": MinifloatFormat(5, 2, Specials.IEEE),
    "mxfp6e3m2": MinifloatFormat(3, 2),
    "mxfp6e2m3": MinifloatFormat(2, 3),
    "mxfp4": _E2M1,
    "mxint8": FixedFormat(8, 2),
}


def nvfp4() -> BlockFormat:
    """Return NVFP4: E2M1 in blocks of 16, E4M3 scales, one binary32 scale per tensor."""
    return BlockFormat(_E2M1, 16, _E4M3, ScaleRule.ROUND, Outer.TENSOR)


def mx(name: str, rule: ScaleRule = ScaleRule.FLOOR) -> BlockFormat:
    """Return an OCP MX format by name: blocks of 32 with E8M0 scales."""
    return BlockFormat(_MX_ELEMENTS[name], MX_SIZE, E8M0, rule)


def bfp(bits: int, size: int, rule: ScaleRule = ScaleRule.FLOOR) -> BlockFormat:
    """Return block floating point: sign-magnitude integers of `bits` bits, an 8-bit exponent.

    MSFP-12 is ``bfp<4,16>``, MSFP-16 ``bfp<8,16>`` (Darvish Rouhani et al., NeurIPS 2020); HBFP8
    (Drumond et al., NeurIPS 2018) has tiles of 576.
    """
    if not 2 <= bits <= 16:
        raise ValueError(f"the elements of bfp<> have 2..16 bits, not {bits}")
    integers = MinifloatFormat(0, bits - 1, Specials.FINITE, bias=2 - bits)
    return BlockFormat(integers, size, E8M0, rule)


def dfp(bits: int) -> BlockFormat:
    """Return dynamic fixed point: integers that share one exponent per tensor.

    Source: Das et al., arXiv 1802.00930 (16 bits). Flexpoint (Köster et al., NeurIPS 2017) has
    the same values.
    """
    return BlockFormat(FixedFormat(bits, bits), None, E8M0)


def shift(bits: int, groups: int, size: int) -> BlockFormat:
    """Return the groups of ShiftQuant: ``x ≈ G · 2^-k · integer``, k in ``0 … groups - 1``.

    ``k = floor(log2(r_max / r_block))``, ``G = r_max / (2^(bits-1) - 1)``. Source: Guo et al.,
    arXiv 2411.10948; `groups` must be a power of two here, 2 to 256.
    """
    width = groups.bit_length() - 1
    if groups != 1 << width or not 1 <= width <= 8:
        raise ValueError(f"the groups of shift<> are a power of two in 2..256, not {groups}")
    scale = ExponentFormat(width, groups - 1)
    return BlockFormat(FixedFormat(bits, bits), size, scale, ScaleRule.CEIL, Outer.TENSOR)


def vsq(bits: int, scale_bits: int, size: int) -> BlockFormat:
    """Return VS-Quant: integers with an unsigned integer scale per vector, binary32 per row.

    Source: Dai et al., MLSys 2021.
    """
    scale = FixedFormat(scale_bits, scale_bits, is_signed=False)
    return BlockFormat(FixedFormat(bits, bits), size, scale, ScaleRule.ROUND, Outer.ROW)


def name_of(format: BlockFormat) -> str:
    """Return the shortest name of the grammar for a block format."""
    rule = "" if format.scale_rule is ScaleRule.FLOOR else format.scale_rule.value
    for name in _MX_ELEMENTS:
        if format == mx(name, format.scale_rule):
            return f"{name}<{rule}>" if rule else name
    if format == nvfp4():
        return "nvfp4"
    return _short_name(format, rule) or _general_name(format)


def _short_name(format: BlockFormat, rule: str) -> str | None:
    bits, size = format.element.bits, format.block_size
    if size is None:
        return f"dfp{bits}" if bits > 1 and format == dfp(bits) else None
    if bits > 1 and format == bfp(bits, size, format.scale_rule):
        return f"bfp<{bits},{size}{',' + rule if rule else ''}>"
    scale = format.scale_format
    if isinstance(scale, ExponentFormat) and format == _shift_of(bits, scale, size):
        return f"shift<{bits},{1 << scale.width},{size}>"
    if bits > 1 and isinstance(scale, FixedFormat) and format == vsq(bits, scale.bits, size):
        return f"vsq<{bits},{scale.bits},{size}>"
    return None


def _shift_of(bits: int, scale: ExponentFormat, size: int) -> BlockFormat | None:
    return shift(bits, 1 << scale.width, size) if bits > 1 else None


def _general_name(format: BlockFormat) -> str:
    parts = [
        format.element.name,
        "tensor" if format.block_size is None else str(format.block_size),
        format.scale_format.name,
        format.scale_rule.value,
    ]
    if format.outer is not Outer.NONE:
        parts.append(format.outer.value)
    return f"block<{','.join(parts)}>"


def rules(parse_element: Callable[[str], Format]) -> tuple[Rule[BlockFormat], ...]:
    """Return the rules of the grammar; elements and scales are read by `parse_element`."""

    def general(match: re.Match[str]) -> BlockFormat:
        size = None if match["size"] == "tensor" else int(match["size"])
        return BlockFormat(
            parse_element(match["element"]),
            size,
            parse_element(match["scale"]),
            ScaleRule(match["rule"]),
            Outer(match["outer"] or "none"),
        )

    return (*_RULES, Rule(re.compile(_GENERAL), general))


_RULE = "|".join(rule.value for rule in ScaleRule)
_SCALE = r"[a-z][a-z0-9]*(?:[<_]\d+[,_][-n]?\d+>?)?"
_GENERAL = (
    rf"block[<_](?P<element>.+?)[,_](?P<size>\d{{1,9}}|tensor)[,_](?P<scale>{_SCALE})"
    rf"[,_](?P<rule>{_RULE})(?:[,_](?P<outer>tensor|row))?>?"
)
_MX_NAMES = "|".join(_MX_ELEMENTS)
_RULES = (
    Rule(
        re.compile(rf"(?P<name>{_MX_NAMES})(?:[<_](?P<rule>{_RULE})>?)?"),
        lambda match: mx(match["name"], ScaleRule(match["rule"] or "floor")),
    ),
    Rule(re.compile("nvfp4"), lambda match: nvfp4()),
    Rule(
        re.compile(rf"bfp[<_](?P<bits>\d+)[,_](?P<size>\d{{1,9}})(?:[,_](?P<rule>{_RULE}))?>?"),
        lambda match: bfp(
            int(match["bits"]), int(match["size"]), ScaleRule(match["rule"] or "floor")
        ),
    ),
    Rule(re.compile(r"dfp(?P<bits>\d{1,3})"), lambda match: dfp(int(match["bits"]))),
    Rule(
        re.compile(
            r"(?P<kind>shift|vsq)[<_](?P<bits>\d{1,3})[,_](?P<of>\d{1,4})[,_](?P<size>\d{1,9})>?"
        ),
        lambda match: {"shift": shift, "vsq": vsq}[match["kind"]](
            int(match["bits"]), int(match["of"]), int(match["size"])
        ),
    ),
)
ALIASES = {
    **{f"msfp{bits}": f"bfp<{bits - 8},16>" for bits in (11, 12, 13, 14, 15, 16)},
    "bfp12": "bfp<4,16>",
    "bfp16": "bfp<8,16>",
}
