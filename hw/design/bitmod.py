"""Floor 1a: BitMoD's bit-serial processing element, to the bit.

Four weights and four activations make a step; a step takes as many cycles as the weights' datatype
has terms (2 for FP3 and FP4, 3 for INT5 and INT6, 4 for INT8), `GROUP / 4` steps make a group, and
the groups of `length` weights make one output. The datatype, its special value and the 8-bit scale
belong to a group. In every cycle each weight gives one term, a power of two with a sign or nothing,
that multiplies the activation of its lane.

**Activations fp16.** Exponents are counted in steps of four (radix 16), so that shifts of the
accumulator are by whole hexadecimal digits. A lane's product has the exponent
``x = max(field, 1) + exponent + bsig + 1`` (1 … 39) and the word ``v = significand · 2^(x mod 4)``
(14 bits) in units of ``2^(4·⌊x/4⌋ − 26)``. With X the largest ``⌊x/4⌋`` of the lanes that have a
term, and of the accumulator, every word and the accumulator are brought to the unit
``2^(4·X − 29)``, each rounded to nearest, ties to even; the sum of the rounded numbers is exact.
So at least `GUARD_BITS` bits are kept below the last place of the largest product, six at most. X
joins the accumulator's exponent and never falls within a group; the accumulator is wide enough for
any group and never overflows. At the end of a group its significand is multiplied by the scale,
exactly, a bit of the scale per cycle, and the product is added to the output, a floating
accumulator that is rounded once per group.

The paper leaves open whether the accumulator's exponent joins the maximum (here it does), how wide
its mantissa is (here so wide that only alignment rounds) and what the output is. Its normalisation
becomes the rise of X. The public program of the authors truncates, and adds a smaller new group
without aligning it; neither is done here.

**Activations int8.** No rounding: a group is summed exactly in units of one half, and so is the
output.

Activations that are infinite or NaN make the output NaN (`specials` flag), or are read as numbers
with the next exponent (ignore).

Reproduced: the datatypes, the Booth digits and the cycles per four weights (2, 3, 4). In the LUT
flow of this project the fp16 element takes a fifth less than an fp16 multiply-add that rounds to
fp16 (paper, 28 nm: 24 % less); the term generator serves a column.

Source: BitMoD, HPCA 2025, arXiv 2411.11745, section IV. The authors declare a patent application
for the method.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from hw.accumulators import Accumulator, AccumulatorMode, parse_accumulator
from hw.design.base import DEFAULT_ACCUMULATOR, SPECIALS_POLICIES
from hw.design.checks import one_of, whole, within
from hw.design.serial import Ports, SerialDesign
from hw.formats import FixedFormat, Format, parse_element
from hw.formats.bitmod_datatypes import DATATYPES, SPECIAL_BITS, weight_datatype

LANES = 4
CODE_BITS = 8
GUARD_BITS = 3
DIGIT_BITS = 4
"""Bits of the step in which exponents are counted."""
SCALE_BITS = 8
LARGEST_SHIFT = 8
"""Largest exponent + bsig + 1 of a term."""
LEAST_GROUP, MOST_GROUP = 20, 512
"""A group of FP3 or FP4 takes at least the 10 cycles in which the one before it is scaled; the
significand of the largest one has 28 bits, so that seven hexadecimal digits round it to 0."""
MOST_LENGTH = 1 << 20
FP16, INT8 = "fp16", "int8"
WIDEST_WEIGHT, USUAL_ACTIVATION = parse_element(INT8), parse_element(FP16)


@dataclass(frozen=True, slots=True, kw_only=True)
class BitmodPe(SerialDesign):
    """One processing element with its term generator, dequantiser and output accumulator.

    Parameters
    ----------
    activation
        fp16 or int8.
    group
        Weights per group: a multiple of 4, 20 to 512.
    length
        Weights per output, K: a multiple of the group.
    datatypes
        The weight datatypes it serves.

    Ports, beside ``clk`` and ``rst`` (synchronous): `valid`: this cycle processes one term of each
    weight; `weight`, `activation`: four codes, held for all cycles of a step; `datatype`,
    `special_id`: held for all cycles of a group; `scale`: read in the last cycle of a group;
    `special_write`, `special_index` (4·FP4 + id), `special_value` (sign, I3…I0, F0): load an entry
    of the special values, which are the paper's after reset. `significand` (and `exponent`,
    `invalid`): the last group; `group_valid` for one cycle when a group has ended; `total`,
    `total_valid`: the output, 10 cycles after the last term; `fault`, until reset: a datatype it
    does not serve, or one that changed in mid-group.
    """

    kind: ClassVar[str] = "bitmod"
    keys: ClassVar[tuple[str, ...]] = (
        *("activation", "accumulator", "group", "length", "datatypes", "specials"),
    )

    weight: Format = WIDEST_WEIGHT
    activation: Format = USUAL_ACTIVATION
    accumulator: Accumulator = DEFAULT_ACCUMULATOR
    group: int = 128
    length: int = 4096
    datatypes: tuple[str, ...] = tuple(d.name for d in DATATYPES)

    def __post_init__(self) -> None:
        """Reject what cannot be built and settle the accumulator."""
        one_of("activation of a BitMoD element", str(self.activation), (FP16, INT8))
        one_of("specials", self.specials, SPECIALS_POLICIES)
        within("group", self.group, LEAST_GROUP, MOST_GROUP)
        if self.group % LANES:
            raise ValueError(f"a group is a multiple of {LANES} weights, not {self.group}")
        within("length", self.length, self.group, MOST_LENGTH)
        check_groups(self.length, self.group)
        if not self.datatypes:
            raise ValueError("a BitMoD element serves at least one datatype, not none")
        named = {weight_datatype(name).name for name in self.datatypes}
        object.__setattr__(self, "datatypes", tuple(d.name for d in DATATYPES if d.name in named))
        self._settle_accumulator()

    def _settle_accumulator(self) -> None:
        if self.accumulator == DEFAULT_ACCUMULATOR:
            chosen = "float:fp32:step" if self.is_fp16 else f"exact:{self.length}"
            object.__setattr__(self, "accumulator", parse_accumulator(chosen))
        if self.is_fp16 != self.is_floating or (
            self.is_floating and self.accumulator.mode is not AccumulatorMode.STEP
        ):
            wanted = "a floating one that rounds once per step" if self.is_fp16 else "exact"
            raise ValueError(
                f"the output of a BitMoD element with {self.activation} activations is {wanted}, "
                f"not {self.accumulator}"
            )
        if not self.is_fp16 and self.accumulator.terms != self.length:
            raise ValueError(
                f"an exact output holds as many terms as it adds, {self.length}, "
                f"not {self.accumulator.terms}"
            )

    @property
    def is_fp16(self) -> bool:
        """Whether activations are fp16."""
        return not isinstance(self.activation, FixedFormat)

    @property
    def lanes(self) -> int:
        """Weights per step."""
        return LANES

    @property
    def groups(self) -> int:
        """Groups per output."""
        return self.length // self.group

    @property
    def steps(self) -> int:
        """Steps per group."""
        return self.group // LANES

    @property
    def product_magnitude(self) -> int:
        """Largest magnitude all terms of a weight add up to, in units of the accumulator.

        Integers: terms fall by 1/2, then by 1/4, so they add up to less than 53/32 of the largest.
        """
        if self.is_fp16:
            significand = (1 << 11) - 1
            return -(-(significand << (DIGIT_BITS - 1 + GUARD_BITS)) * 53 // 32) + LANES
        return 1 << (7 + 8)

    @property
    def group_bits(self) -> int:
        """Width of a group's significand."""
        return (self.group * self.product_magnitude + self.group).bit_length() + 1

    @property
    def exponent_bits(self) -> int:
        """Width of a group's exponent (0: none)."""
        return 4 if self.is_fp16 else 0

    @property
    def scaled_bits(self) -> int:
        """Width of a group's significand times its scale."""
        return self.group_bits + SCALE_BITS

    @property
    def accumulator_bits(self) -> int:
        """Width of ``total``."""
        if self.is_fp16:
            return self.accumulator.bits
        return self.scaled_bits + (self.groups - 1).bit_length()

    @property
    def unit_exponent(self) -> int:
        """Exponent of a significand's unit where the group's exponent is 0."""
        return -29 if self.is_fp16 else -1

    @property
    def flags(self) -> tuple[str, ...]:
        """The total carries what flags would say."""
        return ()

    @property
    def slug(self) -> str:
        """File and module name."""
        return f"bitmod_{self.served_slug}"

    @property
    def served_slug(self) -> str:
        """What follows the kind and sides in the name: operands, groups and datatypes."""
        served = "" if len(self.datatypes) == len(DATATYPES) else "_" + "_".join(self.datatypes)
        output = f"_{self.accumulator.slug}" if self.is_fp16 else ""
        ignoring = "_ignore" if self.is_fp16 and self.specials == "ignore" else ""
        size = f"{self.group}x{self.groups}"
        return f"{self.activation}_{size}{served}{output}{ignoring}"

    @property
    def input_fields(self) -> Ports:
        """Inputs but the clock."""
        return (
            ("rst", 1),
            ("valid", 1),
            ("weight", LANES * CODE_BITS),
            ("activation", LANES * self.activation.bits),
            ("datatype", 3),
            ("special_id", 2),
            ("scale", SCALE_BITS),
            ("special_write", 1),
            ("special_index", 3),
            ("special_value", SPECIAL_BITS),
        )

    @property
    def output_fields(self) -> Ports:
        """Outputs."""
        floating: Ports = (("exponent", self.exponent_bits),) if self.is_fp16 else ()
        flagged: Ports = (("invalid", 1),) if self.is_flagged else ()
        return (
            ("significand", self.group_bits),
            *floating,
            *flagged,
            ("group_valid", 1),
            ("total", self.accumulator_bits),
            ("total_valid", 1),
            ("fault", 1),
        )

    @property
    def is_flagged(self) -> bool:
        """Whether special activations make the output NaN."""
        return self.is_fp16 and self.specials == "flag"

    @classmethod
    def from_keys(cls, record: Mapping[str, Any]) -> Self:
        """Return the design of a record."""
        settings: dict[str, Any] = {
            key: whole(key, record[key])
            for key in ("group", "length")
            if record.get(key) is not None
        }
        if record.get("specials"):
            settings["specials"] = str(record["specials"])
        if record.get("activation"):
            settings["activation"] = parse_element(str(record["activation"]))
        if record.get("accumulator"):
            accumulator = parse_accumulator(str(record["accumulator"]))
            if isinstance(accumulator, FixedFormat):
                raise ValueError(f"the output of a BitMoD element is no fixed-point {accumulator}")
            settings["accumulator"] = accumulator
        names = record.get("datatypes")
        if names is not None:
            found = names.split(",") if isinstance(names, str) else names
            settings["datatypes"] = tuple(str(name).strip() for name in found)
        made = cls(**settings)
        if made.is_fp16 and settings.get("accumulator") == DEFAULT_ACCUMULATOR:
            raise ValueError(
                f"the output of a BitMoD element with {made.activation} activations is a floating "
                f"one, not {DEFAULT_ACCUMULATOR}"
            )
        return made

    def to_record(self) -> dict[str, Any]:
        """Return the plain record of the design."""
        return {
            "kind": self.kind,
            "activation": str(self.activation),
            "accumulator": str(self.accumulator),
            "group": self.group,
            "length": self.length,
            "datatypes": list(self.datatypes),
            "specials": self.specials,
        }


def check_groups(length: int, group: int) -> None:
    """Raise ValueError unless groups divide the length."""
    if group < 1 or length % group:
        raise ValueError(f"the group size divides the length, {group} does not divide {length}")
