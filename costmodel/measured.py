"""Floor 2c: sizes of small modules that no rule gives, read lazily from ``costmodel/data``.

``measured_<target>.csv`` names a part, a key that tells which one, and what it measured. Written by
`sweeps.calibrate`; a part that is not in it is estimated by the formula that asks for it.
"""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files

from costmodel.cost import Cost


def measured(target: str, part: str, key: str) -> Cost | None:
    """Return the measured size of a small module, None if it was not measured."""
    return _read(target).get((part, key))


def product_key(a: int, b: int, a_kind: str, b_kind: str) -> str:
    """Return the key of a plain product.

    Kinds of words: "u" unsigned, "s" two's complement, "m" the magnitude of two's complement,
    which is a power of two at most.
    """
    return f"{a_kind}{a}x{b_kind}{b}"


def product_kind(a_signed: bool, b_signed: bool) -> str:
    """Return which formula serves operands of these signs."""
    if a_signed != b_signed:
        return "mixed"
    return "signed" if a_signed else "unsigned"


@cache
def _read(target: str) -> dict[tuple[str, str], Cost]:
    file = files("costmodel") / "data" / f"measured_{target}.csv"
    if not file.is_file():
        raise ValueError(f"the cost model of {target} has no measured parts")
    lines = file.read_text(encoding="utf-8").splitlines()
    return {
        (row["part"], row["key"]): Cost(int(row["lut"]), int(row["sites"]), 0, int(row["carry"]), 0)
        for row in csv.DictReader(lines)
    }
