"""Floor 0: codebooks: any table of distinct dyadic values, one per code.

Named codebooks (BitMoD, NF4, …) have modules of their own; here are the class and the names of
tables that have no other name: ``codebook<-1,-0.5,0,0.5,1>``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction

from hw.formats.base import MAXIMUM_TABLE_BITS, number_text
from hw.formats.rules import Rule
from hw.formats.table import TableFormat

_LABEL = re.compile(r"(?!n\d)[a-z][a-z0-9]*")
_LONGEST_SLUG = 100


@dataclass(frozen=True, slots=True)
class CodebookFormat(TableFormat):
    """The value of code i is ``entries[i]``.

    The width is the least that holds all codes. Where the number of entries is not a power of
    two, the leftover codes stand for the last entry (the index saturates); nothing encodes to
    them.

    Parameters
    ----------
    label
        Lower-case letters and digits, a letter first, not ``n`` before a digit; may be empty.
    entries
        Values in code order, 2 to 2^16 of them, distinct and dyadic: a rational number whose
        denominator is a power of two. Floats are taken at their exact value, text is read as a
        decimal or a fraction.
    known
        Whether the label alone is a name of the grammar: for the modules that define such names.

    Raises
    ------
    ValueError
        If the values are too few, too many, equal, not dyadic or not finite.

    """

    label: str
    entries: tuple[Fraction, ...]
    known: bool = False
    _table: tuple[Fraction, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Reject impossible tables and make all values exact."""
        if self.label and not self.known and not _LABEL.fullmatch(self.label):
            raise ValueError(
                "the label of a codebook is lower-case letters and digits, a letter first, "
                f"not n before a digit; not {self.label!r}"
            )
        entries = exact_entries(self.entries)
        object.__setattr__(self, "entries", entries)
        leftover = (1 << self.bits) - len(entries)
        object.__setattr__(self, "_table", entries + entries[-1:] * leftover)

    def __hash__(self) -> int:
        # Cheap: tables are kept per format, and found by it.
        return hash((self.label, len(self.entries), self.entries[0], self.entries[-1]))

    @property
    def bits(self) -> int:
        """Width of a code: the least that counts the entries."""
        return (len(self.entries) - 1).bit_length()

    @property
    def name(self) -> str:
        """The label if the grammar knows it, else ``codebook<label,value,value,…>``."""
        if self.known:
            return self.label
        texts = [self.label] if self.label else []
        return f"codebook<{','.join([*texts, *map(number_text, self.entries)])}>"

    @property
    def slug(self) -> str:
        """Name with ``n`` for a minus sign and ``p`` for the point.

        Beyond 100 characters (file names end at 255) the values are told by their number and the
        beginning of their SHA-256; such a slug is no name of the grammar.
        """
        plain = self.name.replace("<", "_").replace(">", "").replace(",", "_")
        plain = plain.replace("-", "n").replace(".", "p")
        if len(plain) <= _LONGEST_SLUG:
            return plain
        import hashlib  # seldom needed, and slow to load

        digest = hashlib.sha256(self.name.encode()).hexdigest()[:12]
        return "_".join(["codebook", *filter(None, [self.label]), f"{len(self.entries)}", digest])

    def table(self) -> tuple[Fraction, ...]:
        """Return the values of all codes, leftover ones included."""
        return self._table


def exact_entries(values: Iterable[Fraction | int | float | str]) -> tuple[Fraction, ...]:
    """Return the values of a codebook as fractions; errors as for `CodebookFormat`."""
    entries = tuple(_exact(value) for value in values)
    if not 2 <= len(entries) <= 1 << MAXIMUM_TABLE_BITS:
        raise ValueError(
            f"a codebook has 2..{1 << MAXIMUM_TABLE_BITS} values "
            f"(codes of at most {MAXIMUM_TABLE_BITS} bits), not {len(entries)}"
        )
    places: dict[Fraction, int] = {}
    for code, entry in enumerate(entries):
        if (first := places.setdefault(entry, code)) != code:
            raise ValueError(
                "the values of a codebook must be distinct: "
                f"codes {first} and {code} are both {number_text(entry)}"
            )
    return entries


def _exact(value: Fraction | int | float | str) -> Fraction:
    try:
        exact = Fraction(value)
    except (ValueError, OverflowError, ZeroDivisionError):
        raise ValueError(f"a codebook value is a finite number, not {value!r}") from None
    if exact.denominator & (exact.denominator - 1):
        raise ValueError(
            "a codebook value must be dyadic (an integer over a power of two), "
            f"not {value if isinstance(value, str) else exact}"
        )
    return exact


def _inline(match: re.Match[str]) -> CodebookFormat:
    first, *rest = re.split("[,_]", match["values"] or match["slug"])
    label, texts = (first, rest) if _LABEL.fullmatch(first) else ("", [first, *rest])
    return CodebookFormat(label, exact_entries(_plain(text) for text in texts))


def _plain(text: str) -> str:
    """Return a number as Python reads it: ``-`` for n, ``.`` for p."""
    if not re.fullmatch(r"[-n]?\d+(?:[.p]\d+)?", text):
        raise ValueError(f"a codebook value in a name is a decimal such as -0.75, not {text!r}")
    return text.replace("n", "-").replace("p", ".")


RULES = (Rule(re.compile(r"codebook(?:<(?P<values>[^<>]+)>|_(?P<slug>.+))"), _inline),)
