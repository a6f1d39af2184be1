"""Floor 1c: the cells of BitMoD's term generator, LUT by LUT.

FP3 and FP4 are tables of the magnitude, the digit and which of the two it is: five inputs, so that
two bits of a term share a LUT6_2. The code of −0 takes the special value's term, which is decoded
once for all weights. Integers: the three bits of a Booth digit are picked by the digit's number;
INT5 repeats its sign as the sixth bit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from hw.formats.bitmod_datatypes import BY_NAME, SPECIAL_BITS
from hw.plan.cells import Lut, Netlist, function

TERM_BITS = 4
"""A floating term: whether there is one, and three bits of its shift or exponent."""
FLOATING = ("fp3", "fp4")


def floating_term(halves: int, digit: int, summed: bool) -> int:
    """Return the term of a magnitude in halves: man, and its shift (or exponent) above it."""
    first = (halves >> 1).bit_length() - 1
    left = halves if first < 0 else halves & ~(1 << (first + 1))
    found = ((left & 0b1111) if digit else (halves >> 1)).bit_length() - 1
    if found < 0:
        return 0
    return 1 | (found + (summed and not digit)) << 1


@cache
def select_netlist(datatypes: tuple[str, ...], summed: bool) -> Netlist:
    """Return the cells that all weights share.

    Inputs d0…d2 (datatype), n0, n1 (digit); outputs fp (FP3 or FP4), short (INT5) and, unless
    shifts are summed, b0…b2 (bsig + 1).
    """
    floating, integers = _families(datatypes)
    both = bool(floating and integers)
    some = "int5" in datatypes and len(integers) > 1
    luts = [
        function("fp", ("d1", "d2"), lambda a, b: not (a or b))
        if both
        else Lut("fp", (), int(bool(floating))),
        function("short", ("d0", "d2"), lambda a, b: not (a or b))
        if some
        else Lut("short", (), int("int5" in datatypes)),
    ]
    if not summed:
        luts += [
            function("b0", ("fp", "n0"), lambda fp, n: not (fp and n)),
            function("b1", ("fp", "n0"), lambda fp, n: n and not fp),
            function("b2", ("fp", "n1"), lambda fp, n: n and not fp),
        ]
    return Netlist(tuple(luts), ())


@cache
def special_netlist(summed: bool) -> Netlist:
    """Return the cells of a special value's term: inputs e0…e5, n0; outputs t0…t3 (man first)."""
    nets = (*(f"e{i}" for i in range(SPECIAL_BITS - 1)), "n0")

    def rule(bit: int) -> Callable[..., object]:
        def chosen(*values: int) -> int:
            halves = sum(value << i for i, value in enumerate(values[:-1]))
            return floating_term(halves, values[-1], summed) >> bit & 1

        return chosen

    return Netlist(tuple(function(f"t{bit}", nets, rule(bit)) for bit in range(TERM_BITS)), ())


@cache
def weight_netlist(datatypes: tuple[str, ...], summed: bool) -> Netlist:
    """Return the cells of one weight's term.

    Inputs c0…c7 (code), d0 (datatype's lowest bit), fp, short, n0, n1 (digit), t0…t3 and ss
    (special value's term and sign); outputs sign, man and s0… (shift, or exponent).
    """
    floating, integers = _families(datatypes)
    luts: list[Lut] = []
    nothing = {"special": "0", "fsign": "0", **{f"f{i}": "0" for i in range(TERM_BITS)}}
    nets = {name: name for name in (*nothing, "high", "some", "two")}
    if floating:
        luts += _floating(floating, bool(integers), summed)
    else:
        nets |= nothing
    if integers:
        luts += _booth(integers)
    else:
        nets |= dict.fromkeys(("high", "some", "two"), "0")
    fp = "fp" if floating and integers else "1" if floating else "0"
    special = nets["special"]

    def pick(
        name: str, of_special: str, of_float: str, *own: str, rule: Callable[..., object]
    ) -> Lut:
        def chosen(here: int, special: int, is_float: int, value: int, *rest: int) -> object:
            return special if here else value if is_float else rule(*rest)

        return function(name, (special, of_special, fp, of_float, *own), chosen)

    luts += [
        pick("sign", "ss", nets["fsign"], nets["high"], rule=lambda v: v),
        pick("man", "t0", nets["f0"], nets["some"], rule=lambda v: v),
    ]
    two = nets["two"]
    if not summed:
        luts.append(pick("s0", "t1", nets["f1"], two, rule=lambda v: v))
        luts.append(pick("s1", "t2", nets["f2"], rule=lambda: 0))
        return Netlist(tuple(luts), ())
    luts += [
        pick("s0", "t1", nets["f1"], two, rule=lambda v: not v),
        pick("s1", "t2", nets["f2"], "n0", two, rule=lambda n, v: n ^ v),
        function("third", ("n0", "n1", two), _third),
        pick("s2", "t3", nets["f3"], "third", rule=lambda v: v),
        function("s3", (fp, "n0", "n1", two), lambda f, a, b, v: a and b and v and not f),
    ]
    return Netlist(tuple(luts), ())


def _third(low: int, high: int, two: int) -> int:
    """Return bit 2 of ``2·digit + 1 + two``."""
    return (2 * (2 * high + low) + 1 + two) >> 2 & 1


def _families(datatypes: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    floating = tuple(name for name in datatypes if name in FLOATING)
    return floating, tuple(name for name in datatypes if name not in FLOATING)


def _floating(served: tuple[str, ...], with_integers: bool, summed: bool) -> list[Lut]:
    """Return f0…f3, the term of FP3 or FP4 in `TERM_BITS`, fsign and special."""
    four = "d0" if len(served) == 2 else "1" if "fp4" in served else "0"
    fp = "fp" if with_integers else "1"

    def rule(bit: int) -> Callable[..., object]:
        def chosen(is_four: int, digit: int, *code: int) -> int:
            magnitude = sum(value << i for i, value in enumerate(code[: 2 + is_four]))
            value = BY_NAME["fp4" if is_four else "fp3"].value(magnitude)
            return floating_term(int(2 * value), digit, summed) >> bit & 1

        return chosen

    def special(is_float: int, is_four: int, *code: int) -> object:
        low = code[: 2 + is_four]
        return is_float and code[2 + is_four] and not any(low)

    codes = ("c0", "c1", "c2", "c3")
    return [
        *(function(f"f{bit}", (four, "n0", *codes[:3]), rule(bit)) for bit in range(TERM_BITS)),
        function("fsign", (four, "c2", "c3"), lambda f, three, wide: wide if f else three),
        function("special", (fp, four, *codes), special),
    ]


def _booth(served: tuple[str, ...]) -> list[Lut]:
    """Return high, some and two of a Booth digit: its sign, whether it is not 0, whether ±2."""
    short = "0" if "int5" not in served else "1" if len(served) == 1 else "short"
    digits = max(BY_NAME[name].cycles for name in served)
    sixth = function("sixth", (short, "c4", "c5"), lambda s, a, b: a if s else b)
    highs = ("c1", "c3", sixth.inputs[0] if sixth.is_wire else "sixth", "c7")
    picked = {
        "below": ("0", "c1", "c3", "c5"),
        "low": ("c0", "c2", "c4", "c6"),
        "high": highs,
    }
    luts = [] if sixth.is_wire else [sixth]
    luts += [
        function(name, ("n0", "n1", *nets[:digits]), lambda a, b, *v: v[min(2 * b + a, len(v) - 1)])
        for name, nets in picked.items()
    ]
    return [
        *luts,
        function("some", ("below", "low", "high"), lambda b, lo, h: not b == lo == h),
        function("two", ("below", "low", "high"), lambda b, lo, h: b == lo != h),
    ]


@dataclass(frozen=True, slots=True)
class TermCells:
    """A part of a term generator: `name` is select, special or weight.

    Parameters
    ----------
    name
        Which part.
    datatypes, summed, packed
        As in `hw.plan.bitmod.TermGeneratorPlan`.

    """

    name: str
    datatypes: tuple[str, ...]
    summed: bool
    packed: bool

    @property
    def netlist(self) -> Netlist:
        """The cells."""
        match self.name:
            case "select":
                return select_netlist(self.datatypes, self.summed)
            case "special":
                return special_netlist(self.summed)
        return weight_netlist(self.datatypes, self.summed)
