"""costmodel.fit: recovers what it should, and the shipped numbers are what it gives."""

import csv
from importlib.resources import files

import numpy as np
import pytest
import yaml

from costmodel import coefficients
from costmodel.fit import _fit, fit, fit_products
from costmodel.measured import product_key

TARGETS = ("xcup", "xc7", "ecp5", "ice40", "gowin")


def rows(target):
    text = (files("costmodel") / "data" / f"measured_{target}.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def test_an_exact_law_is_found():
    made = [
        {
            "part": "product",
            "key": product_key(a, b, "us"[a_signed], "us"[b_signed]),
            "lut": str(2 * a * b - 3 * (a + b) + 20 + 7 * a_signed * b_signed),
        }
        for a in range(2, 10)
        for b in range(2, 10)
        for a_signed in (False, True)
        for b_signed in (False, True)
    ]
    found = fit_products(made)
    assert found["unsigned"].values == pytest.approx((2, -3, 20))
    assert found["mixed"].values == pytest.approx((2, -3, 20))
    assert found["signed"].values == pytest.approx((2, -3, 27))
    assert found["signed"].residual == 0
    assert found["mixed"].points == 2 * 7 * 7  # narrow operands are left out


def test_residual_is_that_of_points_left_out():
    rng = np.random.default_rng(3)
    matrix = np.column_stack([rng.normal(size=12), np.ones(12)])
    values = rng.normal(size=12)
    errors = []
    for k in range(12):
        others = np.arange(12) != k
        solution = np.linalg.lstsq(matrix[others], values[others], rcond=None)[0]
        errors.append(abs(values[k] - matrix[k] @ solution))
    assert _fit(matrix, values).residual == pytest.approx(np.mean(errors), abs=0.01)


def test_too_few_points_are_refused():
    with pytest.raises(ValueError, match="more points than coefficients, not 2"):
        _fit([(1, 2), (3, 4)], [5, 6])


@pytest.mark.parametrize("target", TARGETS)
def test_the_shipped_numbers_are_those_of_the_shipped_measurements(target):
    text = (files("costmodel") / "data" / f"fitted_{target}.yaml").read_text(encoding="utf-8")
    shipped = yaml.safe_load(text)["coefficients"]
    assert shipped == fit(rows(target), coefficients.load(target))


@pytest.mark.parametrize("target", TARGETS)
def test_wide_products_are_within_a_tenth_when_left_out(target):
    for found in fit_products(rows(target)).values():
        # Gowin joins LUTs into functions of eight inputs: sizes jump. All products of operands of
        # up to 16 bits are measured, so that no design needs the formula there.
        assert found.relative < (0.3 if target == "gowin" else 0.12)
