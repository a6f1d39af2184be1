"""Floor 4. A sweep as a value: which formats, in which design, on which network, what for."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hw.accumulators import Accumulator, AccumulatorMode, parse_accumulator
from hw.design import Design, DotProduct
from hw.formats import parse
from sweeps.pairing import (
    BLOCK_ACCUMULATOR,
    AnyFormat,
    Hardware,
    element_of,
    hardware,
    has_own_scales,
    is_in_blocks,
    relevant,
)
from sweeps.scales import OWN, Scheme, parse_scheme
from sweeps.space import Constraint

NETWORK_ACCUMULATOR = "exact:network"
SCALES = ("max", "mse")


@dataclass(frozen=True, slots=True)
class Entry:
    """One point of a sweep before it is evaluated.

    Parameters
    ----------
    weight, activation
        The pair.
    methods
        Schemes of scales to choose between, which share them in one way; `OWN` alone for none.
    accumulator
        Name; of blocks a floating one.
    hardware
        Its design, or why there is none.

    """

    weight: AnyFormat
    activation: AnyFormat
    methods: tuple[str, ...]
    accumulator: str
    hardware: Hardware

    @property
    def scheme(self) -> Scheme:
        """How scales are shared."""
        return Scheme() if self.methods == (OWN,) else parse_scheme(self.methods[0])

    @property
    def key(self) -> Hashable:
        """What no other entry of a sweep has: pair, accumulator, and what shares scales."""
        return self.weight, self.activation, self.accumulator, self.scheme.sharing

    @property
    def design(self) -> Design | None:
        """The design, if there is one."""
        return self.hardware.design


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """What is swept, on what, and what for. Fields as the keys of its file (`sweeps.spec`).

    Parameters
    ----------
    name
        Name of the sweep: the file's without suffix.
    design
        The design record less its formats and accumulator: kind, size, specials, structure.
    accumulators
        Names of the grammar, or `exact:network`.
    inputs
        How many of the held-out inputs results are measured on, the first ones; all if None.

    """

    name: str
    network: str
    weights: tuple[AnyFormat, ...]
    activations: tuple[AnyFormat, ...]
    constraints: tuple[Constraint, ...] = ()
    accumulators: tuple[str, ...] = (NETWORK_ACCUMULATOR,)
    design: tuple[tuple[str, Any], ...] = (("kind", "dot"), ("lanes", 16), ("specials", "ignore"))
    targets: tuple[str, ...] = ("xcup",)
    dataset: str = "digits"
    scales: tuple[str, ...] = SCALES
    first_layer: str = "same"
    last_layer: str = "same"
    inputs: int | None = None
    objectives: tuple[str, ...] = ("error_percent", "sites_per_lane")
    measure_front: bool = False
    measure_from_percent: float = 0.0
    output: Path = Path("build/sweep")

    @property
    def pairs(self) -> tuple[tuple[AnyFormat, AnyFormat], ...]:
        """Weights × activations before constraints, activations fastest."""
        return tuple((w, a) for w in self.weights for a in self.activations)

    def designs(self, network_terms: int) -> tuple[Design, ...]:
        """The designs of all entries that have one; parameters and errors as for `entries`."""
        entries = self.entries(network_terms)
        return tuple(entry.design for entry in entries if entry.design is not None)

    def entries(self, network_terms: int) -> tuple[Entry, ...]:
        """All points of the sweep: accumulators, ways to share scales, pairs.

        Parameters
        ----------
        network_terms
            Products in the network's largest sum, for which `exact:network` is sized (and for one
            step of all lanes at least).

        Raises
        ------
        ValueError
            If an accumulator does not fit a pair, blocks do not fit each other, or the constraints
            leave nothing.

        """
        common = dict(self.design)
        terms = max(network_terms, common.get("lanes", 1))
        names = [
            f"exact:{terms}" if name == NETWORK_ACCUMULATOR else name for name in self.accumulators
        ]
        found: dict[Hashable, Entry] = {}
        for name in names:
            for shared in self._shared():
                for weight, activation in self.pairs:
                    for entry in self._entries(weight, activation, shared, name, terms):
                        found.setdefault(entry.key, entry)
        entries = tuple(
            e for e in found.values() if all(c.allows(_measured(e)) for c in self.constraints)
        )
        if not entries:
            raise ValueError(f"{self.name}: the constraints in `where` leave no design")
        return entries

    def hardware_of(
        self, weight: str, activation: str, scheme: Scheme, accumulator: str, terms: int
    ) -> Hardware:
        """The hardware of a pair of this sweep, by names; errors as `sweeps.pairing.hardware`."""
        formats = parse(weight), parse(activation)
        return hardware(*formats, scheme, dict(self.design), accumulator, terms)

    def _shared(self) -> list[tuple[Scheme, ...]]:
        """Schemes that share scales in one way, together."""
        found: dict[str, list[Scheme]] = {}
        for name in self.scales:
            scheme = parse_scheme(name)
            found.setdefault(scheme.sharing, []).append(scheme)
        return [tuple(schemes) for schemes in found.values()]

    def _entries(
        self,
        weight: AnyFormat,
        activation: AnyFormat,
        shared: tuple[Scheme, ...],
        accumulator: str,
        terms: int,
    ) -> list[Entry]:
        schemes = [relevant(weight, activation, scheme) for scheme in shared]
        known = [scheme for scheme in schemes if scheme is not None]
        first = known[0] if known else Scheme()
        if has_own_scales(activation) and first.group and not first.has_power_groups:
            return []  # weights in groups beside activations in blocks: powers of two only
        if is_in_blocks(weight, activation, first):
            accumulator = _of_blocks(accumulator)
        found = hardware(weight, activation, first, dict(self.design), accumulator, terms)
        methods = tuple(dict.fromkeys(scheme.name for scheme in known)) or (OWN,)
        return [Entry(weight, activation, methods, accumulator, found)]


def _of_blocks(name: str) -> str:
    """The accumulator if blocks can be added to it, else the usual one of blocks."""
    accumulator = parse_accumulator(name)
    if not isinstance(accumulator, Accumulator) or accumulator.format is None:
        return BLOCK_ACCUMULATOR
    return name if accumulator.mode is AccumulatorMode.STEP else BLOCK_ACCUMULATOR


def _measured(entry: Entry) -> Design:
    """A design whose quantities constraints speak of: a plain one where there is no hardware."""
    if entry.design is not None and entry.design.kind not in ("bitmod", "bitmodtile"):
        return entry.design
    weight, activation = element_of(entry.weight), element_of(entry.activation)
    return DotProduct(weight=weight, activation=activation)
