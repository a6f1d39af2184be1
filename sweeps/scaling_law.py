"""Floor 4. A prior from training: what a language model loses in a floating-point format.

The law of "Scaling Laws for Floating Point Quantization Training" (arXiv 2501.02423v3, ICML 2025),
fitted there to 366 runs of LLaMA-like models of 41–679 M parameters on 10–100 G tokens, forward
weights and both operands of the backward pass quantised; forward activations were not:

    L = n/N^α + d/D^β + ε + (D^β/N^α) · log2 B / (γ (E + 0.5)^δ (M + 0.5)^ν)

N parameters, D tokens, E exponent and M fraction bits, B elements that share a scale. It is a law
of training in a format: after-training quantisation is ranked by it at best (`relative_error`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from hw.formats import MinifloatFormat

PARAMETERS = {"n": 69.2343, "alpha": 0.2368}
"""Loss from too few parameters."""
TOKENS = {"d": 68973.0621, "beta": 0.5162}
"""Loss from too few tokens."""
FLOOR = 1.9061
"""ε: loss that nothing removes."""
FORMAT = {"gamma": 11334.5197, "delta": 3.1926, "nu": 2.9543}
"""Loss from the format."""
CHANNEL_LOG2_BLOCK = 13.1567
"""log2 B that stands for a scale per channel."""
DEFAULT_BLOCK = 128


@dataclass(frozen=True, slots=True)
class Training:
    """What is trained, and how many elements share a scale.

    Parameters
    ----------
    parameters
        N, without embeddings, at least 1.
    tokens
        D, at least 1.
    block
        B, more than 1 (a scale per element would lose nothing).

    Raises
    ------
    ValueError
        For a number out of range.

    """

    parameters: float
    tokens: float
    block: float = DEFAULT_BLOCK

    def __post_init__(self) -> None:
        """Refuse what is out of range."""
        for name, least in (("parameters", 1), ("tokens", 1)):
            value = getattr(self, name)
            if not least <= value < math.inf:
                raise ValueError(f"{name} must be at least {least} and finite, not {value:g}")
        if not 1 < self.block < math.inf:
            raise ValueError(f"block must be more than 1 and finite, not {self.block:g}")

    @property
    def plain_loss(self) -> float:
        """Loss (nats per token) without quantisation: the first three terms."""
        capacity = PARAMETERS["n"] / self.parameters ** PARAMETERS["alpha"]
        data = TOKENS["d"] / self.tokens ** TOKENS["beta"]
        return float(capacity + data + FLOOR)

    @property
    def _pressure(self) -> float:
        ratio = self.tokens ** TOKENS["beta"] / self.parameters ** PARAMETERS["alpha"]
        return float(ratio * math.log2(self.block))


def loss(training: Training, exponent_bits: float, fraction_bits: float) -> float:
    """Return the loss (nats per token) of a model trained in a format.

    Parameters
    ----------
    training
        Model, data and block.
    exponent_bits, fraction_bits
        E and M of the format, at least 0; fractions are allowed.

    Raises
    ------
    ValueError
        For a number out of range.

    """
    share = relative_error(exponent_bits, fraction_bits) / FORMAT["gamma"]
    return training.plain_loss + training._pressure * share


def relative_error(exponent_bits: float, fraction_bits: float) -> float:
    """Return the format's factor of the loss, 1 / ((E + 0.5)^δ (M + 0.5)^ν).

    Ratios of it depend on neither model nor data: a ranking of formats. Errors as `loss`.
    """
    for name, bits in (("exponent_bits", exponent_bits), ("fraction_bits", fraction_bits)):
        if not 0 <= bits < math.inf:
            raise ValueError(f"{name} must be at least 0 and finite, not {bits:g}")
    strength = (exponent_bits + 0.5) ** FORMAT["delta"] * (fraction_bits + 0.5) ** FORMAT["nu"]
    return float(1 / strength)


def prior(format: MinifloatFormat) -> float:
    """Return `relative_error` of a signed minifloat.

    Raises
    ------
    ValueError
        For an unsigned one, which the law says nothing of.

    """
    if not format.signed:
        raise ValueError(f"the law is of signed minifloats, not of {format.name}")
    return relative_error(format.exponent_bits, format.fraction_bits)


def best_fraction_bits(width: float) -> float:
    """Return the M of least loss among the formats of a width, as a real number.

    M = ν P / (δ + ν) − 0.5 with P = E + M + 1 bits; may lie outside what formats have.
    """
    return FORMAT["nu"] * width / (FORMAT["delta"] + FORMAT["nu"]) - 0.5


def best_split(width: int) -> tuple[int, int]:
    """Return the (E, M) of least loss among the signed formats of a width, E at least 1.

    Raises
    ------
    ValueError
        For fewer than 2 bits.

    """
    if width < 2:
        raise ValueError(f"a signed minifloat has 2 bits at least, not {width}")
    splits = [(exponent, width - 1 - exponent) for exponent in range(1, width)]
    return min(splits, key=lambda split: relative_error(*split))


def critical_tokens(
    parameters: float, exponent_bits: float, fraction_bits: float, block: float = DEFAULT_BLOCK
) -> float:
    """Return the tokens beyond which more data make a model trained in a format worse.

    D_crit = (d γ N^α (E + 0.5)^δ (M + 0.5)^ν / log2 B)^(1 / 2β). Errors as `Training` and `loss`.
    """
    training = Training(parameters, 1, block)
    strength = FORMAT["gamma"] / relative_error(exponent_bits, fraction_bits)
    return float((TOKENS["d"] * strength / training._pressure) ** (1 / (2 * TOKENS["beta"])))
