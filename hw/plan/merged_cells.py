"""Floor 1c: the cells of merged lanes and rows (`hw.plan.merged`), LUT by LUT."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from hw.formats import MinifloatFormat, Specials
from hw.plan.cells import Chain, ChainBit, Lut, Netlist, function
from hw.plan.operand import OperandPlan
from hw.plan.placement import Placement, Wiring, wiring

TABLE_INPUTS = 6
"""Widest table: its bits are single LUT6s."""


def from_table(operands: tuple[OperandPlan, ...]) -> bool:
    """Whether the exponent sum of operands is a table of their fields."""
    return sum(operand.field_bits for operand in operands) <= TABLE_INPUTS


@cache
def lane_netlist(weight: OperandPlan, activation: OperandPlan, placement: Placement) -> Netlist:
    """Return the cells of a lane.

    It reads ``ws as`` (signs), ``wm0 … am0 …`` (significands), ``wf0 … af0 …`` (fields), ``wn an``
    (field is not 0) and ``kill`` if specials must give 0; it drives ``s``, ``x0 …`` (fine word,
    gathered bits above), ``c0 …`` (coarse code) and ``l0 …`` (its lines).
    """
    build = LaneBuilder(weight, activation, placement)
    build.sign()
    codes = build.codes()
    build.fine(build.product(), codes)
    build.decode()
    return build.done()


class LaneBuilder:
    """Collects the cells of one lane."""

    def __init__(
        self, weight: OperandPlan | None, activation: OperandPlan | None, placement: Placement
    ) -> None:
        self.operands = [
            (side, operand) for side, operand in (("w", weight), ("a", activation)) if operand
        ]
        self.placement = placement
        self.luts: list[Lut] = []
        self.chains: list[Chain] = []

    def done(self) -> Netlist:
        """Return all cells added."""
        return Netlist(tuple(self.luts), tuple(self.chains))

    def add(self, luts: list[Lut], chains: list[Chain]) -> None:
        """Add cells."""
        self.luts += luts
        self.chains += chains

    def lut(self, output: str, inputs: tuple[str, ...], rule: Callable[..., object]) -> str:
        """Add a function and return its net."""
        self.luts.append(function(output, inputs, rule))
        return output

    def rename(self, old: str, new: str) -> None:
        """Give a net another name, too."""
        if old != new:
            self.lut(new, (old,), lambda x: x)

    def sign(self) -> None:
        """Add the sign of the product."""
        self.lut("s", ("ws", "as"), lambda w, a: w ^ a)

    def codes(self) -> list[str]:
        """Add the exponent sum as a code of the placement; return its nets, fine bits first."""
        place, fine = self.placement, len(self.placement.fine)
        names = [f"f{i}" for i in range(fine)] + [f"c{i}" for i in range(place.coarse_bits)]
        self.exponent(names, lambda amount: max(place.code(min(amount, place.highest)), 0))
        return names

    def exponent(self, names: list[str], code: Callable[[int], int] = int) -> None:
        """Add the exponent sum; `code` may change it where it is a table of the fields."""
        fields = [(side, o.field_bits) for side, o in self.operands if o.field_bits]
        if not from_table(tuple(operand for _, operand in self.operands)):
            self._exponent_sum(fields, names)
            return
        nets = tuple(f"{side}f{i}" for side, bits in fields for i in range(bits))

        def amount(values: tuple[int, ...]) -> int:
            result, start = 0, 0
            for _, bits in fields:
                field = sum(values[start + i] << i for i in range(bits))
                result += max(field, 1) - 1
                start += bits
            return result

        for bit, name in enumerate(names):
            self.lut(name, nets, lambda *v, bit=bit: code(amount(v)) >> bit & 1)

    def _exponent_sum(self, fields: list[tuple[str, int]], names: list[str]) -> None:
        """Add ``Σ max(field, 1)`` with its lowest bits ``field[0] | ~normal``."""

        def lowest(side: str) -> tuple[str, str]:
            return f"{side}f0", f"{side}n"

        if len(fields) == 1:
            ((side, bits),) = fields
            self.lut(names[0], lowest(side), lambda f, n: f | (1 - n))
            for i in range(1, bits):
                self.lut(names[i], (f"{side}f{i}",), lambda f: f)
            return
        (left, left_bits), (right, right_bits) = sorted(fields, key=lambda f: -f[1])
        both = (*lowest(left), *lowest(right))
        first = ChainBit(
            names[0],
            function("", both, lambda f, n, g, k: (f | 1 - n) ^ (g | 1 - k)),
            function("", lowest(left), lambda f, n: f | 1 - n),
        )
        chain = [first]
        for i in range(1, left_bits):
            other = f"{right}f{i}" if i < right_bits else "0"
            select = function("", (f"{left}f{i}", other), lambda f, g: f ^ g)
            chain.append(ChainBit(names[i], select, f"{left}f{i}"))
        top = names[left_bits] if left_bits < len(names) else ""
        self.chains.append(Chain("0", tuple(chain), top))

    @property
    def gated(self) -> bool:
        """Whether special operands must be kept out: ``kill`` makes the product 0."""
        return any(operand.gated for _, operand in self.operands)

    def product(self) -> list[str]:
        """Add the product of significands; return its nets, inverted by the sign if asked for."""
        rows = [operand.significand_bits for _, operand in self.operands]
        weight = [f"wm{i}" for i in range(rows[0])]
        activation = [f"am{i}" for i in range(rows[1])]
        more, less = (weight, activation) if rows[0] >= rows[1] else (activation, weight)
        table = sum(rows) <= TABLE_INPUTS or min(rows) == 1
        in_rows = self.gated and not table and not self.placement.inverted
        if self.gated and not in_rows:
            less = [
                self.lut(f"g{i}", (net, "kill"), lambda x, k: x and not k)
                for i, net in enumerate(less)
            ]
        return self._table(more, less) if table else self._product_rows(more, less, in_rows)

    def _table(self, more: list[str], less: list[str]) -> list[str]:
        nets = (*more, *less)

        def product(*values: int) -> int:
            first = sum(v << i for i, v in enumerate(values[: len(more)]))
            return first * sum(v << i for i, v in enumerate(values[len(more) :]))

        return [
            self.lut(f"p{bit}", nets, lambda *v, bit=bit: product(*v) >> bit & 1)
            for bit in range(self.placement.product_bits)
        ]

    def _product_rows(self, more: list[str], less: list[str], gated: bool) -> list[str]:
        """Multiply row by row, two multiplier bits in the first; invert by the sign in passing.

        ``~(x + y) = ~x + ~y + 1``: each row inverts what it adds and takes the sign as carry.
        Rows that are `gated` add 0 where ``kill`` is set.
        """
        sign = "s" if self.placement.inverted else "0"
        kill = "kill" if gated else "0"
        bits = len(more)
        nets = [self.lut("p0", (more[0], less[0], sign, kill), _partial)]
        chain = []
        for j in range(1, bits + 1):
            high = more[j] if j < bits else "0"
            inputs = (high, less[0], more[j - 1], less[1], kill)
            select = function("", inputs, lambda a, b, c, d, k: (a & b ^ c & d) & (1 - k))
            direct = function("", (high, less[0], sign, kill), _partial)
            plain = direct.inputs[0] if direct.truth == 2 and len(direct.inputs) == 1 else direct
            chain.append(ChainBit(f"r1_{j}", select, plain if direct.inputs else "0"))
        self.chains.append(Chain(sign, tuple(chain), f"r1_{bits + 1}"))
        previous = [f"r1_{j}" for j in range(1, bits + 2)]
        for row in range(2, len(less)):
            nets.append(previous[0])
            chain = []
            for j in range(bits):
                inputs = (more[j], less[row], sign, kill, previous[j + 1])
                select = function("", inputs, lambda a, b, s, k, p: p ^ _partial(a, b, s, k))
                chain.append(ChainBit(f"r{row}_{j}", select, previous[j + 1]))
            self.chains.append(Chain(sign, tuple(chain), f"r{row}_{bits}"))
            previous = [f"r{row}_{j}" for j in range(bits + 1)]
        return (nets + previous)[: self.placement.product_bits]

    def fine(self, word: list[str], codes: list[str]) -> None:
        """Add the fine steps, two bits a site."""
        place = self.placement
        table = not any(net.startswith("r") for net in word)
        fill = "s" if place.inverted else "0"
        for number, step in enumerate(place.fine):
            last = number == len(place.fine) - 1
            invert = place.inverted and table and number == 0
            before = "0" if invert else fill
            following = []
            for i in range(len(word) + step):
                low = word[i] if i < len(word) else before
                high = word[i - step] if i >= step else before
                sign = "s" if invert else "0"
                output = f"x{i}" if last else f"y{number}_{i}"
                following.append(
                    self.lut(
                        output,
                        (low, high, codes[number], sign),
                        lambda low, high, c, s: (high if c else low) ^ s,
                    )
                )
            word = following
        if not place.fine:
            for i, net in enumerate(word):
                self.rename(net, f"x{i}")

    def decode(self) -> None:
        """Add lines of the coarse code and gathered bits."""
        place = self.placement
        wires = wiring_of(place)
        coarse = tuple(f"c{i}" for i in range(place.coarse_bits))

        def number(values: tuple[int, ...]) -> int:
            return sum(v << i for i, v in enumerate(values))

        for line, code in enumerate(wires.lines):
            self.lut(f"l{line}", coarse, lambda *v, code=code: number(v) == code)
        for index, group in enumerate(wires.gathered):
            output = f"x{place.word_bits + index}"
            words = tuple(f"x{bit}" for bit, _ in group)
            amounts = tuple(code for _, code in group)
            if not all(code in wires.lines for code in amounts):
                self.lut(
                    output,
                    (*words, *coarse),
                    lambda *v, amounts=amounts: any(
                        x and number(v[len(amounts) :]) == code
                        for x, code in zip(v, amounts, strict=False)
                    ),
                )
                continue
            lines = tuple(f"l{wires.lines.index(code)}" for code in amounts)
            self.lut(output, (*words, *lines), _any_both)


def _partial(a: int, b: int, sign: int, kill: int) -> int:
    """Return a bit of a partial product, inverted by the sign."""
    return a & b & (1 - kill) ^ sign


def _any_both(*values: int) -> bool:
    """Whether a bit of the first half and the same bit of the second half are set."""
    half = len(values) // 2
    return any(x and y for x, y in zip(values[:half], values[half:], strict=True))


@cache
def kill_netlist(operands: tuple[OperandPlan, OperandPlan]) -> Netlist:
    """Return the cells that tell special operands: read ``w0 … a0 …`` (codes), drive ``kill``."""
    telling: list[list[str]] = []
    for side, operand in zip("wa", operands, strict=True):
        format = operand.format
        if operand.gated and isinstance(format, MinifloatFormat):
            low = 0 if format.specials is Specials.FN else format.fraction_bits
            telling.append([f"{side}{i}" for i in range(low, format.bits - 1)])
    luts: list[Lut] = []
    while sum(map(len, telling)) > TABLE_INPUTS:
        longest = max(telling, key=len)
        name = f"all{len(luts)}"
        luts.append(function(name, longest[:TABLE_INPUTS], lambda *v: all(v)))
        longest[:TABLE_INPUTS] = [name]
    first = len(telling[0])
    nets = [net for group in telling for net in group]
    luts.append(
        function(
            "kill",
            nets,
            lambda *v: all(v[:first]) or (len(v) > first and all(v[first:])),
        )
    )
    return Netlist(tuple(luts), ())


@cache
def row_netlist(placement: Placement, previous: bool, width: int) -> Netlist:
    """Return the cells of a row.

    It reads ``p0 …`` (previous), ``s x0 … c0 … l0 …`` (of the lane) and drives ``t0 …`` (the sum).
    A mirrored placement counts its places from the highest of the window.
    """
    bits = []
    for place in range(width):
        before = f"p{place}" if previous else "0"
        at = placement.width - 1 - place if placement.mirrored else place
        bits.append(ChainBit(f"t{place}", _row_lut(placement, at, before), before))
    return Netlist((), (Chain("s", tuple(bits), ""),))


def _row_lut(placement: Placement, place: int, before: str) -> Lut:
    wires = wiring_of(placement)
    inside = 0 <= place < placement.width
    terms = wires.bits[place] if inside else ()
    lined = inside and wires.decoded[place]
    words = tuple(f"x{term.index}" for term in terms)
    if lined:
        selects = tuple(f"l{wires.lines.index(t.coarse)}" if t.coarse >= 0 else "1" for t in terms)
    else:
        selects = tuple(f"c{i}" for i in range(placement.coarse_bits))
    codes = tuple(term.coarse for term in terms)

    def rule(prev: int, sign: int, *values: int) -> int:
        data, select = values[: len(words)], values[len(words) :]
        code = sum(v << i for i, v in enumerate(select))
        if placement.inverted:
            known = [coarse for coarse, _ in placement.reached]
            hit = next((x for x, c in zip(data, codes, strict=True) if c == code), None)
            if hit is None and code not in known and data:
                hit = data[0]
            return prev ^ (sign if hit is None else hit)
        if lined:
            bit = any(x and y for x, y in zip(data, select, strict=True))
        else:
            bit = any(x for x, c in zip(data, codes, strict=True) if c == code)
        return prev ^ sign ^ bit

    return function("", (before, "s", *words, *selects), rule)


def wiring_of(placement: Placement) -> Wiring:
    """Return how rows read a placement that is known to be possible."""
    found = wiring(placement)
    assert found is not None
    return found
