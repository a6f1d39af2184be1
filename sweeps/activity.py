"""Floor 4: what the activity formula is fitted on and judged by, written as data of `costmodel`.

``python -m sweeps.activity TARGET…`` draws designs by the seeds of ``activity_designs.yaml``,
maps them, counts the toggles of their netlists under each operand stream, and fits. Netlists are
cached, so that an interrupted run goes on.

Files, in ``costmodel/data``: ``activity_<target>.csv`` (fitted and judged designs, told apart by
their column ``set``) and ``activity_<target>.yaml`` (the coefficients).
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml

import costmodel
from costmodel import estimate as area
from costmodel.activity import (
    Statistics,
    coefficients,
    features,
    inputs_per_cycle,
)
from costmodel.activity_fit import fit, measured_energy
from costmodel.energy import Rates, constants
from hw import yosys
from hw.design import DSP_STRUCTURES, Design, from_record
from hw.formats import Format, Special
from hw.plan import structures
from hw.target import load
from sweeps import energy, workflow
from sweeps.calibrate import to_csv
from sweeps.files import write_whole
from sweeps.streams import NAMES, OperandStream, operand_stream

DATA = Path(costmodel.__file__).parent / "data"
SPEC = DATA / "activity_designs.yaml"
FITTED, JUDGED = "fitted", "judged"
SAMPLED = 32
"""Streams that word statistics are taken from."""
WORD_BITS = 62
"""Sums of fewer bits are taken as machine words."""
WIDEST = 160
"""Bits of the widest word of a product or a sum."""


@cache
def specification() -> dict[str, Any]:
    """Return the distribution of the designs."""
    found: dict[str, Any] = yaml.safe_load(SPEC.read_text(encoding="utf-8"))
    return found


def draw(target: str, chosen: str) -> list[Design]:
    """Return the designs of a target that are fitted or judged; no two are the same.

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
    technology = load(target)
    found = _drawn(given["seeds"][chosen], given["counts"][target][chosen], technology)
    if chosen == FITTED:
        judged = {design.slug for design in draw(target, JUDGED)}
        found = [design for design in found if design.slug not in judged]
    return found


def _drawn(seed: int, count: int, technology: Any) -> list[Design]:
    source = random.Random(seed)
    found: dict[str, Design] = {}
    while len(found) < count:
        design = _one(source, technology)
        if design is not None:
            found.setdefault(design.slug, design)
    return list(found.values())


def _one(source: random.Random, technology: Any) -> Design | None:
    """Return one design, or None where the parts drawn do not go together."""
    given = specification()
    weight = source.choice(given["formats"])
    same = source.random() < given["same_format"]
    record: dict[str, Any] = {
        "kind": _weighted(source, given["kinds"]),
        "weight": weight,
        "activation": weight if same else source.choice(given["formats"]),
    }
    if record["kind"] == "dot":
        record["lanes"] = source.choice(given["lanes"])
    kind, terms = _weighted(source, given["accumulators"]), source.choice(given["terms"])
    try:
        bits = from_record(record).exact_bits
        record["accumulator"] = {
            "exact": f"exact:{terms}",
            "wrap": f"wrap:{bits}",
            "window": f"window:24:{terms}",
        }[kind]
        design = from_record(record)
        known = [name for name in structures(design, technology) if name not in DSP_STRUCTURES]
    except ValueError:
        return None
    found = design.with_structure(source.choice(known)) if known else None
    return None if kind in given["left_out"] else found


def _weighted(source: random.Random, shares: dict[str, int]) -> str:
    return source.choices(list(shares), list(shares.values()))[0]


def stream_statistics(name: str = "uniform", seed: int = 1) -> Callable[[Design], Statistics]:
    """Return a function that gives the word statistics of a design's operands in a stream.

    Nothing is simulated, and designs of the same formats and lanes share what is drawn.

    Parameters
    ----------
    name, seed
        As for `sweeps.streams.operand_stream`.

    """
    known: dict[tuple[Format, Format, int], Statistics] = {}

    def found(design: Design) -> Statistics:
        key = (design.weight, design.activation, design.lanes)
        if key not in known:
            stream = operand_stream(design, name, seed, streams=SAMPLED)
            known[key] = statistics_of(design, stream, WIDEST)
        whole = known[key]
        return replace(whole, carried=whole.carried[: design.accumulator_bits])

    return found


def statistics_of(
    design: Design, stream: OperandStream, accumulator_bits: int | None = None
) -> Statistics:
    """Return the word statistics of some of a stream's steps: nothing is simulated.

    The statistics follow from 32 of the streams, evenly chosen; of an array or tile from its first
    cell.
    """
    chosen = slice(None, None, max(1, len(stream.last) // SAMPLED))
    weights, activations = (
        codes[chosen][:SAMPLED, :, : design.lanes] for codes in (stream.weight, stream.activation)
    )
    products = _integers(design.weight)[weights] * _integers(design.activation)[activations]
    sums, bits = products.sum(axis=2), design.product_bits
    wide = bits + max(0, (design.lanes - 1).bit_length())
    return Statistics(
        weight=_toggles(weights),
        activation=_toggles(activations),
        product=_toggles(products & ((1 << bits) - 1)),
        magnitude=_toggles(abs(products)),
        sign=_changes(products < 0),
        step=_toggles(sums & ((1 << wide) - 1)),
        step_sign=_changes(sums < 0),
        mean=float(sums.astype(float).mean()),
        deviation=float(sums.astype(float).std()),
        carried=_carried(sums, accumulator_bits or design.accumulator_bits),
        steps=float(1 / max(stream.last.mean(), 1e-3)),
    )


@cache
def _integers(format: Format) -> npt.NDArray[np.object_]:
    """Return the integer of each code, special ones as 0."""
    codes = range(1 << format.bits)
    special = [isinstance(format.special(code), Special) for code in codes]
    return np.array([0 if special[c] else format.integer(c) for c in codes], object)


def _toggles(words: npt.NDArray[Any]) -> float:
    """Return the mean number of bits that change from step to step (axis 1)."""
    found = 0.0
    words = words.astype(object)
    for first in range(0, WIDEST, 32):
        part = ((words >> first) & 0xFFFFFFFF).astype(np.uint32)
        found += float(np.bitwise_count(part[:, 1:] ^ part[:, :-1]).mean())
    return found


def _changes(flags: npt.NDArray[np.bool_]) -> float:
    return float((flags[:, 1:] != flags[:, :-1]).mean())


def _carried(sums: npt.NDArray[np.object_], bits: int) -> tuple[float, ...]:
    """Return each bit's mean distance to the next multiple of ``2**(bit + 1)``, over ``2**bit``.

    From the bit on that no sum reaches, distances are the sums themselves.
    """
    top = int(abs(sums).max()).bit_length()
    words = sums.astype(np.int64) if top < WORD_BITS else sums
    found = []
    for bit in range(min(top, bits)):
        rest = words & ((1 << (bit + 1)) - 1)
        found.append(float(np.minimum(rest, (1 << (bit + 1)) - rest).astype(float).mean() / 2**bit))
    beyond = float(abs(words).astype(float).mean())
    return (*found, *(beyond / 2.0**bit for bit in range(len(found), bits)))


def rows_of(design: Design, target: str, chosen: str) -> Iterator[dict[str, Any]]:
    """Yield one row of the CSV file per stream that suits a design."""
    emitted = workflow.emit(design, target)
    for name in NAMES:
        if name == "digits" and not design.weight.signed:
            continue
        stream = operand_stream(design, name)
        rates = asdict(energy.measure(emitted, stream).rates)
        numbers = asdict(statistics_of(design, stream))
        numbers["carried"] = " ".join(f"{value:.6g}" for value in numbers["carried"])
        yield {
            "set": chosen,
            "design": json.dumps(design.to_record(), separators=(",", ":")),
            "stream": name,
            **{key: round(value, 4) for key, value in rates.items()},
            **{k: v if isinstance(v, str) else f"{v:.8g}" for k, v in numbers.items()},
            "tool": yosys.version(),
        }


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the CSV file: measured rates, and the statistics of the stream."""

    chosen: str
    design: Design
    stream: str
    rates: dict[str, float]
    statistics: Statistics


def read_rows(target: str) -> list[Row]:
    """Return the measurements of a target."""
    text = (DATA / f"activity_{target}.csv").read_text(encoding="utf-8")
    rates = [field.name for field in fields(Rates)]
    names = [field.name for field in fields(Statistics) if field.name != "carried"]
    return [
        Row(
            row["set"],
            from_record(json.loads(row["design"])),
            row["stream"],
            {name: float(row[name]) for name in rates},
            Statistics(
                **{name: float(row[name]) for name in names},
                carried=tuple(map(float, row["carried"].split())),
            ),
        )
        for row in csv.DictReader(text.splitlines())
    ]


def fitted(target: str, rows: Sequence[Row]) -> dict[str, float]:
    """Return the coefficients that the fitted rows give."""
    technology, known = load(target), constants(target)
    used = [row for row in rows if row.chosen == FITTED]
    found = [
        features(row.design, area(row.design, technology), row.statistics, technology)
        for row in used
    ]
    energies = [measured_energy(row.rates, known) for row in used]
    prior = specification()["priors"].get(target)
    if prior is None:
        return fit(found, energies)
    other = coefficients(prior["target"])["values"]
    ratios = [
        own / sum(other.get(name, 0.0) * value for name, value in row.items())
        for row, (own, _) in zip(found, energies, strict=True)
    ]
    start = {name: value * float(np.median(ratios)) for name, value in other.items()}
    return fit(found, energies, start, prior["pull"])


def errors(target: str, rows: Sequence[Row], values: dict[str, float]) -> npt.NDArray[np.float64]:
    """Return the relative errors of the toggle energy, inputs included, clock not."""
    technology, known = load(target), constants(target)
    found = []
    for row in rows:
        given = features(row.design, area(row.design, technology), row.statistics, technology)
        inputs = inputs_per_cycle(row.design, row.statistics) * known.inputs / known.logic
        total = inputs + sum(values.get(name, 0.0) * value for name, value in given.items())
        found.append(total / measured_energy(row.rates, known)[1] - 1)
    return np.array(found)


def calibrate(target: str) -> None:
    """Count and fit one target, and write its files."""
    path = DATA / f"activity_{target}.csv"
    rows: list[dict[str, Any]] = []
    for chosen in (FITTED, JUDGED):
        for design in draw(target, chosen):
            rows += rows_of(design, target, chosen)
            print(f"\r{len(rows)} {design.slug}", end="", file=sys.stderr)
    write_whole(path, to_csv(rows, list(rows[0])))
    refit(target)


def refit(target: str) -> None:
    """Fit one target to its CSV file, and write its coefficients with their error."""
    rows = read_rows(target)
    values = fitted(target, rows)
    judged = [row for row in rows if row.chosen == JUDGED]
    off = 100 * np.abs(errors(target, judged, values))
    record = {
        "error_percent": round(float(off.mean()), 1),
        "percentile_95_percent": round(float(np.percentile(off, 95)), 1),
        "source": (
            f"least squares on {len(rows) - len(judged)} netlist simulations of designs drawn by "
            f"seed, judged on {len(judged)} of others; {yosys.version()}"
        ),
        "values": values,
    }
    text = yaml.safe_dump(record, sort_keys=False, width=100)
    write_whole(DATA / f"activity_{target}.yaml", text)
    print(f"{target}: mean error {off.mean():.1f} % of {len(judged)} judged", file=sys.stderr)


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
