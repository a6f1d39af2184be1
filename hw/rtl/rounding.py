"""Floor 2a: normalisation of a two's complement sum, and rounding to nearest even.

A negative sum is never negated. Its magnitude is the ones' complement and one: the complement is an
inversion in front of LUT inputs that are free, and the one is part of the rounding. With a sum's
kept bits K, rounding bit g and sticky bit t as they stand (two's complement), the magnitude is

- positive: K + 0.gt, rounded up where g and (t or K odd);
- negative: ~K + 1 − 0.gt, rounded up where not g, or where not t and ~K odd.
"""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.formats import MinifloatFormat, Specials
from hw.plan import LeftLevel, RoundedSum
from hw.rtl.bits import extend, named
from hw.rtl.library import place


class LeadingDigit(wiring.Component):
    """One digit of the count of leading bits equal to the sign, at most a limit.

    Ports: `word` (the bits the digit looks at), `sign`, `digit`; where the count is limited:
    `limit` (its digit, absent where it is constant), `held` (all digits before are those of the
    limit; absent in a constant's first digit) and `holds` (so is this one; absent in the last).
    Combinational; a LUT per bit of the digit and one for `holds`, beside those of wide groups.
    """

    def __init__(self, plan: RoundedSum, number: int) -> None:
        self.plan = plan
        self.level = level = plan.normalize_levels[number]
        ports = {
            "word": In(min(((1 << level.bits) - 1) * level.step, level.bits_in)),
            "sign": In(1),
            "digit": Out(level.bits),
        }
        if plan.limits_count:
            ports |= {"limit": In(level.bits)} if plan.exponent_bits else {}
            ports |= {"held": In(1)} if plan.exponent_bits or number else {}
            ports |= {"holds": Out(1)} if level.low_bit else {}
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:
        """Find the first group with a bit unlike the sign."""
        m = Module()
        level = self.level
        last = (1 << level.bits) - 1
        bits = list(reversed(self.word))
        groups = [bits[i * level.step : (i + 1) * level.step] for i in range(last)]
        unlike = [
            named(m, f"unlike_{i}", (Cat(*group) ^ self.sign.replicate(len(group))).any())
            for i, group in enumerate(groups)
        ]
        free: Value = Const(last, level.bits)
        for i in reversed(range(last)):
            free = Mux(unlike[i], Const(i, level.bits), free)
        if not self.plan.limits_count:
            m.d.comb += self.digit.eq(free)
            return m
        members = self.signature.members
        constant = Const(self.plan.highest >> level.low_bit & last, level.bits)
        limit = self.limit if "limit" in members else constant
        held = self.held if "held" in members else Const(1)
        taken = Mux(held & (free > limit), limit, free)
        m.d.comb += self.digit.eq(taken)
        if "holds" in members:
            m.d.comb += self.holds.eq(held & (taken == limit))
        return m


class LeftShifter(wiring.Component):
    """One level of the normalisation: the highest bits of a word moved left, a LUT per bit.

    Ports: `word`, `select`, `shifted`. Combinational.
    """

    def __init__(self, level: LeftLevel) -> None:
        self.level = level
        super().__init__(
            {"word": In(level.bits_in), "select": In(level.bits), "shifted": Out(level.width)}
        )

    def elaborate(self, platform: object) -> Module:
        """Select; zeros come in from the right."""
        m = Module()
        level = self.level
        word: Value = self.word
        for bit in range(level.bits):
            places = 1 << (level.low_bit + bit)
            moved = Cat(Const(0, places), word)[: len(word)]
            word = named(m, f"moved_{bit}", Mux(self.select[bit], moved, word))
        m.d.comb += self.shifted.eq(word[level.bits_in - level.width :])
        return m


class LeftSticky(wiring.Component):
    """Whether a level of the normalisation drops a bit that is set.

    Ports: `word` (the bits below those kept at a shift of 0), `select`, `sticky`. Combinational.
    """

    def __init__(self, level: LeftLevel) -> None:
        self.level = level
        super().__init__(
            {"word": In(level.bits_in - level.width), "select": In(level.bits), "sticky": Out(1)}
        )

    def elaborate(self, platform: object) -> Module:
        """Or the groups of a step each, as far as they are dropped."""
        m = Module()
        bits, step = list(reversed(self.word)), self.level.step
        terms = []
        for i in range(1 << self.level.bits):
            last = i == (1 << self.level.bits) - 1
            group = bits[i * step :] if last else bits[i * step : (i + 1) * step]
            if group:
                terms.append(named(m, f"any_{i}", Cat(*group).any()) & (self.select <= i))
        m.d.comb += self.sticky.eq(Cat(*terms).any())
        return m


class FieldRow(wiring.Component):
    """``field = limit − count``, which is never negative.

    Ports: `limit` (absent where it is constant), `count`, `field`. Combinational.
    """

    def __init__(self, plan: RoundedSum) -> None:
        self.plan = plan
        ports = {"count": In(plan.count_bits), "field": Out(plan.highest_bits)}
        if plan.exponent_bits:
            ports["limit"] = In(plan.highest_bits)
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:
        """Subtract."""
        m = Module()
        plan = self.plan
        limit = self.limit if plan.exponent_bits else Const(plan.highest, plan.highest_bits)
        inverted = named(m, "inverted", ~extend(self.count, plan.highest_bits, False))
        m.d.comb += self.field.eq(limit + inverted + Const(1, 1))
        return m


class Rounder(wiring.Component):
    """Rounds a normalised sum and puts its exponent field in front.

    Ports: `field` (one less than that of a normal number, 0 below), `kept` (two's complement),
    `guard`, `sticky`, `sign`; `rounded`: field and fraction, the carry of the fraction going into
    the field. Combinational, one row.
    """

    def __init__(self, plan: RoundedSum) -> None:
        self.plan = plan
        super().__init__(
            {
                "field": In(plan.highest_bits),
                "kept": In(plan.precision),
                "guard": In(1),
                "sticky": In(1),
                "sign": In(1),
                "rounded": Out(plan.rounded_bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Invert, decide, increment."""
        m = Module()
        fraction_bits = self.plan.format.fraction_bits
        sign, odd = self.sign, self.kept[0] ^ self.sign
        hidden = named(m, "hidden", self.kept[-1] ^ sign)
        up = Mux(sign, ~self.guard | (~self.sticky & odd), self.guard & (self.sticky | odd))
        up = named(m, "up", up)
        fraction = self.kept[:-1] ^ sign.replicate(fraction_bits)
        field = self.field & hidden.replicate(len(self.field))
        word = named(m, "word", Cat(fraction, field))
        m.d.comb += self.rounded.eq(Cat(Const(0, fraction_bits), hidden) + word + up)
        return m


class FloatResult(wiring.Component):
    """The code: rounded, or what stands for overflow, infinity, NaN, or the accumulator unchanged.

    Ports: `rounded`, `negative`, `keep` (the accumulator's magnitude is the result), `previous`
    (its magnitude), `nan`, `infinite` (absent where they do not occur), `code`. Combinational.
    """

    def __init__(self, plan: RoundedSum, nan: bool, infinite: bool, keep: bool) -> None:
        self.plan = plan
        ports = {
            "rounded": In(plan.rounded_bits),
            "negative": In(1),
            "code": Out(plan.bits),
        }
        ports |= {"nan": In(1)} if nan else {}
        ports |= {"infinite": In(1)} if infinite else {}
        ports |= {"keep": In(1), "previous": In(plan.bits - 1)} if keep else {}
        self.has = nan, infinite, keep
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:
        """Choose."""
        m = Module()
        format = self.plan.format
        nan, infinite, keep = self.has
        size = format.bits - 1
        kept = Const(0)
        if keep:
            kept = self.keep
        over = named(m, "over", (self.rounded > format.maximum_code) & ~kept)
        magnitude: Value = self.rounded[:size]
        if keep:
            magnitude = Mux(kept, self.previous, magnitude)
        top = format.maximum_code + format.has_infinity
        if infinite:
            over = named(m, "overflowed", over | self.infinite)
        magnitude = Mux(over, top, magnitude)
        negative: Value = self.negative
        if format.specials is Specials.FNUZ:
            negative = negative & named(m, "nonzero", magnitude).any()
        if nan:
            code = nan_code(format)
            magnitude = Mux(self.nan, code & ((1 << size) - 1), magnitude)
            negative = Mux(self.nan, code >> size, negative)
        m.d.comb += self.code.eq(Cat(magnitude[:size], negative))
        return m


def nan_code(format: MinifloatFormat) -> int:
    """Return the NaN that a sum becomes: quiet, positive, the highest fraction bit set."""
    match format.specials:
        case Specials.FNUZ:
            return 1 << (format.bits - 1)
        case Specials.FN:
            return (1 << (format.bits - 1)) - 1
    quiet = 1 << (format.fraction_bits - 1)
    return format.top_field << format.fraction_bits | quiet


def build_normalizer(
    m: Module, platform: object, plan: RoundedSum, word: Value, sign: Value, limit: Value
) -> tuple[Value, Value, Value, Value]:
    """Add the levels of the normalisation.

    Returns the count of places, the kept bits, the rounding bit and the sticky bit.
    """
    held: Value = Const(1)
    if plan.exponent_bits and plan.highest_bits > plan.count_bits:
        held = named(m, "limit_is_near", ~limit[plan.count_bits :].any())
    digits: list[Value] = []
    sticky: list[Value] = []
    for number, level in enumerate(plan.normalize_levels):
        leading = LeadingDigit(plan, number)
        place(m, platform, f"leading_{number}", leading)
        looked = len(leading.word)
        m.d.comb += [leading.word.eq(word[len(word) - looked :]), leading.sign.eq(sign)]
        members = leading.signature.members
        if "limit" in members:
            m.d.comb += leading.limit.eq(limit[level.low_bit : level.low_bit + level.bits])
        if "held" in members:
            m.d.comb += leading.held.eq(held)
        if "holds" in members:
            held = leading.holds
        digits.insert(0, leading.digit)
        shifter = LeftShifter(level)
        place(m, platform, f"normalize_{number}", shifter)
        m.d.comb += [shifter.word.eq(word), shifter.select.eq(leading.digit)]
        if level.bits_in > level.width:
            lost = LeftSticky(level)
            place(m, platform, f"dropped_{number}", lost)
            m.d.comb += [
                lost.word.eq(word[: level.bits_in - level.width]),
                lost.select.eq(leading.digit),
            ]
            sticky.append(lost.sticky)
        word = shifter.shifted
    precision = plan.precision
    kept = word[len(word) - precision :]
    below = word[: len(word) - precision]
    guard: Value = below[-1] if len(below) else Const(0)
    if len(below) > 1:
        sticky.append(below[:-1].any())
    return Cat(*digits), kept, guard, Cat(*sticky).any() if sticky else Const(0)
