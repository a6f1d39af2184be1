"""Floor 4: the sequencers of `hw.plan.bitplane`, measured for `costmodel.bitplane`.

``python -m sweeps.plane_primitives TARGET …`` writes ``plane_sequencers.csv`` anew, of these
targets.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path

from costmodel.bitplane import DATA, sequencer_key
from hw.design.bitplane import MAXIMUM_OPERAND_BITS
from hw.plan.bitplane import Sequencer
from hw.rtl.bitplane import PlaneSequencer
from hw.target import load
from sweeps.module_sizes import measure_parts

COLUMNS = ("target", "key", "lut", "sites", "carry")


def sequencers() -> Iterator[Sequencer]:
    """Give a sequencer for each width of the counters."""
    yield Sequencer(0, 0, False)
    widths = [1 << bits for bits in range((MAXIMUM_OPERAND_BITS - 1).bit_length() + 1)]
    for weight, activation, signs in product(widths, [0, *widths], (False, True)):
        yield Sequencer(weight, activation, signs)


def measure(target: str) -> list[dict[str, str | int]]:
    """Return a row of `COLUMNS` for each sequencer."""
    plans = list(sequencers())
    counts = measure_parts([(PlaneSequencer(plan), True) for plan in plans], load(target))
    return [
        {"target": target, "key": sequencer_key(plan), **{n: count[n] for n in COLUMNS[2:]}}
        for plan, count in zip(plans, counts, strict=True)
    ]


def main(targets: Sequence[str]) -> None:
    """Write the file."""
    path = Path(__file__).parent.parent / "costmodel" / "data" / DATA
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for target in targets:
            writer.writerows(measure(target))


if __name__ == "__main__":
    main(sys.argv[1:])
