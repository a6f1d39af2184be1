"""Designs and their Verilog for the tests of `sim`."""

from functools import cache

from hw.design import Design, from_record
from hw.rtl import emit
from hw.target import load
from sim.harness import Case


def design(kind: str, weight: str, activation: str | None = None, **settings: object) -> Design:
    record = {"kind": kind, "weight": weight, "activation": activation or weight, **settings}
    return from_record({"structure": "behavioural", **record})


@cache
def case_of(what: Design, target: str = "xcup") -> Case:
    emitted = emit(what, load(target))
    return Case(what, emitted.verilog, emitted.top, emitted.record["latency_cycles"])


def case(kind: str, weight: str, activation: str | None = None, **settings: object) -> Case:
    return case_of(design(kind, weight, activation, **settings))
