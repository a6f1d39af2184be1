"""sweeps.cli: bad input gives one clear line and the right code, and loses nothing."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sweeps.cli import main

ROOT = Path(__file__).parent.parent
COMMAND = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from sweeps.cli import main; sys.exit(main())"
)
"""What the console script does, with Ctrl-C heard even where the test run ignores it."""

SPEC = """\
version: 1
network: digits_cnn
weights: [{family: integers, bits: 2..8}, {family: minifloats, bits: 3..8}]
activations: [{family: integers, bits: 2..8}, {family: minifloats, bits: 3..8}]
output: results
"""


def start(*words, folder, command=COMMAND, **environment):
    return subprocess.Popen(
        [sys.executable, "-c", command, *map(str, words)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@pytest.fixture
def fails(capsys):
    """Run a command that must fail with one line on stderr and nothing on stdout; give the line."""

    def call(*words, code=2):
        try:
            found = main([str(word) for word in words])
        except SystemExit as leave:
            found = leave.code
        printed = capsys.readouterr()
        assert printed.out == ""
        assert found == code
        assert printed.err.startswith("error: ")
        assert printed.err.count("\n") == 1
        return printed.err

    return call


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("generat mac --weight int8", "did you mean 'generate'?"),
        ("frobnicate", "commands: formats, generate"),
        ("generate mac --wieght int8", "did you mean --weight?"),
        ("formats e4m3f", "did you mean 'e4m3fn'?"),
        ("formats int99", "1..64, not 99"),
        ("formats fixed<8>", "unknown format 'fixed<8>'"),
        ("formats fixed<x,4>", "unknown format 'fixed<x,4>'"),
        ("formats e17m1fn", "exponent_bits lies in 0..16, not 17"),
        ("formats e1m0", "E >= 2"),
        ("generate mac", "needs a weight format"),
        ("generate --weight int8", "needs its kind"),
        (
            "generate adder --weight int8",
            "square, not 'adder'",
        ),
        ("generate mac --weight int8 --activation floaty", "unknown format 'floaty'"),
        ("generate mac --weight int32", "at most 16 bits, int32 has 32"),
        ("generate dot --weight int8 --lanes 0", "from 1 on, not '0'"),
        ("generate dot --weight int8 --lanes 99999", "lanes lies in 1..1024, not 99999"),
        ("generate dot --weight int8 --lanes many", "whole number from 1 on, not 'many'"),
        ("generate mac --weight int8 --lanes 4", "no key 'lanes'"),
        ("generate array --weight int8 --rows 65", "rows lies in 1..64, not 65"),
        ("generate mac --weight int8 --accumulator exact:0", "1..16777216, not 0"),
        ("generate mac --weight int8 --accumulator wrap:1", "2..80 bits, not 1"),
        ("generate mac --weight int8 --accumulator saturate", "saturate:BITS"),
        ("generate mac --weight int8 --accumulator fixed<20,8>", "step of the products"),
        ("generate mac --weight int8 --specials maybe", "flag, ignore, not 'maybe'"),
        ("generate mac --weight int8 --structure rowz", "structure is one of"),
        ("generate mac --weight int8 --structure table", "table"),
        ("generate mac --weight int8 --target xcvp", "target is one of"),
        ("estimate mac --weight int8 --target ecp55", "did you mean 'ecp5'?"),
        ("synthesize mac --weight e4m3fnn", "did you mean 'e4m3fn'?"),
        ("simulate mac --weight int8 --simulator verilater", "did you mean 'verilator'?"),
        ("simulate mac --weight int8 --vectors 0", "from 1 on, not '0'"),
        ("generate --design no_such_file.yaml", "no_such_file.yaml: no such file"),
        ("verify no_such_file.v", "no_such_file.v: no such file"),
        ("sweep no_such_file.yaml", "no_such_file.yaml: no such file"),
        ("plot no_such_file.csv", "no_such_file.csv: no such file"),
        ("sweep digits --workers 0", "from 1 on, not '0'"),
        ("", "COMMAND"),
    ],
)
def test_bad_words(fails, words, says):
    assert says in fails(*words.split())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("kind: mac\nwieght: int8\n", "no key 'wieght'; did you mean 'weight'?"),
        ("kind: dot\nweight: int8\nlanes: many\n", "lanes is a whole number, not 'many'"),
        ("kind: dot\nweight: int8\nlanes: true\n", "lanes is a whole number, not True"),
        ("kind: [mac\n", "not YAML"),
        ("- mac\n", "must hold a mapping"),
        ("", "is empty"),
        ("weight: int8\n", "kind is one of"),
        ("kind: mac\nweight: int8\n? [a]\n: b\n", "design.yaml"),
        ("kind: mac\nweight: !!python/object:os.system x\n", "design.yaml"),
    ],
)
def test_bad_design_files(fails, tmp_path, text, says):
    file = tmp_path / "design.yaml"
    file.write_text(text)
    line = fails("generate", "--design", file)
    assert says in line
    assert "design.yaml" in line


def test_bad_design_files_in_json_and_other_bytes(fails, tmp_path):
    file = tmp_path / "design.json"
    file.write_text('{"kind": "mac",')
    assert "design.json:1: not JSON" in fails("generate", "--design", file)
    file.write_bytes(b"\xff\xfe\x00")
    assert "not UTF-8" in fails("generate", "--design", file)
    assert "is a directory" in fails("generate", "--design", tmp_path)


def test_a_kind_against_the_file(fails, tmp_path):
    file = tmp_path / "design.json"
    file.write_text(json.dumps({"kind": "mac", "weight": "int8"}))
    assert "describes the kind 'mac', not 'dot'" in fails("generate", "dot", "--design", file)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("wieghts: [int8]", "wieghts is no key here; did you mean 'weights'?"),
        ("weights: [{family: integers, bits: 2..99}]", "weights[0].bits"),
        ("weights: [int8, e4m3f]", "did you mean 'e4m3fn'?"),
        ("version: 99", "reads versions up to"),
        ("network: digits_cn", "did you mean 'digits_cnn'?"),
        ("target: xcpu", "did you mean 'xcup'?"),
        ("accumulator: exact:0", "accumulator"),
        ("weights: [int8", "not YAML"),
    ],
)
def test_bad_sweeps(fails, tmp_path, monkeypatch, line, says):
    monkeypatch.chdir(tmp_path)
    key = line.partition(":")[0].replace("wieghts", "weights")
    kept = [other for other in SPEC.splitlines() if not other.startswith(f"{key}:")]
    Path("spec.yaml").write_text("\n".join([*kept, line]) + "\n")
    shown = fails("sweep", "spec.yaml")
    assert says in shown
    assert not Path("results").exists() or list(Path("results").glob("*.csv")) == []


@pytest.mark.parametrize(
    "words",
    [
        ["generate", "mac", "--weight", "int2", "-o"],
        ["simulate", "mac", "--weight", "int2", "--vectors", "10", "-o"],
        ["synthesize", "mac", "--weight", "int2", "-o"],
        ["sweep", "digits", "-o"],
        ["demo", "-o"],
    ],
)
def test_an_unwritable_folder(fails, tmp_path, words):
    (tmp_path / "file").write_text("in the way")
    line = fails(*words, tmp_path / "file" / "out")
    assert "not a directory" in line or "file exists" in line
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_plot_of_something_else(fails, tmp_path):
    table = tmp_path / "points.csv"
    table.write_text("a,b\n1,2\n")
    assert "no table of sweep points" in fails("plot", table)
    table.write_bytes(b"\xff\xfe")
    assert "not UTF-8" in fails("plot", table)


def test_verify_of_something_else(fails, tmp_path):
    file = tmp_path / "other.v"
    file.write_text("module other; endmodule\n")
    assert "must be a macloom record" in fails("verify", file)
    file.write_text('// macloom {"design":\nmodule other; endmodule\n')
    assert "is damaged" in fails("verify", file)
    file.write_bytes(b"\xff\xfe")
    assert "not UTF-8" in fails("verify", file)


def test_verify_of_a_file_that_lost_a_port(fails, tmp_path, capsys):
    main(["generate", "mac", "--weight", "int2", "-o", str(tmp_path)])
    capsys.readouterr()
    (file,) = tmp_path.glob("*.v")
    file.write_text(file.read_text().replace("output overflow;", "wire overflow_;"))
    assert "ports" in fails("verify", file)


def test_a_missing_tool_is_code_3(fails, monkeypatch):
    from sim import toolchain

    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.delenv("CXX", raising=False)
    for tool in (toolchain.icarus, toolchain.compiler):
        tool.cache_clear()
    try:
        words = ["simulate", "mac", "--weight", "int2"]
        assert "apt install iverilog" in fails(*words, "--simulator", "icarus", code=3)
        assert "apt install g++" in fails(*words, code=3)
        assert "apt install g++" in fails("demo", "-o", "never_made", code=3)
        assert not Path("never_made").exists()
    finally:
        for tool in (toolchain.icarus, toolchain.compiler):
            tool.cache_clear()


def test_a_missing_package_is_code_3(tmp_path):
    command = "import sys; sys.modules['amaranth'] = None; " + COMMAND
    process = start("generate", "mac", "--weight", "int2", folder=tmp_path, command=command)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (3, "")
    assert err == "error: the Python package amaranth is not installed\n"


def test_a_corrupt_cache_is_reported_and_not_used(tmp_path):
    words = ("synthesize", "mac", "--weight", "int2", "--json")
    first = start(*words, folder=tmp_path, MACLOOM_CACHE="cache")
    found = json.loads(first.communicate(timeout=60)[0])
    (entry,) = (tmp_path / "cache" / "synthesis").rglob("*.json")
    entry.write_text(entry.read_text()[:-20])
    again = start(*words, folder=tmp_path, MACLOOM_CACHE="cache")
    out, err = again.communicate(timeout=60)
    assert again.returncode == 0
    assert json.loads(out)["by_cell"] == found["by_cell"]
    assert err.startswith("warning: cache entry")
    assert err.count("\n") == 1


def test_a_corrupt_store_is_left_alone(fails, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("spec.yaml").write_text(SPEC)
    store = tmp_path / "results" / "points.sqlite"
    store.parent.mkdir()
    store.write_bytes(b"not a database at all" * 100)
    assert "is damaged" in fails("sweep", "spec.yaml")
    assert store.read_bytes() == b"not a database at all" * 100


def wait_for(condition, process, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.02)


def test_ctrl_c_while_simulating_leaves_nothing(tmp_path):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    process = start(
        *("simulate", "dot", "--weight", "int8", "-o", "out"),
        folder=tmp_path,
        TMPDIR=str(temporary),
    )
    wait_for(lambda: list(temporary.glob("macloom-sim-*/*/bench.v")), process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (130, "", "stopped\n")
    assert [path.name for path in tmp_path.iterdir()] == ["temporary"]
    assert list(temporary.iterdir()) == []


def test_ctrl_c_while_sweeping_keeps_what_was_done(tmp_path):
    (tmp_path / "spec.yaml").write_text(SPEC)
    process = start("sweep", "spec.yaml", "--workers", "1", folder=tmp_path)
    store = tmp_path / "results" / "points.sqlite-wal"
    wait_for(lambda: store.exists() and store.stat().st_size > 50_000, process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert out == ""
    assert "points are kept" in err.splitlines()[-1]
    assert "Traceback" not in err
    names = {path.name for path in (tmp_path / "results").iterdir()}
    assert {name for name in names if not name.startswith("points.sqlite")} <= {".macloom.lock"}


def test_a_reader_that_leaves_early_is_fine(tmp_path):
    process = start("formats", "fp16", folder=tmp_path)
    process.stdout.readline()
    process.stdout.close()
    process.wait(timeout=30)
    assert process.returncode == 0
    with process.stderr as stream:
        assert stream.read() == ""
