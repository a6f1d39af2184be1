"""Floor 2b: what conversions are given: numbers of any exact type, scales, random integers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hw.formats import Format, RoundingMode, Special, Stochastic

Floats = NDArray[Any]
Random = ArrayLike | np.random.Generator | None

NAN_POLICIES = ("error", "zero", "maximum")
_EXACT_INTEGER_BITS = 53


def as_floats(values: ArrayLike) -> Floats:
    """Return float32 or float64 with the same values.

    Raises
    ------
    ValueError
        For what is not real, or not exact in float64.

    """
    array = np.asarray(values)
    if array.dtype in (np.float32, np.float64):
        return array
    if array.dtype == np.float16 or _is_small(array.dtype):
        return array.astype(np.float32)
    if array.dtype.kind not in "fiub":
        raise ValueError(f"values are real numbers, not {array.dtype}")
    if array.dtype.kind in "iu" and array.dtype.itemsize == 8:
        _check_integers(array)
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:
        raise ValueError(f"values are float32 or float64, not {array.dtype}")
    return array.astype(np.float64)


def _is_small(dtype: np.dtype[Any]) -> bool:
    """Whether this is a type of ml_dtypes with one number per element: float32 holds them all."""
    return dtype.type.__module__.partition(".")[0] == "ml_dtypes" and not dtype.name.startswith(
        "complex"
    )


def _check_integers(array: NDArray[Any]) -> None:
    limit = 1 << _EXACT_INTEGER_BITS
    if array.size and (int(array.max()) > limit or int(array.min()) < -limit):
        raise ValueError(f"integers beyond 2^{_EXACT_INTEGER_BITS} are not exact in float64")


def scale_of(scale: ArrayLike, shape: tuple[int, ...]) -> tuple[NDArray[np.float64] | None, bool]:
    """Return the divisor for values of a shape, and whether all of it are powers of two.

    The divisor has that shape (as a view) or one element; it is None for 1.
    """
    divisor = np.asarray(scale, dtype=np.float64)
    if not ((divisor > 0) & (divisor < np.inf)).all():
        wrong = divisor[~((divisor > 0) & (divisor < np.inf))].flat[0]
        raise ValueError(f"a scale is positive and finite, not {wrong}")
    if np.broadcast_shapes(divisor.shape, shape) != shape:
        raise ValueError(
            f"scale of shape {divisor.shape} does not broadcast to values of shape {shape}"
        )
    if divisor.size == 1 and divisor.flat[0] == 1.0:
        return None, True
    powers = bool((np.frexp(divisor)[0] == 0.5).all())
    return divisor.reshape(1) if divisor.size == 1 else np.broadcast_to(divisor, shape), powers


def missing_value(nan: str, format: Format) -> float | None:
    """Return what NaN becomes in a format that has none; None refuses it."""
    if nan not in NAN_POLICIES:
        raise ValueError(f"nan is {', '.join(NAN_POLICIES)}, not {nan!r}")
    return {"error": None, "zero": 0.0, "maximum": float(format.maximum)}[nan]


def nan_code(format: Format) -> int | None:
    """Return the code that NaN encodes to, None where the format has none."""
    try:
        return format.encode(Special.NAN)
    except ValueError:
        return None


def random_integers(
    random: Random, rounding: RoundingMode, shape: tuple[int, ...]
) -> NDArray[np.integer[Any]] | np.random.Generator | None:
    """Return the random integers of stochastic rounding in a shape, or what draws them.

    Raises
    ------
    ValueError
        If they are missing, not asked for, of the wrong shape or out of range.

    """
    if not isinstance(rounding, Stochastic):
        if random is not None:
            raise ValueError(f"random integers are for stochastic rounding, not {rounding.value}")
        return None
    if random is None:
        raise ValueError("stochastic rounding needs random: integers, or a NumPy generator")
    if isinstance(random, np.random.Generator):
        return random
    array = np.asarray(random)
    if array.dtype.kind not in "iu":
        raise ValueError(f"random integers are integers, not {array.dtype}")
    if array.size and (int(array.min()) < 0 or int(array.max()) >> rounding.bits):
        wrong = array[(array < 0) | (array > (1 << rounding.bits) - 1)].flat[0]
        raise ValueError(f"R lies in 0..{(1 << rounding.bits) - 1}, not {wrong}")
    try:
        return np.broadcast_to(array, shape)
    except ValueError:
        raise ValueError(
            f"random of shape {array.shape} does not broadcast to values of shape {shape}"
        ) from None
