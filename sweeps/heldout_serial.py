"""Floor 4: designs with a protocol of their own, as the distribution of `sweeps.heldout` has them.

Their records; a record that describes no design raises ValueError where it is read.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

from hw.formats import FixedFormat

Record = dict[str, Any]
Known = Mapping[str, Any]
BIPOLAR = "bipolar"
SIGNED = 0.7
"""Share of operands of fixed point that have a sign."""


def chosen(source: random.Random, weights: Mapping[Any, float]) -> Any:
    """Return one of the keys, each as likely as its weight says."""
    return source.choices(list(weights), list(weights.values()))[0]


def bitplane(source: random.Random, known: Known) -> Record:
    """Return a dot product by binary planes."""
    own = known["bitplane"]
    families = [chosen(source, own["operands"]) for _ in range(2)]
    if BIPOLAR in families:
        families = [BIPOLAR, BIPOLAR]
    weight, activation = (f"{family}{source.randint(*own['bits'])}" for family in families)
    sides = {side: chosen(source, own["sides"]) for side in ("rows", "columns")}
    terms = chosen(source, known["terms"])
    return {
        "kind": "bitplane",
        "organisation": chosen(source, own["organisation"]),
        "weight": weight,
        "activation": activation,
        "lanes": chosen(source, own["lanes"]),
        "accumulator": source.choice((f"exact:{terms}", f"wrap:{source.randint(16, 40)}")),
        **sides,
    }


def bitmod(source: random.Random, known: Known) -> Record:
    """Return an element of BitMoD."""
    own = known["bitmod"]
    group = chosen(source, own["group"])
    return {
        "kind": "bitmod",
        "activation": chosen(source, own["activation"]),
        "group": group,
        "length": group * chosen(source, own["groups"]),
        "specials": chosen(source, known["policies"]),
    }


def bitmod_tile(source: random.Random, known: Known) -> Record:
    """Return a small tile of BitMoD's elements."""
    sides = {side: chosen(source, known["bitmod"]["sides"]) for side in ("rows", "columns")}
    return bitmod(source, known) | {"kind": "bitmodtile"} | sides


def memory(source: random.Random, known: Known) -> Record:
    """Return a memory."""
    own = known["memory"]
    depth = 1 << source.randint(*own["depth_bits"])
    return {"kind": "memory", "width": source.randint(*own["width"]), "depth": depth}


def _operand(source: random.Random, own: Known) -> str:
    """Return an integer or a number of fixed point."""
    family, bits = chosen(source, own["families"]), source.randint(*own["bits"])
    if family == "fixed":
        return FixedFormat(bits, source.randint(0, bits), source.random() < SIGNED).name
    return f"{family}{bits}"


def constant_dot(source: random.Random, known: Known) -> Record:
    """Return dot products with constant weights, some of which are 0."""
    own = known["constdot"]
    activation = _operand(source, own)
    lanes, outputs = chosen(source, own["lanes"]), chosen(source, own["outputs"])
    reach, zeros = 1 << source.randint(*own["weight_bits"]) - 1, source.uniform(*own["zeros"])
    if lanes * outputs > own["most_weights"]:
        raise ValueError(f"at most {own['most_weights']} weights, not {lanes * outputs}")

    def weight() -> int:
        return 0 if source.random() < zeros else source.randint(-reach, reach - 1)

    weights = [[weight() for _ in range(lanes)] for _ in range(outputs)]
    return {"kind": "constdot", "weights": weights, "activation": activation}


def square(source: random.Random, known: Known) -> Record:
    """Return a sum of squares."""
    own = known["square"]
    activation, lanes = _operand(source, own), chosen(source, own["lanes"])
    terms = chosen(source, known["terms"])
    accumulator = source.choice((f"exact:{terms}", f"wrap:{source.randint(16, 40)}"))
    return {"kind": "square", "activation": activation, "lanes": lanes, "accumulator": accumulator}


SERIAL: Mapping[str, Callable[[random.Random, Known], Record]] = {
    "bitplane": bitplane,
    "bitmod": bitmod,
    "bitmodtile": bitmod_tile,
    "memory": memory,
    "constdot": constant_dot,
    "square": square,
}
"""By kind."""
