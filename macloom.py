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
    import numpy as np
    from amaranth.lib.wiring import Component
    from numpy.typing import ArrayLike, NDArray

    from hw.accumulators import Accumulator
    from hw.design import (
        Design,
        DotProduct,
        Mac,
        OutputStationaryArray,
        WeightStationaryArray,
    )
    from hw.errors import MissingTool
    from hw.formats import Format, Overflow, Rounding, Special, Stochastic, parse
    from hw.formats.block import BlockFormat
    from hw.formats.grammar import AnyFormat
    from hw.formats.mixture import MixtureFormat
    from sim.golden import BlockTensor, MixtureTensor
    from sweeps.tensors import Coded, Tensor, load_npz, save_npz
    from sweeps.workflow import emit, estimate, simulate, synthesize

__all__ = [
    "Accumulator",
    "BlockFormat",
    "BlockTensor",
    "Coded",
    "Design",
    "DotProduct",
    "Format",
    "Mac",
    "MissingTool",
    "MixtureFormat",
    "MixtureTensor",
    "OutputStationaryArray",
    "Overflow",
    "Rounding",
    "Special",
    "Stochastic",
    "WeightStationaryArray",
    "build",
    "cast",
    "decode",
    "design",
    "emit",
    "encode",
    "estimate",
    "load_npz",
    "parse",
    "quantize",
    "save_npz",
    "simulate",
    "synthesize",
]

_FORMATS = ("Format", "Overflow", "Rounding", "Special", "Stochastic", "parse")
_DESIGNS = ("Design", "DotProduct", "Mac", "OutputStationaryArray", "WeightStationaryArray")
_HOMES = {
    **dict.fromkeys(_FORMATS, "hw.formats"),
    **dict.fromkeys(_DESIGNS, "hw.design"),
    **dict.fromkeys(("BlockTensor", "MixtureTensor"), "sim.golden"),
    **dict.fromkeys(("Coded", "load_npz", "save_npz"), "sweeps.tensors"),
    **dict.fromkeys(("emit", "estimate", "simulate", "synthesize"), "sweeps.workflow"),
    "Accumulator": "hw.accumulators",
    "BlockFormat": "hw.formats.block",
    "MissingTool": "hw.errors",
    "MixtureFormat": "hw.formats.mixture",
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
        `lanes` of a dot product or MX blocks, `rows` and `columns` of an array; `accumulator`,
        `specials` and `structure` of any.

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
    from hw.formats import Format
    from sim import golden

    known = _format(format)
    if isinstance(known, Format):
        return golden.cast(values, known, **options)
    return golden.cast_blocks(values, known, **options)


def encode(values: ArrayLike, format: Format | str, **options: Any) -> NDArray[Any]:
    """Return the codes nearest to values; options and errors as for `sim.golden.encode`.

    >>> import macloom
    >>> macloom.encode([0.3, 5.1, 1000.0], "e4m3fn").tolist()
    [42, 74, 126]
    """
    from sim import golden

    return golden.encode(values, _element(format), **options)


def decode(codes: ArrayLike, format: Format | str) -> NDArray[np.float64]:
    """Return the values of codes, specials as nan and ±inf; errors as for `sim.golden.decode`.

    >>> import macloom
    >>> macloom.decode([42, 74, 126, 127], "e4m3fn").tolist()
    [0.3125, 5.0, 448.0, nan]
    """
    from sim import golden

    return golden.decode(codes, _element(format))


def quantize(values: ArrayLike, format: AnyFormat | str, **options: Any) -> Tensor:
    """Return an array as codes with their scales and format: what `save_npz` writes.

    Of a format of single codes a `sweeps.tensors.Coded`, with the options of its `of`; of blocks a
    `BlockTensor` or `MixtureTensor`, with the options of `sim.golden.quantize`. Errors as theirs.

    >>> import macloom
    >>> macloom.quantize([0.3, 5.1, 1000.0], "e4m3fn", scale=4).values.tolist()
    [0.3125, 5.0, 1024.0]
    >>> tensor = macloom.quantize([0.3, 5.1, 3.4, -2.6], "bfp<4,2>")
    >>> tensor.elements.tolist(), tensor.scales.tolist(), tensor.values().tolist()
    ([0, 5, 7, 13], [127, 126], [0.0, 5.0, 3.5, -2.5])
    """
    from hw.formats import Format
    from sim import golden
    from sweeps.tensors import Coded

    known = _format(format)
    if isinstance(known, Format):
        return Coded.of(values, known, **options)
    return golden.quantize(values, known, **options)


def _format(format: AnyFormat | str) -> AnyFormat:
    from hw.formats import parse

    return parse(format) if isinstance(format, str) else format


def _element(format: Format | str) -> Format:
    from hw.formats import parse_element

    return parse_element(format) if isinstance(format, str) else format
