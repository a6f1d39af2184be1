"""Floor 4. YAML whose values know their place: errors name the file, the line and the key path."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import yaml

_RANGE = re.compile(r"(-?\d{1,9})\s*\.\.\s*(-?\d{1,9})")
_TAG = "tag:yaml.org,2002:"
_KINDS = {
    "map": "a mapping of keys to values",
    "seq": "a list",
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "null": "empty",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One YAML value: its node, the key path that leads to it, and the file's name."""

    node: yaml.Node
    path: str
    source: str

    def error(self, message: str) -> ValueError:
        """An error at this place, as `FILE:LINE: KEY PATH message`."""
        line = self.node.start_mark.line + 1
        return ValueError(f"{self.source}:{line}: {self.path or 'the file'} {message}")

    @property
    def kind(self) -> str:
        """The YAML type of the value (`map`, `seq`, `str`, `int`, `float`, `bool`, `null`)."""
        return str(self.node.tag).removeprefix(_TAG)

    @property
    def shown(self) -> str:
        """The value as an error message shows it."""
        if isinstance(self.node, yaml.ScalarNode) and self.kind != "null":
            return repr(self.node.value) if self.kind == "str" else str(self.node.value)
        return _KINDS.get(self.kind, f"a value of type {self.kind}")

    def mapping(self, required: Sequence[str], optional: Sequence[str] = ()) -> dict[str, Entry]:
        """The entries of a mapping by key.

        Raises
        ------
        ValueError
            If it is no mapping, or a key is unknown (the nearest is suggested), given twice or
            missing.
        """
        if not isinstance(self.node, yaml.MappingNode):
            raise self.error(f"must be a mapping with {', '.join(required)}, not {self.shown}")
        known = (*required, *optional)
        entries: dict[str, Entry] = {}
        for key_node, value_node in self.node.value:
            key = str(key_node.value) if isinstance(key_node, yaml.ScalarNode) else "?"
            place = Entry(key_node, self._below(key), self.source)
            if key not in known:
                raise place.error(f"is no key here{nearest(key, known)}")
            if key in entries:
                raise place.error("is given twice")
            entries[key] = Entry(value_node, self._below(key), self.source)
        for key in required:
            if key not in entries:
                raise self.error(f"lacks the key {key!r}")
        return entries

    def sequence(self, what: str) -> list[Entry]:
        """The entries of a list, at least one."""
        if not isinstance(self.node, yaml.SequenceNode) or not self.node.value:
            raise self.error(f"must be a list of {what}, not {self._shown_list}")
        return [
            Entry(node, f"{self.path}[{number}]", self.source)
            for number, node in enumerate(self.node.value)
        ]

    def one_or_more(self, what: str) -> list[Entry]:
        """The entries of a list, or the value itself where it is a scalar."""
        return [self] if isinstance(self.node, yaml.ScalarNode) else self.sequence(what)

    def text(self, what: str) -> str:
        """The value as text that is not blank."""
        if self.kind != "str" or not str(self.node.value).strip():
            raise self.error(f"must be {what}, not {self.shown}")
        return str(self.node.value).strip()

    def choice(self, choices: Sequence[str]) -> str:
        """The value as one of some words; the nearest is suggested."""
        if self.kind != "str" or self.node.value not in choices:
            hint = suggestion(str(self.node.value), choices) if self.kind == "str" else ""
            raise self.error(f"must be one of {', '.join(choices)}, not {self.shown}{hint}")
        return str(self.node.value)

    def whole(self, low: int, high: int) -> int:
        """The value as a whole number in low..high."""
        value = self._scalar() if self.kind == "int" else None
        if value is None or not low <= value <= high:
            raise self.error(f"must be a whole number in {low}..{high}, not {self.shown}")
        return int(value)

    def number(self, low: float, high: float) -> float:
        """The value as a number in low..high."""
        value = self._scalar() if self.kind in ("int", "float") else None
        if value is None or not low <= value <= high:
            raise self.error(f"must be a number in {low:g}..{high:g}, not {self.shown}")
        return float(value)

    def flag(self) -> bool:
        """The value as true or false."""
        if self.kind != "bool":
            raise self.error(f"must be true or false, not {self.shown}")
        return bool(self._scalar())

    def whole_range(self, low: int, high: int) -> tuple[int, ...]:
        """A whole number, a range `2..8` (both ends in), or a list of either; in rising order."""
        numbers: set[int] = set()
        for entry in self.one_or_more("whole numbers and ranges"):
            match = _RANGE.fullmatch(str(entry.node.value)) if entry.kind == "str" else None
            if match is None:
                numbers.add(entry.whole(low, high))
                continue
            first, last = int(match[1]), int(match[2])
            if not low <= first <= last <= high:
                raise entry.error(f"must be a rising range in {low}..{high}, not {entry.shown}")
            numbers.update(range(first, last + 1))
        return tuple(sorted(numbers))

    def _scalar(self) -> Any:
        try:
            return yaml.SafeLoader("").construct_object(self.node)  # type: ignore[no-untyped-call]
        except (ValueError, yaml.YAMLError):
            raise self.error(f"must be a number, not {self.node.value!r}") from None

    def _below(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key

    @property
    def _shown_list(self) -> str:
        return "an empty one" if isinstance(self.node, yaml.SequenceNode) else self.shown


def suggestion(word: str, choices: Sequence[str]) -> str:
    """`; did you mean 'X'?` for the nearest choice, or nothing."""
    near = get_close_matches(word, choices, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def nearest(word: str, choices: Sequence[str]) -> str:
    """As `suggestion`, but list the choices where none is near."""
    return suggestion(word, choices) or f" (keys: {', '.join(choices)})"


def compose(text: str, source: str) -> Entry:
    """Parse one YAML document into entries.

    Raises
    ------
    ValueError
        If the text is no YAML, empty, or more than one document.
    """
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{source}:{mark.line + 1}" if mark else source
        raise ValueError(f"{place}: not YAML: {error.problem or error.context}") from error
    except (yaml.YAMLError, RecursionError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"{source}: not YAML: {reason}") from error
    if node is None:
        raise ValueError(f"{source}: the file is empty")
    return Entry(node, "", source)
