"""Where a well-known library converts wrongly and macloom rightly, with exact evidence.

``python tests/peers.py`` prints the list for the versions installed. Every case states a number,
what the peer makes of it, what is nearest by exact rational arithmetic (computed here, without
macloom's conversions), and what macloom makes of it.
"""

from __future__ import annotations

import sys
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))  # as a script, without installation

from hw.formats import Format, Rounding, Special, parse_element
from hw.formats.dtypes import DTYPES
from sim.golden import cast

FLOATS = {name: DTYPES[name] for name in DTYPES if name.startswith("float") and name != "float32"}
FLOATS["bfloat16"] = DTYPES["bfloat16"]
SMALL = {name: text for name, text in FLOATS.items() if name != "float16"}
WITHOUT_NAN = ("float6_e2m3fn", "float6_e3m2fn", "float4_e2m1fn")


@dataclass(frozen=True)
class Case:
    """One number that a peer converts wrongly.

    Parameters
    ----------
    peer, what
        Library and function, kind of mistake.
    format, value
        What is converted to which format.
    theirs, ours
        Results: numbers, or a text for a refusal.
    nearest
        The nearest values of the format, exactly; none for NaN.

    """

    peer: str
    what: str
    format: Format
    value: float
    theirs: float
    ours: float | str
    nearest: tuple[Fraction, ...]

    @property
    def is_wrong(self) -> bool:
        """Whether the peer's result is not nearest, or a number for NaN."""
        if np.isnan(self.value):
            return not np.isnan(self.theirs)
        return not np.isfinite(self.theirs) or Fraction(self.theirs) not in self.nearest

    @property
    def is_right_here(self) -> bool:
        """Whether ours is nearest; NaN in a format without NaN is refused."""
        if np.isnan(self.value):
            return self.ours == f"{self.format} has no code for nan"
        return not isinstance(self.ours, str) and Fraction(self.ours) in self.nearest


def nearest_values(value: float, format: Format) -> tuple[Fraction, ...]:
    """Return the one or two values at the least distance from a number."""
    if np.isnan(value):
        return ()
    levels = _levels(format)
    place = bisect_left(levels, Fraction(value))
    around = levels[max(place - 1, 0) : place + 1]
    least = min(abs(Fraction(value) - level) for level in around)
    return tuple(level for level in around if abs(Fraction(value) - level) == least)


@cache
def _levels(format: Format) -> list[Fraction]:
    return sorted({v for v in format.values() if not isinstance(v, Special)})


def by_ml_dtypes(value: Any, name: str) -> float:
    """Convert one NumPy number by ml_dtypes, in one step."""
    with np.errstate(all="ignore"):
        return float(np.array([value]).astype(getattr(ml_dtypes, name)).astype(np.float64)[0])


def _here(value: Any, format: Format, rounding: Rounding) -> float | str:
    try:
        return float(cast(np.array([value]), format, 1.0, rounding)[0])
    except ValueError as refusal:
        return str(refusal)


def _case(
    what: str,
    name: str,
    format: Format,
    value: Any,
    rounding: Rounding = Rounding.TIES_TO_EVEN,
) -> Case:
    return Case(
        f"ml_dtypes {ml_dtypes.__version__} astype({name})",
        what,
        format,
        float(value),
        by_ml_dtypes(value, name),
        _here(value, format, rounding),
        nearest_values(float(value), format),
    )


def double_rounding() -> Iterator[Case]:
    """Yield float64 numbers just past a midpoint, which float32 rounds onto it first."""
    for name, text in SMALL.items():
        format = parse_element(text)
        one = format.encode(1)
        twice = format.integer(one) + format.integer(one + 1)
        middle = twice * Fraction(2) ** (format.lsb_exponent - 1)
        odd = one % 2 == 1
        towards = -np.inf if odd else np.inf  # away from the even neighbour of the tie
        value = np.nextafter(np.float64(float(middle)), towards)
        yield _case("float64 is rounded to float32 first", name, format, value)


def nan_as_zero() -> Iterator[Case]:
    """Yield NaN in formats that have none."""
    for name in WITHOUT_NAN:
        yield _case("NaN becomes a zero", name, parse_element(FLOATS[name]), np.float32(np.nan))


def lowest_exponents() -> Iterator[Case]:
    """Yield numbers just above the least value of E8M0."""
    format, name = parse_element("e8m0"), "float8_e8m0fnu"
    for part in (1.0625, 1.25, 1.4375):
        for float_type in (np.float32, np.float64):
            value = float_type(part * 2.0**-127)
            kind = f"{float_type.__name__} just above 2^-127 goes to 2^-126"
            yield _case(kind, name, format, value, Rounding.TIES_TO_AWAY)


GROUPS: tuple[Callable[[], Iterator[Case]], ...] = (double_rounding, nan_as_zero, lowest_exponents)


@cache
def cases() -> list[Case]:
    """Return all cases for the versions installed."""
    return [case for group in GROUPS for case in group()]


def main() -> int:
    """Print the table."""
    print(f"{'peer':<46} {'format':<12} {'number':<28} {'peer says':>12} {'nearest':>14}  macloom")
    for case in cases():
        nearest = " or ".join(f"{float(level):.6g}" for level in case.nearest) or "none"
        state = "" if case.is_wrong else "  (the peer is right now)"
        ours = case.ours if isinstance(case.ours, str) else f"{case.ours:.6g}"
        print(
            f"{case.peer:<46} {case.format!s:<12} {case.value.hex():<28} {case.theirs:>12.6g} "
            f"{nearest:>14}  {ours}: {case.what}{state}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
