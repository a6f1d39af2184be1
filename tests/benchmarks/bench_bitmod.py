"""BitMoD's element: speed and error of its golden model, and its area beside other units."""

from collections.abc import Iterator

import numpy as np
from measure import Row, least_seconds

from hw.design import BitmodPe
from hw.formats import parse_element
from hw.formats.bitmod_datatypes import BY_NAME, DATATYPES, default_specials
from hw.plan.bitmod import plan_bitmod, plan_element
from hw.rtl.bitmod import BitmodElement
from hw.rtl.bitmod_int import BitmodIntElement
from hw.rtl.bitmod_terms import TermGenerator
from hw.rtl.emit import emit
from hw.rtl.library import Library
from hw.rtl.xilinx import models
from hw.synthesis import synthesize
from hw.target import load
from hw.yosys import clean_verilog
from sim.golden.bitmod_arrays import BitmodMatrix, group_sums, matrix_vector
from sim.golden.bitmod_terms import value_table

SIDE, GROUP, COUNT = 4096, 128, 4000
PUBLIC_PARTS = 547
"""LUT of the element rebuilt from public parts, truncating, measured in this flow."""


def rows() -> Iterator[Row]:
    """Give seconds, errors, LUT."""
    rng = np.random.default_rng(0)
    yield from _seconds(rng)
    yield from _errors(rng)
    yield from _area()


def _seconds(rng: np.random.Generator) -> Iterator[Row]:
    design = BitmodPe()
    shape = (SIDE, design.groups)
    vector = rng.standard_normal(SIDE).astype(np.float16)
    for name in ("fp4", "int6", "int8"):
        datatype = BY_NAME[name]
        codes = rng.integers(0, 1 << datatype.bits, (SIDE, SIDE)).astype(np.uint8)
        kinds = np.full(shape, datatype.select, np.uint8)
        ids = rng.integers(0, 4, shape).astype(np.uint8)
        matrix = BitmodMatrix(codes, kinds, ids, rng.integers(1, 128, shape).astype(np.uint8))
        single = codes.astype(np.float32)
        ours, peer = least_seconds(
            lambda matrix=matrix: matrix_vector(design, matrix, vector.view(np.uint16)),
            lambda single=single: single @ vector.astype(np.float32),
            runs=3,
        )
        yield Row(f"{name} × fp16 {SIDE}×{SIDE}, each rounding", ours, "s", peer, "float32 BLAS")


def _errors(rng: np.random.Generator) -> Iterator[Row]:
    """Root mean square of errors over Σ|w·a|, against a chain of fp16 multiply-adds."""
    design = BitmodPe()
    for datatype in DATATYPES:
        halves = rng.standard_normal((GROUP, COUNT)).astype(np.float16)
        codes = rng.integers(0, 1 << datatype.bits, (GROUP, COUNT)).astype(np.uint16)
        kinds, ids = np.full(COUNT, datatype.select), np.zeros(COUNT, np.int64)
        sums = group_sums(design, codes, halves.view(np.uint16), kinds, ids)
        unit = 4 * sums.exponent + design.unit_exponent
        found = np.ldexp(sums.significand.astype(np.float64), unit.astype(np.int32))
        entry = default_specials()[4 * datatype.select] if datatype.floating else 0
        values = value_table(datatype, entry).sum(axis=0).astype(np.float64)
        products = values[codes] * halves
        chain = np.zeros(COUNT, np.float16)
        for product in products:
            chain = (chain + product).astype(np.float16)
        exact, size = products.sum(axis=0), np.abs(products).sum(axis=0)
        errors = [np.sqrt(np.mean(((sum_ - exact) / size) ** 2)) for sum_ in (found, chain)]
        yield Row(
            f"{datatype.name} × fp16, group of {GROUP}, error",
            errors[0],
            "of Σ|w·a|",
            errors[1],
            "fp16 multiply-adds",
        )


def _area() -> Iterator[Row]:
    target = load("xcup")
    half = BitmodPe(specials="ignore")
    whole = BitmodPe(activation=parse_element("int8"))
    mac = emit(_mac(), target)
    peer = synthesize(mac.verilog, mac.top, target)
    element = BitmodElement(plan_element(half, target))
    cost = _measured(element)
    yield Row("element fp16, LUT", cost.lut, "LUT", PUBLIC_PARTS, "public parts, truncating")
    yield Row("element fp16, sites", cost.sites, "sites", peer.sites, "fp16 multiply-add")
    for name, part in (
        ("term generator, LUT", TermGenerator(plan_bitmod(half, target).generator)),
        ("element int8, exact, LUT", BitmodIntElement(plan_element(whole, target))),
    ):
        yield Row(name, _measured(part).lut, "LUT", None, "")


def _mac():
    from hw.design import from_record

    record = {"kind": "mac", "weight": "fp16", "accumulator": "float:fp16", "specials": "ignore"}
    return from_record({**record, "structure": "rows"})


def _measured(component):
    library = Library("part_", True)
    text = library.convert(component, "part")
    verilog = clean_verilog(text, "part", library.names.__contains__, None)
    return synthesize(verilog + models(library.prefix, library.used_primitives), "part", "xcup")
