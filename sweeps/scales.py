"""Floor 4. How scales are chosen, in one name: a method, what shares a scale, a scale format.

``METHOD[:PARAMETER][/WEIGHTS][/token][@FORMAT]``, such as ``mse``, ``max/tensor``,
``percentile:99.9``, ``mse/group:32@fp16``, ``max/group:32/token@e8m0``.

- METHOD: ``max`` (the largest magnitude onto the largest code), ``percentile:P`` (the magnitude
  that P % of the values do not exceed; larger ones saturate), ``mse`` (least squared error).
- WEIGHTS: ``channel`` (a scale per output; the usual one), ``tensor``, or ``group:N`` (per output
  and N consecutive terms; the last group of an output may be shorter).
- Activations have one static scale per tensor, from the training inputs. With ``token`` it is
  dynamic: a scale per token (the last axis) or, for a convolution, per image, found by ``max``
  whatever the method, as hardware would; the second factor of a product keeps a static one where
  its tokens lie along the sum.
- FORMAT: what scales are rounded to, upwards, so that nothing saturates by it; float64 if none.

Formats of blocks and mixtures bring scales of their own, as their names say.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from hw.formats import Format, parse_element
from sweeps.nodes import suggestion

METHODS = ("max", "mse", "percentile")
CHANNEL, TENSOR, GROUP, TOKEN = "channel", "tensor", "group", "token"
OWN = "own"
"""The name of no choice at all: both operands bring scales of their own."""
MOST_GROUP = 1 << 16
_NUMBER = re.compile(r"\d+(\.\d+)?")


@dataclass(frozen=True, slots=True)
class Scheme:
    """How scales are chosen.

    Parameters
    ----------
    method
        One of `METHODS`.
    percent
        Of ``percentile``: above 0, at most 100.
    group
        Terms that share a scale of weights; None: all of an output's.
    is_tensor
        Whether all weights share one scale.
    is_dynamic
        Whether activations have a scale per token.
    format
        What scales are rounded to; None leaves them float64.

    """

    method: str = "max"
    percent: Fraction = Fraction(100)
    group: int | None = None
    is_tensor: bool = False
    is_dynamic: bool = False
    format: Format | None = None

    @property
    def name(self) -> str:
        """The shortest name; `parse_scheme` gives the scheme back."""
        method = f"percentile:{_decimal(self.percent)}" if self.method == "percentile" else ""
        return f"{method or self.method}{self.sharing}"

    @property
    def sharing(self) -> str:
        """The name without its method: what shares scales, and their format."""
        shares = f"/{GROUP}:{self.group}" if self.group else f"/{TENSOR}" if self.is_tensor else ""
        dynamic = f"/{TOKEN}" if self.is_dynamic else ""
        if self.format is None:
            return f"{shares}{dynamic}"
        return f"{shares}{dynamic}@{'e8m0' if self.format == _E8M0 else self.format.name}"

    @property
    def has_power_groups(self) -> bool:
        """Whether weights are blocks as MX has them: groups whose scales are E8M0."""
        return self.group is not None and self.format == _E8M0

    def __str__(self) -> str:
        return self.name


_E8M0 = parse_element("e8m0")


@lru_cache(maxsize=1024)
def parse_scheme(text: str) -> Scheme:
    """Return the scheme of a name.

    Raises
    ------
    ValueError
        For an unknown method, granularity or format, or a number out of range.

    """
    body, at, scale = text.strip().partition("@")
    head, *shares = (part.strip() for part in body.split("/"))
    method, percent = _method(head, text)
    group: int | None = None
    is_tensor = is_dynamic = False
    named: list[str] = []
    for share in shares:
        kind = TOKEN if share == TOKEN else "weights"
        if kind in named:
            raise ValueError(f"scales are shared in one way by weights, {text!r} says two")
        named.append(kind)
        if share.partition(":")[0] == GROUP:
            group = _group(share)
        elif share in (CHANNEL, TENSOR, TOKEN):
            is_tensor, is_dynamic = is_tensor or share == TENSOR, is_dynamic or share == TOKEN
        else:
            words = (CHANNEL, TENSOR, f"{GROUP}:N", TOKEN)
            hint = suggestion(share, words)
            raise ValueError(f"scales are shared by {', '.join(words)}, not {share!r}{hint}")
    return Scheme(method, percent, group, is_tensor, is_dynamic, _format(scale) if at else None)


def _method(text: str, whole: str) -> tuple[str, Fraction]:
    name, colon, parameter = text.partition(":")
    if name not in METHODS:
        words = ("max", "mse", "percentile:P")
        hint = suggestion(name, METHODS)
        raise ValueError(f"method must be one of {', '.join(words)}, not {name!r}{hint}")
    if name != "percentile":
        if colon:
            raise ValueError(f"method {name} has no parameter, {whole!r} gives it one")
        return name, Fraction(100)
    percent = Fraction(parameter) if _NUMBER.fullmatch(parameter) else Fraction(0)
    if not 0 < percent <= 100:
        raise ValueError(
            f"a percentile is a number above 0 and at most 100, as in percentile:99.9, "
            f"not {parameter!r}"
        )
    return name, percent


def _group(text: str) -> int:
    size = text.partition(":")[2]
    if not size.isdecimal() or not 2 <= int(size) <= MOST_GROUP:
        raise ValueError(
            f"a group has 2..{MOST_GROUP} terms, as in {GROUP}:32, not {size or 'none'}"
        )
    return int(size)


def _format(name: str) -> Format:
    format = parse_element(name)
    if format.maximum <= 0:
        raise ValueError(f"scales are positive, {format} has no such value")
    return format


def _decimal(number: Fraction) -> str:
    text = f"{float(number):.12f}".rstrip("0").rstrip(".")
    return text
