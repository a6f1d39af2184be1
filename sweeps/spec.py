"""Floor 4. The YAML file that describes a sweep.

```yaml
version: 1
network: digits_cnn              # a shipped network, or a .npz or .onnx file
dataset: digits                  # or a .npz file of inputs and labels; a shipped network's own
weights:                         # families and single formats, in any mixture
  - {family: integers, bits: 2..8}
  - {family: minifloats, bits: 3..8, exponent_bits: 1..7, specials: finite}
  - {family: blocks, names: [mxfp4, mxint8, nvfp4, bitmod4, "bfp<4,16>"]}
  - e4m3fn
activations:
  - {family: integers, bits: 2..8, signed: false}
where: [weight_bits <= activation_bits]
accumulator: exact:network       # sized for the network's largest sum; or any accumulator
design: {kind: dot, lanes: 16}
target: xcup                     # one or a list
scales: [max, mse]               # the better one on training images, pair by pair; see below
inputs: 256                      # measured on so many held-out inputs, the first ones; or all
first_layer: same                # or int8, or float: what the first weighted layer runs in
last_layer: same
objectives: [error_percent, sites_per_lane]
measure_front: true
measure_from_percent: 90         # front points less accurate than this are not measured
output: build/digits
```

What a network is judged by comes with its data: images and labelled inputs by accuracy (objective
`error_percent`), texts by bits per byte (`bits_per_byte`). Products of two activations, as those of
attention, have both sides in the activation format.

Scales are schemes of `sweeps.scales`, such as ``mse/group:32@fp16``, or mappings such as
``{method: mse, weights: group:32, activations: token, format: fp16}``. Between those that differ in
the method alone, a pair takes the better; what shares scales makes points of its own, for it makes
hardware of its own (`sweeps.pairing`). Formats of blocks bring their scales.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from hw import target
from hw.accumulators import parse_accumulator
from hw.design import (
    MAXIMUM_LANES,
    MAXIMUM_SIDE,
    OPERAND_SPECIALS,
    SPECIALS_POLICIES,
    STRUCTURES,
    OutputStationaryArray,
)
from hw.design.kinds import DATAFLOWS
from hw.formats import Format, Specials, parse
from sweeps import datasets, models
from sweeps.metrics import OBJECTIVES as METRIC_OBJECTIVES
from sweeps.metrics import find_metric
from sweeps.nodes import Entry, compose
from sweeps.points import FIGURES
from sweeps.scales import parse_scheme
from sweeps.space import (
    AnyFormat,
    Family,
    Integers,
    Listed,
    Minifloats,
    formats_of,
    parse_constraint,
)
from sweeps.sweep import NETWORK_ACCUMULATOR, Sweep

VERSION = 1
EDGES = ("same", "int8", "float")
"""What the first or the last weighted layer may run in (`sweeps.accuracy.Edge`)."""
COUNTS = ("lut", "sites", "ff", "dsp")
OBJECTIVES = (
    *METRIC_OBJECTIVES,
    "sites_per_lane",
    "lut_per_lane",
    "ff_per_lane",
    "dsp_per_lane",
    *COUNTS,
    *FIGURES,
    "accumulator_bits",
    "weight_bits",
    "activation_bits",
    "weight_storage_bits",
    "activation_storage_bits",
)
"""Of these `energy_pj_per_mac` (random codes) and `period_ns` (the clock) cover fewer designs:
others are on no front."""
DEFAULT_LANES = 16
SPECS = Path(__file__).parent / "specs"
_REQUIRED = ("version", "network", "weights", "activations")
_OPTIONAL = (
    "dataset",
    "where",
    "accumulator",
    "design",
    "target",
    "scales",
    "inputs",
    "first_layer",
    "last_layer",
    "objectives",
    "measure_front",
    "measure_from_percent",
    "output",
)
_GRID = {"rows": MAXIMUM_SIDE, "columns": MAXIMUM_SIDE, "lanes": MAXIMUM_LANES}
_SIZES: dict[str, dict[str, int]] = {
    "mac": {},
    "dot": {"lanes": MAXIMUM_LANES},
    "mxdot": {"lanes": MAXIMUM_LANES},
    "array": _GRID,
    "tile": _GRID,
}

T = TypeVar("T")


def read_spec(path: Path) -> Sweep:
    """Read a sweep from a file.

    Raises
    ------
    ValueError
        If the file is no YAML or breaks a rule; says where and what.
    OSError
        If it cannot be read.

    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not YAML: not UTF-8 text at byte {error.start}") from error
    return parse_spec(text, str(path))


def parse_spec(text: str, source: str = "sweep.yaml") -> Sweep:
    """Read a sweep from YAML text; `source` names it in errors. Errors as for `read_spec`."""
    entries = compose(text, source).mapping(_REQUIRED, _OPTIONAL)
    _check_version(entries["version"])
    name = Path(source).stem
    fields: dict[str, Any] = {
        "name": name,
        "network": _network(entries["network"]),
        "weights": read_formats(entries["weights"]),
        "activations": read_formats(entries["activations"]),
        "output": Path("build") / name,
    }
    for key, (field, read) in _READERS.items():
        if key in entries:
            fields[field] = read(entries[key])
    dataset = fields.setdefault("dataset", datasets.own_name(fields["network"]))
    if "objectives" not in fields and dataset in datasets.METRICS:
        own = find_metric(datasets.METRICS[dataset]).objective
        fields["objectives"] = (own, "sites_per_lane")
    return Sweep(**fields)


def _check_version(entry: Entry) -> None:
    if entry.whole(1, 1 << 16) > VERSION:
        raise entry.error(f"is {entry.shown}, this macloom reads versions up to {VERSION}")


def _network(entry: Entry) -> str:
    name = entry.text(f"one of {', '.join(models.NAMES)} or the path of a .npz or .onnx file")
    return name if name.endswith((".npz", ".onnx")) else entry.choice(models.NAMES)


def _dataset(entry: Entry) -> str:
    name = entry.text(f"one of {', '.join(datasets.NAMES)} or the path of a .npz file")
    return name if name.endswith(".npz") else entry.choice(datasets.NAMES)


def read_formats(entry: Entry) -> tuple[AnyFormat, ...]:
    """Return the formats of a list of families and names; one without any is refused."""
    families = [_family(item) for item in entry.sequence("families and format names")]
    formats = formats_of(families)
    if not formats:
        raise entry.error("contains no format")
    return formats


def _family(entry: Entry) -> Family:
    if entry.kind != "map":
        return Listed((_attempt(entry, parse, entry.text("a family or the name of a format")),))
    optional = ("bits", "names", "signed", "exponent_bits", "specials")
    entries = entry.mapping(("family",), optional)
    family_name = entries["family"].choice(("integers", "minifloats", "blocks"))
    if family_name == "blocks":
        entries = entry.mapping(("family", "names"), ())
        return Listed(tuple(_block(item) for item in entries["names"].one_or_more("formats")))
    if family_name == "integers":
        entries = entry.mapping(("family", "bits"), ("signed",))
        signed = entries["signed"].flag() if "signed" in entries else True
        return Integers(entries["bits"].whole_range(2 if signed else 1, 16), signed)
    entries = entry.mapping(("family", "bits"), ("exponent_bits", "specials"))
    family = Minifloats(
        bits=entries["bits"].whole_range(2, 16),
        exponent_bits=_optional(entries, "exponent_bits", lambda e: e.whole_range(1, 8), ()),
        specials=_optional(entries, "specials", _specials, Specials.FINITE),
    )
    if not family.formats():
        raise entry.error("contains no format: no width has such a split")
    return family


def _block(entry: Entry) -> AnyFormat:
    format = _attempt(entry, parse, entry.text("the name of a format of blocks, such as mxfp4"))
    if isinstance(format, Format):
        raise entry.error(f"is {format}, a format of single codes: name it outside of the family")
    return format


def _schemes(entry: Entry) -> tuple[str, ...]:
    items = [entry] if entry.kind == "map" else entry.one_or_more("names")
    return _distinct(entry, [_scheme(item) for item in items])


def _scheme(entry: Entry) -> str:
    if entry.kind == "map":
        parts = entry.mapping(("method",), ("weights", "activations", "format"))
        shares = [parts[key].text("words") for key in ("weights", "activations") if key in parts]
        scale = f"@{parts['format'].text('a format')}" if "format" in parts else ""
        text = "/".join([parts["method"].text("a method"), *shares]) + scale
    else:
        text = entry.text("a scheme of scales, such as mse or max/group:32@e8m0")
    return _attempt(entry, parse_scheme, text).name


def _specials(entry: Entry) -> Specials:
    return Specials(entry.choice([kind.value for kind in OPERAND_SPECIALS]))


def _design(entry: Entry) -> tuple[tuple[str, Any], ...]:
    others = "specials", "structure"
    known = (*_GRID, *others, "dataflow")
    kind = entry.mapping(("kind",), known)["kind"].choice(tuple(_SIZES))
    sizes = _SIZES[kind]
    flows = tuple(DATAFLOWS) if kind == OutputStationaryArray.kind else ()
    entries = entry.mapping(("kind",), (*sizes, *others, *(["dataflow"] if flows else [])))
    record: dict[str, Any] = {"kind": kind, "specials": "ignore"}
    for key, most in sizes.items():
        if key in entries:
            record[key] = entries[key].whole(1, most)
    if record["kind"] == "dot":
        record.setdefault("lanes", DEFAULT_LANES)
    words = {"specials": SPECIALS_POLICIES, "structure": STRUCTURES, "dataflow": flows}
    for key, choices in words.items():
        if key in entries:
            record[key] = entries[key].choice(choices)
    return tuple(record.items())


def _accumulators(entry: Entry) -> tuple[str, ...]:
    names = []
    for item in entry.one_or_more("accumulators"):
        name = item.text(f"{NETWORK_ACCUMULATOR} or an accumulator such as wrap:32")
        if name != NETWORK_ACCUMULATOR:
            _attempt(item, parse_accumulator, name)
        names.append(name)
    return _distinct(entry, names)


def _words(choices: Callable[[], Iterable[str]], least: int, most: int) -> Callable[[Entry], Any]:
    def read(entry: Entry) -> tuple[str, ...]:
        names = tuple(choices())
        words = [item.choice(names) for item in entry.one_or_more("names")]
        if not least <= len(words) <= most:
            raise entry.error(f"must name {least} to {most} of {', '.join(names)}")
        return _distinct(entry, words)

    return read


def _distinct(entry: Entry, words: list[str]) -> tuple[str, ...]:
    if len(set(words)) < len(words):
        raise entry.error("names something twice")
    return tuple(words)


def _attempt(entry: Entry, read: Callable[[str], T], text: str) -> T:
    try:
        return read(text)
    except ValueError as error:
        raise entry.error(f"is wrong: {error}") from None


def _optional(entries: dict[str, Entry], key: str, read: Callable[[Entry], T], default: T) -> T:
    return read(entries[key]) if key in entries else default


_READERS: dict[str, tuple[str, Callable[[Entry], Any]]] = {
    "where": (
        "constraints",
        lambda entry: tuple(
            _attempt(item, parse_constraint, item.text("a comparison"))
            for item in entry.one_or_more("constraints")
        ),
    ),
    "accumulator": ("accumulators", _accumulators),
    "design": ("design", _design),
    "dataset": ("dataset", _dataset),
    "inputs": ("inputs", lambda entry: entry.whole(1, 1 << 24)),
    "first_layer": ("first_layer", lambda entry: entry.choice(EDGES)),
    "last_layer": ("last_layer", lambda entry: entry.choice(EDGES)),
    "target": ("targets", _words(target.names, 1, 16)),
    "scales": ("scales", _schemes),
    "objectives": ("objectives", _words(lambda: OBJECTIVES, 2, 4)),
    "measure_front": ("measure_front", Entry.flag),
    "measure_from_percent": ("measure_from_percent", lambda entry: entry.number(0, 100)),
    "output": ("output", lambda entry: Path(entry.text("a folder"))),
}
