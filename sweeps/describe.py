"""Floor 4. Number formats described: as records for programs, as tables for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

from hw.formats import CATALOGUE, Format, number_text
from hw.formats.base import MAXIMUM_TABLE_BITS, Special
from hw.formats.block import BlockFormat
from hw.formats.density import Binade, Roundoff, binades, unit_roundoff
from hw.formats.grammar import AnyFormat
from hw.formats.mixture import MixtureFormat
from sweeps.codebooks import parse_or_read
from sweeps.describe_blocks import block_record, block_rows
from sweeps.layouts import layout, source_of, specials_kind

_WIDE_EXPONENT = 40
_MOST_DECIMALS = 20
"""Numbers from 2^40 on, or with more decimals, are written as powers or rounded ("about")."""
_MOST_RUNS = 10


def catalogue() -> list[dict[str, Any]]:
    """Return the named formats, each with the source of its definition.

    `bits` are those of a code; of formats of blocks, those per element with its share of the scale.
    """
    return [
        {"name": name, "bits": _bits(parse_or_read(name)), "source": source}
        for name, source in CATALOGUE.items()
    ]


def catalogue_text(rows: Sequence[dict[str, Any]]) -> str:
    """Return the named formats as a table."""
    width = max(len(row["name"]) for row in rows)
    lines = [f"{row['name']:{width}}  {row['bits']:>6g} bits  {row['source']}" for row in rows]
    return "\n".join(
        [*lines, "", "Any other width or split works too: int5, ufixed<6,2>, e3m2, posit<10,1>, …"]
    )


def record(name: str) -> dict[str, Any]:
    """Return a format as plain JSON values.

    `values` holds the value of each code, in code order: exact decimal text, or "nan", "inf",
    "-inf"; None for formats of more than 16 bits. `binades` tells for each power of two how many
    positive values lie from it up to the next, `unit_roundoff` the best relative precision and the
    range that has it (`hw.formats.density`). A format of blocks has the records of its elements
    and scales instead (`sweeps.describe_blocks`).

    Raises
    ------
    ValueError
        If there is no such format.

    """
    format = parse_or_read(name)
    common = {
        "name": format.name,
        "slug": format.slug,
        "bits": _bits(format),
        "source": source_of(name, format),
    }
    if not isinstance(format, Format):
        return common | block_record(format)
    roundoff = unit_roundoff(format)
    return common | {
        "layout": layout(format),
        "signed": format.signed,
        "minimum": number_text(format.minimum),
        "maximum": number_text(format.maximum),
        "lsb_exponent": format.lsb_exponent,
        "specials": specials_kind(format),
        "unit_roundoff": None if roundoff is None else _roundoff_record(roundoff),
        "binades": {str(binade.exponent): binade.count for binade in binades(format)},
        "values": values(format),
    }


def values(format: Format) -> list[str] | None:
    """Return the value of each code as text, or None if there are too many."""
    if format.bits > MAXIMUM_TABLE_BITS:
        return None
    return [number_text(value) for value in format.values()]


def text(name: str) -> str:
    """Return a format for people: properties, then the table of its values."""
    format = parse_or_read(name)
    source = {"source": source_of(name, format) or "-"}
    if not isinstance(format, Format):
        return _properties({"name": format.name, **block_rows(format), **source})
    table = values(format)
    rows = {
        "name": format.name,
        "bits": f"{format.bits} ({layout(format)})",
        "range": f"{_short(format.minimum)} … {_short(format.maximum)}",
        "finest step": _power(format.lsb_exponent),
        "precision": _precision(unit_roundoff(format)),
        "density": _density(binades(format)),
        "specials": ", ".join(_special_counts(table)) or specials_kind(format),
    }
    return "\n".join([_properties(rows | source), "", *_table(format, table)])


def _table(format: Format, table: list[str] | None) -> list[str]:
    if table is None:
        return [f"2^{format.bits} codes: too many for a table"]
    digits = (format.bits + 3) // 4
    wide = max(format.bits, 4)
    return [
        f"{'code':<{digits + 2}}  {'bits':<{wide}}  value",
        *(
            f"{f'{code:#0{digits + 2}x}':<4}  {f'{code:0{format.bits}b}':<{wide}}  {value}"
            for code, value in enumerate(table)
        ),
    ]


def _properties(rows: dict[str, str]) -> str:
    return "\n".join(f"{key:<12} {value}" for key, value in rows.items())


def _bits(format: AnyFormat) -> float:
    if isinstance(format, BlockFormat | MixtureFormat):
        return float(format.bits_per_element)
    return format.bits


def _special_counts(table: list[str] | None) -> list[str]:
    counts = {which.value: (table or []).count(which.value) for which in Special}
    return [f"{count} × {which}" for which, count in counts.items() if count]


def _roundoff_record(roundoff: Roundoff) -> dict[str, Any]:
    return {
        "value": float(roundoff.value),
        "low": number_text(roundoff.low),
        "high": number_text(roundoff.high),
    }


def _precision(roundoff: Roundoff | None) -> str:
    """Return the unit round-off and where it holds."""
    if roundoff is None:
        return "one positive value at most"
    place = f"from {_short(roundoff.low)} to {_short(roundoff.high)}"
    if roundoff.value.numerator == 1 and not roundoff.value.denominator.bit_count() - 1:
        exponent = 1 - roundoff.value.denominator.bit_length()
        return f"unit round-off {_power(exponent)} {place}"
    return f"unit round-off {float(roundoff.value):.4g} {place}"


def _density(found: Sequence[Binade]) -> str:
    """Return the counts per binade, lowest first; equal neighbours and doublings together."""
    if not found:
        return "no positive values"
    parts = [_run(found[start:end]) for start, end in _runs([binade.count for binade in found])]
    if len(parts) > _MOST_RUNS:
        half = _MOST_RUNS // 2
        parts = [*parts[:half], "…", *parts[-half:]]
    return f"values per binade: {', '.join(parts)}"


def _runs(counts: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield where runs of equal counts, or of three and more doublings, begin and end."""
    start = 0
    while start < len(counts):
        equal = doubled = start + 1
        while equal < len(counts) and counts[equal] == counts[start]:
            equal += 1
        while doubled < len(counts) and counts[doubled] == 2 * counts[doubled - 1] > 0:
            doubled += 1
        # The last of the doublings may begin a longer run of equal counts.
        if doubled < len(counts) and counts[doubled] == counts[doubled - 1]:
            doubled -= 1
        end = doubled if doubled - start > 2 else equal
        yield start, end
        start = end


def _run(run: Sequence[Binade]) -> str:
    first, last = run[0], run[-1]
    if len(run) == 1:
        return f"{_count(first.count)} at 2^{first.exponent}"
    counts = _count(first.count)
    if first.count != last.count:
        counts += f" doubling to {_count(last.count)}"
    return f"{counts} at 2^{first.exponent}…2^{last.exponent}"


def _count(count: int) -> str:
    wide = count >= 1 << 20 and count.bit_count() == 1
    return f"2^{count.bit_length() - 1}" if wide else str(count)


def _power(exponent: int) -> str:
    if abs(exponent) > _MOST_DECIMALS:
        return f"2^{exponent}"
    return number_text(Fraction(2) ** exponent) + (f" = 2^{exponent}" if exponent else "")


def _short(value: Fraction) -> str:
    """Return exact text, or a decimal of six digits where that would be long."""
    exact = value.denominator <= 1 << _MOST_DECIMALS and abs(value) < 1 << _WIDE_EXPONENT
    return number_text(value) if exact else f"about {float(value):.6g}"
