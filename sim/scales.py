"""Floor 3: scales of MX blocks for the benches: where blocks meet, at the edges, and anywhere."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.design import SCALE_BIAS, SCALE_MAXIMUM, SCALE_NAN, Design

NEAR = 20
"""Scales mostly lie within ± this of 1, so that sums meet their accumulator."""
CORNERS = (0, 1, 2, 126, 127, 128, 253, SCALE_MAXIMUM, SCALE_NAN)


def set_scales(
    design: Design, weight: NDArray[Any], activation: NDArray[Any], rng: np.random.Generator
) -> None:
    """Give every step's operands scales, if the design has them: the last code of each.

    Half of the scales lie near 1, a quarter near the least normal numbers, the rest anywhere or at
    the corners.
    """
    if not design.scale_bits:
        return
    count = len(weight)
    kind = rng.random(count)
    middle = np.where(kind < 0.5, SCALE_BIAS, 66)
    for codes in (weight, activation):
        near = middle + rng.integers(-NEAR, NEAR, size=count, endpoint=True)
        scales = np.where(kind < 0.75, near, rng.integers(SCALE_NAN, size=count))
        corners = rng.choice(np.array(CORNERS), size=count)
        codes[:, -1] = np.where(rng.random(count) < 0.02, corners, scales)
