"""Shells of all sides from few: exactly those asked for one by one."""

import numpy as np
import pytest

from costmodel.grid_shell import all_sides, shell_matrix
from hw.target import load

ROWS, COLUMNS = (1, 2, 3, 5, 8, 17, 33), (1, 2, 4, 9, 16, 18, 35)


@pytest.mark.parametrize("target", ["xcup", "xc7", "ecp5", "ice40", "gowin"])
def test_shells_are_those_of_each_array(target):
    whole = shell_matrix(load(target), True, ROWS, COLUMNS)
    assert whole.shape == (5, 5, len(ROWS) * len(COLUMNS))
    for number, (r, c) in enumerate((r, c) for r in ROWS for c in COLUMNS):
        alone = shell_matrix(load(target), True, (r,), (c,))
        direct = shell_matrix(load(target), True, (r, 1), (c, 1))[..., 0]
        assert (whole[..., number] == alone[..., 0]).all(), (r, c)
        assert (whole[..., number] == direct).all(), (r, c)


def test_few_sides_are_asked_for():
    asked = []

    def numbers(r, c):
        asked.append((r, c))
        return np.array([float(r * r + c * c * c + 5 * c * r)])

    found = all_sides(ROWS, COLUMNS, numbers)
    wanted = [r * r + c**3 + 5 * c * r for r in ROWS for c in COLUMNS]
    assert found.tolist() == [wanted]
    assert len(asked) <= 2 * len(ROWS) + 2 * len(COLUMNS) + 2 < len(wanted)
