"""Floor 4. Post-training quantisation: scales of weights per tensor, channel, group or block.

A tensor x becomes ``scale * cast(x / scale)``: the scale lies outside the format, as float64 or in
a scale format; `sweeps.scales` says how schemes are named. Formats of blocks and mixtures bring
scales of their own. Methods share one small interface (`Method`), so that algorithms which look at
a layer's inputs (GPTQ and its kin) join by `register`, without a change elsewhere.

Source of the scale rules: Aggarwal et al., arXiv 2311.12359 (largest value onto the largest code;
every finite code used; subnormals kept; saturation after rounding).
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hw.formats import Format, Rounding
from hw.formats.block import BlockFormat
from hw.formats.mixture import MixtureFormat
from sim.golden import MixtureTensor, cast, decode, encode, quantize
from sweeps.layers import Values
from sweeps.scales import OWN, Scheme, parse_scheme

USUAL = Scheme()
AnyFormat = Format | BlockFormat | MixtureFormat
Inputs = Callable[[], Values]
"""Gives the calibration inputs of a layer: float patches (patch, term)."""

MSE_STEPS = 48
MSE_RATIOS = tuple(1 - step / MSE_STEPS for step in range(36))
"""Scales that "mse" tries, relative to that of "max": 1 down to 13/48 in steps of 1/48."""

MOST_SAMPLES = 4096
"""Activations are thinned to this many order statistics before their scale is searched."""


@dataclass(frozen=True, slots=True, eq=False)
class QuantisedMatrix:
    """Weights on a format's grid: ``values * scale * outer``.

    Parameters
    ----------
    values : array (term, output)
        Exact values of the format (of a block's elements, of a group's codebook).
    scale : array (output,), or (group, output)
        Positive (0 in formats whose own scales can be 0).
    group : int or None
        Terms that share a scale; the last group may be shorter. None: all of an output's.
    outer : array (output,) or None
        A second scale; 1 if None.
    ids : array (group, output) or None
        Of mixtures: the place of each group's codebook.
    """

    values: Values
    scale: Values
    group: int | None = None
    outer: Values | None = None
    ids: NDArray[np.unsignedinteger] | None = None

    def __post_init__(self) -> None:
        terms, outputs = self.values.shape
        groups = (-(-terms // self.group),) if self.group else ()
        if self.scale.shape != (*groups, outputs):
            raise ValueError(
                f"{terms} x {outputs} weights in groups of {self.group or terms} have scales of "
                f"shape {(*groups, outputs)}, not {self.scale.shape}"
            )

    @property
    def scaled(self) -> Values:
        """The weights but for the outer scale."""
        if self.group is None:
            return self.values * self.scale
        return self.values * np.repeat(self.scale, self.group, axis=0)[: len(self.values)]

    @property
    def dequantised(self) -> Values:
        """The weights that these stand for."""
        return self.scaled if self.outer is None else self.scaled * self.outer


class Method(Protocol):
    """How weights and activations get onto a format.

    A method of one's own returns what `QuantisedMatrix` can say: any values of the format, and
    scales per output or per group and output. Whether hardware adds group by group is up to
    `scheme`, of which its users read `group`, `is_dynamic` and `format`.
    """

    @property
    def name(self) -> str:
        """Name in specs and tables."""

    @property
    def scheme(self) -> Scheme:
        """What shares scales, and their format."""

    def weights(self, matrix: Values, format: AnyFormat, inputs: Inputs) -> QuantisedMatrix:
        """Quantise `matrix` (term, output); `inputs()` are calibration patches (patch, term)."""

    def activation_scale(self, samples: Values, format: Format) -> float:
        """Scale of one activation tensor from calibration values, of any shape."""


@dataclass(frozen=True, slots=True)
class ScaleSearch:
    """Round to nearest at the best scale out of a list.

    The candidates are `ratios` times the scale that maps the largest magnitude (or that of a
    percentile) onto the format's largest value, in the scheme's scale format; the least sum of
    squared errors wins, the earlier one on a tie.
    """

    name: str
    ratios: tuple[float, ...]
    scheme: Scheme = USUAL

    def weights(self, matrix: Values, format: AnyFormat, inputs: Inputs) -> QuantisedMatrix:
        """Each column, group or the whole at its own scale; `inputs` are not looked at."""
        del inputs
        if not isinstance(format, Format):
            return own_scales(matrix, format)
        if not format.signed:
            raise ValueError(f"a weight format must be signed, {format} is not")
        if self.scheme.group:
            return self._grouped(matrix, format, self.scheme.group)
        if self.scheme.is_tensor:
            scale = np.repeat(self.scales(matrix.reshape(-1, 1), format), matrix.shape[1])
        else:
            scale = self.scales(matrix, format)
        return QuantisedMatrix(cast(matrix, format, scale), scale)

    def _grouped(self, matrix: Values, format: Format, size: int) -> QuantisedMatrix:
        scale = np.concatenate(
            [
                self.scales(matrix[start : start + size], format)[None]
                for start in range(0, len(matrix), size)
            ]
        )
        spread = np.repeat(scale, size, axis=0)[: len(matrix)]
        return QuantisedMatrix(cast(matrix, format, spread), scale, size)

    def activation_scale(self, samples: Values, format: Format) -> float:
        """The scale for all values at once, searched on at most `MOST_SAMPLES` of them."""
        if self.scheme.method != "percentile":
            samples = thinned(samples)
        return float(self.scales(samples.reshape(-1, 1), format)[0])

    def scales(self, values: Values, format: Format) -> Values:
        """The best scale of each column of `values` (value, column)."""
        full = full_scales(values, format, self.scheme.percent)
        if len(self.ratios) == 1:
            return in_scale_format(full * self.ratios[0], self.scheme.format)
        candidates = in_scale_format(np.array(self.ratios)[:, None] * full, self.scheme.format)
        errors = [
            ((cast(values, format, scale) * scale - values) ** 2).sum(axis=0)
            for scale in candidates
        ]
        best = np.argmin(errors, axis=0)
        chosen: Values = candidates[best, np.arange(len(full))]
        return chosen


METHODS: dict[str, Method] = {
    "max": ScaleSearch("max", (1.0,)),
    "mse": ScaleSearch("mse", MSE_RATIOS, Scheme("mse")),
}
"""The usual ones, which "best" chooses between, and those that were registered."""
_REGISTERED: dict[str, Method] = {}


def register(method: Method) -> None:
    """Let a method of one's own be found by its name, in this process.

    Raises
    ------
    ValueError
        If the name is taken.
    """
    try:
        taken = find_method(method.name) is not method
    except ValueError:
        taken = False
    if taken:
        raise ValueError(f"there is a method {method.name} already")
    _REGISTERED[method.name] = method


def find_method(name: str) -> Method:
    """The method of a registered name, or of that of a scheme (`sweeps.scales`).

    Raises
    ------
    ValueError
        If there is none.
    """
    if name == OWN:
        return METHODS["max"]
    return _REGISTERED.get(name) or METHODS.get(name) or _of_scheme(parse_scheme(name))


@lru_cache(maxsize=1024)
def _of_scheme(scheme: Scheme) -> ScaleSearch:
    ratios = MSE_RATIOS if scheme.method == "mse" else (1.0,)
    return ScaleSearch(scheme.name, ratios, scheme)


def own_scales(matrix: Values, format: BlockFormat | MixtureFormat) -> QuantisedMatrix:
    """Weights in a format of blocks, which lie along the terms; the last one may be shorter."""
    found = quantize(matrix, format, axis=0, partial="pad")
    outer = np.broadcast_to(found.outer.astype(np.float64), (1, matrix.shape[1]))[0]
    if isinstance(found, MixtureTensor):
        width = found.format.codebooks[0].bits
        codes = np.arange(1 << width, dtype=np.uint8)
        tables = np.array([decode(codes, book) for book in found.format.codebooks])
        size = found.format.block_size
        ids = np.repeat(found.ids, size, axis=0)[: len(matrix)]
        is_fp16 = found.format.scale_kind == "fp16"
        scale = (found.scales.view(np.float16) if is_fp16 else found.scales).astype(np.float64)
        return QuantisedMatrix(tables[ids, found.elements], scale, size, outer, found.ids)
    scale = decode(found.scales, found.format.scale_format)
    values = decode(found.elements, found.format.element)
    if found.format.block_size is None:
        return QuantisedMatrix(values, np.repeat(scale.reshape(-1), matrix.shape[1]), outer=outer)
    return QuantisedMatrix(values, scale, found.format.block_size, outer)


def token_scales(values: Values, format: Format, axis: tuple[int, ...], scheme: Scheme) -> Values:
    """The dynamic scales of activations: the largest magnitude along `axis` on the largest code."""
    peak = np.abs(values).max(axis=axis, keepdims=True, initial=0.0)
    return in_scale_format(_onto(peak, format), scheme.format)


def in_scale_format(scales: Values, format: Format | None) -> Values:
    """Scales rounded up to a format; unchanged without one.

    Raises
    ------
    ValueError
        If one is below the format's least positive value, or above its largest.
    """
    if format is None or not scales.size:
        return scales
    least, low, high = _least(format), float(scales.min()), float(scales.max())
    if low < least:
        raise ValueError(
            f"a scale of {low:.3g} underflows {format}, whose least is {least:.3g}: "
            f"choose a scale format with more range"
        )
    if high > float(format.maximum):
        raise ValueError(
            f"a scale of {high:.3g} overflows {format}, whose largest is "
            f"{float(format.maximum):.3g}: choose a scale format with more range"
        )
    found: Values = decode(encode(scales, format, rounding=Rounding.TOWARD_POSITIVE), format)
    return found


@lru_cache(maxsize=64)
def _least(format: Format) -> float:
    code = encode(np.array([2.0**-1000]), format, rounding=Rounding.TOWARD_POSITIVE)
    return float(decode(code, format)[0])


def full_scales(values: Values, format: Format, percent: Fraction = Fraction(100)) -> Values:
    """Scale of each column that maps its largest magnitude onto the format's largest value.

    With `percent`, the least magnitude that so many percent of the values do not exceed; where
    that is 0, the largest. A column of zeros gets the scale 1.

    Raises
    ------
    ValueError
        If a value is not finite.
    """
    magnitudes = np.abs(values)
    peak = magnitudes.max(axis=0, initial=0.0)
    if not np.isfinite(peak).all():
        raise ValueError("values to quantise must be finite")
    if percent < 100 and len(values):
        rank = -(-percent * len(values) // 100)
        within = np.partition(magnitudes, int(rank) - 1, axis=0)[int(rank) - 1]
        peak = np.where(within > 0, within, peak)
    return _onto(peak, format)


def _onto(peak: Values, format: Format) -> Values:
    return np.where(peak > 0, peak, float(format.maximum)) / float(format.maximum)


def thinned(samples: Values, most: int = MOST_SAMPLES) -> Values:
    """At most `most` of the non-zero samples: evenly spaced order statistics, extremes included.

    Zeros are left out because every format has them: they add no error at any scale.
    """
    kept = np.sort(samples[samples != 0], axis=None)
    if len(kept) <= most:
        return kept
    return kept[np.linspace(0, len(kept) - 1, most).round().astype(np.int64)]
