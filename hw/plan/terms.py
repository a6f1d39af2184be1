"""Floor 1c: sums of bits with weights: what a heap adds, told without saying how.

A sum is a list of terms, each a function of a few nets worth ``2^column``, and a constant. Products
of words, squares and words shifted by constants are such sums; `hw.plan.bit_heap` builds them.

Terms are worth nothing or their positive weight. A bit that counts negatively goes in as its
inverse: ``−x·2^c = ~x·2^c − 2^c``; all such constants of a sum, the signs of words among them, are
one number (Baugh and Wooley, A two's complement parallel array multiplication algorithm, IEEE
Transactions on Computers, 1973).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass

from hw.plan.cells import Lut
from hw.plan.digits import Bounds

AND, NAND, OWN, NOT = 0b1000, 0b0111, 0b10, 0b01
"""Truth tables of terms of two nets and of one."""


@dataclass(frozen=True, slots=True)
class Term:
    """``2^column`` where a function of nets is 1.

    Parameters
    ----------
    column
        Place of the bit.
    nets
        Different nets, at most six.
    truth
        Bit i is the function where the nets, the first one lowest, read i.

    """

    column: int
    nets: tuple[str, ...]
    truth: int


@dataclass(frozen=True, slots=True)
class BitSum:
    """Terms and a constant.

    Parameters
    ----------
    terms
        What is added.
    constant
        Added to the terms; of either sign.
    bounds
        Least and greatest value of the sum.
    luts
        Functions of the words' nets, in order, that terms may read.

    """

    terms: tuple[Term, ...]
    constant: int
    bounds: Bounds
    luts: tuple[Lut, ...] = ()


class HeapSource(ABC):
    """What a heap sums; subclasses are frozen dataclasses, small, so that plans are quick keys."""

    __slots__ = ()

    @property
    @abstractmethod
    def inputs(self) -> tuple[tuple[str, int], ...]:
        """Names and widths of the words it reads; bit i of word ``x`` is the net ``x<i>``."""

    @abstractmethod
    def bit_sum(self) -> BitSum:
        """Return what is summed."""


class Terms:
    """Collects the terms of a sum."""

    def __init__(self) -> None:
        self.found: list[Term] = []
        self.constant = 0

    def add(self, column: int, nets: tuple[str, ...], negative: bool = False) -> None:
        """Add ``±2^column`` where all of one or two nets are 1."""
        positive, inverse = (OWN, NOT) if len(nets) == 1 else (AND, NAND)
        self.found.append(Term(column, nets, inverse if negative else positive))
        self.constant -= negative << column

    def done(self, bounds: Bounds) -> BitSum:
        """Return the sum, whose range is known."""
        return BitSum(tuple(self.found), self.constant, bounds)


def product_terms(
    terms: Terms,
    left: Iterable[tuple[str, bool]],
    right: Iterable[tuple[str, bool]],
    column: int = 0,
) -> None:
    """Add the product of two words given as nets, lowest first, and whether each is negative.

    The highest net of a word in two's complement is. The product is worth ``2^column``.
    """
    others = list(right)
    for i, (net, minus) in enumerate(left):
        for j, (other, other_minus) in enumerate(others):
            terms.add(column + i + j, (net, other), minus != other_minus)


def word_nets(name: str, start: int, bits: int, signed: bool) -> list[tuple[str, bool]]:
    """Return the nets of a word and which of them count negatively."""
    return [(f"{name}{start + i}", signed and i == bits - 1) for i in range(bits)]
