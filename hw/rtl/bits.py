"""Floor 2a: small expressions the generators share."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, ValueLike

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


def select(index: Value, words: list[Value]) -> Value:
    """Return the word at an index, as a tree of 2:1 multiplexers."""
    for bit in index:
        if len(words) == 1:
            break
        pairs = zip(words[0::2], words[1::2], strict=False)
        words = [Mux(bit, high, low) for low, high in pairs] + words[len(words) - len(words) % 2 :]
    return words[0]
