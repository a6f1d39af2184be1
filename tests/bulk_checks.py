"""Hardware of steps against the golden model, and faults in it: for tests of kinds alike."""

import re

import numpy as np
from sim_designs import case_of

from sim import bulk
from sim.runner import simulate
from sim.vectors import Steps


def every_pair(what):
    """Return every pair of operand codes of a MAC, twice in different order, and how many."""
    w, a = what.weight.bits, what.activation.bits
    count = 1 << w + a
    index = np.concatenate([np.random.default_rng(s).permutation(count) for s in (1, 2)])
    last = np.random.default_rng(3).random(len(index)) < 0.2
    fields = (index & (1 << w) - 1, index >> w)
    return Steps(*(field[:, None].astype(np.uint8) for field in fields), last), count


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
