"""Floor 4. Post-training quantisation: a scale per output channel, a scale per activation tensor.

A tensor x becomes ``scale * cast(x / scale)``: the scale lies outside the format and is float64.
Methods share one small interface (`Method`), so that algorithms which look at a layer's inputs
(GPTQ and its kin) join without a change elsewhere.

Source of the scale rules: Aggarwal et al., arXiv 2311.12359 (largest value onto the largest code;
every finite code used; subnormals kept; saturation after rounding).
"""

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Protocol

import numpy as np

from hw.formats import Format
from sim.golden import cast
from sweeps.layers import Values

MSE_STEPS = 48
MSE_RATIOS = tuple(1 - step / MSE_STEPS for step in range(36))
"""Scales that "mse" tries, relative to that of "max": 1 down to 13/48 in steps of 1/48."""

MOST_SAMPLES = 4096
"""Activations are thinned to this many order statistics before their scale is searched."""


@dataclass(frozen=True, slots=True, eq=False)
class QuantisedMatrix:
    """Weights on a format's grid.

    Parameters
    ----------
    values : array (term, output)
        Exact values of the format.
    scale : array (output,)
        Positive; weight ≈ ``values * scale``.
    """

    values: Values
    scale: Values

    @property
    def dequantised(self) -> Values:
        """The weights that these stand for."""
        return self.values * self.scale


class Method(Protocol):
    """How weights and activations get onto a format."""

    @property
    def name(self) -> str:
        """Name in specs and tables."""

    def weights(
        self, matrix: Values, format: Format, inputs: Callable[[], Values]
    ) -> QuantisedMatrix:
        """Quantise `matrix` (term, output); `inputs()` are calibration patches (patch, term)."""

    def activation_scale(self, samples: Values, format: Format) -> float:
        """Scale of one activation tensor from calibration values, of any shape."""


@dataclass(frozen=True, slots=True)
class ScaleSearch:
    """Round to nearest at the best scale out of a list.

    The candidates are `ratios` times the scale that maps the largest magnitude onto the format's
    largest value; the least sum of squared errors wins, the earlier one on a tie.
    """

    name: str
    ratios: tuple[float, ...]

    def weights(
        self, matrix: Values, format: Format, inputs: Callable[[], Values]
    ) -> QuantisedMatrix:
        """Each column at its own scale; `inputs` are not looked at."""
        del inputs
        if not format.signed:
            raise ValueError(f"a weight format must be signed, {format} is not")
        scale = self.scales(matrix, format)
        return QuantisedMatrix(cast(matrix, format, scale), scale)

    def activation_scale(self, samples: Values, format: Format) -> float:
        """The scale for all values at once, searched on at most `MOST_SAMPLES` of them."""
        return float(self.scales(thinned(samples)[:, None], format)[0])

    def scales(self, values: Values, format: Format) -> Values:
        """The best scale of each column of `values` (value, column)."""
        full = full_scales(values, format)
        if len(self.ratios) == 1:
            return full * self.ratios[0]
        candidates = np.array(self.ratios)[:, None] * full
        errors = [
            ((cast(values, format, scale) * scale - values) ** 2).sum(axis=0)
            for scale in candidates
        ]
        best = np.argmin(errors, axis=0)
        chosen: Values = candidates[best, np.arange(len(full))]
        return chosen


METHODS: dict[str, Method] = {
    "max": ScaleSearch("max", (1.0,)),
    "mse": ScaleSearch("mse", MSE_RATIOS),
}


def find_method(name: str) -> Method:
    """The method of that name.

    Raises
    ------
    ValueError
        If there is none.
    """
    if name not in METHODS:
        near = get_close_matches(name, METHODS, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"method must be one of {', '.join(METHODS)}, not {name!r}{hint}")
    return METHODS[name]


def full_scales(values: Values, format: Format) -> Values:
    """Scale of each column that maps its largest magnitude onto the format's largest value.

    A column of zeros gets the scale 1.

    Raises
    ------
    ValueError
        If a value is not finite.
    """
    peak = np.abs(values).max(axis=0, initial=0.0)
    if not np.isfinite(peak).all():
        raise ValueError("values to quantise must be finite")
    return np.where(peak > 0, peak, float(format.maximum)) / float(format.maximum)


def thinned(samples: Values, most: int = MOST_SAMPLES) -> Values:
    """At most `most` of the non-zero samples: evenly spaced order statistics, extremes included.

    Zeros are left out because every format has them: they add no error at any scale.
    """
    kept = np.sort(samples[samples != 0], axis=None)
    if len(kept) <= most:
        return kept
    return kept[np.linspace(0, len(kept) - 1, most).round().astype(np.int64)]
