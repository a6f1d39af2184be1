"""Targets: every record loads, unknown names are refused with the nearest."""

import pytest

from hw import target


@pytest.mark.parametrize("name", ["xcup", "xc7", "ecp5", "ice40", "gowin"])
def test_targets_load(name):
    record = target.load(name)
    assert record.name == name
    assert record.lut_inputs in (4, 6)
    assert record.synthesis.startswith("synth_")
    assert target.load(name) is record


def test_names_are_those_of_the_command_line():
    assert target.names() == ("xcup", "xc7", "ecp5", "ice40", "gowin", "asic")


def test_an_unknown_target_suggests_the_nearest():
    with pytest.raises(ValueError, match=r"target is one of xcup.*not 'ecp6'; did you mean 'ecp5'"):
        target.load("ecp6")
