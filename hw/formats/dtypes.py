"""Floor 0: the formats of array element types, by the name of the type. No array library needed.

The names are those of NumPy and ml_dtypes; PyTorch and safetensors metadata use the same ones.
"""

from __future__ import annotations

from hw.formats.base import Format
from hw.formats.grammar import parse_element

_SIZES = (1, 2, 4, 8, 16, 32, 64)

DTYPES: dict[str, str] = {
    **{f"int{bits}": f"int{bits}" for bits in _SIZES if bits > 1},
    **{f"uint{bits}": f"uint{bits}" for bits in _SIZES},
    "float16": "fp16",
    "bfloat16": "bfloat16",
    "float32": "fp32",
    "float8_e3m4": "e3m4",
    "float8_e4m3": "e4m3",
    "float8_e4m3fn": "e4m3fn",
    "float8_e4m3fnuz": "e4m3fnuz",
    "float8_e4m3b11fnuz": "e4m3b11fnuz",
    "float8_e5m2": "e5m2",
    "float8_e5m2fnuz": "e5m2fnuz",
    "float6_e2m3fn": "e2m3fn",
    "float6_e3m2fn": "e3m2fn",
    "float4_e2m1fn": "e2m1fn",
}
"""Element type → name of the format whose codes are its bit patterns."""

_NAMES = {format: dtype for dtype, format in DTYPES.items()}


def from_dtype(name: str) -> Format:
    """Return the format of an element type: a code is the type's bit pattern.

    Parameters
    ----------
    name
        As ``str(array.dtype)``: a NumPy type or one of ml_dtypes.

    Raises
    ------
    ValueError
        For a type without a format here (float64, bool, complex, …).

    """
    if name not in DTYPES:
        raise ValueError(f"element type {name!r} has no format (types: {', '.join(DTYPES)})")
    return parse_element(DTYPES[name])


def to_dtype(format: Format) -> str:
    """Return the element type whose bit patterns are the codes of a format.

    Raises
    ------
    ValueError
        If NumPy and ml_dtypes have no such type.

    """
    if format.name not in _NAMES:
        raise ValueError(f"{format} is no element type of NumPy or ml_dtypes")
    return _NAMES[format.name]
