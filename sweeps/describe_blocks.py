"""Floor 4. Formats of blocks described: element, scale, size, bits per element."""

from __future__ import annotations

from typing import Any

from hw.formats.block import BlockFormat, Outer
from hw.formats.mixture import MixtureFormat
from sweeps.layouts import layout

_OUTER = {
    Outer.NONE: "none",
    Outer.TENSOR: "one binary32 number per tensor",
    Outer.ROW: "one binary32 number per row",
}


def block_record(format: BlockFormat | MixtureFormat) -> dict[str, Any]:
    """Return what a format of blocks consists of, as plain JSON values."""
    if isinstance(format, MixtureFormat):
        return {
            "kind": "mixture",
            "codebooks": [codebook.name for codebook in format.codebooks],
            "block_size": format.block_size,
            "id_bits": format.id_bits,
            "scale_kind": format.scale_kind,
            "scale_bits": format.scale_bits,
            "bits_per_element": str(format.bits_per_element),
        }
    return {
        "kind": "block",
        "element": format.element.name,
        "block_size": format.block_size,
        "scale_format": format.scale_format.name,
        "scale_rule": format.scale_rule.value,
        "outer_scale": format.outer.value,
        "bits_per_element": str(format.bits_per_element),
    }


def block_rows(format: BlockFormat | MixtureFormat) -> dict[str, str]:
    """Return the properties of a format of blocks, for people."""
    share = f"{float(format.bits_per_element):g} per element"
    if isinstance(format, MixtureFormat):
        scale = "an 8-bit integer" if format.scale_kind == "int8" else "an fp16 number"
        more = ", times one binary32 number per row" if format.scale_kind == "int8" else ""
        return {
            "bits": f"{share} ({format.codebooks[0].bits} and its share of scale and id)",
            "codebooks": ", ".join(codebook.name for codebook in format.codebooks),
            "block": f"{format.block_size} elements; {format.id_bits} bits tell its codebook",
            "scale": f"{scale} per block{more}",
        }
    size = format.block_size
    element = format.element
    scales = format.scale_format
    return {
        "bits": f"{share} ({element.bits} and its share of the scale)",
        "element": f"{element.name} ({layout(element)})",
        "block": "the whole tensor" if size is None else f"{size} elements",
        "scale": f"{scales.name} per block ({layout(scales)}); rule {format.scale_rule.value}",
        "outer scale": _OUTER[format.outer],
    }
