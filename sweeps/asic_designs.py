"""Floor 4: designs for the target asic, drawn from ``heldout_asic.yaml`` by a seed."""

from __future__ import annotations

import random
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from hw.design import Design, from_record
from hw.formats import FixedFormat, Format, MinifloatFormat, parse_element
from hw.plan import plan
from hw.target import ASIC, load


@cache
def distribution() -> dict[str, Any]:
    """Return the distribution of the file."""
    import yaml

    text = (files("costmodel") / "data" / "heldout_asic.yaml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.safe_load(text)
    return found


def draw(seed: int, count: int) -> list[Design]:
    """Return designs that can be built on gates; no two are the same."""
    source = random.Random(f"asic:{seed}")
    known = distribution()
    found: dict[str, Design] = {}
    while len(found) < count:
        try:
            design = _one(source, known)
            plan(design, load(ASIC))
        except ValueError:
            continue
        if design.lanes * design.cores * design.product_bits <= known["most_product_bits"]:
            found.setdefault(design.slug, design)
    return list(found.values())


def _one(source: random.Random, known: Mapping[str, Any]) -> Design:
    """Return one design; ValueError if what was drawn does not go together."""
    weight = format_of(source, known)
    activation = weight if source.random() < known["equal_operands"] else format_of(source, known)
    kind = _chosen(source, known["kinds"])
    record: dict[str, Any] = {
        "kind": kind,
        "weight": weight.name,
        "activation": activation.name,
        "specials": _chosen(source, known["policies"]),
        "structure": _chosen(source, known["structures"]),
    }
    if kind in ("dot", "tile", "mxdot"):
        record["lanes"] = source.choice(known["lanes"])
    if kind in ("array", "tile"):
        record |= {side: source.choice(known["sides"]) for side in ("rows", "columns")}
    word = "float" if kind == "mxdot" else _chosen(source, known["accumulators"])
    growth, guard = (source.randint(*known[name]) for name in ("growth_bits", "guard_bits"))
    terms, format = source.choice(known["terms"]), source.choice(known["floats"])
    plainest = from_record(
        {**record, "accumulator": "wrap:80"}
        if kind != "mxdot"
        else {**record, "kind": "dot", "accumulator": "wrap:80"}
    )
    bits = plainest.product_bits
    window = max(plainest.significand_product_bits + guard, 4)
    record["accumulator"] = {
        "exact": f"exact:{terms}",
        "wrap": f"wrap:{max(bits + growth, 4)}",
        "saturate": f"saturate:{max(bits + growth, 4)}",
        "window": f"window:{window}:{terms}",
        "float": f"float:{format}",
    }[word]
    return from_record(record)


def format_of(source: random.Random, known: Mapping[str, Any]) -> Format:
    """Return an operand format."""
    family = _chosen(source, known["families"])
    bits = source.randint(*known["bits"])
    if family == "fixed":
        return FixedFormat(bits, source.randint(0, bits), source.random() < 0.7)
    if family != "minifloat":
        return parse_element(f"{family}{bits}")
    exponent = source.randint(1, max(bits - 1, 1))
    found = parse_element(f"e{exponent}m{bits - 1 - exponent}{_chosen(source, known['specials'])}")
    if not isinstance(found, MinifloatFormat):
        raise ValueError(f"{found.name} is no minifloat")
    return found


def _chosen(source: random.Random, weights: Mapping[str, float]) -> str:
    return source.choices(list(weights), list(weights.values()))[0]
