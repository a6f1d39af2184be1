"""Floor 1c: the cells of BitMoD's processing element for fp16, LUT by LUT (`hw.design.bitmod`).

A lane's word v (14 bits: the significand moved by ``x mod 4``) is moved right by whole hexadecimal
digits, 0 to 4 of them; further nothing is left after rounding. The 17 places of the window are 3
below v's lowest and v's own. At most four digits of v meet at a place, so that two code bits, the
sign and three sources fill a LUT; where four meet, or none may come through, two are chosen between
first, by the lowest bit of the distance. Three codes of two bits tell the distance: one for places
0 and 1, one above and one below them.

The accumulator is moved by 0 to 7 digits (more round it to 0, as 7 do): four at once first, two
bits per LUT6_2, then 0 to 3 in the LUTs of a carry chain, whose carry input adds the rounding for
nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache

from hw.plan.cells import Chain, ChainBit, Lut, Netlist, function

FRACTION = 10
WORD_BITS = 14
BELOW = 3
"""Places of the window below the word's lowest bit."""
WINDOW_BITS = WORD_BITS + BELOW
DIGIT = 4
EXPONENT_BITS = 6
HEX_BITS = 4
LANES = 4


@cache
def exponent_netlist(flagged: bool) -> Netlist:
    """Return the cells of ``x = max(field, 1) + shift``.

    Inputs f0…f4 (field), t0…t3 (shift of the term); outputs x0…x5, z (the field is 0) and, if
    flagged, i (it is 31). Carry-in z lifts the field of subnormals to 1.
    """
    fields = [f"f{i}" for i in range(5)]
    luts = [function("z", fields, lambda *f: not any(f))]
    luts += [function("i", fields, lambda *f: all(f))] if flagged else []
    bits = tuple(
        ChainBit(f"x{i}", function("", (f"f{i}", f"t{i}"), lambda f, t: f ^ t), f"f{i}")
        for i in range(4)
    )
    luts.append(function("x4", ("f4", "carry"), lambda f, c: f ^ c))
    luts.append(function("x5", ("f4", "carry"), lambda f, c: f and c))
    return Netlist(tuple(luts), (Chain("z", bits, "carry"),))


@cache
def align_netlist() -> Netlist:
    """Return the cells that align a lane's product.

    Inputs m0…m9 (fraction), z, x0…x5, r0…r3 (exponent of the accumulator), a (there is a term), s
    (sign of the product); outputs p0…p16, inverted where the sign is minus, and c, the carry that
    makes it the product: rounding or minus, not both.
    """
    luts, chains = difference("r", "x", 2, [f"k{i}" for i in range(HEX_BITS)])
    luts += [*_fine(), *_codes(), *_places(), *_round()]
    return Netlist(tuple(luts), tuple(chains))


def difference(
    left: str, right: str, first: int, names: list[str]
) -> tuple[list[Lut], list[Chain]]:
    """Return the cells of ``left − right``, the right word's nets numbered from `first`.

    The lowest bit stands before the chain: Yosys would add an inverter to one that starts with 1.
    """
    lowest = (f"{left}0", f"{right}{first}")
    luts = [
        function(names[0], lowest, lambda a, b: a ^ b),
        function(f"{names[0]}_carry", lowest, lambda a, b: a or not b),
    ]
    bits = tuple(
        ChainBit(
            name,
            function("", (f"{left}{i}", f"{right}{first + i}"), lambda a, b: 1 ^ a ^ b),
            f"{left}{i}",
        )
        for i, name in enumerate(names[1:], 1)
    )
    return luts, [Chain(luts[1].output, bits, "")]


def _fine() -> list[Lut]:
    """Return v0…v13: the significand moved left by x1 x0."""

    luts = []
    for place in range(WORD_BITS):
        nets = [_significand(place - step) for step in range(DIGIT)]
        hidden = place - FRACTION

        def chosen(low: int, high: int, zero: int, *bits: int, at: int = hidden) -> int:
            step = 2 * high + low
            return int(not zero) if step == at else bits[step]

        luts.append(function(f"v{place}", ("x0", "x1", "z", *nets), chosen))
    return luts


def _significand(bit: int) -> str:
    """Return the net of a stored bit of the significand; the hidden one has none."""
    return f"m{bit}" if 0 <= bit < FRACTION else "0"


def _codes() -> list[Lut]:
    """Return the codes of the distance k: high (q1 q0), middle (q1 h0) and low places (l1 l0)."""
    nets = ("a", *(f"k{i}" for i in range(HEX_BITS)))

    def member(digits: Iterable[int], other: int) -> Callable[..., int]:
        chosen = frozenset(digits)

        def rule(live: int, *bits: int) -> int:
            distance = sum(bit << i for i, bit in enumerate(bits))
            return int(bool(live) and distance in chosen) ^ other

        return rule

    return [
        function("q0", nets, member((0, 2), 1)),
        function("q1", nets, member((0, 1), 1)),
        function("h0", nets, member((0, 2, 3), 1)),
        function("l0", nets, member((1, 3, 4), 0)),
        function("l1", nets, member((2, 3, 4), 0)),
    ]


def _places() -> list[Lut]:
    """Return p0…p16, place 3 being the lowest bit of v."""
    luts = [
        function(f"g{place}", ("k0", f"v{place + 12}", f"v{place + 8}"), _choose)
        for place in (0, 1)
    ]
    luts += [function(f"n{bit}", ("k0", f"v{bit}"), lambda k, v: k and v) for bit in (10, 11)]
    luts += [function(f"n{bit}", ("k0", f"v{bit}", f"v{bit + 4}"), _choose) for bit in (8, 9)]
    for place in range(WINDOW_BITS):
        own = place - BELOW
        if own >= 2:
            nets = ("q1", "q0", *(_word(own + DIGIT * k) for k in range(3)))
            luts.append(function(f"p{place}", ("s", *nets), _high))
        elif own >= 0:
            nets = ("q1", "h0", _word(own), _word(own + DIGIT), f"g{own}")
            luts.append(function(f"p{place}", ("s", *nets), _high))
        else:
            first = own + DIGIT
            nets = ("l1", "l0", _word(first), _word(first + DIGIT), f"n{first + 2 * DIGIT}")
            luts.append(function(f"p{place}", ("s", *nets), _low))
    return luts


def _word(bit: int) -> str:
    return f"v{bit}" if bit < WORD_BITS else "0"


def _choose(chosen: int, first: int, second: int) -> int:
    return first if chosen else second


def _high(sign: int, high: int, low: int, *sources: int) -> int:
    """Return a place above the lowest three: code 3 is nothing."""
    return sign ^ (*sources, 0)[2 * high + low]


def _low(sign: int, high: int, low: int, *sources: int) -> int:
    """Return a place below the word, or the guard bit: code 0 is nothing."""
    return sign ^ (0, *sources)[2 * high + low]


def _round() -> list[Lut]:
    """Return the carry: guard & (sticky | lowest), exclusive or the sign."""

    def sticky(low: int, high: int, odd: int, first: int, second: int, third: int) -> int:
        code = 2 * high + low
        if code < 2:
            return 0
        return first or (code == 3 and (second or (third and not odd)))

    luts = [
        function(f"o{i}", tuple(f"v{DIGIT * i + j}" for j in range(DIGIT)), lambda *v: any(v))
        for i in range(3)
    ]
    luts.append(function("sticky", ("l0", "l1", "k0", "o0", "o1", "o2"), sticky))
    luts.append(function("guard", ("0", "l1", "l0", "v0", "v4", "n8"), _low))
    luts.append(
        function("c", ("guard", "sticky", "p0", "s"), lambda g, t, p, s: s ^ (g and (t or p ^ s)))
    )
    return luts


@cache
def maximum_netlist() -> Netlist:
    """Return the cells of the largest hexadecimal exponent, bit by bit, highest first.

    Inputs a0…a3 (which lanes have a term), e0…e15 (their exponents), h0…h3 (the accumulator's);
    outputs r0…r3. Candidates that lack a bit another one has drop out.
    """
    luts: list[Lut] = []
    words = [[f"e{HEX_BITS * lane + bit}" for bit in range(HEX_BITS)] for lane in range(LANES)]
    words.append([f"h{bit}" for bit in range(HEX_BITS)])
    alive = [*(f"a{lane}" for lane in range(LANES)), "1"]
    for bit in reversed(range(HEX_BITS)):
        pairs = [net for live, word in zip(alive, words, strict=True) for net in (live, word[bit])]
        luts.append(function(f"y{bit}", tuple(pairs[:6]), _any_pair))
        luts.append(function(f"r{bit}", (f"y{bit}", *pairs[6:]), lambda y, *p: y or _any_pair(*p)))
        if not bit:
            break
        following = [f"b{bit}_{number}" for number in range(LANES + 1)]
        luts += [
            function(name, (live, word[bit], f"r{bit}"), lambda a, e, r: a and (e or not r))
            for name, live, word in zip(following, alive, words, strict=True)
        ]
        alive = following
    return Netlist(tuple(luts), ())


def _any_pair(*values: int) -> bool:
    return any(a and e for a, e in zip(values[::2], values[1::2], strict=True))


FAR = 16
"""Places of the first move of the accumulator."""


@cache
def realign_netlist(bits: int) -> Netlist:
    """Return the cells that bring the accumulator to a larger exponent, rounded to nearest even.

    Inputs w0… (significand), h0…h3 (its exponent), r0…r3 (the new one); outputs y0….
    """
    luts, chains = difference("r", "h", 0, [f"k{i}" for i in range(HEX_BITS)])
    luts += [
        function(f"d{i}", (f"k{i}", "k3"), lambda k, far: k or far) for i in range(HEX_BITS - 1)
    ]
    sign = f"w{bits - 1}"

    def first(place: int) -> str:
        return f"u{place}" if place < bits - 1 else sign

    for place in range(bits - 1):
        moved = f"w{min(place + FAR, bits - 1)}"
        luts.append(function(f"u{place}", ("d2", moved, f"w{place}"), _choose))
    row = []
    for place in range(bits):
        sources = tuple(first(place + DIGIT * step) for step in range(4))
        select = function("", ("d1", "d0", *sources), lambda h, lo, *v: v[2 * h + lo])
        row.append(ChainBit(f"y{place}", select, "0"))
    luts += _realign_round(first)
    return Netlist(tuple(luts), (*chains, Chain("up", tuple(row), "")))


def _realign_round(first: Callable[[int], str]) -> list[Lut]:
    """Return the cells of the rounding bit ``up``: guard & (sticky | lowest)."""

    def far_sticky(far: int, some: int, top: int, high: int, low: int) -> int:
        return far and (some or (top and (high or low)))

    def sticky(high: int, low: int, beyond: int, *groups: int) -> int:
        return beyond or any(groups[: 2 * high + low])

    nets = [f"w{i}" for i in range(FAR - 1)]
    luts = [
        function("far0", nets[:6], lambda *w: any(w)),
        function("far1", nets[6:12], lambda *w: any(w)),
        function("far_some", (*nets[12:], "far0", "far1"), lambda *w: any(w)),
        function("far_sticky", ("d2", "far_some", f"w{FAR - 1}", "d1", "d0"), far_sticky),
        function("far_guard", ("d2", f"w{FAR - 1}"), lambda d, w: d and w),
        function("o0", [first(i) for i in range(3)], lambda *u: any(u)),
        function("o1", [first(i) for i in range(3, 7)], lambda *u: any(u)),
        function("o2", [first(i) for i in range(7, 11)], lambda *u: any(u)),
        function("sticky", ("d1", "d0", "far_sticky", "o0", "o1", "o2"), sticky),
    ]
    for name, at in (("guard", -1), ("lowest", 0)):
        sources = [
            first(at + DIGIT * step) if at + DIGIT * step >= 0 else "far_guard" for step in range(4)
        ]
        luts.append(function(name, ("d1", "d0", *sources), lambda h, lo, *v: v[2 * h + lo]))
    luts.append(function("up", ("guard", "sticky", "lowest"), lambda g, t, o: g and (t or o)))
    return luts


@cache
def int_lane_netlist() -> Netlist:
    """Return the cells of an int8 activation times a term.

    Inputs i0…i7, s (sign of the term), a (there is one), t0, t1 (exponent); outputs p0…p10. The
    word is inverted where the sign is minus, and where there is no term it is the sign throughout,
    so that with the sign as a carry it is the product.
    """
    luts = [function(f"v{i}", (f"i{i}", "s", "a"), lambda i, s, a: s ^ (i and a)) for i in range(8)]
    words = [f"v{i}" for i in range(8)]
    for place in range(INT_WORD_BITS):
        at = [place - step for step in range(DIGIT)]
        nets = ["s" if i < 0 else words[min(i, 7)] for i in at]
        rule = ("t1", "t0", *nets)
        luts.append(function(f"p{place}", rule, lambda h, lo, *v: v[2 * h + lo]))
    return Netlist(tuple(luts), ())


INT_WORD_BITS = 11


@cache
def int_base_netlist(bits: int) -> Netlist:
    """Return the cells that move the sum of four products left by 0 to 7.

    Inputs w0… (the sum without a carry c), b0, b1, b2 (places), c; outputs y0…: the carry fills
    what becomes free, so that it still stands at the lowest place.
    """
    top = bits - 1

    def word(name: str, last: int, place: int) -> str:
        return "c" if place < 0 else f"{name}{min(place, last)}"

    luts = [
        function(f"u{i}", ("b0", word("w", top, i - 1), word("w", top, i)), _choose)
        for i in range(bits)
    ]
    sums = [f"u{i}" for i in range(bits)] + [f"w{top}"]
    for place in range(bits + LARGEST_BASE):
        at = [place - 2 * step for step in range(4)]
        nets = ["c" if i < 0 else sums[min(i, bits)] for i in at]
        rule = ("b2", "b1", *nets)
        luts.append(function(f"y{place}", rule, lambda h, lo, *v: v[2 * h + lo]))
    return Netlist(tuple(luts), ())


LARGEST_BASE = 7
