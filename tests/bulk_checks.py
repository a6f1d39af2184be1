"""Hardware of steps against the golden model, and faults in it: for tests of kinds alike."""

import re

from sim_designs import case_of

from sim import bulk
from sim.runner import simulate


def check_golden(what, vectors, seed=1):
    """Assert that no step of a run differs."""
    verdict = bulk.check(case_of(what).verilog, what, vectors, seed=seed)
    assert verdict.first is None
    assert verdict.passed
    assert verdict.vectors >= vectors


def check_noticed(what, pattern, replacement, vectors):
    """Assert that a run tells Verilog in which a pattern was replaced from the right one."""
    verilog, count = re.subn(pattern, replacement, case_of(what).verilog)
    assert count
    assert not bulk.check(verilog, what, vectors).passed


def check_cocotb(designs):
    """Assert that the bench agrees with all designs, a thousand steps each at least."""
    verdicts = simulate([case_of(what) for what in designs], vectors=2000)
    assert [verdict.passed for verdict in verdicts] == [True] * len(designs)
    assert all(verdict.vectors >= 1000 for verdict in verdicts)
