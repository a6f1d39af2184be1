"""Floor 0: rows of numbers cut into blocks: policies for what is left over and for NaN."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

from hw.formats.base import Number, Special, Value, classify

PARTIAL_POLICIES = ("error", "pad")


def check_row(format: object, size: int | None, count: int, partial: str) -> None:
    """Raise ValueError for an empty row, an unknown policy, or blocks that do not divide it."""
    if partial not in PARTIAL_POLICIES:
        raise ValueError(f"partial is one of {', '.join(PARTIAL_POLICIES)}, not {partial!r}")
    if count < 1:
        raise ValueError(f"{format} needs at least one element, the axis has none")
    if partial == "error" and size is not None and count % size:
        raise ValueError(
            f"blocks of {size} do not divide an axis of {count} elements: choose partial='pad'"
        )


def blocks_of(format: object, size: int | None, count: int, partial: str) -> Iterator[slice]:
    """Return where the blocks of a row of `count` elements lie.

    Parameters
    ----------
    format
        For messages.
    size
        Elements of a block; None: one block for all.
    count
        At least 1.
    partial
        What to do where blocks do not divide the row: "error", or "pad": the last block is
        filled with zeros, which change nothing and are not stored.

    Raises
    ------
    ValueError
        As `check_row`.

    """
    check_row(format, size, count, partial)
    step = size or count
    return (slice(start, min(start + step, count)) for start in range(0, count, step))


def admitted_row(
    values: Sequence[Number | Special], nan: str, policies: Sequence[str], format: object
) -> list[Number | Special]:
    """Return the numbers as the policy for NaN takes them; a float −0.0 stays as it is.

    Raises
    ------
    ValueError
        For a policy that is not in `policies`, or NaN under "error".

    """
    if nan not in policies:
        raise ValueError(f"nan is one of {', '.join(policies)}, not {nan!r}")
    return [_admitted(value, nan, format) for value in values]


_REPLACED: dict[str, Number | Special] = {
    "zero": 0,
    "maximum": Special.POS_INF,
    "block": Special.NAN,
}


def _admitted(value: Number | Special, nan: str, format: object) -> Number | Special:
    exact = classify(value)
    if exact is Special.NAN:
        if nan == "error":
            raise ValueError(f"{format} has no code for nan: choose another policy for nan")
        return _REPLACED[nan]
    return exact if isinstance(exact, Special) else value


def largest(row: Sequence[Number | Special]) -> Fraction:
    """Return the largest finite magnitude, 0 if there is none."""
    finite = (abs(Fraction(value)) for value in row if not isinstance(value, Special))
    return max(finite, default=Fraction(0))


def scaled(value: Value, scale: Value, outer: Fraction) -> Value:
    """Return ``value · scale · outer``; a scale that is NaN makes NaN."""
    if isinstance(scale, Special):
        return Special.NAN
    return value if isinstance(value, Special) else value * scale * outer
