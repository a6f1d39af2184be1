"""Floor 2a: small expressions the generators share."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Signal, Value, ValueLike

from hw.plan import Bounds


def extend(value: Value, width: int, signed: bool) -> Value:
    """Return the low `width` bits of a word, sign- or zero-extended."""
    if len(value) >= width:
        return value[:width]
    fill = value[-1] if signed else Const(0)
    return Cat(value, fill.replicate(width - len(value)))


def read(value: Value, bounds: Bounds) -> Value:
    """Return a word as the signed or unsigned number its range says."""
    return value.as_signed() if bounds.signed else value


def any_of(bits: list[Value]) -> Value:
    """Return the or of single bits (0 of none)."""
    return Cat(*bits).any() if bits else Const(0)


def named(m: Module, name: str, value: ValueLike, width: int | None = None) -> Signal:
    """Give an expression a name that survives into the Verilog."""
    word = Value.cast(value)
    signal = Signal(len(word) if width is None else width, name=name)
    m.d.comb += signal.eq(word)
    return signal
