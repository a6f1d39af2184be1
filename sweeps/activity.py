"""Floor 4: what the activity formula is fitted on and judged by, written as data of `costmodel`.

``python -m sweeps.activity TARGET…`` draws designs by the seeds of ``activity_designs.yaml``,
maps them, counts the toggles of their netlists under each operand stream, and fits. Netlists are
cached, so that an interrupted run goes on.

Files, in ``costmodel/data``: ``activity_<target>.csv`` (designs by their column ``set``: fitted, or
judged and never looked at before), ``activity_<target>.yaml``
(the coefficients) and ``activity_errors.yaml`` (`sweeps.activity_errors`).
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cache, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml

from costmodel.activity import Statistics, coefficients, toggle_energy
from costmodel.activity_core import core_toggles
from costmodel.activity_fit import fit, measured_energy
from costmodel.energy import Rates, constants
from hw import yosys
from hw.design import Design, from_record
from hw.formats import Format
from hw.target import Target, load
from sweeps import energy, workflow
from sweeps.activity_draw import (
    DATA,
    FITTED,
    JUDGED,
    LOOKED,
    collected,
    one_of,
    settled,
    weighted,
)
from sweeps.activity_draw import specification as drawn_from
from sweeps.calibrate import to_csv
from sweeps.files import write_whole
from sweeps.streams import NAMES, OperandStream, operand_stream

SETS = (FITTED, JUDGED)
"""What files hold."""
FITS = (FITTED, LOOKED)
"""What is fitted: the former judges of kinds that were judged anew as well."""
ORDER = (FITTED, LOOKED, JUDGED)
"""No design is in two sets: a later one keeps it."""
SAMPLED = 64
"""Streams that statistics are taken from."""
SAMPLED_OF_MANY = 32
"""The same where many designs are asked for one after the other."""


def specification() -> dict[str, Any]:
    """Return the distribution of the designs."""
    return drawn_from("activity_designs")


def draw(target: str, chosen: str) -> list[Design]:
    """Return the designs of a target of one of `SETS`; no two are the same, none is in a later set.

    Raises
    ------
    ValueError
        If the distribution says nothing of the target.

    """
    given = specification()
    if target not in given["counts"]:
        raise ValueError(
            f"activity is fitted on one of {', '.join(given['counts'])}, not on {target}"
        )
    source, technology = random.Random(given["seeds"][chosen]), load(target)
    found = collected(lambda: _one(source, technology), given["counts"][target][chosen])
    later = ORDER[ORDER.index(chosen) + 1 :]
    others = {design.slug for name in later for design in draw(target, name)}
    return [design for design in found if design.slug not in others]


def _one(source: random.Random, technology: Target) -> Design | None:
    """Return one design, or None where the parts drawn do not go together."""
    given = specification()
    weight = source.choice(given["formats"])
    same = source.random() < given["same_format"]
    record: dict[str, Any] = {
        "kind": weighted(source, given["kinds"]),
        "weight": weight,
        "activation": weight if same else source.choice(given["formats"]),
    }
    if record["kind"] == "dot":
        record["lanes"] = source.choice(given["lanes"])
    kind, terms = weighted(source, given["accumulators"]), source.choice(given["terms"])
    exact = settled(record, technology, ())
    if exact is None:
        return None
    record["accumulator"] = {
        "exact": f"exact:{terms}",
        "wrap": f"wrap:{exact[0].exact_bits}",
        "window": f"window:24:{terms}",
    }[kind]
    found = one_of(source, record, technology, given["structures"])
    return None if kind in given["left_out"] else found


def stream_statistics(name: str = "uniform", seed: int = 1) -> Callable[[Design], Statistics]:
    """Return a function that gives a sample of a design's operands in a stream.

    Nothing is simulated, and designs of the same formats and lanes share what is drawn.

    Parameters
    ----------
    name, seed
        As for `sweeps.streams.operand_stream`.

    """

    @lru_cache(maxsize=128)
    def drawn(weight: Format, activation: Format, lanes: int) -> Statistics:
        record = {"kind": "dot", "weight": str(weight), "activation": str(activation)}
        design = from_record(record | {"lanes": lanes})
        stream = operand_stream(design, name, seed, streams=SAMPLED_OF_MANY)
        return statistics_of(design, stream)

    return lambda design: drawn(design.weight, design.activation, design.lanes)


def statistics_of(design: Design, stream: OperandStream) -> Statistics:
    """Return some of a stream's operands, evenly chosen; of an array or tile its first cell's."""
    chosen = slice(None, None, max(1, len(stream.last) // SAMPLED))
    weights, activations = (
        codes[chosen, :, : design.lanes] for codes in (stream.weight, stream.activation)
    )
    scales = None
    if design.scale_bits:
        scales = np.stack([c[chosen, :, -1] for c in (stream.weight, stream.activation)])
    return Statistics.of(weights, activations, stream.last[chosen], scales)


def drawn_statistics(design: Design, name: str) -> Statistics:
    """Return a sample of a stream's operands; it shares nothing with what netlists are fed."""
    return statistics_of(design, operand_stream(design, name, seed=2, streams=SAMPLED))


def rows_of(design: Design, target: str, chosen: str) -> Iterator[dict[str, Any]]:
    """Yield one row of the CSV file per stream that suits a design."""
    emitted = workflow.emit(design, target)
    for name in NAMES:
        if name == "digits" and (design.scale_bits or not design.weight.signed):
            continue
        rates = asdict(energy.measure(emitted, operand_stream(design, name)).rates)
        yield {
            "set": chosen,
            "design": json.dumps(design.to_record(), separators=(",", ":")),
            "stream": name,
            **{key: round(value, 4) for key, value in rates.items()},
            "tool": yosys.version(),
        }


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the CSV file: the rates that were measured."""

    chosen: str
    design: Design
    stream: str
    rates: dict[str, float]

    @property
    def statistics(self) -> Statistics:
        """A sample of the stream."""
        return drawn_statistics(self.design, self.stream)


def read_rows(name: str) -> list[Row]:
    """Return the measurements of a target, or of `grids_` or `kinds_` and a target; or none."""
    path = DATA / f"activity_{name}.csv"
    if not path.is_file():
        return []
    text = path.read_text(encoding="utf-8")
    rates = [field.name for field in fields(Rates)]
    return [
        Row(
            row["set"],
            from_record(json.loads(row["design"])),
            row["stream"],
            {name: float(row[name]) for name in rates},
        )
        for row in csv.DictReader(text.splitlines())
    ]


def fitted(target: str, rows: Sequence[Row]) -> dict[str, float]:
    """Return the coefficients that the fitted rows give; other rows lend their names only."""
    technology, known = load(target), constants(target)
    used = [row for row in rows if row.chosen in FITS]
    others = {row.design: row for row in rows if row.chosen not in FITS}
    names = {name for row in others.values() for name in _toggles(row, technology)}
    found = [_toggles(row, technology) for row in used]
    return fit(found, [row.rates for row in used], known, sorted(names))


def _toggles(row: Row, technology: Any) -> dict[str, float]:
    cores = row.design.cores
    found = core_toggles(row.design, technology, row.statistics)
    return {name: cores * value for name, value in found.items()}


@cache
def chains_of(design: Design, target: str) -> dict[int, int]:
    """Return the chains of pipeline registers of a design: nothing is mapped, it is emitted."""
    found = workflow.emit(design, target).record["pipeline_chains"]
    return {int(length): number for length, number in found.items()}


def errors(target: str, rows: Sequence[Row]) -> npt.NDArray[np.float64]:
    """Return the relative errors of the toggle energy, inputs included, clock not."""
    technology, known = load(target), constants(target)
    found = []
    for row in rows:
        chains = chains_of(row.design, target) if row.design.pipeline else None
        total = toggle_energy(row.design, technology, row.statistics, chains)
        found.append(total / measured_energy(row.rates, known) - 1)
    return np.array(found)


def calibrate(target: str) -> None:
    """Count and fit one target, and write its files."""
    path = DATA / f"activity_{target}.csv"
    rows: list[dict[str, Any]] = []
    for chosen in SETS:
        for design in draw(target, chosen):
            rows += rows_of(design, target, chosen)
            print(f"\r{len(rows)} {design.slug}", end="", file=sys.stderr)
    write_whole(path, to_csv(rows, list(rows[0])))
    refit(target)


def refit(target: str) -> None:
    """Fit one target to its CSV file, and write its coefficients."""
    rows = read_rows(target) + read_rows(f"kinds_{target}")
    values = fitted(target, rows)
    count = sum(row.chosen in FITS for row in rows)
    record = {
        "version": 3,
        "source": (
            f"least squares on {count} netlist simulations of designs drawn by seed, nets that "
            f"plans name drawn to 1; {yosys.version()}"
        ),
        "values": values,
    }
    text = yaml.safe_dump(record, sort_keys=False, width=100)
    write_whole(DATA / f"activity_{target}.yaml", text)
    coefficients.cache_clear()


def main(arguments: Sequence[str] | None = None) -> int:
    """Count and fit the targets of the command line."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("targets", nargs="+")
    parser.add_argument("--refit", action="store_true", help="only fit what was counted")
    given = parser.parse_args(arguments)
    for target in given.targets:
        (refit if given.refit else calibrate)(target)
    return 0


if __name__ == "__main__":
    sys.exit(main())
