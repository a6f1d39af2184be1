"""sweeps.cli: what the commands print and write; JSON contracts; exit codes."""

import csv
import json
import re
import resource
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from hw.formats import CATALOGUE, parse
from sweeps.cli import COMMANDS, main

ROOT = Path(__file__).parent.parent
AREA_KEYS = {"lut", "sites", "ff", "carry", "dsp", "target", "design"}
MAC = ["mac", "--weight", "int3", "--activation", "e2m1fn"]


@pytest.fixture
def run(capsys):
    """Run a command in this process; give its exit code and what it printed."""

    def call(*words):
        try:
            code = main([str(word) for word in words])
        except SystemExit as leave:
            code = leave.code
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return call


@pytest.fixture
def run_json(run):
    def call(*words, code=0):
        found, out, err = run(*words, "--json")
        assert found == code, err
        return json.loads(out)

    return call


@pytest.fixture
def exported(run, tmp_path):
    """A generated design: its Verilog file and its sidecar."""
    code, out, _ = run("generate", *MAC, "-o", tmp_path / "out")
    assert code == 0
    verilog, sidecar = map(Path, out.split())
    return verilog, sidecar


def test_formats_start_within_300_ms():
    """The processor's time: what the clock says depends on what else the machine does."""

    def spent():
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    times = []
    for _ in range(3):
        start = spent()
        subprocess.run(
            [sys.executable, "-m", "sweeps.cli", "formats"],
            cwd=ROOT,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        times.append(spent() - start)
    assert min(times) < 0.3


def test_formats_lists_all_with_their_sources(run, run_json):
    code, out, err = run("formats")
    assert (code, err) == (0, "")
    rows = run_json("formats")
    assert [row["name"] for row in rows] == list(CATALOGUE)
    for row in rows:
        assert row["source"] in out
        format = parse(row["name"])
        assert row["bits"] == float(getattr(format, "bits_per_element", None) or format.bits)


@pytest.mark.parametrize("name", ["int4", "fixed<8,4>", "e4m3fn", "e5m2", "e2m1fn", "uint1"])
def test_a_format_as_json_has_its_values_in_code_order(run_json, name):
    record = run_json("formats", name)
    format = parse(name)
    assert (record["name"], record["bits"]) == (format.name, format.bits)
    assert len(record["values"]) == 1 << format.bits
    for code, text in enumerate(record["values"]):
        special = format.special(code)
        if special is None:
            assert Decimal(text) == Decimal(format.integer(code)) * Decimal(2) ** (
                format.lsb_exponent
            )
        else:
            assert text == special.value


def test_a_format_for_people_shows_each_code(run):
    code, out, _ = run("formats", "e2m1fn")
    assert code == 0
    assert re.search(r"^0x7\s+0111\s+6$", out, re.MULTILINE)
    assert "-6 … 6" in out


def test_a_wide_format_has_no_table(run, run_json):
    assert run_json("formats", "fp32")["values"] is None
    code, out, _ = run("formats", "fp32")
    assert code == 0
    assert "too many" in out


def test_slugs_are_names(run_json):
    assert run_json("formats", "fixed_8_4") == run_json("formats", "fixed<8,4>")


def test_generate_prints_the_verilog(run):
    code, out, _ = run("generate", *MAC)
    assert code == 0
    assert out.startswith("// macloom {")
    assert out.endswith("endmodule\n")


def test_generate_writes_verilog_and_sidecar(exported):
    verilog, sidecar = exported
    assert verilog.stem == sidecar.stem
    record = json.loads(sidecar.read_text())
    head = verilog.read_text().split("\n", 1)[0]
    assert json.loads(head.removeprefix("// macloom ")) == record
    assert f"module {verilog.stem}(" in verilog.read_text()
    assert sorted(path.name for path in verilog.parent.iterdir()) == sorted(
        [verilog.name, sidecar.name]
    )


def test_generate_gives_the_same_bytes_again(exported, run):
    verilog, sidecar = exported
    for options in (MAC, ["--design", sidecar]):
        assert run("generate", *options)[1] == verilog.read_text()


def test_a_design_file_may_be_yaml_and_options_replace_it(run_json, tmp_path):
    file = tmp_path / "design.yaml"
    file.write_text(yaml.safe_dump({"kind": "dot", "weight": "int4", "lanes": 3}))
    assert run_json("generate", "--design", file)["design"]["lanes"] == 3
    changed = run_json("generate", "--design", file, "--lanes", "5", "--target", "ecp5")
    assert (changed["design"]["lanes"], changed["target"]) == (5, "ecp5")


def test_a_sidecar_brings_its_target_along(run_json, run, tmp_path):
    run("generate", *MAC, "--target", "ice40", "-o", tmp_path)
    (sidecar,) = tmp_path.glob("*.json")
    assert run_json("generate", "--design", sidecar)["target"] == "ice40"


def test_hardware_needs_no_estimate(run_json, monkeypatch):
    import costmodel

    def unknown(*_):
        raise ValueError("the cost model does not know this")

    monkeypatch.setattr(costmodel, "estimate", unknown)
    monkeypatch.setattr("sweeps.autotune.estimate", unknown)
    record = run_json("generate", "mac", "--weight", "e5m10", "--target", "ice40")
    assert record["design"]["structure"] != "auto"


def test_the_activation_defaults_to_the_weight_format(run_json):
    assert run_json("generate", "mac", "--weight", "int3")["design"]["activation"] == "int3"


def test_simulate_reports_and_leaves_its_verdict(run_json, tmp_path):
    record = run_json("simulate", *MAC, "-o", tmp_path, "--vectors", "500")
    assert record["mismatches"] == 0
    assert record["vectors"] >= 1 << (3 + 4)
    assert record["exhaustive"]
    assert record["simulator"] == "verilator"
    assert record["seconds"] > 0
    (sidecar,) = tmp_path.glob("*.json")
    verdict = json.loads(sidecar.read_text())["verdict"]
    assert verdict["vectors"] == record["vectors"]
    assert verdict["coverage"] == "exhaustive"
    assert verdict["tools"]["simulator"].startswith("Verilator")


def test_verify_runs_the_file_itself(exported, run, run_json):
    verilog, sidecar = exported
    sidecar.unlink()  # the file alone is enough
    code, out, _ = run("verify", verilog, "--vectors", "300")
    assert code == 0
    assert "agrees" in out
    text = verilog.read_text()
    verilog.write_text(text + "// a remark\n")
    record = run_json("verify", verilog, "--vectors", "300")
    assert record["edited"]
    assert record["mismatches"] == 0


def test_verify_finds_a_fault_in_the_file(exported, run, run_json):
    verilog, _ = exported
    text = verilog.read_text()
    broken = re.sub(r"(\n\s+total_valid <= )", r"\g<1>1'h0 & ", text, count=1)
    assert broken != text
    verilog.write_text(broken)
    record = run_json("verify", verilog, "--vectors", "300", code=1)
    assert record["mismatches"] > 0
    assert record["edited"]
    assert not record["verdict"]["passed"]
    code, out, _ = run("verify", verilog, "--vectors", "300")
    assert code == 1
    assert "DIFFERS" in out
    assert "edited" in out


def test_estimate_and_synthesize_have_the_same_keys(run_json):
    words = ["dot", "--weight", "int4", "--lanes", "4"]
    estimate, measured = run_json("estimate", *words), run_json("synthesize", *words)
    assert set(estimate) >= AREA_KEYS
    assert set(measured) >= AREA_KEYS | {"tool", "seconds"}
    assert estimate["design"] == measured["design"]
    assert measured["lut"] > 0
    assert measured["tool"].startswith("Yosys ")
    assert abs(estimate["lut"] - measured["lut"]) < 0.5 * measured["lut"]


def test_estimate_for_people_and_its_breakdown(run, run_json):
    words = ["dot", "--weight", "int4", "--lanes", "4"]
    code, out, _ = run("estimate", *words)
    assert code == 0
    assert "LUT" in out
    parts = run_json("estimate", *words, "--breakdown")
    assert sum(part["lut"] for part in parts["parts"]) == pytest.approx(parts["lut"])
    code, out, _ = run("estimate", *words, "--breakdown")
    assert len(out.splitlines()) > len(parts["parts"])


def test_synthesize_without_the_cache(run_json, tmp_path, monkeypatch):
    monkeypatch.setenv("MACLOOM_CACHE", str(tmp_path / "cache"))
    words = ["synthesize", "mac", "--weight", "int2"]
    first = run_json(*words, "--no-cache")
    assert not (tmp_path / "cache" / "synthesis").exists()
    second, third = run_json(*words), run_json(*words)
    assert second == third
    assert first["lut"] == second["lut"]


def test_synthesize_writes_its_counts(run_json, tmp_path):
    record = run_json("synthesize", "mac", "--weight", "int2", "-o", tmp_path)
    (sidecar,) = tmp_path.glob("*.json")
    assert json.loads(sidecar.read_text())["measured"]["lut"] == record["lut"]


def test_doctor_names_what_is_there(run, run_json):
    code, out, _ = run("doctor")
    assert code == 0
    pieces = {piece["name"]: piece for piece in run_json("doctor")}
    assert pieces["Python"]["installed"]
    assert pieces["pyosys"]["version"] in out
    for piece in pieces.values():
        assert piece["enables"]
        assert piece["install"]


def test_doctor_says_what_a_missing_piece_would_enable(monkeypatch, run):
    monkeypatch.setenv("PATH", "/nonexistent")
    from sim import toolchain

    toolchain.icarus.cache_clear()
    try:
        code, out, _ = run("doctor")
    finally:
        toolchain.icarus.cache_clear()
    assert code == 0
    assert "Icarus Verilog is missing; apt install iverilog would enable: simulation" in out


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help(run, name):
    code, out, _ = run(name, "--help")
    assert code == 0
    assert out.startswith(f"usage: macloom {name}")


def test_version(run):
    code, out, _ = run("--version")
    assert code == 0
    assert re.fullmatch(r"macloom \d+\.\d+\.\d+\n", out)


SPEC = """\
version: 1
network: digits_cnn
weights: [int3, e2m1fn]
activations: [uint4, e2m1fn]
output: results
"""


@pytest.fixture
def swept(run_json, tmp_path, monkeypatch):
    """A small sweep that was run: its record, in its folder."""
    monkeypatch.chdir(tmp_path)
    Path("spec.yaml").write_text(SPEC)
    return run_json("sweep", "spec.yaml", "--workers", "1")


def test_sweep_writes_one_row_per_point(swept):
    assert swept["points"] == 4
    assert {Path(name).name for name in swept["files"]} == {
        "points.csv",
        "pareto.png",
        "pareto.svg",
    }
    with Path("results/points.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    pairs = {(row["weight"], row["activation"]) for row in rows}
    assert pairs == {(w, a) for w in ("int3", "e2m1fn") for a in ("uint4", "e2m1fn")}
    assert {"error_percent", "sites_per_lane", "accuracy_low_percent"} <= set(rows[0])
    best = [point["weight"] for point in swept["front"]]
    assert sorted(best) == sorted(row["weight"] for row in rows if row["on_front"] == "true")


def test_a_sweep_again_is_the_same_and_reuses_its_points(swept, run):
    before = Path("results/points.csv").read_bytes()
    code, out, err = run("sweep", "spec.yaml", "--workers", "1")
    assert code == 0
    assert "4/4 (4 already there)" in err
    assert "the front" in out
    assert Path("results/points.csv").read_bytes() == before


def test_plot_draws_what_sweep_drew(swept, run, run_json):
    record = run_json("plot", "results/points.csv", "-o", "again/figure")
    assert record["files"] == ["again/figure.png", "again/figure.svg"]
    assert Path("again/figure.png").read_bytes()[:4] == b"\x89PNG"
    run("plot", "results/points.csv", "-o", "third.png")
    assert Path("third.png").read_bytes() == Path("again/figure.png").read_bytes()
    code, out, _ = run("plot", "results/points.csv", "-o", "one.svg")
    assert (code, out) == (0, "one.svg\n")
    assert Path("one.svg").read_text().startswith("<?xml")
    assert run("plot", "results/points.csv", "-o", "one.gif")[0] == 2


def test_sweep_takes_the_name_of_a_shipped_one(monkeypatch, run, tmp_path):
    from sweeps import runs

    seen = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(runs, "run", lambda spec, store, **_: seen.append(spec) or [])
    monkeypatch.setattr(runs, "write_results", lambda points, folder: [])
    code, _, _ = run("sweep", "digits", "-o", "elsewhere")
    assert code == 0
    assert seen[0].name == "digits"
    assert len(seen[0].pairs) > 1100
