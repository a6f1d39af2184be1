"""Floor 4. What the bits of a format are, in words, and where the format is defined."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hw.formats import CATALOGUE, CodebookFormat, FixedFormat, Format, MinifloatFormat, parse
from hw.formats.apot import ApotFormat
from hw.formats.exponent import ExponentFormat
from hw.formats.floatsd import FloatSdFormat
from hw.formats.grammar import AnyFormat
from hw.formats.integers import BipolarFormat, SymmetricFormat
from hw.formats.khot import KHotFormat
from hw.formats.lns import LogFormat
from hw.formats.posit import PositFormat
from hw.formats.power import PowerFormat
from hw.formats.radix import Radix4Format
from hw.formats.squeezed import SqueezedFormat


def layout(format: Format) -> str:
    """Return what the bits of a code are."""
    for kind, words in _LAYOUTS.items():
        if isinstance(format, kind):
            return words(format)
    return "codes of a table"


def specials_kind(format: Format) -> str:
    """Return the kind of specials of a minifloat; "none" or "some" of any other format."""
    if isinstance(format, MinifloatFormat):
        return str(format.specials.value)
    return "some" if format.has_specials else "none"


def source_of(name: str, format: AnyFormat) -> str | None:
    """Return where a format is defined, or its family if only that has a source.

    Names that are aliases are looked up as given too.
    """
    for known in (format.name, name.strip().lower()):
        if known in CATALOGUE:
            return CATALOGUE[known]
    exact = next((source for key, source in CATALOGUE.items() if parse(key) == format), None)
    return exact or next(
        (source for kind, source in _SOURCES.items() if isinstance(format, kind)), None
    )


def _fixed(format: FixedFormat) -> str:
    kind = "two's complement" if format.signed else "unsigned"
    return f"{kind}, {format.fraction_bits} of them behind the point"


def _minifloat(format: MinifloatFormat) -> str:
    parts = ["1 sign"] if format.signed else []
    parts += [f"{format.exponent_bits} exponent", f"{format.fraction_bits} fraction"]
    notes = [f"bias {format.bias}"]
    if not format.subnormals:
        notes.append("no subnormals")
    return f"{', '.join(parts)}; {', '.join(notes)}"


def _symmetric(format: SymmetricFormat) -> str:
    behind = format.width - format.integer_bits
    return f"two's complement but for 10…0, {behind} of them behind the point"


def _khot(format: KHotFormat) -> str:
    behind = format.width - format.integer_bits
    digits = "signed digits" if format.signed_digits else "ones"
    return f"sign and magnitude, {behind} of them behind the point; at most {format.ones} {digits}"


def _apot(format: ApotFormat) -> str:
    fields = ", ".join(str((len(term) - 1).bit_length()) for term in format.terms())
    sign = "1 sign, " if format.is_signed else ""
    return f"{sign}fields of {fields} that choose a power of two each"


def _power(format: PowerFormat) -> str:
    sign = "sign and magnitude" if format.is_signed else "unsigned"
    return f"{sign}; value: the magnitude to the power {format.exponent}"


def _floatsd(format: FloatSdFormat) -> str:
    rank = format.bits - 1 - format.exponent_bits
    groups = " and ".join(map(str, format.groups))
    return (
        f"1 sign, {format.exponent_bits} exponent, {rank} for one of {len(format.significands())} "
        f"magnitudes; groups of {groups} signed digits"
    )


def _lns(format: LogFormat) -> str:
    whole = format.width - 1 - format.fraction_bits
    bits = f"{whole}.{format.fraction_bits}" if whole >= 0 else f"{format.width - 1}"
    return f"1 sign, {bits} logarithm, {format.fraction_bits} of them behind the point"


_LAYOUTS: dict[type[Format], Callable[[Any], str]] = {
    FixedFormat: _fixed,
    MinifloatFormat: _minifloat,
    SymmetricFormat: _symmetric,
    BipolarFormat: lambda format: "each bit is +1 or -1 times its power of two",
    ExponentFormat: lambda format: f"exponent only; bias {format.bias}",
    Radix4Format: lambda format: f"1 sign, {format.exponent_bits} exponent to base 4",
    CodebookFormat: lambda format: f"index of {len(format.entries)} values",
    KHotFormat: _khot,
    ApotFormat: _apot,
    PowerFormat: _power,
    FloatSdFormat: _floatsd,
    PositFormat: lambda format: f"1 sign, regime, {format.exponent_bits} exponent, fraction",
    LogFormat: _lns,
    SqueezedFormat: lambda format: "1 sign, 5 exponent, 2 fraction of the squeezed value",
}
_SOURCES: dict[type[object], str] = {
    PositFormat: "posits as in the Standard for Posit Arithmetic (2022)",
    LogFormat: "logarithmic, as Coleman et al., IEEE TC 49(7), 2000",
    KHotFormat: "QFX, arXiv 2401.17544 (K-hot); signed digits: Reitwiesner 1960",
    ApotFormat: "additive powers of two, arXiv 1909.13144",
    PowerFormat: "PowerQuant, arXiv 2301.09858; NUPES, arXiv 2308.05600",
    FloatSdFormat: "FloatSD, IEEE JETCAS 9(2), 2019",
    SqueezedFormat: "shifted and squeezed FP8, arXiv 2001.05674",
    CodebookFormat: "a table of its own",
}
