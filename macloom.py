"""The public Python API of macloom: a number format becomes a design, the design six things.

>>> import macloom
>>> macloom.parse("e4m3fn").maximum
Fraction(448, 1)
>>> dot = macloom.design("dot", "int8", lanes=16)
>>> dot.accumulator_bits
24
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from amaranth.lib.wiring import Component
    from numpy.typing import ArrayLike, NDArray

    from hw.accumulators import Accumulator
    from hw.design import Design, DotProduct, Mac, OutputStationaryArray
    from hw.errors import MissingTool
    from hw.formats import Format, Overflow, Rounding, Special, parse
    from hw.formats.grammar import AnyFormat
    from sweeps.workflow import emit, estimate, simulate, synthesize

__all__ = [
    "Accumulator",
    "Design",
    "DotProduct",
    "Format",
    "Mac",
    "MissingTool",
    "OutputStationaryArray",
    "Overflow",
    "Rounding",
    "Special",
    "build",
    "cast",
    "design",
    "emit",
    "estimate",
    "parse",
    "simulate",
    "synthesize",
]

_HOMES = {
    **dict.fromkeys(("Format", "Overflow", "Rounding", "Special", "parse"), "hw.formats"),
    **dict.fromkeys(("Design", "DotProduct", "Mac", "OutputStationaryArray"), "hw.design"),
    **dict.fromkeys(("emit", "estimate", "simulate", "synthesize"), "sweeps.workflow"),
    "Accumulator": "hw.accumulators",
    "MissingTool": "hw.errors",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for: `import macloom` loads nothing heavy."""
    if name not in _HOMES:
        raise AttributeError(f"module 'macloom' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


def design(
    kind: str, weight: Format | str, activation: Format | str | None = None, **sizes: Any
) -> Design:
    """Return a design: ``design("dot", "int4", "int8", lanes=32, accumulator="exact:1024")``.

    Parameters
    ----------
    kind
        "mac", "dot", "mxdot", "array" or "tile".
    weight, activation
        Formats or their names; the activation defaults to the weight format.
    sizes
        `lanes` of a dot product or MX blocks, `rows` and `columns` of an array; `accumulator`, `specials` and
        `structure` of any.

    Raises
    ------
    ValueError
        For a name that is none, or a value out of range.

    """
    from hw.design import from_record

    record = {"kind": kind, "weight": str(weight), **sizes}
    if activation is not None:
        record["activation"] = str(activation)
    if "accumulator" in record:
        record["accumulator"] = str(record["accumulator"])
    return from_record(record)


def build(design: Design, target: str = "xcup") -> Component:
    """Return the Amaranth component of a design, its structure settled for a target.

    A MAC or dot product is a `hw.rtl.core.Core`, an array a `hw.rtl.array.SystolicArray` with
    `amaranth.lib.stream` interfaces. Errors as for `sweeps.workflow.settle`.
    """
    from hw import plan, rtl
    from sweeps.workflow import settle

    return rtl.build(plan.plan(*settle(design, target)))


def cast(values: ArrayLike, format: AnyFormat | str, **options: Any) -> NDArray[Any]:
    """Return the nearest values of a format; options and errors as for `sim.golden.cast`.

    For formats of blocks as for `sim.golden.cast_blocks`.

    >>> import macloom
    >>> macloom.cast([0.3, 5.1, 1000.0], "e4m3fn").tolist()
    [0.3125, 5.0, 448.0]
    >>> macloom.cast([0.3, 5.1], "mxfp4", partial="pad").tolist()
    [0.5, 6.0]
    """
    from hw.formats import Format, parse
    from sim import golden

    known = parse(format) if isinstance(format, str) else format
    if isinstance(known, Format):
        return golden.cast(values, known, **options)
    return golden.cast_blocks(values, known, **options)
