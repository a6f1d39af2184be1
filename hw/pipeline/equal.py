"""Floor 2a: nets of one module that always have the same value, and those that nothing reads.

Synthesis registers a net once whatever its names, a constant never, and not what nothing reads: so
registers of a pipeline are placed for what it leaves. Found are bits of logic that are constant, a
copy of another one, or the same function of the same nets; what comes out of other modules and of
arithmetic is taken as it is, but for low bits of a sum to which nothing is added.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping

from hw.pipeline.netlist import Bit, Cell, Module

ZERO, ONE = "0", "1"
BITWISE = ("$and", "$or", "$xor", "$xnor", "$not", "$pos", "$mux")
SINGLE = ("$reduce_and", "$reduce_or", "$reduce_xor", "$reduce_bool", "$logic_not")
"""Of one bit, a copy of it or its inverse."""
SUMS = ("$add", "$sub")
Uses = dict[tuple[str, str], tuple[tuple[Bit, int], ...]]
"""By cell and port: from which net each bit comes, and how many cycles later."""
INVERSE: Mapping[Bit, Bit] = {ZERO: ONE, ONE: ZERO}


class Equal:
    """The nets of a module by the value they always have.

    `of` is the first net with the value of a net, "0" or "1" if it is constant; `read` are the nets
    that reach an output, a register or another module.
    """

    def __init__(self, module: Module) -> None:
        self.of: dict[Bit, Bit] = {ZERO: ZERO, ONE: ONE}
        self._known: dict[Hashable, Bit] = {}
        self._inverse: dict[Bit, Bit] = dict(INVERSE)
        for cell in module.plain:
            if cell.name not in module.fixed:
                self._merge(cell)
        self.read = _read(module)

    def same(self, bit: Bit) -> Bit:
        """Return the first net that has the value of a net, or the constant it is."""
        return self.of.get(bit, bit)

    def _merge(self, cell: Cell) -> None:
        if cell.kind in BITWISE:
            for place, bit in enumerate(cell.ports["Y"]):
                self.of[bit] = self._bitwise(cell, place, bit)
        elif cell.kind in SUMS:
            self._sum(cell)
        elif cell.kind in SINGLE and len(cell.reads) == len(cell.drives) == 1:
            a, bit = self.same(cell.reads[0]), cell.drives[0]
            self.of[bit] = self._inverted(a, bit) if cell.kind == "$logic_not" else a
        elif cell.kind.startswith("$"):
            self._function(cell)

    def _bitwise(self, cell: Cell, place: int, bit: Bit) -> Bit:
        """Return what one bit of a bitwise cell equals."""
        a = self.same(operand(cell, "A", place))
        if cell.kind == "$pos":
            return a
        if cell.kind == "$not":
            return self._inverted(a, bit)
        b = self.same(operand(cell, "B", place))
        if cell.kind == "$mux":
            return self._selected(self.same(cell.ports["S"][0]), a, b, bit)
        if cell.kind in ("$xor", "$xnor"):
            return self._either(a, b, bit, cell.kind == "$xnor")
        return self._both(a, b, bit, ONE if cell.kind == "$and" else ZERO)

    def _both(self, a: Bit, b: Bit, bit: Bit, neutral: Bit) -> Bit:
        """Return ``a & b`` (neutral 1) or ``a | b`` (neutral 0)."""
        other = INVERSE[neutral]
        if other in (a, b) or self._inverse.get(a) == b:
            return other
        if a in (neutral, b):
            return b
        return a if b == neutral else self._once(("&|", neutral, _pair(a, b)), bit)

    def _either(self, a: Bit, b: Bit, bit: Bit, inverted: bool) -> Bit:
        """Return ``a ^ b``, inverted or not."""
        if a == b or self._inverse.get(a) == b:
            return ONE if (a == b) == inverted else ZERO
        for one, other in ((a, b), (b, a)):
            if one in INVERSE:
                return other if (one == ZERO) != inverted else self._inverted(other, bit)
        return self._once(("^", inverted, _pair(a, b)), bit)

    def _selected(self, choice: Bit, a: Bit, b: Bit, bit: Bit) -> Bit:
        """Return ``b if choice else a``."""
        if a == b or choice == ZERO:
            return a
        if choice == ONE:
            return b
        if (a, b) == (ZERO, ONE):
            return choice
        if (a, b) == (ONE, ZERO):
            return self._inverted(choice, bit)
        if a == ZERO:
            return self._both(choice, b, bit, ONE)
        if b == ONE:
            return self._both(choice, a, bit, ZERO)
        return self._once(("?", choice, a, b), bit)

    def _inverted(self, a: Bit, bit: Bit) -> Bit:
        found = self._inverse.setdefault(a, bit)
        self._inverse.setdefault(found, a)
        return found

    def _once(self, function: Hashable, bit: Bit) -> Bit:
        """Return the first net that is a function."""
        return self._known.setdefault(function, bit)

    def _sum(self, cell: Cell) -> None:
        """Low bits of a sum to which nothing is added are those of the other operand."""
        bits = cell.ports["Y"]
        place = 0
        while place < len(bits):
            a, b = (self.same(operand(cell, port, place)) for port in ("A", "B"))
            if b != ZERO and (a != ZERO or cell.kind == "$sub"):
                break
            self.of[bits[place]] = a if b == ZERO else b
            place += 1
        if place == 0:
            self._function(cell)

    def _function(self, cell: Cell) -> None:
        """Cells of one kind with the same operands have the same outputs."""
        inputs = tuple(
            (port, tuple(map(self.same, bits)))
            for port, bits in cell.ports.items()
            if port not in cell.outputs
        )
        settings = tuple(sorted(cell.settings.items()))
        for port in cell.outputs:
            for place, bit in enumerate(cell.ports[port]):
                self.of[bit] = self._once((cell.kind, settings, inputs, port, place), bit)


def operand(cell: Cell, port: str, place: int) -> Bit:
    """Return one bit of an operand, extended by zeros or its sign."""
    bits = cell.ports[port]
    if place < len(bits):
        return bits[place]
    return bits[-1] if cell.settings.get(f"{port}_SIGNED", "0").endswith("1") else ZERO


def _pair(a: Bit, b: Bit) -> tuple[Bit, ...]:
    return tuple(sorted((a, b), key=str))


def _read(module: Module) -> set[Bit]:
    """Return the nets of which something becomes of a module's outputs, registers or modules."""
    found = {bit for port in module.outputs for bit in module.ports[port]}
    found |= {bit for cell in module.holding for bit in cell.reads}
    for cell in reversed(module.plain):
        if not cell.kind.startswith("$"):
            found.update(cell.reads)
            continue
        places = [place for place, bit in enumerate(cell.drives) if bit in found]
        if places and cell.kind in BITWISE:
            found.update(cell.ports.get("S", ()))
            found.update(
                operand(cell, port, place)
                for port in ("A", "B")
                if port in cell.ports
                for place in places
            )
        elif places and cell.kind in (*SUMS, "$mul"):
            found.update(bit for port in ("A", "B") for bit in cell.ports[port][: places[-1] + 1])
        elif places:
            found.update(cell.reads)
    return found


def registered(
    module: Module,
    equal: Equal,
    late: Mapping[tuple[str, str], tuple[int, ...]],
    stages: Mapping[Bit, int],
) -> tuple[Uses, dict[Bit, set[int]]]:
    """Return where every operand comes from, and the nets to be delayed with their cycles.

    Parameters
    ----------
    module, equal
        A module, and its nets.
    late
        By cell and port, by how many cycles each bit is delayed.
    stages
        In which stage a net is ready.

    """
    delayed: dict[Bit, set[int]] = defaultdict(set)

    def source(bit: Bit, cycles: int) -> tuple[Bit, int]:
        first = equal.same(bit)
        if not cycles or bit not in equal.read or first in INVERSE:
            return bit, 0
        since = stages[bit] + cycles - stages[first]
        found = (first, since) if since >= 0 else (bit, cycles)
        if found[1]:
            delayed[found[0]].add(found[1])
        return found

    cells = {cell.name: cell for cell in (*module.plain, *module.holding)}
    uses = {
        (name, port): tuple(map(source, cells[name].ports[port], cycles))
        for (name, port), cycles in late.items()
    }
    return uses, dict(delayed)
