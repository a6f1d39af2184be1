"""Published delays against routed paths that others published."""

import pytest

from hw.logical import LOGICAL, published
from sweeps import clock_outside


def test_paths_of_others_lie_within_what_is_stated():
    found = list(clock_outside.points())
    assert len(found) == 15
    for target in LOGICAL:
        stated = published(target).error_percent
        sizes = [abs(one.residual_percent) for one in found if one.target == target]
        assert len(sizes) >= 2
        assert max(sizes) <= stated
        assert sum(sizes) / len(sizes) <= 0.7 * stated


def test_a_path_is_added_up():
    """One LUT, a chain of two blocks and two wires, by hand; xc7 counts CARRY4."""
    known = published("xc7")
    point = {"target": "xc7", "lut": 1, "mux": 0, "enter": 1, "pass": 1, "leave": 1, "sum": 0}
    wanted = 0.478 + 0.160 + (0.490 + 0.114 + 0.280) + 0.650 + 1.000
    assert clock_outside.path_ns(point | {"sinks": [1, 12]}, known) == pytest.approx(wanted)


def test_the_residuals_are_printed(capsys):
    assert clock_outside.main() == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 17
    assert lines[-2].startswith("xcup: 13 paths, mean 17 %")
