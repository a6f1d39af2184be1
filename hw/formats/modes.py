"""Floor 0: modes of rounding and overflow by name: ours, those of HLS and of IEEE P3109."""

from __future__ import annotations

import re
from typing import TypeVar

from hw.formats import hls, p3109
from hw.formats.base import Overflow, Rounding, RoundingMode, Stochastic

T = TypeVar("T")
_STOCHASTIC = re.compile(r"stochastic_?(?P<variant>[abc])[_\[<]?(?P<bits>\d{1,2})[\]>]?")


def rounding_mode(text: str) -> RoundingMode:
    """Return the mode of a name: ours (``ties_to_even``), of HLS or of P3109, in any case.

    HLS names may begin with ``AP_``, ``AC_`` or ``SC_``; stochastic modes are ``stochastic_a_8``
    or ``StochasticA[8]``, with the number of random bits.

    Raises
    ------
    ValueError
        If no mode has the name; it lists them.

    """
    plain = text.strip().lower()
    stochastic = _STOCHASTIC.fullmatch(plain)
    if stochastic:
        return Stochastic(stochastic["variant"], int(stochastic["bits"]))
    known: dict[str, Rounding] = {mode.value: mode for mode in Rounding}
    known |= {name.lower(): mode for name, mode in (hls.ROUNDING | p3109.ROUNDING).items()}
    return _named("rounding mode", plain, known, text)


def overflow_mode(text: str) -> Overflow:
    """Return the overflow mode of a name: ours (``saturate``) or of HLS (``SAT``), in any case.

    HLS names may begin with ``AP_``, ``AC_`` or ``SC_``. What P3109's saturation modes mean
    depends on the format: see `hw.formats.p3109.saturation`.

    Raises
    ------
    ValueError
        If no mode has the name; it lists them.

    """
    known: dict[str, Overflow] = {mode.value: mode for mode in Overflow}
    known |= {name.lower(): mode for name, mode in hls.OVERFLOW.items()}
    return _named("overflow mode", text.strip().lower(), known, text)


def _named(what: str, plain: str, known: dict[str, T], text: str) -> T:
    mode = known.get(re.sub(r"^(ap|ac|sc)_", "", plain))
    if mode is None:
        raise ValueError(f"{what} is one of {', '.join(known)}, not {text!r}")
    return mode
