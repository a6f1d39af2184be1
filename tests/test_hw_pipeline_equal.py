"""hw.pipeline.equal: nets of one value share their registers, and the design stays what it is."""

import pytest

from hw.design import from_record
from hw.pipeline.equal import Equal
from hw.pipeline.netlist import Module
from hw.rtl import emit
from hw.target import load
from sim import runner
from sweeps.calibrate import measure
from sweeps.heldout import Drawn

SHARING = (
    ("dot2_e1m2finite", {"weight": "e1m2finite", "lanes": 2, "structure": "table", "pipeline": 3}),
    ("dot2_uint2", {"weight": "uint2", "lanes": 2, "structure": "rows", "pipeline": 5}),
)


def cell(kind: str, signed: int = 0, **ports: list) -> dict:
    directions = {port: "output" if port == "Y" else "input" for port in ports}
    parameters = {f"{port}_SIGNED": f"{signed:032b}" for port in ("A", "B")}
    return {
        "type": kind,
        "parameters": parameters,
        "port_directions": directions,
        "connections": ports,
    }


def module(cells: dict, **ports: tuple) -> Module:
    found = {port: {"direction": way, "bits": bits} for port, (way, bits) in ports.items()}
    return Module("top", {"ports": found, "cells": cells, "netnames": {}}, {})


def test_which_nets_are_equal():
    a, b, s = 2, 3, 4
    cells = {
        "zero": cell("$and", A=[a, b], B=["0", "1"], Y=[10, 11]),
        "sign": cell("$xor", A=[a, "0"], B=[s, s], Y=[12, 13]),
        "same": cell("$xor", A=[s], B=[a], Y=[14]),
        "negated": cell("$not", A=[s], Y=[15]),
        "again": cell("$not", A=[15], Y=[16]),
        "none": cell("$and", A=[s], B=[15], Y=[17]),
        "wide": cell("$or", signed=1, A=[a, b], B=["0"], Y=[18, 19, 20]),
        "sum": cell("$add", A=[a, b, s], B=["0", "1"], Y=[21, 22, 23]),
        "less": cell("$sub", A=["0", b], B=[a, b], Y=[24, 25]),
        "twin": cell("$sub", A=["0", 11], B=[a, 11], Y=[26, 27]),
        "chosen": cell("$mux", A=["0", a], B=["1", a], S=[s], Y=[28, 29]),
        "one": cell("$reduce_or", A=[b], Y=[30]),
    }
    nets = Equal(module(cells, i=("input", [a, b, s]), o=("output", [*range(10, 31)])))
    expected = {10: "0", 11: b, 13: s, 14: 12, 16: s, 17: "0", 18: a, 19: b, 20: b, 21: a}
    expected |= {26: 24, 27: 25, 28: s, 29: a, 30: b}
    assert {bit: nets.same(bit) for bit in range(10, 31)} == {
        bit: expected.get(bit, bit) for bit in range(10, 31)
    }


def test_which_nets_are_read():
    cells = {
        "both": cell("$and", A=[2, 3], B=[4, 5], Y=[10, 11]),
        "sum": cell("$add", A=[6, 7, 8], B=[9], Y=[12, 13, 14]),
    }
    nets = Equal(module(cells, i=("input", [*range(2, 10)]), o=("output", [11, 13])))
    assert nets.read == {11, 13, 3, 5, 6, 7, 9}


@pytest.fixture(scope="module")
def sharing():
    """Return designs of two lanes in which Yosys would merge registers."""
    target = load("gowin")
    designs = [from_record({"kind": "dot", **record}) for _, record in SHARING]
    return target, [(design, emit(design, target)) for design in designs]


def test_shared_registers_do_the_same_and_wrongly_shared_ones_do_not(sharing, monkeypatch):
    target, made = sharing
    monkeypatch.setattr(Equal, "_both", lambda self, a, b, bit, neutral: b)
    wrong = made[1][0], emit(made[1][0], target)
    cases = [
        runner.Case(design, emitted.verilog, emitted.top, emitted.record["latency_cycles"])
        for design, emitted in (made[1], wrong)
    ]
    right, other = runner.simulate(cases, vectors=2000)
    assert (right.mismatches, right.vectors >= 2000) == (0, True)
    assert other.mismatches > 100


@pytest.mark.slow
def test_no_register_is_merged_or_left_out(sharing):
    target, made = sharing
    stationary = {"kind": "array", "dataflow": "weight-stationary", "rows": 1, "columns": 2}
    operands = {"weight": "uint2", "activation": "int4", "accumulator": "wrap:14"}
    joined = from_record({**stationary, **operands, "structure": "rows", "pipeline": 2})
    drawn = [Drawn(design, design.structure, target) for design, _ in made]
    drawn.append(Drawn(joined, joined.structure, load("xc7")))
    for found in measure(drawn):
        assert found.numbers["ff"] == found.estimate().ff, found.design.slug
