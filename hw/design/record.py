"""Floor 1a: designs from plain records, such as those of YAML files and sidecars."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hw.accumulators import Accumulator, AccumulatorKind, parse_accumulator
from hw.design.base import Design
from hw.design.checks import one_of, whole
from hw.design.kinds import DATAFLOWS, KINDS, OUTPUT_STATIONARY
from hw.design.serial import SerialDesign
from hw.formats import FixedFormat, Format, parse_element

_GRID_KEYS = ("rows", "columns", "lanes")
_SIZE_KEYS = {
    "mac": (),
    "dot": ("lanes",),
    "mxdot": ("lanes",),
    "array": _GRID_KEYS,
    "tile": _GRID_KEYS,
}
_CHOICE_KEYS = {"array": ("dataflow",)}
_COMMON_KEYS = (
    *("kind", "weight", "activation", "accumulator", "specials", "structure", "chain", "pipeline"),
)


def from_record(record: Mapping[str, Any]) -> Design:
    """Return the design a plain record describes (the inverse of `Design.to_record`).

    Missing `activation` means the weight format; other missing keys take their defaults. Keys
    must belong to the design's kind.

    Raises
    ------
    ValueError
        For an unknown key (the nearest is suggested), a missing one, or a value out of range.

    """
    if not isinstance(record, Mapping):
        raise ValueError(f"a design is a mapping of keys to values, not {record!r}")
    kind = record.get("kind")
    one_of("kind", kind, tuple(KINDS))
    assert isinstance(kind, str)
    own = KINDS[kind]
    if issubclass(own, SerialDesign):
        return _serial(own, record)
    _check_keys(record, (*_COMMON_KEYS, *_SIZE_KEYS[kind], *_CHOICE_KEYS.get(kind, ())))
    if kind == "array":
        dataflow = record.get("dataflow") or OUTPUT_STATIONARY
        one_of("dataflow", dataflow, tuple(DATAFLOWS))
        own = DATAFLOWS[dataflow]
    if record.get("weight") is None:
        raise ValueError("design needs a weight format")
    sizes = {
        key: whole(key, record[key]) for key in _SIZE_KEYS[kind] if record.get(key) is not None
    }
    if "lanes" in sizes:
        sizes["lane_count"] = sizes.pop("lanes")
    weight = parse_element(str(record["weight"]))
    activation = parse_element(str(record.get("activation") or record["weight"]))
    settings: dict[str, Any] = {
        key: str(record[key]) for key in ("specials", "structure") if record.get(key)
    }
    for key in ("chain", "pipeline"):
        if record.get(key) is not None:
            settings[key] = whole(key, record[key])
    usual = own.default_accumulator
    accumulator = parse_accumulator(str(record.get("accumulator") or usual))
    if isinstance(accumulator, FixedFormat):
        accumulator = _fixed_accumulator(accumulator, weight, activation)
    operands: dict[str, Any] = {"weight": weight, "activation": activation, **settings, **sizes}
    return own(accumulator=accumulator, **operands)


def _serial(own: type[SerialDesign], record: Mapping[str, Any]) -> SerialDesign:
    """Return a serial design, with its stages if it can have any."""
    pipeline = record.get("pipeline")
    stages = 0 if pipeline is None else whole("pipeline", pipeline)
    if stages and not own.staged:
        able = [kind for kind, known in KINDS.items() if getattr(known, "staged", True)]
        raise ValueError(
            f"pipeline stages are for {', '.join(able)}: the registers of a {own.kind} stand where "
            f"its cycles are, so pipeline is 0, not {stages}"
        )
    plain = {key: value for key, value in record.items() if key != "pipeline"}
    _check_keys(plain, ("kind", *own.keys))
    found = own.from_keys(plain)
    return replace(found, pipeline=stages) if stages else found


def _check_keys(record: Mapping[str, Any], allowed: tuple[str, ...]) -> None:
    for key in record:
        if key not in allowed:
            raise ValueError(f"design has no key {key!r}{_nearest(str(key), allowed)}")


def _fixed_accumulator(format: FixedFormat, weight: Format, activation: Format) -> Accumulator:
    step = weight.lsb_exponent + activation.lsb_exponent
    if format.lsb_exponent != step:
        raise ValueError(
            f"an accumulator format has the step of the products, 2^{step} for "
            f"{weight} × {activation}; {format} has 2^{format.lsb_exponent}"
        )
    return Accumulator(AccumulatorKind.SATURATE, bits=format.bits)


def _nearest(word: str, choices: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(word, choices, n=1)
    return f"; did you mean {near[0]!r}?" if near else f" (keys: {', '.join(choices)})"
