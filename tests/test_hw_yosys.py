"""hw.yosys: the clean export, the merging of identical modules, errors, cancelling."""

import re
import threading
import time

import pytest
from amaranth.back import rtlil
from amaranth.hdl import ClockDomain, Const, Elaboratable, Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw import yosys
from hw.yosys import YosysError, clean_verilog, dedupe_rtlil


class Row(wiring.Component):
    """One conditional adder row."""

    def __init__(self, width):
        self.width = width
        super().__init__(
            {
                "prev": In(signed(width)),
                "a": In(signed(width)),
                "neg": In(1),
                "out": Out(signed(width)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        term = self.a ^ self.neg.replicate(self.width)
        m.d.comb += self.out.eq(self.prev + term + self.neg)
        return m


class Chain(Elaboratable):
    """Rows in a chain before one register, each inside a module of its own."""

    def __init__(self, rows=4, width=8):
        self.rows = rows
        self.width = width
        self.clk = Signal()
        self.rst = Signal()
        self.a = [Signal(signed(width), name=f"a{i}") for i in range(rows)]
        self.neg = Signal(rows)
        self.start = Signal(signed(width))
        self.out = Signal(signed(width))
        self.entry = Signal(4)
        self.held = Signal(4)

    def elaborate(self, platform):
        m = Module()
        m.domains.sync = domain = ClockDomain("sync")
        m.d.comb += [domain.clk.eq(self.clk), domain.rst.eq(self.rst)]
        previous = self.start
        for i in range(self.rows):
            row = Row(self.width)
            inner = Module()
            inner.submodules[f"row_{self.width}"] = row
            m.submodules[f"cell__{i}"] = inner
            m.d.comb += [row.prev.eq(previous), row.a.eq(self.a[i]), row.neg.eq(self.neg[i])]
            previous = row.out
        m.d.sync += self.out.eq(previous)
        with m.Switch(self.neg[:2]):
            for value, entry in enumerate([3, 9, 14, 2]):
                with m.Case(value):
                    m.d.comb += self.entry.eq(entry)
        keyword = Signal(4, name="reg")
        m.d.sync += keyword.eq(self.entry)
        m.d.comb += self.held.eq(keyword ^ self.neg)
        return m


def chain_rtlil(**options):
    top = Chain(**options)
    ports = [top.clk, top.rst, top.start, *top.a, top.neg, top.out, top.entry, top.held]
    return rtlil.convert(top, name="chain", ports=ports)


def modules(verilog):
    return re.findall(r"^module (\w+)", verilog, flags=re.MULTILINE)


def test_kept_modules_come_out_once_and_are_marked():
    verilog = clean_verilog(chain_rtlil(), "chain", "row_")
    assert modules(verilog) == ["chain", "row_8"]
    assert verilog.count("(* keep_hierarchy *)\nmodule row_8(") == 1
    assert verilog.count("(*") == 1
    assert len(re.findall(r"^  row_8 \w+ \($", verilog, flags=re.MULTILINE)) == 4


def test_all_is_flattened_by_default():
    verilog = clean_verilog(chain_rtlil(), "chain")
    assert modules(verilog) == ["chain"]
    assert "(*" not in verilog


@pytest.mark.parametrize("kept", ["row_", ("no_", "row_"), lambda name: name == "row_8"])
def test_kept_can_be_a_prefix_prefixes_or_a_predicate(kept):
    assert modules(clean_verilog(chain_rtlil(), "chain", kept)) == ["chain", "row_8"]


def test_text_is_plain():
    for kept in ((), "row_"):
        verilog = clean_verilog(chain_rtlil(), "chain", kept)
        assert "\\" not in verilog
        assert not re.search(r"\$(?!signed|unsigned)", verilog)
        assert "/*" not in verilog
        assert verilog.startswith("module chain(clk, rst, start, a0, a1, a2, a3, neg, out, entry")


def test_same_input_gives_the_same_bytes():
    first = clean_verilog(chain_rtlil(), "chain", "row_")
    clean_verilog(chain_rtlil(rows=2), "chain")
    assert clean_verilog(chain_rtlil(), "chain", "row_") == first


def test_source_positions_do_not_matter():
    text = chain_rtlil()
    moved = re.sub(r'src "[^"]*"', 'src "elsewhere.py:1"', text)
    assert moved != text
    assert clean_verilog(moved, "chain", "row_") == clean_verilog(text, "chain", "row_")


def test_dedupe_merges_through_the_levels():
    row = 'module \\t.half__{0}.row\n  attribute \\src "a.py:{0}"\n  wire width 1 \\a\nend\n'
    half = "module \\t.half__{0}\n  cell \\t.half__{0}.row \\row\n  end\nend\n"
    cells = "".join(f"  cell \\t.half__{i} \\half__{i}\n  end\n" for i in range(2))
    pairs = "".join(text.format(i) for text in (half, row) for i in range(2))
    merged = dedupe_rtlil(f"module \\t\n{cells}end\n{pairs}", "t")
    assert re.findall(r"(?:module|cell) \\(\S+)", merged) == [
        *("t", "half", "half"),
        *("half", "row"),
        "row",
    ]


def test_dedupe_tells_different_modules_with_one_base_name_apart():
    first = "module \\t.row__0\n  wire width 1 input 1 \\a\nend\n"
    other = "module \\t.row__1\n  wire width 2 input 1 \\a\nend\n"
    third = "module \\t.row__2\n  wire width 1 input 0 \\a\nend\n"
    cells = "".join(f"  cell \\t.row__{i} \\row__{i}\n  end\n" for i in range(3))
    merged = dedupe_rtlil(f"module \\t\n{cells}end\n{first}{other}{third}", "t")
    names = re.findall(r"(?:module|cell) \\(\S+)", merged)
    assert names == ["t", "row", "row_v2", "row", "row", "row_v2"]


def test_two_modules_with_one_full_name_are_refused():
    text = "module \\x\n  wire width 1 \\a\nend\nmodule \\x\n  wire width 2 \\a\nend\n"
    with pytest.raises(ValueError, match="two different RTLIL modules have the name 'x'"):
        dedupe_rtlil(text)


def test_a_module_that_contains_itself_is_refused():
    with pytest.raises(ValueError, match="'x' contains itself"):
        dedupe_rtlil("module \\x\n  cell \\x \\inner\n  end\nend\n")


def test_unknown_top_is_refused():
    with pytest.raises(ValueError, match=r"must be one of .*chain.*, not 'chian'"):
        clean_verilog(chain_rtlil(), "chian")


def test_a_port_named_by_a_keyword_is_refused():
    text = "module \\m\n  wire input 0 \\table\n  wire output 1 \\y\nend\n"
    with pytest.raises(ValueError, match="must be plain Verilog names, not 'table'"):
        clean_verilog(text, "m")


def test_yosys_error_is_an_exception_and_nothing_is_printed(capfd):
    with pytest.raises(YosysError, match="Parser error in line 2"):
        clean_verilog("module \\x\n  nonsense\nend\n", "x")
    with pytest.raises(YosysError, match="No such command: nonsense"):
        yosys.run(["nonsense"], {}, [])
    assert capfd.readouterr() == ("", "")


def test_timeout_and_cancel_end_the_run():
    wide = "module m(input [99:0] a, b, output [199:0] p); assign p = a * b; endmodule"
    script = ["read_verilog m.v", "synth -top m"]
    started = time.monotonic()
    with pytest.raises(YosysError, match=r"did not finish within 0\.2 s"):
        yosys.run(script, {"m.v": wide}, [], timeout=0.2)
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(yosys.Cancelled):
        yosys.run(script, {"m.v": wide}, [], cancel=cancel)
    assert time.monotonic() - started < 15


def test_version():
    assert re.fullmatch(r"Yosys 0\.\d+", yosys.version())


def test_missing_pyosys_names_the_package(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(yosys.MissingTool, match=r"pip install 'macloom\[synth\]'"):
        yosys.run([], {}, [])


def test_constants_at_a_border_make_a_variant():
    """Amaranth folds a constant operand into the submodule; the export then has both variants."""

    class Two(Elaboratable):
        def __init__(self):
            self.a = Signal(signed(4))
            self.neg = Signal()
            self.out = Signal(signed(4))

        def elaborate(self, platform):
            m = Module()
            first, second = Row(4), Row(4)
            m.submodules.row_4__0 = first
            m.submodules.row_4__1 = second
            m.d.comb += [
                first.prev.eq(Const(0, signed(4))),
                first.a.eq(self.a),
                second.prev.eq(first.out),
                second.a.eq(self.a),
                second.neg.eq(self.neg),
                self.out.eq(second.out),
            ]
            return m

    top = Two()
    text = rtlil.convert(top, name="two", ports=[top.a, top.neg, top.out])
    assert modules(clean_verilog(text, "two", "row_")) == ["row_4", "row_4_v2", "two"]


@pytest.mark.parametrize("kept", [(), "row_"])
def test_clean_text_means_the_same(kept):
    text = chain_rtlil()
    script = [
        *("read_rtlil before.il", "hierarchy -top chain", "proc", "flatten", "rename chain gold"),
        *("design -stash first", "read_verilog after.v", "hierarchy -top chain", "proc"),
        *("setattr -mod -unset keep_hierarchy *", "flatten", "rename chain gate"),
        *("design -copy-from first gold", "memory", "opt -full"),
        *("equiv_make gold gate pair", "hierarchy -top pair"),
        *("equiv_simple -seq 2", "equiv_induct", "equiv_status -assert"),
    ]
    verilog = clean_verilog(text, "chain", kept)
    yosys.run(script, {"before.il": text, "after.v": verilog}, [])
    wrong = verilog.replace("^", "&", 1)
    assert wrong != verilog
    with pytest.raises(YosysError, match="unproven"):
        yosys.run(script, {"before.il": text, "after.v": wrong}, [])
