"""Floor 4: published ratios of gates, and ours: our generators measured in one flow.

``python -m sweeps.asic_published`` prints the table from the recorded measurements
(``costmodel/data/reproduced_asic.csv``); with ``--measure`` it synthesises every unit anew. Units
are held at ``valid = 1, last = rst = 0`` (`hw.asic_alone`), because published ones have no control;
of the structures that can serve, the one with the fewest transistors counts. What the papers say,
with its source and why ours differs, is in ``costmodel/data/published_asic.csv``.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import costmodel
from costmodel import asic_qkeras
from hw.asic import FF_TRANSISTORS, AsicMeasurement, measure
from hw.asic_alone import TOP, alone
from hw.design import from_record
from hw.rtl import emit
from hw.target import ASIC, load

DATA = Path(costmodel.__file__).parent / "data"
COLUMNS = ("unit", "structure", "transistors", "gates", "ff", "tool")
STRUCTURES = ("rows", "behavioural")


@dataclass(frozen=True, slots=True)
class Unit:
    """One measured unit.

    Parameters
    ----------
    name
        As in the tables.
    weight, activation, accumulator
        The MAC it is, or is a part of.
    part
        "" for the whole, "lane" for the multiplier, "accumulate" for the adder.
    registers
        Whether its flip-flops count.
    ports
        Bits of operands and result, each a register where a unit stands between registers.

    """

    name: str
    weight: str
    activation: str
    accumulator: str
    part: str = ""
    registers: bool = False
    ports: int = 0


UNITS = (
    Unit("int8 MAC with 27-bit accumulator", "int8", "int8", "wrap:27"),
    Unit("e4m3 MAC with fp16 accumulator", "e4m3finite", "e4m3finite", "float:fp16"),
    Unit("e4m3 MAC with fp32 accumulator", "e4m3finite", "e4m3finite", "float:fp32"),
    Unit("adder int4", "uint1", "int4", "wrap:5", "accumulate", ports=13),
    Unit("adder e2m1", "uint1", "e2m1fn", "float:e2m1fn", "accumulate", ports=12),
    Unit("adder int6", "uint1", "int6", "wrap:7", "accumulate", ports=19),
    Unit("adder e3m2", "uint1", "e3m2fn", "float:e3m2fn", "accumulate", ports=18),
    Unit("adder e2m1 on its grid", "uint1", "int5", "wrap:6", "accumulate", ports=14),
    Unit("adder e3m2 on its grid", "uint1", "int10", "wrap:11", "accumulate", ports=23),
    Unit("multiplier int4", "int4", "int4", "wrap:8", "lane", ports=16),
    Unit("multiplier e2m1", "e2m1fn", "e2m1fn", "float:e2m1fn", "lane", ports=16),
    Unit("multiplier e2m1 x e1m2", "e2m1fn", "e1m2finite", "float:e2m1fn", "lane", ports=16),
    Unit("multiplier int6", "int6", "int6", "wrap:12", "lane", ports=24),
    Unit("multiplier e3m2", "e3m2fn", "e3m2fn", "float:e3m2fn", "lane", ports=23),
    Unit("MAC int4", "int4", "int4", "exact:256", "", True),
    Unit("MAC e2m1", "e2m1fn", "e2m1fn", "exact:256", "", True),
    Unit("MAC e2m1 x e1m2", "e2m1fn", "e1m2finite", "exact:256", "", True),
    Unit("MAC int6", "int6", "int6", "exact:256", "", True),
    Unit("MAC e3m2", "e3m2fn", "e3m2fn", "exact:256", "", True),
)


MINIFLOATS = {
    "int4": ("e2m1fn", "e1m2finite", "e3m0finite"),
    "int6": ("e2m3fn", "e3m2fn", "e4m1finite"),
    "int8": ("e2m5finite", "e3m4finite", "e4m3finite", "e5m2finite"),
}
TERMS = "exact:4608"


@dataclass(frozen=True, slots=True)
class Ratio:
    """One published ratio beside ours.

    Parameters
    ----------
    name, against
        The unit and the one it is compared with.
    paper
        Where it was published.
    published
        The ratio there.
    transistors, gates
        Ours, in transistors and in gates of two inputs.
    registered
        Ours in transistors, with a flip-flop at each bit of operands and results.
    why
        What makes the difference.

    """

    name: str
    against: str
    paper: str
    published: float
    transistors: float
    gates: float
    registered: float
    why: str


def measure_units() -> Iterator[dict[str, object]]:
    """Yield a row of `COLUMNS` for each unit, in its structure of fewest transistors."""
    for unit in UNITS:
        found = [(_measured(unit, structure), structure) for structure in STRUCTURES]
        best, structure = min(found, key=lambda pair: pair[0].transistors)
        registers = best.ff if unit.registers else 0
        logic = best.transistors - FF_TRANSISTORS * (best.ff - registers)
        yield {
            "unit": unit.name,
            "structure": structure,
            "transistors": logic,
            "gates": best.gates,
            "ff": registers,
            "tool": best.tool,
        }


def _measured(unit: Unit, structure: str) -> AsicMeasurement:
    record = {
        "kind": "mac",
        "weight": unit.weight,
        "activation": unit.activation,
        "accumulator": unit.accumulator,
        "specials": "ignore",
        "structure": structure,
    }
    design = from_record(record)
    emitted = emit(design, load(ASIC))
    text = emitted.verilog
    if not unit.part:
        name = f"{design.slug}_accumulate"
        text = text.replace(f"(* keep_hierarchy *)\nmodule {name}(", f"module {name}(")
    module = f"{design.slug}_{unit.part}" if unit.part else design.slug
    return measure(alone(text, module), TOP)


def ratios(folder: Path = DATA) -> list[Ratio]:
    """Return every published ratio beside ours, from the recorded measurements."""
    known = {row["unit"]: row for row in _rows(folder / "reproduced_asic.csv")}
    found = []
    for row in _rows(folder / "published_asic.csv"):
        name = row["name"].removeprefix("Qualcomm ").removeprefix("LLM-FP4 ")
        ours, theirs = known[name], known[row["against"]]
        found.append(
            Ratio(
                row["name"],
                row["against"],
                row["paper"],
                float(row["published"]),
                int(ours["transistors"]) / int(theirs["transistors"]),
                int(ours["gates"]) / int(theirs["gates"]),
                _registered(ours) / _registered(theirs),
                row["why"],
            )
        )
    return found


def _registered(row: dict[str, str]) -> int:
    ports = {unit.name: unit.ports for unit in UNITS}
    return int(row["transistors"]) + FF_TRANSISTORS * ports[row["unit"]]


def minifloats() -> list[tuple[str, str, float]]:
    """Return minifloat MACs on an FPGA: format, integer of the same width, more sites in percent.

    Accumulators are exact for 4608 terms, as in arXiv 2311.12359; sites are estimated on
    UltraScale+ (the estimates of MACs are off by 0.5 % in the mean).
    """
    found = []
    for integer, formats in MINIFLOATS.items():
        least = _sites(integer)
        for name in formats:
            found.append((name, integer, 100 * (_sites(name) / least - 1)))
    return found


def _sites(name: str) -> int:
    from sweeps.autotune import resolve

    record = {"kind": "mac", "weight": name, "accumulator": TERMS, "specials": "ignore"}
    target = load("xcup")
    return costmodel.estimate(resolve(from_record(record), target), target).sites


def table(found: Sequence[Ratio]) -> str:
    """Return the ratios as text."""
    lines = []
    for ratio in found:
        lines.append(
            f"{ratio.name} / {ratio.against}: paper {ratio.published:.2f}, "
            f"ours {ratio.transistors:.2f} in transistors ({ratio.registered:.2f} between "
            f"registers), {ratio.gates:.2f} in 2-input gates"
        )
        lines.append(f"    {ratio.paper}; {ratio.why}")
    return "\n".join(lines)


def anchors(folder: Path = DATA) -> str:
    """Return designs of others beside ours, in transistors of the same flow.

    Flip-flops are included, 16 transistors each. `stat` itself leaves registers with a reset out
    and prints 6750+, 3732+ and 2238+ for the first three; ours have a second register for what is
    shown of a sum.
    """
    lines = ["Transistors, flip-flops included:"]
    for row in _rows(folder / "anchors_asic.csv"):
        theirs, ours = int(row["peer_transistors"]), int(row["transistors"])
        lines.append(
            f"    {row['peer']}: {theirs} (FF {row['peer_ff']}); ours, {row['design']} "
            f"{row['structure']}: {ours} (FF {row['ff']}), {100 * (ours / theirs - 1):+.0f} %"
        )
    return "\n".join(lines)


def qkeras() -> str:
    """Return how far QKeras' published MACs are from three predictions, one scale each."""
    ways = {
        "their formula, three coefficients fitted to these points": asic_qkeras.published_fit(),
        "ours, product then adder, transistors": asic_qkeras.predictions(),
        "one tree of adders, cells of an open 45 nm library": asic_qkeras.merged_predictions(),
    }
    lines = ["QKeras' 190 integer MACs, errors after the one scale that suits best:"]
    for name, predicted in ways.items():
        off = asic_qkeras.errors(predicted)
        lines.append(
            f"    {name}: relative MAE {off['relative_mae']:.2f} %, mean {off['mape']:.2f} %, "
            f"worst {off['worst']:.1f} %"
        )
    return "\n".join(lines)


def _rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; with ``--measure`` from new measurements, which are recorded."""
    parser = argparse.ArgumentParser(prog="python -m sweeps.asic_published", description=__doc__)
    parser.add_argument("--measure", action="store_true", help="synthesise every unit anew")
    options = parser.parse_args(arguments)
    if options.measure:
        rows = list(measure_units())
        with (DATA / "reproduced_asic.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    print(anchors())
    print(table(ratios()))
    print(qkeras())
    told = ", ".join(f"{name} {more:+.0f} %" for name, _, more in minifloats())
    print("Minifloat MACs on an FPGA against integers of their width: paper +20 … +180 %")
    print(f"    ours on xcup, sites: {told}")
    print(
        "    Damsgaard 2025 and arXiv 2311.12359; one structure multiplies and shifts at once here"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
