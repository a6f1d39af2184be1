"""Floor 4. Number formats described: as records for programs, as tables for people."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from hw.formats import CATALOGUE, FixedFormat, Format, MinifloatFormat, number_text, parse
from hw.formats.base import MAXIMUM_TABLE_BITS

_WIDE_EXPONENT = 40
"""Ranges beyond 2 to this power are written as powers."""


def catalogue() -> list[dict[str, Any]]:
    """Return the named formats, each with the source of its definition."""
    return [
        {"name": name, "bits": parse(name).bits, "source": source}
        for name, source in CATALOGUE.items()
    ]


def catalogue_text(rows: list[dict[str, Any]]) -> str:
    """Return the named formats as a table."""
    width = max(len(row["name"]) for row in rows)
    lines = [f"{row['name']:{width}}  {row['bits']:>2} bits  {row['source']}" for row in rows]
    return "\n".join(
        [*lines, "", "Any other width or split works too: int5, ufixed<6,2>, e3m2, e4m2finite, …"]
    )


def record(name: str) -> dict[str, Any]:
    """Return a format as plain JSON values.

    `values` holds the value of each code, in code order: exact decimal text, or "nan", "inf",
    "-inf"; None for formats of more than 16 bits.

    Raises
    ------
    ValueError
        If there is no such format.

    """
    format = parse(name)
    return {
        "name": format.name,
        "slug": format.slug,
        "bits": format.bits,
        "signed": format.signed,
        "minimum": number_text(format.minimum),
        "maximum": number_text(format.maximum),
        "lsb_exponent": format.lsb_exponent,
        "specials": _specials(format),
        "source": _source(name, format),
        "values": values(format),
    }


def values(format: Format) -> list[str] | None:
    """Return the value of each code as text, or None if there are too many."""
    if format.bits > MAXIMUM_TABLE_BITS:
        return None
    return [number_text(value) for value in format.values()]


def text(name: str) -> str:
    """Return a format for people: properties, then the table of its values."""
    format = parse(name)
    table = values(format)
    special = [f"{count} × {which}" for which, count in _special_counts(table).items()]
    rows = {
        "name": format.name,
        "bits": f"{format.bits} ({_layout(format)})",
        "range": f"{_short(format.minimum)} … {_short(format.maximum)}",
        "finest step": _power(format.lsb_exponent),
        "specials": ", ".join(special) or _specials(format),
        "source": _source(name, format) or "-",
    }
    lines = [f"{key:<12} {value}" for key, value in rows.items()]
    if table is None:
        return "\n".join([*lines, "", f"{1 << format.bits} codes: too many for a table"])
    digits = (format.bits + 3) // 4
    wide = max(format.bits, 4)
    lines += ["", f"{'code':<{digits + 2}}  {'bits':<{wide}}  value"]
    lines += [
        f"{f'{code:#0{digits + 2}x}':<4}  {f'{code:0{format.bits}b}':<{wide}}  {value}"
        for code, value in enumerate(table)
    ]
    return "\n".join(lines)


def _special_counts(table: list[str] | None) -> dict[str, int]:
    counts = {which: (table or []).count(which) for which in ("nan", "inf", "-inf")}
    return {which: count for which, count in counts.items() if count}


def _specials(format: Format) -> str:
    if isinstance(format, MinifloatFormat):
        return str(format.specials.value)
    return "none"


def _layout(format: Format) -> str:
    if isinstance(format, MinifloatFormat):
        parts = f"1 sign, {format.exponent_bits} exponent, {format.fraction_bits} fraction"
        return f"{parts}; bias {format.bias}"
    if isinstance(format, FixedFormat):
        kind = "two's complement" if format.signed else "unsigned"
        return f"{kind}, {format.fraction_bits} of them behind the point"
    return "codes"


def _source(name: str, format: Format) -> str | None:
    """Return where a format is defined; names that are aliases are looked up as given too."""
    for known in (format.name, name.strip().lower()):
        if known in CATALOGUE:
            return CATALOGUE[known]
    return next((source for key, source in CATALOGUE.items() if parse(key) == format), None)


def _power(exponent: int) -> str:
    if abs(exponent) > _WIDE_EXPONENT:
        return f"2^{exponent}"
    return number_text(Fraction(2) ** exponent) + (f" = 2^{exponent}" if exponent else "")


def _short(value: Fraction) -> str:
    """Return exact text, or a power of two times a number where that would be long."""
    if abs(value) < 2**_WIDE_EXPONENT:
        return number_text(value)
    return f"about {float(value):.6g}"
