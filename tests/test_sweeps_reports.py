"""sweeps.reports: the usual tables of each tool, and what is said of a report that does not parse.

The samples have the layout of the tools' reports and numbers of our own.
"""

import pytest

from sweeps.reports import find_reports, parse_report

VIVADO = """\
------------------------------------------------------------
| Tool Version : Vivado v.2023.2 (lin64) Build 4029153
| Command      : report_utilization -file dot.rpt
| Design       : dot8_int4_int4_exact256_rows
------------------------------------------------------------

Utilization Design Information

1. CLB Logic
------------

+----------------------------+-------+-------+------------+-----------+-------+
|          Site Type         |  Used | Fixed | Prohibited | Available | Util% |
+----------------------------+-------+-------+------------+-----------+-------+
| CLB LUTs*                  | 1,203 |     0 |          0 |    230400 |  0.52 |
|   LUT as Logic             | 1,203 |     0 |          0 |    230400 |  0.52 |
| CLB Registers              |    57 |     0 |          0 |    460800 |  0.01 |
| CARRY8                     |    19 |     0 |          0 |     28800 |  0.07 |
+----------------------------+-------+-------+------------+-----------+-------+

3. ARITHMETIC
| DSPs                       |     4 |     0 |          0 |      1728 |  0.23 |
"""
VIVADO_7 = """\
Utilization Design Information
| Design       : mac_int8
| Slice LUTs*                |   58 |     0 |     41000 |  0.14 |
| Slice Registers            |   51 |     0 |     82000 |  0.06 |
"""
VIVADO_CSV = """\
Site Type,Used,Fixed,Prohibited,Available,Util%
CLB LUTs,77,0,0,230400,0.03
CLB Registers,33,0,0,460800,0.01
CARRY8,5,0,0,28800,0.02
"""
QUARTUS_FIT = """\
Fitter Status : Successful - Mon Jan  1 00:00:00 2024
Quartus Prime Version : 22.1std.1 Build 917 Lite Edition
Revision Name : top
Top-level Entity Name : tile2x2x4_int4
Family : Cyclone V
Logic utilization (in ALMs) : 1,420 / 41,910 ( 3 % )
Total registers : 212
Total DSP Blocks : 3 / 112 ( 3 % )
"""
QUARTUS_MAP = """\
Analysis & Synthesis report for mac
Quartus Prime Version 22.1std.1 Build 917 Lite Edition
+---------------------------------------------+
; Analysis & Synthesis Resource Usage Summary ;
+---------------------------------+-----------+
; Estimate of Logic utilization (ALMs needed) ; 61        ;
; Combinational ALUT usage for logic          ; 104       ;
; Dedicated logic registers                   ; 49        ;
"""
DIAMOND = """\
Lattice Mapping Report File for Design Module 'mac_int8'
Mapper:  sa5p00,  version:  Diamond (64-bit) 3.12.1.454

Design Summary
   Number of registers:     65 out of 84735 (0%)
      PFU registers:           65 out of 83640 (0%)
   Number of SLICEs:       170 out of 41820 (0%)
   Number of LUT4s:        331 out of 83640 (0%)
      Number used as logic LUTs:        201
      Number used as ripple logic:       65
   Number of block RAMs:  0 out of 208 (0%)
   Number Of Mapped DSP Components:
   MULT18X18D          2
"""
DIAMOND_2 = """\
Design Summary
   Number of registers:     17
   Number of logic LUT4s:      81
   Number of ripple logic:      9 (18 LUT4s)
   Total number of LUT4s:     99
"""
NEXTPNR = """\
Info: Total LUT4s:         25/83640     0%
nextpnr-ecp5 -- Next Generation Place and Route
Info:     Total LUT4s:       330/83640     0%
Info:         carry LUTs:    130/83640     0%
Info:       Total DFFs:       65/83640     0%
Info: Device utilisation:
Info:             MULT18X18D:     2/   156     1%
"""
NEXTPNR_ICE = """\
Info: Device utilisation:
Info:            ICESTORM_LC:   719/ 1280    56%
Info:           ICESTORM_DSP:     1/    8    12%
"""
YOSYS = """\
3.1. Printing statistics.

=== top ===

   Number of wires:                 10
   Number of cells:                 40
     CCU2C                           6
     LUT4                           20
     TRELLIS_FF                     14

=== design hierarchy ===

     CCU2C                           7
     LUT4                           21
     TRELLIS_FF                     14
"""
YOSYS_NEW = """\
=== mac ===

        +----------Local Count, excluding submodules.
        |
       70 cells
       12   CARRY4
       40   FDRE
       18   LUT6

"""


@pytest.mark.parametrize(
    ("file", "text", "tool", "name", "counts"),
    [
        ("a.rpt", VIVADO, "Vivado 2023.2", "dot8_int4_int4_exact256_rows", (1203, 57, 4, 19)),
        ("b.rpt", VIVADO_7, "Vivado", "mac_int8", (58, 51, None, None)),
        ("c.csv", VIVADO_CSV, "Vivado", "c", (77, 33, None, 5)),
        ("d.fit.summary", QUARTUS_FIT, "22.1std.1", "tile2x2x4_int4", (1420, 212, 3, None)),
        ("e.map.rpt", QUARTUS_MAP, "Quartus", "e", (61, 49, None, None)),
        ("f.mrp", DIAMOND, "Diamond (64-bit) 3.12.1.454", "f", (331, 65, 2, 65)),
        ("g.mrp", DIAMOND_2, "Diamond", "g", (99, 17, None, 9)),
        ("h.log", NEXTPNR, "nextpnr-ecp5", "h", (330, 65, 2, 130)),
        ("i.log", NEXTPNR_ICE, "nextpnr", "i", (719, None, 1, None)),
        ("j.stat", YOSYS, "Yosys", "top", (35, 14, 0, 7)),
        ("k.txt", YOSYS_NEW, "Yosys", "mac", (18, 40, 0, 12)),
    ],
)
def test_reports_of_each_tool(tmp_path, file, text, tool, name, counts):
    path = tmp_path / file
    path.write_text(text)
    found = parse_report(path)
    assert (found.lut, found.ff, found.dsp, found.carry) == counts
    assert found.name == name
    assert tool in found.tool


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("\nhello world\n", 2, "not a report of Vivado, Quartus, Diamond, nextpnr or Yosys"),
        (VIVADO.replace("1,203 |     0 |          0", "many |     0 |          0"), 15, "'many'"),
        (VIVADO.replace("CLB LUTs*", "CLB Luts"), 13, "'CLB LUTs' or 'Slice LUTs'"),
        (QUARTUS_FIT.replace("1,420 /", "N/A /"), 6, "a count was expected, not 'N'"),
        (QUARTUS_FIT.replace("Logic utilization", "Logic"), 8, "a count of ALMs, ALUTs"),
        (DIAMOND.replace("LUT4s:        331", "LUT4s:        x31"), 8, "not 'x31'"),
        (NEXTPNR_ICE.replace("ICESTORM_LC", "ICESTORM"), 3, "'Total LUT4s' or 'ICESTORM_LC'"),
        (YOSYS.replace("LUT4", "CELL").replace("CCU2C", "CELL2"), 11, "no LUTs in the table"),
    ],
)
def test_what_does_not_parse_names_file_line_and_reason(tmp_path, text, line, why):
    path = tmp_path / "broken.rpt"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"broken\.rpt, line (\d+): ") as refusal:
        parse_report(path)
    assert f"line {line}:" in str(refusal.value)
    assert why in str(refusal.value)


def test_reports_of_a_folder(tmp_path):
    (tmp_path / "inner").mkdir()
    for name in ("b.rpt", "inner/a.mrp", "notes.md"):
        (tmp_path / name).write_text(DIAMOND_2)
    assert find_reports([tmp_path]) == [tmp_path / "b.rpt", tmp_path / "inner" / "a.mrp"]
    assert find_reports([tmp_path / "notes.md"]) == [tmp_path / "notes.md"]
    with pytest.raises(ValueError, match="there is no report"):
        find_reports([tmp_path / "gone.rpt"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="no reports"):
        find_reports([tmp_path / "empty"])
