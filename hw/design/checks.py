"""Floor 1a: the checks that designs make at birth."""

from __future__ import annotations


def one_of(what: str, value: object, choices: tuple[str, ...]) -> None:
    """Raise ValueError unless a value is one of the choices."""
    if value not in choices:
        raise ValueError(f"{what} is one of {', '.join(choices)}, not {value!r}")


def whole(what: str, value: object) -> int:
    """Return a whole number, or raise ValueError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{what} is a whole number, not {value!r}")
    return value


def within(what: str, value: int, low: int, high: int) -> None:
    """Raise ValueError unless a number lies between two others."""
    if not low <= value <= high:
        raise ValueError(f"{what} lies in {low}..{high}, not {value}")
