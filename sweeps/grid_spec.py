"""Floor 4. What ``macloom grid`` is asked for, in a file: its options as keys.

```yaml
network: digits_cnn
weights: [{family: integers, bits: 2..8}, e2m1fn]
activations: [{family: integers, bits: 2..8, signed: false}]
accumulators: [exact:network, saturate:16]
kind: tile
structures: [rows, table, merged]
lanes: [4, 8, 16..32]
rows: 1..16
columns: 1..16
targets: [xcup, ecp5]
objectives: [loss, sites_per_product, energy]
where: [sites <= 20000, accuracy >= 98]
output: build/grid
```
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sweeps.files import read_text
from sweeps.nodes import Entry, compose
from sweeps.spec import read_formats

REQUIRED = ("network", "weights", "activations")
_LISTS = ("accumulators", "structures", "targets", "objectives")
_RANGES = ("lanes", "rows", "columns")
_TEXTS = ("dataset", "kind", "output")
OPTIONAL = (*_LISTS, *_RANGES, *_TEXTS, "inputs", "where", "version")


def read_grid(path: Path) -> dict[str, str | int | list[str]]:
    """Return the options that a file gives, as the command line would have them.

    Raises
    ------
    ValueError
        If it is no YAML, or breaks a rule; says where.
    OSError
        If it cannot be read.

    """
    entries = compose(read_text(path), str(path)).mapping(REQUIRED, OPTIONAL)
    found: dict[str, str | int | list[str]] = {}
    readers: dict[str, Callable[[Entry], str | int | list[str]]] = {
        "network": lambda entry: entry.text("a network"),
        "weights": _names,
        "activations": _names,
        "inputs": lambda entry: entry.whole(1, 1 << 24),
        "where": lambda entry: [e.text("a comparison") for e in entry.one_or_more("constraints")],
    }
    readers |= dict.fromkeys(_LISTS, _joined)
    readers |= dict.fromkeys(_RANGES, _numbers)
    readers |= dict.fromkeys(_TEXTS, lambda entry: entry.text("a word"))
    for key, entry in entries.items():
        if key in readers:
            found[key] = readers[key](entry)
    return found


def _joined(entry: Entry) -> str:
    return ",".join(item.text("a name") for item in entry.one_or_more("names"))


def _numbers(entry: Entry) -> str:
    return ",".join(map(str, entry.whole_range(1, 1 << 16)))


def _names(entry: Entry) -> str:
    """Return formats by name, families taken apart."""
    return ",".join(one.name for one in read_formats(entry))
