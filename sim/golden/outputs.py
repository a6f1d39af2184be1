"""Floor 2b: what the vectorised cores take and give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hw.design import Design
from sim.golden.limbs import Words, limb_ints

Codes = NDArray[np.unsignedinteger]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Outputs:
    """What a core shows after each step, or clock edge.

    Parameters
    ----------
    total
        Signed totals as 64-bit words, lowest first, sign-extended: shape (…, words), as many words
        as ``accumulator_bits`` needs.
    total_valid
        Whether the step ended its sum, shape (…).
    flags
        The design's flags by name, shape (…) each.
    exponent
        Running maximum exponents of a window design, else zeros; shape (…).

    """

    total: Words
    total_valid: Flags
    flags: dict[str, Flags]
    exponent: NDArray[np.int64]

    def ints(self) -> list[int]:
        """Return the totals as Python integers, in flat order."""
        return limb_ints(self.total)

    def take(self, index: Any) -> Outputs:
        """Return the outputs of some steps."""
        flags = {name: flag[index] for name, flag in self.flags.items()}
        return Outputs(self.total[index], self.total_valid[index], flags, self.exponent[index])

    def shaped(self, *shape: int) -> Outputs:
        """Return the same outputs in another shape."""
        return Outputs(
            self.total.reshape(*shape, self.total.shape[-1]),
            self.total_valid.reshape(shape),
            {name: flag.reshape(shape) for name, flag in self.flags.items()},
            self.exponent.reshape(shape),
        )


def word_count(design: Design) -> int:
    """Return the 64-bit words of a total."""
    return -(-design.accumulator_bits // 64)


def blank(design: Design, count: int) -> Outputs:
    """Return the outputs of `count` edges after a reset."""
    flags = {name: np.zeros(count, np.bool_) for name in design.flags}
    total = np.zeros((count, word_count(design)), np.uint64)
    return Outputs(total, np.zeros(count, np.bool_), flags, np.zeros(count, np.int64))


def checked_codes(what: str, codes: ArrayLike, bits: int, shape: tuple[int | None, ...]) -> Codes:
    """Return codes as an array; None in `shape` is any length.

    Raises
    ------
    ValueError
        For another shape, numbers that are not integers, or codes that are not of the format.

    """
    array = np.asarray(codes)
    if array.dtype.kind not in "iu":
        raise ValueError(f"{what} are integer codes, not {array.dtype}")
    fits = len(shape) == array.ndim and all(
        wanted in (None, size) for wanted, size in zip(shape, array.shape, strict=True)
    )
    if not fits:
        text = ", ".join("any" if size is None else str(size) for size in shape)
        raise ValueError(f"{what} have shape ({text}), not {array.shape}")
    may_exceed = array.dtype.kind == "i" or 8 * array.dtype.itemsize > bits
    if may_exceed and array.size and (array.min() < 0 or int(array.max()) >> bits):
        wrong = array[(array < 0) | (array > (1 << bits) - 1)].flat[0]
        raise ValueError(f"{what} lie in 0..{(1 << bits) - 1}, not {wrong}")
    return array
