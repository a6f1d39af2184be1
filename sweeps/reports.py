"""Floor 4: resources out of utilisation reports: Vivado, Quartus, Diamond, nextpnr and Yosys.

A report is recognised by lines that only its tool writes. What is read: LUTs, registers, DSP
blocks, carry cells and the name of the top module. A report that does not parse is an error that
names the file, the line and what was expected there.

Layouts are those the tools document: ``report_utilization`` (AMD UG835; text, and the CSV of its
tables), the fitter's summary and the map report (Intel Quartus Prime handbook), the map report of
Lattice Diamond (.mrp), and what Yosys' ``stat`` and nextpnr print.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sweeps.files import read_text

SUFFIXES = (".rpt", ".summary", ".mrp", ".csv", ".txt", ".log", ".stat")
"""Files that are looked at in a folder."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a report says.

    Parameters
    ----------
    path
        The file.
    tool
        Tool and version, as far as it tells.
    name
        Name of the top module, or of the file where the report has none.
    lut
        LUTs, as the tool counts its own (ALMs' LUTs and LUT4 included).
    ff, dsp, carry
        Registers, DSP blocks and carry cells, None where the report has none of them.

    """

    path: Path
    tool: str
    name: str
    lut: int
    ff: int | None = None
    dsp: int | None = None
    carry: int | None = None


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of a report and its number from 1."""

    number: int
    text: str


def find_reports(paths: list[Path]) -> list[Path]:
    """Return the files among paths, and those in folders that can be reports.

    Raises
    ------
    ValueError
        If a path is not there, or there is no report at all.

    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(p for p in path.rglob("*") if p.suffix in SUFFIXES and p.is_file())
        elif path.is_file():
            found.append(path)
        else:
            raise ValueError(f"there is no report {path}")
    if not found:
        names = ", ".join(map(str, paths))
        raise ValueError(f"no reports ({' '.join(SUFFIXES)}) in {names}")
    return found


def parse_report(path: Path) -> Report:
    """Return what a report says.

    Raises
    ------
    ValueError
        If the layout is none of those known, or a line of it is not as it should be.

    """
    lines = [_Line(number, text) for number, text in enumerate(read_text(path).splitlines(), 1)]
    for marks, parse in _LAYOUTS:
        if any(marks.search(line.text) for line in lines):
            return parse(path, lines)
    first = next((line for line in lines if line.text.strip()), _Line(1, ""))
    raise ValueError(
        f"{path}, line {first.number}: not a report of Vivado, Quartus, Diamond, nextpnr or Yosys: "
        f"{first.text.strip()[:60]!r}"
    )


def _number(path: Path, line: _Line, text: str) -> int:
    """Return a count; tools write 1,234 and 12.5 (half a block) too."""
    plain = text.strip().replace(",", "")
    if not re.fullmatch(r"\d+(\.\d+)?", plain):
        raise ValueError(f"{path}, line {line.number}: a count was expected, not {text.strip()!r}")
    return round(float(plain))


def _first(lines: list[_Line], pattern: str) -> tuple[_Line, re.Match[str]] | None:
    """Return the first line that matches, and the match."""
    compiled = re.compile(pattern)
    for line in lines:
        if match := compiled.search(line.text):
            return line, match
    return None


def _word(lines: list[_Line], pattern: str, default: str) -> str:
    found = _first(lines, pattern)
    return found[1][1].strip() if found else default


def _count(path: Path, lines: list[_Line], pattern: str) -> int | None:
    found = _first(lines, pattern)
    return None if found is None else _number(path, found[0], found[1][1])


def _needed(path: Path, lines: list[_Line], pattern: str, what: str) -> int:
    found = _count(path, lines, pattern)
    if found is None:
        last = max((line.number for line in lines), default=1)
        raise ValueError(f"{path}, line {last}: the report ends without {what}")
    return found


def _vivado(path: Path, lines: list[_Line]) -> Report:
    """Tables of ``report_utilization``, as text between bars or as CSV."""
    rows: dict[str, tuple[_Line, str]] = {}
    for line, cells in _cells(lines):
        if len(cells) > 1 and cells[0]:
            rows.setdefault(cells[0].rstrip("*"), (line, cells[1]))
    lut = rows.get("CLB LUTs") or rows.get("Slice LUTs")
    if lut is None:
        header = _first(lines, r"Site Type") or _first(lines, r"Utilization Design Information")
        number = header[0].number if header else lines[-1].number
        raise ValueError(
            f"{path}, line {number}: a row 'CLB LUTs' or 'Slice LUTs' was expected in the table"
        )

    def count(*names: str) -> int | None:
        for name in names:
            if name in rows:
                return _number(path, *rows[name])
        return None

    return Report(
        path,
        _word(lines, r"Tool Version\s*:\s*(Vivado v\.[\w.]+)", "Vivado").replace(" v.", " "),
        _word(lines, r"^\|?\s*Design\s*:\s*(\S+)", path.stem),
        _number(path, *lut),
        count("CLB Registers", "Slice Registers"),
        count("DSPs", "DSP Slices", "DSP48E1", "DSP48E2"),
        count("CARRY8", "CARRY4"),
    )


def _cells(lines: list[_Line]) -> Iterator[tuple[_Line, list[str]]]:
    """Yield the cells of rows: between bars, or separated by commas."""
    for line in lines:
        text = line.text.strip()
        if text.startswith("|"):
            yield line, [cell.strip() for cell in text.strip("|").split("|")]
        elif "," in text:
            yield line, [cell.strip() for cell in next(csv.reader([text]))]


_QUARTUS_VALUE = r"\s*[:;|]\s*([^;|/(]+)"


def _quartus(path: Path, lines: list[_Line]) -> Report:
    """Return the fitter's summary (``key : value``) or the map report (``; key ; value ;``)."""
    luts = r"(?:Estimate of Logic utilization \(ALMs needed\)|Logic utilization \(in ALMs\)"
    luts += r"|Combinational ALUT usage for logic|Total combinational functions"
    luts += r"|Total logic elements)"
    return Report(
        path,
        _word(lines, r"Quartus Prime Version\s*[:;]\s*(\S+)", "Quartus"),
        _word(lines, r"Top-level Entity Name\s*[:;]\s*([\w$]+)", path.name.partition(".")[0]),
        _needed(path, lines, luts + _QUARTUS_VALUE, "a count of ALMs, ALUTs or logic elements"),
        _count(path, lines, r"(?:Total registers|Dedicated logic registers)" + _QUARTUS_VALUE),
        _count(path, lines, r"(?:Total DSP Blocks|Embedded Multiplier[^:;]*)" + _QUARTUS_VALUE),
    )


def _diamond(path: Path, lines: list[_Line]) -> Report:
    """Return the design summary of a Lattice Diamond (or Radiant) map report."""
    total = _count(path, lines, r"Total number of LUT4s:\s*(\S+)")
    if total is None:
        total = _needed(path, lines, r"Number of LUT4s:\s*(\S+)", "'Total number of LUT4s:'")
    return Report(
        path,
        _word(lines, r"((?:Diamond|Radiant)[^,;]*?[\d.]{3,})", "Diamond"),
        _word(lines, r"Design:\s*(\S+)", path.stem),
        total,
        _count(path, lines, r"Number of (?:slice )?registers:\s*(\S+)"),
        _count(path, lines, r"^\s*(?:MULT18X18D|Number of DSPs:)\s+(\d\S*)"),
        _count(path, lines, r"Number (?:of|used as) ripple logic:\s*(\S+)"),
    )


_NEXTPNR_LUT = r"(?:Total LUT4s|ICESTORM_LC|\bLUT4|TRELLIS_COMB|SLICE_LUTX):\s*(\d+)\s*/"


def _nextpnr(path: Path, lines: list[_Line]) -> Report:
    """Return the device utilisation nextpnr prints; the last one counts."""
    last = list(reversed(lines))
    return Report(
        path,
        _word(lines, r"(nextpnr-\w+)", "nextpnr"),
        path.stem,
        _needed(path, last, _NEXTPNR_LUT, "'Total LUT4s' or 'ICESTORM_LC' of the utilisation"),
        _count(path, last, r"(?:Total DFFs|TRELLIS_FF|\bDFF):\s*(\d+)\s*/"),
        _count(path, last, r"(?:MULT18X18D|ICESTORM_DSP|MULT\w+):\s*(\d+)\s*/"),
        _count(path, last, r"carry LUTs:\s*(\d+)\s*/"),
    )


def _yosys(path: Path, lines: list[_Line]) -> Report:
    """Return the last table of cells of Yosys' ``stat``."""
    starts = [n for n, line in enumerate(lines) if _STAT.search(line.text)]
    table = lines[starts[-1] :]
    names = [m[1] for line in lines if (m := re.search(r"^=== (\S+) ===$", line.text))]
    cells: dict[str, int] = {}
    for line in table:
        match = re.match(r"\s+(?:(\d+)\s+(?:[\d.e+-]+\s+)?)?([\w$]+)(?:\s+(\d+))?\s*$", line.text)
        if match and (match[1] or match[3]):
            cells[match[2]] = int(match[1] or match[3])

    def total(pattern: str) -> int:
        return sum(n for cell, n in cells.items() if re.fullmatch(pattern, cell))

    lut = total(r"LUT[1-6](_2)?|SB_LUT4|ALU") + 2 * total("CCU2C")
    if not lut:
        raise ValueError(f"{path}, line {table[0].number}: no LUTs in the table that starts here")
    return Report(
        path,
        _word(lines, r"(Yosys [\d.]+)", "Yosys"),
        names[-1] if names else path.stem,
        lut,
        total(r"FD[RSCP]E\w*|TRELLIS_FF|SB_DFF\w*|DFF\w*"),
        total(r"DSP48\w*|MULT\d+X\d+\w*|SB_MAC16"),
        total(r"CARRY[48]|CCU2C|SB_CARRY|ALU"),
    )


_STAT = re.compile(r"^=== .* ===$|Printing statistics")

_LAYOUTS: tuple[tuple[re.Pattern[str], Callable[[Path, list[_Line]], Report]], ...] = (
    (re.compile(r"Utilization Design Information|report_utilization|CLB LUTs|Slice LUTs"), _vivado),
    (re.compile(r"Quartus|Fitter Status|Analysis & Synthesis Status"), _quartus),
    (re.compile(r"Lattice Mapping Report|[Nn]umber of LUT4s"), _diamond),
    (re.compile(r"Device utilisation|nextpnr-"), _nextpnr),
    (_STAT, _yosys),
)
