"""Floor 4: designs with a protocol of their own, as the distribution of `sweeps.heldout` has them.

Their records; a record that describes no design raises ValueError where it is read.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

Record = dict[str, Any]
Known = Mapping[str, Any]
BIPOLAR = "bipolar"


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


SERIAL: Mapping[str, Callable[[random.Random, Known], Record]] = {
    "bitplane": bitplane,
    "bitmod": bitmod,
    "bitmodtile": bitmod_tile,
    "memory": memory,
}
"""By kind."""
