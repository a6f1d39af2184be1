"""Floor 2b: matrix products of stacks of matrices, as attention has them."""

from __future__ import annotations

import numpy as np

from hw.accumulators import AccumulatorKind
from hw.design import Design
from sim.golden.bounds import below, is_exact
from sim.golden.matrix import matmul
from sim.golden.operand import Operand, Values


def stacked_matmul(left: Operand, right: Operand, design: Design) -> Values:
    """Return the products of the matrices of two stacks, each as `sim.golden.matmul` has it.

    Parameters
    ----------
    left
        Values of ``design.activation``, shape (…, M, K).
    right
        Values of ``design.weight``, shape (…, K, N), as many matrices in the same order.
    design
        A MAC or a dot product.

    Returns
    -------
    array
        float64, shape (…, M, N).

    Raises
    ------
    ValueError
        As `sim.golden.matmul`, or for stacks of different shapes.

    """
    shape = left.values.shape
    if len(shape) < 2 or right.values.shape[:-1] != (*shape[:-2], shape[-1]):
        raise ValueError(
            f"stacks of matrices fit each other, not shapes {shape} and {right.values.shape}"
        )
    reach = left.peak * right.peak * shape[-1]
    if _is_plain(left, right, design, reach):
        return np.asarray(left.values @ right.values)
    lefts = left.values.reshape(-1, *shape[-2:])
    rights = right.values.reshape(-1, *right.values.shape[-2:])
    parts = [
        matmul(left.rearranged(a), right.rearranged(b), design)
        for a, b in zip(lefts, rights, strict=True)
    ]
    return np.stack(parts).reshape(*shape[:-1], right.values.shape[-1])


def _is_plain(left: Operand, right: Operand, design: Design, reach: float) -> bool:
    """Whether every sum is exact in float64 and stays inside the accumulator."""
    if (left.format, right.format) != (design.activation, design.weight):
        return False
    if design.accumulator.kind not in (AccumulatorKind.EXACT, AccumulatorKind.WRAP):
        return False
    modulus = design.accumulator_bits + design.product_lsb_exponent
    return below(reach, modulus - 1) and is_exact(left, right, reach)
