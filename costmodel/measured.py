"""Floor 2c: sizes of small modules that no rule gives, read lazily from ``costmodel/data``.

``measured_<target>.csv`` names a part, a key that tells which one, and what it measured. Written by
`sweeps.calibrate`; a part that is not in it is estimated by the formula that asks for it. Kinds
with many modules of their own have a file of the same form for each target (`COLLECTIONS`).
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from costmodel.cost import Cost

COLLECTIONS = ("measured", "bitmod")
"""What files of measured modules start with."""


def measured(target: str, part: str, key: str, collection: str = "measured") -> Cost | None:
    """Return the measured size of a small module, None if it was not measured.

    Parameters
    ----------
    target, part, key
        Which module, where.
    collection
        One of `COLLECTIONS`.

    """
    found = _read(f"{collection}_{target}").get(f"{part},{key}")
    if found is None:
        return None
    lut, sites, carry = map(int, found.split(","))
    return Cost(lut, sites, 0, carry, 0)


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
def _read(name: str) -> dict[str, str]:
    """Return the columns lut, sites and carry by those before; thousands of rows, few are asked."""
    file = files("costmodel") / "data" / f"{name}.csv"
    if not file.is_file():
        raise ValueError(f"the cost model of {name.partition('_')[2]} has no measured parts")
    lines = file.read_text(encoding="utf-8").splitlines()
    found = {}
    for line in lines[1:]:
        part, key, costs = line.split(",", 2)
        found[f"{part},{key}"] = costs
    return found
