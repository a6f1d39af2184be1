"""Floor 4. A sweep as a value: which formats, in which design, on which network, what for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hw.design import Design, from_record
from hw.formats import Format
from sweeps.space import Constraint, allowed

NETWORK_ACCUMULATOR = "exact:network"
SCALES = ("max", "mse")


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
    weights: tuple[Format, ...]
    activations: tuple[Format, ...]
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
    def pairs(self) -> tuple[tuple[Format, Format], ...]:
        """Weights × activations before constraints, activations fastest."""
        return tuple((w, a) for w in self.weights for a in self.activations)

    def designs(self, network_terms: int) -> tuple[Design, ...]:
        """All designs of the sweep.

        Parameters
        ----------
        network_terms
            Products in the network's largest sum, for which `exact:network` is sized (and for one
            step of all lanes at least).

        Raises
        ------
        ValueError
            If an accumulator does not fit a pair, or the constraints leave nothing.

        """
        common = dict(self.design)
        terms = max(network_terms, common.get("lanes", 1))
        names = [
            f"exact:{terms}" if name == NETWORK_ACCUMULATOR else name for name in self.accumulators
        ]
        designs = allowed(
            (
                from_record({**common, "weight": w.name, "activation": a.name, "accumulator": name})
                for name in names
                for w, a in self.pairs
            ),
            self.constraints,
        )
        if not designs:
            raise ValueError(f"{self.name}: the constraints in `where` leave no design")
        return designs
