"""Floor 4: the designs that the cost model is judged on: drawn from a distribution, by a seed.

The distribution is a file of ``costmodel/data`` and has a version. What is drawn does not depend
on the formulas of the cost model, but for `auto` structures, which are settled by them.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

import costmodel
from hw.accumulators import Accumulator, AccumulatorKind, AccumulatorMode
from hw.design import (
    KINDS,
    BroadcastTile,
    Design,
    MxDotProduct,
    OutputStationaryArray,
    SerialDesign,
    from_record,
    significand_bounds,
)
from hw.design.kinds import WEIGHT_STATIONARY
from hw.design.memory import Memory
from hw.formats import FixedFormat, Format, MinifloatFormat, parse_element
from hw.plan import plan
from hw.target import Target
from sweeps.autotune import resolve
from sweeps.heldout_serial import SERIAL, chosen

VERSION = 3
"""Of the distribution; `distribution` has the earlier ones, too."""
FILES = {1: "heldout.yaml", 2: "heldout_2.yaml", 3: "heldout_3.yaml"}
SEEDS = {2: 20261122, 3: 20261123}
"""Of the designs that judge, by the version they were drawn from. More can be built since version 2
was drawn, so that its seed gives others now."""
PLAIN_VERSION = 1
"""The one without pipelines and kinds with a protocol of their own."""
TRIED = 100
SIGNS = ("binary", "ternary")
PACKED = "packed"
BITMOD = ("bitmod", "bitmodtile")
PACKED_TARGETS = ("xcup", "xc7")
"""Where packed tiles are drawn in the versions that do not say where."""
UNSTAGED = (OutputStationaryArray.kind, PACKED)
"""Kinds and structures that have no pipelines in the versions that do not say which."""
MERGED = "merged"


@dataclass(frozen=True, slots=True)
class Drawn:
    """One design of the distribution.

    Parameters
    ----------
    design
        With its structure settled.
    asked
        The structure that was drawn: "auto", or that of the design.
    target
        Where: the target, or its variant without primitives.

    """

    design: Design
    asked: str
    target: Target

    @property
    def name(self) -> str:
        """What tells it from others."""
        return f"{self.design.slug} {self.target.label}"


@cache
def distribution(version: int = VERSION) -> dict[str, Any]:
    """Return the distribution of one of `FILES`."""
    import yaml

    text = (files("costmodel") / "data" / FILES[version]).read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.safe_load(text)
    return found


def draw(
    target: Target, seed: int, count: int | None = None, version: int = VERSION
) -> list[Drawn]:
    """Return designs for a target; no two are the same.

    Parameters
    ----------
    target
        A target of `hw.target`; some of the designs are for its portable variant.
    seed
        Another seed gives other designs; more of one seed begin as fewer do.
    count
        How many; that of the file for this target by default.
    version
        Of the distribution.

    """
    known = distribution(version)
    wanted = known["count"].get(target.name, 0) if count is None else count
    source = random.Random(f"{seed}:{target.name}")
    found: dict[str, Drawn] = {}
    while len(found) < wanted:
        drawn = _one(source, target, known)
        if drawn is not None:
            found.setdefault(drawn.name, drawn)
    return list(found.values())


def work(design: Design) -> int:
    """Return about how large a design is: bits of products and of the words they are placed in."""
    sizes = [max(map(abs, significand_bounds(f))) for f in (design.weight, design.activation)]
    product = sizes[0].bit_length() * sizes[1].bit_length()
    placed = 0
    if design.largest_exponent:
        placed = min(design.product_bits, 2 * design.accumulator.bits or design.product_bits)
    per_step = 10 * design.accumulator.bits if design.is_floating else 0
    if design.is_floating and design.accumulator.mode is AccumulatorMode.SEQUENTIAL:
        per_step *= design.lanes
    return design.cores * (design.lanes * (product + placed) + per_step)


def _one(source: random.Random, target: Target, known: Mapping[str, Any]) -> Drawn | None:
    """Return one design: kind and structure first, then what goes together with them.

    None if nothing does.
    """
    kind = chosen(source, known["kinds"])
    if issubclass(KINDS[kind], SerialDesign):
        return _serial(source, kind, target, known)
    tiled = kind == BroadcastTile.kind
    asked = chosen(source, known["tile_structures" if tiled else "structures"])
    place = target.portable() if source.random() < known["plain"] else target
    packing = known.get("packed_targets", PACKED_TARGETS)
    if asked == PACKED and (place.name not in packing or place != target):
        return None
    for _ in range(TRIED):
        try:
            design = _with_accumulator(source, _record(source, kind, known), known)
            if work(design) <= known["most_work"]:
                return settled(_staged(source, design, asked, known), asked, place)
        except ValueError:
            continue
    return None


def _serial(
    source: random.Random, kind: str, target: Target, known: Mapping[str, Any]
) -> Drawn | None:
    """Return one design of a kind that has a protocol of its own."""
    place = target.portable() if source.random() < known["plain"] else target
    if kind in BITMOD and place.label not in known.get("bitmod_targets", [place.label]):
        return None
    for _ in range(TRIED):
        try:
            design = from_record(SERIAL[kind](source, known))
            if work(design) <= known["most_work"] or kind == Memory.kind:
                plan(design, place)
                found = Drawn(design, design.structure, place)
                late = known.get("bitmod_modelled", [place.label])
                known_there = kind not in BITMOD or place.label in late
                return found if known_there and _has_model(design, place) else None
        except ValueError:
            continue
    return None


def _has_model(design: Design, target: Target) -> bool:
    """Whether the cost model covers a design of a kind with a protocol of its own there."""
    try:
        return costmodel.estimate(design, target) is not None
    except ValueError:
        return False


def _staged(source: random.Random, design: Design, asked: str, known: Mapping[str, Any]) -> Design:
    """Return a design with pipeline stages, or as it is."""
    share = known.get("pipelined", 0)
    looping = design.is_window and asked == MERGED
    if not share or looping or {design.kind, asked} & set(known.get("unstaged", UNSTAGED)):
        return design
    stages = chosen(source, known["stages"])
    return replace(design, pipeline=stages) if source.random() < share else design


def _record(source: random.Random, kind: str, known: Mapping[str, Any]) -> dict[str, Any]:
    """Return a design without its accumulator."""
    weight = _format(source, known)
    activation = weight if source.random() < known["equal_operands"] else _format(source, known)
    record: dict[str, Any] = {
        "kind": kind,
        "weight": weight.name,
        "activation": activation.name,
        "specials": chosen(source, known["policies"]),
    }
    if kind in ("dot", "mxdot", "tile"):
        record["lanes"] = chosen(source, known["lanes"])
    if kind == "array" and "array_lanes" in known:
        record["lanes"] = chosen(source, known["array_lanes"])
    if kind in ("array", "tile"):
        record |= {side: chosen(source, known["sides"]) for side in ("rows", "columns")}
    share = known.get("weight_stationary", 0)
    if share and kind == "array" and source.random() < share:
        record["dataflow"] = WEIGHT_STATIONARY
    return record


def settled(design: Design, asked: str, target: Target) -> Drawn:
    """Return a design in the structure that was asked for; ValueError if it cannot be built."""
    found = resolve(replace(design, structure=asked), target)
    plan(found, target)
    return Drawn(found, asked, target)


def _with_accumulator(
    source: random.Random, record: dict[str, Any], known: Mapping[str, Any]
) -> Design:
    """Return the design with an accumulator that suits its products."""
    scaled = record["kind"] == MxDotProduct.kind
    stationary = record.get("dataflow") == WEIGHT_STATIONARY
    words = known["stationary_accumulators" if stationary else "accumulators"]
    word = "float" if scaled else chosen(source, words)
    kind = AccumulatorKind(word)
    terms = chosen(source, known["terms"])
    growth, guard = (source.randint(*known[name]) for name in ("growth_bits", "guard_bits"))
    if kind is AccumulatorKind.FLOATING:
        mode = AccumulatorMode.STEP if scaled else chosen(source, known["float_modes"])
        accumulator = Accumulator.floating(_float(source, known), AccumulatorMode(mode))
    elif kind is AccumulatorKind.EXACT:
        accumulator = Accumulator.exact(terms)
    elif kind is AccumulatorKind.WINDOW:
        plainest = from_record({**record, "accumulator": "wrap:80"})
        bits = max(plainest.significand_product_bits + guard, 4)
        accumulator = Accumulator(kind, bits=bits, terms=terms)
    else:
        plainest = from_record({**record, "accumulator": "wrap:80"})
        accumulator = Accumulator(kind, bits=max(plainest.product_bits + growth, 4))
    return from_record({**record, "accumulator": accumulator.name})


def _format(source: random.Random, known: Mapping[str, Any]) -> Format:
    """Return an operand format."""
    family = chosen(source, known["families"])
    if family in SIGNS:
        return parse_element(family)
    narrow = source.random() < known["narrow"]
    least = {"uint": 1, "minifloat": 3}.get(family, 2)
    low, high = (least, known["narrow_bits"]) if narrow else (known["narrow_bits"] + 1, 16)
    bits = source.randint(low, min(high, known["most_bits"]))
    if family == "fixed":
        return FixedFormat(bits, source.randint(0, bits), source.random() < known["signed_fixed"])
    if family != "minifloat":
        return parse_element(f"{family}{bits}")
    for _ in range(TRIED):
        exponent = source.randint(1, min(bits - 1, 8))
        name = f"e{exponent}m{bits - 1 - exponent}{chosen(source, known['specials'])}"
        try:
            return parse_element(name)
        except ValueError:
            continue
    raise ValueError(f"the distribution has no minifloat of {bits} bits")


def _float(source: random.Random, known: Mapping[str, Any]) -> MinifloatFormat:
    """Return the format of a floating accumulator."""
    name = chosen(source, known["float_formats"])
    if name == "any":
        bits = source.randint(*known["float_bits"])
        low, high = known["float_exponent_bits"]
        exponent = source.randint(low, min(high, bits - 2))
        name = f"e{exponent}m{bits - 1 - exponent}{chosen(source, {'': 1, 'finite': 1})}"
    format = parse_element(name)
    assert isinstance(format, MinifloatFormat)
    return format
