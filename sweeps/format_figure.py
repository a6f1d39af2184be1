"""Floor 4. The figure of number formats: their values, how dense they lie, how well they round.

Above: the values of each format on a line. Below: values per binade, and the largest relative
error of rounding to nearest, over the positive values. Several formats are drawn over their largest
magnitude, as if scaled to fit the same data, unless absolute values are asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import floor, log2
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from hw.formats.grammar import AnyFormat
from hw.formats.scale import floor_log2
from sweeps.canvas import KINDS, figure_bytes, settings
from sweeps.files import write_whole
from sweeps.format_curves import Curve, Points, curves
from sweeps.looks import GREY, LAYOUTS

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
_DASHES: tuple[Any, ...] = ("-", (0, (5, 1.6)), (0, (1.4, 1.2)), (0, (5, 1.4, 1.2, 1.4)))
_SIZES = LAYOUTS["wide"]
_ROW_INCHES, _LOWER_INCHES = 0.34, 2.3
_FINE_OCTAVES = 14
"""A wider range of several formats shows the largest error of each binade only."""
_SIDE_TICKS = 4
_LONG = 100_000
_PLACES = 3000
"""Values nearer than this part of the line are drawn as one."""


def save_formats(formats: Sequence[AnyFormat], path: Path, absolute: bool = False) -> list[Path]:
    """Draw formats to a .png, .svg or .pdf file; without a suffix to .png and .svg.

    Raises
    ------
    ValueError
        For another suffix, and as `draw_formats`.
    OSError
        If a file cannot be written.

    """
    suffixes = [path.suffix[1:]] if path.suffix else ["png", "svg"]
    if suffixes[0] not in KINDS:
        raise ValueError(f"a figure is one of .png, .svg, .pdf, not {path.suffix!r}")
    paths = [path.with_name(f"{path.stem}.{suffix}") for suffix in suffixes]
    with settings():
        figure = draw_formats(formats, absolute)
        for place, suffix in zip(paths, suffixes, strict=True):
            write_whole(place, figure_bytes(figure, suffix, _SIZES.dpi))
    return paths


def draw_formats(formats: Sequence[AnyFormat], absolute: bool = False) -> Figure:
    """Return the figure of at least one format; a single one is always drawn absolute.

    Raises
    ------
    ValueError
        If there is no format, or more than there are colours.

    """
    absolute = absolute or len(formats) == 1
    shown = curves(formats, absolute)
    if not 1 <= len(shown) <= len(COLOURS):
        raise ValueError(f"a figure shows 1 to {len(COLOURS)} formats, not {len(shown)}")
    rows = -(-len(shown) // 4)
    columns = -(-len(shown) // rows)
    legend = 0.0 if len(shown) == 1 else 0.1 + 0.17 * rows
    height = 0.95 + _ROW_INCHES * len(shown) + _LOWER_INCHES + legend
    figure = Figure(figsize=(_SIZES.width, height), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(2, 2, height_ratios=(_ROW_INCHES * len(shown) + 0.1, _LOWER_INCHES))
    over = "" if absolute else " / largest magnitude"
    _values(figure.add_subplot(grid[0, :]), shown, f"value{over}{' of the format' if over else ''}")
    density, error = figure.add_subplot(grid[1, 0]), figure.add_subplot(grid[1, 1])
    _lines(density, [curve.density for curve in shown])
    low, high = (log2(limit) for limit in density.get_xlim())
    fine = len(shown) == 1 or high - low <= _FINE_OCTAVES
    _lines(error, [curve.error if fine else curve.error_by_binade for curve in shown])
    for axes, title in ((density, "values per binade"), (error, "largest relative rounding error")):
        axes.set_xlabel(f"positive value{over}", fontsize=_SIZES.text)
        axes.set_ylabel(title, fontsize=_SIZES.text)
    error.set_xlim(density.get_xlim()[0] / 2, density.get_xlim()[1])
    density.set_xlim(error.get_xlim())
    for axes in (density, error):
        _binary_ticks(axes.xaxis, axes.get_xlim(), 9)
        _binary_ticks(axes.yaxis, axes.get_ylim(), 9)
    if len(shown) > 1:
        figure.legend(
            error.get_lines(),
            [curve.title for curve in shown],
            loc="outside lower center",
            ncols=columns,
            fontsize=_SIZES.small,
            frameon=False,
            handlelength=3,
        )
    return figure


def _values(axes: Axes, shown: Sequence[Curve], title: str) -> None:
    """Draw the values of each format in a row of its own, the first on top."""
    low = min(curve.ends[0] for curve in shown)
    high = max(curve.ends[1] for curve in shown)
    if any(curve.tapers for curve in shown):
        _stretch(axes, min(curve.smallest for curve in shown), low, high)
    place = axes.xaxis.get_transform().transform
    span = float(place(high) - place(low))
    for row, curve in enumerate(shown):
        values = curve.values
        colour = COLOURS[row]
        if values is None:
            box = Rectangle((curve.ends[0], row - 0.32), curve.ends[1] - curve.ends[0], 0.64)
            box.set(facecolor=colour, linewidth=0)
            axes.add_patch(box)
        else:
            exact = np.array(values)
            _, chosen = np.unique(np.rint(place(exact) / span * _PLACES), return_index=True)
            width = 1.3 if len(chosen) < 40 else 0.7
            axes.vlines(exact[chosen], row - 0.32, row + 0.32, color=colour, linewidth=width)
        _label(axes, row, curve, None if values is None else len(values))
    inverse = axes.xaxis.get_transform().inverted().transform
    ends = [place(low) - 0.012 * span, place(high) + 0.012 * span]
    axes.set_xlim(*(float(inverse(end)) for end in ends))
    axes.set_ylim(len(shown) - 0.45, -0.55)
    axes.set_yticks([])
    for side in ("top", "left", "right"):
        axes.spines[side].set_visible(False)
    axes.tick_params(axis="x", labelsize=_SIZES.small, length=2.5, width=0.6, colors="#333333")
    axes.spines["bottom"].set_linewidth(0.6)
    axes.set_xlabel(title, fontsize=_SIZES.text)


def _label(axes: Axes, row: int, curve: Curve, count: int | None) -> None:
    """Write the name of a format, the number of its values and the largest beside its row."""
    number = f"$2^{{{curve.format.bits}}}$ codes" if count is None else f"{count} values"
    style: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "ha": "right"}
    name: dict[str, Any] = {"color": COLOURS[row], "fontweight": "bold", "fontsize": _SIZES.small}
    axes.annotate(curve.title, (-0.01, row - 0.05), va="bottom", **style, **name)
    text = f"{number} to {_number(curve.format.maximum)}"
    axes.annotate(text, (-0.01, row), va="top", color=GREY, fontsize=_SIZES.small - 1.2, **style)


def _number(value: Fraction) -> str:
    if value < _LONG:
        return f"{float(value):.6g}"
    exponent = floor_log2(value)
    if value == Fraction(2) ** exponent:
        return _power(exponent)
    digits, _, decimal = f"{float(value):.2e}".partition("e")
    return f"${digits}\\cdot10^{{{int(decimal)}}}$"


def _stretch(axes: Axes, smallest: float, low: float, high: float) -> None:
    """Make the axis logarithmic on both sides of zero, with ticks at powers of two and 0."""

    def forward(value: Any) -> Any:
        return np.arcsinh(np.asarray(value) / smallest)

    def backward(place: Any) -> Any:
        return np.sinh(np.asarray(place)) * smallest

    axes.set_xscale("function", functions=(forward, backward))
    top = floor(log2(max(-low, high)))
    octaves = top - floor(log2(smallest))
    step = max(1, -(-octaves // (_SIDE_TICKS + 1)))
    powers = [2.0 ** (top - step * number) for number in range(_SIDE_TICKS)]
    ticks = [tick for power in powers for tick in (-power, power) if low <= tick <= high]
    axes.xaxis.set_major_locator(FixedLocator(sorted([0.0, *ticks])))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(_signed_power))


def _signed_power(value: float, _: object) -> str:
    if value == 0:
        return "0"
    return f"{'−' if value < 0 else ''}{_power(round(log2(abs(value))))}"


def _lines(axes: Axes, lines: Sequence[Points]) -> None:
    """Draw lines on axes logarithmic to base 2; the first are wider, so that equal ones show."""
    axes.set_xscale("log", base=2)
    axes.set_yscale("log", base=2)
    for row, points in enumerate(lines):
        width = 2.6 - 1.6 * row / max(len(lines) - 1, 1) if len(lines) > 1 else 1.4
        style: dict[str, Any] = {"linestyle": _DASHES[row % len(_DASHES)], "linewidth": width}
        x, y = [point[0] for point in points], [point[1] for point in points]
        axes.plot(x, y, color=COLOURS[row], solid_capstyle="butt", dash_capstyle="butt", **style)
    axes.grid(color="#e6e6e6", linewidth=0.5)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=_SIZES.small, length=2.5, width=0.6, colors="#333333")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_linewidth(0.6)


def _binary_ticks(axis: Any, limits: tuple[float, float], most: int) -> None:
    """Put ticks at powers of two, every so many that there are at most `most`."""
    low, high = floor(log2(limits[0])) + 1, floor(log2(limits[1]))
    step = 1
    while (high - low) // step + 1 > most:
        step *= 2
    exponents = range(-(-low // step) * step, high + 1, step)
    axis.set_major_locator(FixedLocator([2.0**exponent for exponent in exponents]))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: _power(round(log2(value)))))


def _power(exponent: int) -> str:
    return f"{2**exponent}" if 0 <= exponent <= 10 else f"$2^{{{exponent}}}$"
