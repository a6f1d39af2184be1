"""Floor 4. Constraints on results: comparisons of a figure with a number."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sweeps.nodes import suggestion

Mask = npt.NDArray[np.bool_]

_RELATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
_COMPARISON = re.compile(r"(\w+)\s*(<=|>=|<|>)\s*(\d+(?:\.\d*)?(?:e[+-]?\d+)?)\s*(?:%|MHz|pJ)?")


@dataclass(frozen=True, slots=True)
class Limit:
    """A comparison of a figure with a number, such as `sites_per_product <= 20`."""

    name: str
    relation: str
    value: float

    def meets(self, column: npt.NDArray[Any]) -> Mask:
        """Return which numbers satisfy it; numbers that are not known (masked) do not."""
        found: Mask = np.ma.filled(_RELATIONS[self.relation](column, self.value), False)
        return found

    def __str__(self) -> str:
        return f"{self.name} {self.relation} {self.value:g}"


def parse_limit(text: str, names: Sequence[str], also: Mapping[str, str] | None = None) -> Limit:
    """Read a comparison such as `sites <= 2000` or `accuracy >= 98 %`.

    Parameters
    ----------
    text
        A name, a relation and a number; a unit may follow.
    names
        What may be limited.
    also
        Other words for some of them.

    Raises
    ------
    ValueError
        If it is no comparison, or of something unknown (the nearest is suggested).

    """
    match = _COMPARISON.fullmatch(text.strip())
    if match is None:
        raise ValueError(
            f"a constraint compares a figure with a number, as in 'sites <= 2000', not {text!r}"
        )
    words = {name: name for name in names} | dict(also or {})
    if match[1] not in words:
        hint = suggestion(match[1], tuple(words))
        raise ValueError(f"a constraint is of {', '.join(words)}, not {match[1]!r}{hint}")
    return Limit(words[match[1]], match[2], float(match[3]))
