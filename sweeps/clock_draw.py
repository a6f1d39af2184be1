"""Floor 4: the designs whose clocks are measured, drawn by a seed (see `sweeps.clock`)."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import costmodel
from hw.design import Design, from_record
from hw.plan import plan
from hw.target import Target

LUTS = (50, 1000)
MOST_LUTS = 2500
"""Of the kinds that the distribution leaves out: an element of BitMoD has some 1700."""
PIPELINED, MOST_STAGES = 0.2, 5
PIPELINED_STRUCTURES = ("rows", "table", "behavioural")
NO_DSP = ("ice40",)
"""Targets whose measured device has no DSP blocks."""
TRIED = 20
NARROW = ("binary", "ternary", "uint1")


def draw(target: Target, seed: int, count: int) -> list[Design]:
    """Return designs of 50 to 1000 LUT by estimate, a fifth of those that can with stages."""
    from sweeps import heldout

    source = random.Random(seed * 77 + 1)
    found = []
    for drawn in heldout.draw(target, seed, 4 * count, version=1):
        design = drawn.design
        may = design.kind != "array" and not design.is_floating
        if may and design.structure in PIPELINED_STRUCTURES and source.random() < PIPELINED:
            design = replace(design, pipeline=source.randint(1, MOST_STAGES))
        if not is_usual(design) or (target.name in NO_DSP and design.structure == "dsp"):
            continue
        try:
            lut = costmodel.estimate(replace(design, pipeline=0), target).lut
        except ValueError:  # drawn for the variant without primitives
            continue
        if LUTS[0] <= lut <= LUTS[1]:
            found.append(design)
    return found[:count]


def draw_others(target: Target, seed: int, count: int) -> list[Design]:
    """Return designs of the kinds that the distribution of `sweeps.heldout` leaves out."""
    source = random.Random(f"{seed}:others:{target.name}")
    order = [kind for kind, (weight, _) in OTHERS.items() for _ in range(weight)]
    found: dict[str, Design] = {}
    for number in range(TRIED * count):
        try:
            design = from_record(OTHERS[order[number % len(order)]][1](source))
            lut = costmodel.estimate(plan(design, target)).lut
        except ValueError:
            continue
        if lut <= MOST_LUTS:
            found.setdefault(design.slug, design)
        if len(found) == count:
            break
    return list(found.values())


def is_usual(design: Design) -> bool:
    """Whether a design is of the distribution of `sweeps.heldout`."""
    return design.kind not in OTHERS and design.structure != "compressor"


def _bitplane(source: random.Random) -> dict[str, Any]:
    bipolar = source.random() < 0.25
    formats = [
        f"bipolar{source.randint(1, 4)}"
        if bipolar
        else f"{source.choice(('int', 'uint'))}{source.randint(2, 8)}"
        for _ in range(2)
    ]
    return {
        "kind": "bitplane",
        "organisation": source.choice(("parallel", "weight-serial", "both-serial")),
        "weight": formats[0],
        "activation": formats[1],
        "lanes": source.choice((2, 4, 8, 16, 32)),
        "accumulator": source.choice(("exact:256", "exact:4096", "wrap:32", "wrap:24")),
    }


def _compressor(source: random.Random) -> dict[str, Any]:
    return {
        "kind": "dot",
        "weight": source.choice(NARROW),
        "activation": source.choice(NARROW),
        "lanes": source.choice((4, 8, 12, 16, 24, 32, 48, 64, 96, 128)),
        "accumulator": source.choice(("exact:256", "exact:1024", "wrap:32", "wrap:16")),
        "structure": "compressor",
    }


def _bitmod(source: random.Random) -> dict[str, Any]:
    group, groups = source.choice((32, 64, 128)), source.choice((1, 4, 16, 32))
    found: dict[str, Any] = {
        "kind": "bitmod",
        "activation": source.choice(("fp16", "int8")),
        "group": group,
        "length": group * groups,
    }
    if found["activation"] == "fp16":
        found["accumulator"] = source.choice(("fp32", "fp16", "bfloat16"))
    return found


def _bitmod_tile(source: random.Random) -> dict[str, Any]:
    sides = {"rows": source.randint(1, 2), "columns": source.randint(1, 2)}
    return {**_bitmod(source), "kind": "bitmodtile", **sides}


def _memory(source: random.Random) -> dict[str, Any]:
    width, depth = source.choice((4, 8, 16, 36, 64)), source.choice((256, 512, 1024, 2048, 4096))
    return {"kind": "memory", "width": width, "depth": depth}


OTHERS: dict[str, tuple[int, Callable[[random.Random], dict[str, Any]]]] = {
    "bitplane": (4, _bitplane),
    "compressor": (3, _compressor),
    "bitmod": (1, _bitmod),
    "bitmodtile": (1, _bitmod_tile),
    "memory": (1, _memory),
}
"""Kinds, and how many of each come one after the other."""
