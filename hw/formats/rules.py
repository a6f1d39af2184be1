"""Floor 0: how a family of formats states its names: one rule per pattern."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T", covariant=True)


@dataclass(frozen=True, slots=True)
class Rule(Generic[T]):
    """Names that match `pattern` (lower case, no spaces) stand for what `build` returns.

    `build` raises ValueError for an impossible format.
    """

    pattern: re.Pattern[str]
    build: Callable[[re.Match[str]], T]


def whole(text: str) -> int:
    """Return the integer of a name part, in which a minus sign may be spelt ``n``."""
    return int(text.replace("n", "-"))
