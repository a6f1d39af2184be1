"""Floor 2c: records from data files, checked key by key."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields
from functools import cache
from importlib.resources import files
from typing import Any, TypeVar, cast

Record = TypeVar("Record")


@cache
def shipped(name: str) -> dict[str, Any]:
    """Return what ``costmodel/data/<name>.yaml`` holds, read once."""
    return read(name)


def read(name: str) -> dict[str, Any]:
    """Return what ``costmodel/data/<name>.yaml`` holds now."""
    import yaml

    text = (files("costmodel") / "data" / f"{name}.yaml").read_text(encoding="utf-8")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times faster, if there
    record: dict[str, Any] = yaml.load(text, Loader=loader)
    return record


def checked(kind: type[Record], record: Mapping[str, Any], **given: Any) -> Record:
    """Return a dataclass from a mapping; what is `given` is not looked for there.

    Raises
    ------
    ValueError
        For keys that are unknown or missing, and what the class itself refuses.

    """
    places = {field.name: field for field in fields(cast(Any, kind))}
    what = f"{kind.__name__.lower()} {given.get('name', '')}".strip()
    for key in record:
        if key not in places or key in given:
            raise ValueError(f"{what} has no key {key!r}; {nearest(str(key), places)}")
    for name, field in places.items():
        optional = field.default is not MISSING or field.default_factory is not MISSING
        if name not in record and name not in given and not optional:
            raise ValueError(f"{what} needs the key {name!r}")
    return kind(**given, **record)


def nearest(name: str, names: Iterable[str]) -> str:
    """Return a hint: the nearest of some names, or all of them."""
    import difflib

    known = list(names)
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"


def positive(name: str, value: object) -> None:
    """Raise ValueError unless a value is a whole number from 1 on."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name} must be a whole number from 1 on, not {value!r}")
