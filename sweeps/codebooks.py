"""Floor 4. Codebooks from YAML files, for tables that no name of the grammar stands for.

```yaml
# mine.yaml
name: mine                       # optional: lower-case letters and digits, a letter first
values: [-1, -0.5, 0, 0.5, 1]    # in code order; exact: 0.1 is refused unless rounded
round_to: fp32                   # optional: a format; each value becomes the nearest of it
```
"""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from hw.formats import CodebookFormat, Format, Special, parse, parse_element
from hw.formats.codebook import exact_entries
from hw.formats.grammar import AnyFormat
from sweeps.files import read_text

if TYPE_CHECKING:
    from sweeps.nodes import Entry

SUFFIXES = (".yaml", ".yml")
_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d{1,4})?|[-+]?\d+/0*[1-9]\d*")


def parse_or_read(text: str) -> AnyFormat:
    """Return the format of a name, or the codebook of a file that ends in .yaml or .yml.

    Raises
    ------
    ValueError
        If there is no such format, or the file describes no codebook.
    OSError
        If the file cannot be read.

    """
    if text.endswith(SUFFIXES):
        return read_codebook(Path(text))
    return parse(text)


def read_codebook(path: Path) -> CodebookFormat:
    """Return the codebook a YAML file describes.

    Numbers are read exactly as written (decimals, 1e-3, 3/8), never through floating point.

    Raises
    ------
    ValueError
        If the file holds something else; the message tells the file, the line and the rule.
    OSError
        If it cannot be read.

    """
    from sweeps.nodes import compose

    entries = compose(read_text(path), str(path)).mapping(("values",), ("name", "round_to"))
    onto = _format(entries["round_to"]) if "round_to" in entries else None
    places = entries["values"].sequence("numbers")
    values = [_value(place, onto) for place in places]
    _check_distinct(places, values)
    label = entries["name"].text("a name") if "name" in entries else ""
    try:
        exact_entries(values)
    except ValueError as error:
        raise entries["values"].error(f"is no codebook: {error}") from None
    try:
        return CodebookFormat(label, tuple(values))
    except ValueError as error:
        raise entries["name"].error(f"is no name: {error}") from None


def _format(place: Entry) -> Format:
    try:
        return parse_element(place.text("the name of a format"))
    except ValueError as error:
        raise place.error(f"must be the name of a format: {error}") from None


def _value(place: Entry, onto: Format | None) -> Fraction:
    """Return the number at a place, exact, or the nearest value of a format."""
    text = str(place.node.value)
    if not _NUMBER.fullmatch(text):
        raise place.error(f"must be a number, not {place.shown}")
    exact = Fraction(text)
    if onto is not None:
        nearest = onto.decode(onto.encode(exact))
        if isinstance(nearest, Special):
            raise place.error(f"has no nearest value in {onto}: {text}")
        return nearest
    if exact.denominator.bit_count() > 1:
        raise place.error(
            f"must be dyadic (an integer over a power of two) without round_to, not {text}"
        )
    return exact


def _check_distinct(places: list[Entry], values: list[Fraction]) -> None:
    first: dict[Fraction, Entry] = {}
    for place, value in zip(places, values, strict=True):
        if value in first:
            raise place.error(f"must differ from {first[value].path}: both are {float(value):.9g}")
        first[value] = place
