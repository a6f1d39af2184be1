"""The benches can fail: wrong hardware is caught, by cocotb and by the bulk library."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from mutants import ARRAY_MUTANTS, BASES, CORE_MUTANTS
from sim_designs import case

from sim import bulk
from sim.runner import simulate

MUTANTS = (*CORE_MUTANTS, *ARRAY_MUTANTS)

UNSEEN_BY_BULK = {"reset keeps the sum"}
"""The library resets at the start of a run only."""


def base(name):
    settings = dict(BASES[name])
    return case(settings.pop("kind"), settings.pop("weight"), **settings)


@pytest.fixture(scope="module")
def verdicts():
    """All right designs and all mutants in one run: name to verdict."""
    cases = {name: base(name) for name in BASES}
    cases |= {(m.name, m.base): m.of(base(m.base)) for m in MUTANTS}
    return dict(zip(cases, simulate(list(cases.values()), vectors=500), strict=True))


@pytest.mark.parametrize("name", BASES)
def test_right_designs_pass(verdicts, name):
    assert verdicts[name].passed


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: f"{m.base}: {m.name}")
def test_the_cocotb_bench_catches(verdicts, mutant):
    verdict = verdicts[mutant.name, mutant.base]
    assert not verdict.passed
    assert verdict.mismatches > 0
    assert verdict.first is not None
    assert verdict.first.expected != verdict.first.got or verdict.first.port == "protocol"


@pytest.fixture(scope="module")
def bulk_verdicts():
    cases = {name: base(name) for name, settings in BASES.items() if settings["kind"] != "array"}
    cases |= {(m.name, m.base): m.of(base(m.base)) for m in CORE_MUTANTS}
    with ThreadPoolExecutor(2) as pool:
        found = pool.map(lambda c: bulk.check(c.verilog, c.design, 4000), cases.values())
        return dict(zip(cases, found, strict=True))


@pytest.mark.slow
def test_the_bulk_library_catches_all_but_resets(bulk_verdicts):
    passed = {key for key, verdict in bulk_verdicts.items() if verdict.passed}
    right = {name for name, settings in BASES.items() if settings["kind"] != "array"}
    assert passed == right | {(m.name, m.base) for m in MUTANTS if m.name in UNSEEN_BY_BULK}
    assert len(bulk_verdicts) == len(right) + len(CORE_MUTANTS)
