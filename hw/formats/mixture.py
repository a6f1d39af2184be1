"""Floor 0: groups of values that each choose the best of several codebooks: BitMoD.

A group stores its codes, the id of its codebook and a scale. `MixtureFormat.quantize` is the
specification, in exact rationals; `sim.golden.quantize` does the same to arrays.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from hw.formats.base import Format, Number, Rounding, Special, Specials, Value
from hw.formats.bitmod import bitmod_codebooks
from hw.formats.minifloat import MinifloatFormat
from hw.formats.partition import admitted_row, blocks_of, largest, scaled
from hw.formats.rules import Rule
from hw.formats.scale import FP32

if TYPE_CHECKING:
    from hw.formats.base import RoundingMode

FP16 = MinifloatFormat(5, 10, Specials.IEEE)
BITMOD_SIZE = 128
SCALE_KINDS = ("int8", "fp16")
SCALE_LIMIT = 127
"""Largest second-level scale: symmetric INT8."""
LEAST_SCALE, MOST_SCALE = Fraction(1, 100_000), Fraction(10_000)
NAN_POLICIES = ("error", "zero", "maximum")
ROUNDING: RoundingMode = Rounding.TIES_TOWARD_NEGATIVE
"""A value in the middle of two levels takes the lower one, as in the authors' program."""


@dataclass(frozen=True, slots=True)
class MixtureCodes:
    """One row of numbers as codes.

    Parameters
    ----------
    elements
        A code of the group's codebook per number.
    ids
        Place of the codebook, per group.
    scales
        Per group: a code of fp16, or an integer 0 … 127.
    outer
        What one step of the integer scales is worth, a binary32 value; 1 for fp16 scales.
    """

    elements: tuple[int, ...]
    ids: tuple[int, ...]
    scales: tuple[int, ...]
    outer: Fraction = Fraction(1)


@dataclass(frozen=True, slots=True)
class MixtureFormat:
    """Groups that choose among codebooks by least squared error.

    For each codebook in order, the scale is the group's largest magnitude over the codebook's,
    kept within 1e-5 … 1e4 and rounded to fp16 (ties to even); values take the nearest level, in
    the middle the lower one; a codebook wins with a strictly smaller error, so the first one wins
    a tie. Scale kind int8 then replaces the fp16 scales of a row by integers: their largest over
    127, rounded to binary32, is the row's step, and each is rounded to a multiple of it, ties to
    even. Codes are those chosen with the fp16 scale.

    Parameters
    ----------
    codebooks
        2 to 16 formats of equal width.
    block_size
        Values per group.
    scale_kind
        "int8" or "fp16".

    Source: BitMoD, HPCA 2025, arXiv 2411.11745, and the authors' program for order and ties.

    """

    codebooks: tuple[Format, ...]
    block_size: int = BITMOD_SIZE
    scale_kind: str = "int8"

    def __post_init__(self) -> None:
        """Reject impossible combinations."""
        if not 2 <= len(self.codebooks) <= 16:
            raise ValueError(f"a mixture has 2..16 codebooks, not {len(self.codebooks)}")
        widths = sorted({codebook.bits for codebook in self.codebooks})
        if len(widths) > 1 or widths[0] > 8:
            raise ValueError(f"the codebooks of a mixture share a width of at most 8, not {widths}")
        if any(codebook.has_specials for codebook in self.codebooks):
            raise ValueError("every code of a codebook in a mixture is a number")
        if self.block_size < 1:
            raise ValueError(f"a group has at least 1 value, not {self.block_size}")
        if self.scale_kind not in SCALE_KINDS:
            raise ValueError(
                f"scale_kind is one of {', '.join(SCALE_KINDS)}, not {self.scale_kind!r}"
            )

    @property
    def id_bits(self) -> int:
        """Bits that tell the codebook of a group."""
        return (len(self.codebooks) - 1).bit_length()

    @property
    def scale_bits(self) -> int:
        """Bits of a group's scale."""
        return 8 if self.scale_kind == "int8" else FP16.bits

    @property
    def bits_per_element(self) -> Fraction:
        """Bits of an element and its share of id and scale; what a row shares counts 0."""
        share = Fraction(self.id_bits + self.scale_bits, self.block_size)
        return self.codebooks[0].bits + share

    @property
    def name(self) -> str:
        """``bitmod3``, ``bitmod4<64,fp16>``, else ``mixture<size,scale,format|format…>``."""
        for bits in (3, 4):
            if self.codebooks == bitmod_codebooks(bits):
                usual = (self.block_size, self.scale_kind) == (BITMOD_SIZE, "int8")
                sizes = "" if usual else f"<{self.block_size},{self.scale_kind}>"
                return f"bitmod{bits}{sizes}"
        names = "|".join(codebook.name for codebook in self.codebooks)
        return f"mixture<{self.block_size},{self.scale_kind},{names}>"

    @property
    def slug(self) -> str:
        """Name made of letters, digits and underscores, for files, modules and shells."""
        names = "_or_".join(codebook.slug for codebook in self.codebooks)
        if self.name.startswith("mixture"):
            return f"mixture_{self.block_size}_{self.scale_kind}_{names}"
        return self.name.replace("<", "_").replace(",", "_").replace(">", "")

    def __str__(self) -> str:
        return self.name

    def quantize(
        self, values: Sequence[Number | Special], nan: str = "error", partial: str = "error"
    ) -> MixtureCodes:
        """Return the codes of one row of numbers, exactly.

        Infinities saturate and count in no error; see `hw.formats.block.BlockFormat.quantize` for
        the policies (there is no "block").

        Raises
        ------
        ValueError
            For NaN under "error", an unknown policy, no values, or groups that do not divide them.

        """
        places = list(blocks_of(self, self.block_size, len(values), partial))
        row = admitted_row(values, nan, NAN_POLICIES, self)
        elements: list[int] = []
        ids: list[int] = []
        scales: list[Fraction] = []
        for place in places:
            codebook, scale, codes = self.best(row[place])
            ids.append(codebook)
            scales.append(scale)
            elements += codes
        if self.scale_kind == "fp16":
            return MixtureCodes(tuple(elements), tuple(ids), tuple(map(FP16.encode, scales)))
        outer = second_level(max(scales))
        integers = tuple(min(round(scale / outer), SCALE_LIMIT) for scale in scales)
        return MixtureCodes(tuple(elements), tuple(ids), integers, outer)

    def dequantize(self, codes: MixtureCodes) -> list[Value]:
        """Return the exact values of codes."""
        places = blocks_of(self, self.block_size, len(codes.elements), "pad")
        row: list[Value] = []
        for place, which, scale in zip(places, codes.ids, codes.scales, strict=True):
            exact = Fraction(scale) if self.scale_kind == "int8" else FP16.decode(scale)
            for code in codes.elements[place]:
                row.append(scaled(self.codebooks[which].decode(code), exact, codes.outer))
        return row

    def best(self, group: Sequence[Number | Special]) -> tuple[int, Fraction, list[int]]:
        """Return (place of the codebook, fp16 scale, codes) of least error, the first of equals."""
        tries = []
        for place, codebook in enumerate(self.codebooks):
            scale = first_level(group, codebook)
            codes = [
                codebook.encode(
                    value if isinstance(value, Special) else Fraction(value) / scale, ROUNDING
                )
                for value in group
            ]
            tries.append((squared_error(group, codes, codebook, scale), place, scale, codes))
        return min(tries, key=lambda found: found[:2])[1:]


def peak(codebook: Format) -> Fraction:
    """Return the largest magnitude of a codebook."""
    return max(codebook.maximum, -codebook.minimum)


def first_level(group: Sequence[Number | Special], codebook: Format) -> Fraction:
    """Return the fp16 scale of a group: its largest magnitude over the codebook's."""
    amax = largest(group)
    infinite = amax == 0 and any(isinstance(value, Special) for value in group)
    ideal = MOST_SCALE if infinite else amax / peak(codebook)
    return _value(FP16, FP16.encode(min(max(ideal, LEAST_SCALE), MOST_SCALE)))


def second_level(scale: Fraction) -> Fraction:
    """Return the binary32 step of the integer scales whose largest is `scale`."""
    return _value(FP32, FP32.encode(scale / SCALE_LIMIT))


def _value(format: Format, code: int) -> Fraction:
    value = format.decode(code)
    assert not isinstance(value, Special)  # the arguments are finite and in range
    return value


def squared_error(
    group: Sequence[Number | Special], codes: Sequence[int], codebook: Format, scale: Fraction
) -> Fraction:
    """Return the sum of squared differences of the finite values."""
    error = Fraction(0)
    for value, code in zip(group, codes, strict=True):
        if not isinstance(value, Special):
            error += (_value(codebook, code) * scale - Fraction(value)) ** 2
    return error


def rules(parse_element: Callable[[str], Format]) -> tuple[Rule[MixtureFormat], ...]:
    """Return the rules of the grammar; codebooks are read by `parse_element`."""

    def general(match: re.Match[str]) -> MixtureFormat:
        texts: Iterator[str] = iter(re.split(r"\||_or_", match["codebooks"]))
        codebooks = tuple(parse_element(text) for text in texts)
        return MixtureFormat(codebooks, int(match["size"]), match["kind"])

    def bitmod(match: re.Match[str]) -> MixtureFormat:
        size, kind = int(match["size"] or BITMOD_SIZE), match["kind"] or "int8"
        return MixtureFormat(bitmod_codebooks(int(match["bits"])), size, kind)

    kinds = "|".join(SCALE_KINDS)
    size = r"(?P<size>\d{1,9})"
    return (
        Rule(
            re.compile(rf"bitmod(?P<bits>[34])(?:[<_]{size}(?:[,_](?P<kind>{kinds}))?>?)?"), bitmod
        ),
        Rule(
            re.compile(rf"mixture[<_]{size}[,_](?P<kind>{kinds})[,_](?P<codebooks>.+?)>?"), general
        ),
    )
