"""Two runs in one folder, killed runs, and SIGTERM: nothing is lost, who is in the way is named."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from sweeps.cli import main
from sweeps.locks import NAME, alone_in

SPEC = """\
version: 1
network: digits_cnn
weights: [{family: integers, bits: 2..8}, {family: minifloats, bits: 3..6}]
activations: [{family: integers, bits: 2..8, signed: false}]
measure_front: false
"""
HOLD = """
import sys
from pathlib import Path
from sweeps.locks import alone_in
with alone_in(Path(sys.argv[1])):
    print("mine", flush=True)
    sys.stdin.read()
"""


def holder(folder: Path) -> subprocess.Popen:
    """A process that has the folder until it is killed or its input ends."""
    words = [sys.executable, "-c", HOLD, str(folder)]
    found = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert found.stdout.readline() == "mine\n"
    return found


def end(process: subprocess.Popen) -> None:
    process.stdin.close()
    process.stdout.close()
    process.wait()


def test_a_second_run_is_refused_and_told_who_has_the_folder(tmp_path, capsys):
    spec = tmp_path / "small.yaml"
    spec.write_text(SPEC)
    first = holder(tmp_path / "out")
    formats = ("--weights", "int2", "--activations", "uint2")
    sizes = ("--lanes", "4", "--rows", "1", "--columns", "1")
    commands = [
        ["sweep", str(spec)],
        ["recommend", "--network", "digits_cnn", "--max-lut", "9"],
        ["grid", "--network", "digits_cnn", *formats, *sizes],
    ]
    for words in commands:
        assert main([*words, "-o", str(tmp_path / "out")]) == 2, words
        error = capsys.readouterr().err
        assert f"out is in use by process {first.pid} on " in error
        assert "(-o)" in error
    assert len(commands) == 3
    assert not (tmp_path / "out" / "points.sqlite").exists()
    end(first)


def test_a_killed_run_leaves_no_lock(tmp_path):
    first = holder(tmp_path)
    with pytest.raises(ValueError, match=f"process {first.pid}"), alone_in(tmp_path):
        pass
    first.kill()
    end(first)
    assert str(first.pid) in (tmp_path / NAME).read_text(), "what it wrote is still there"
    with alone_in(tmp_path):
        assert f"process {os.getpid()} on" in (tmp_path / NAME).read_text()
    assert (tmp_path / NAME).read_text() == ""


def kept(store: Path) -> int:
    """How many accuracies a store has; 0 before it is one."""
    if not store.exists():
        return 0
    with closing(sqlite3.connect(store)) as connection:
        try:
            query = "SELECT COUNT(*) FROM results WHERE kind = 'accuracy'"
            return int(connection.execute(query).fetchone()[0])
        except sqlite3.OperationalError:
            return 0


def test_sigterm_keeps_what_is_done_as_ctrl_c_does(tmp_path):
    spec, store = tmp_path / "many.yaml", tmp_path / "out" / "points.sqlite"
    spec.write_text(SPEC)
    words = [sys.executable, "-m", "sweeps.cli", "sweep", str(spec), "-o", str(tmp_path / "out")]
    run = subprocess.Popen([*words, "--workers", "1"], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while kept(store) < 3 and time.monotonic() < deadline and run.poll() is None:
        time.sleep(0.02)
    run.send_signal(signal.SIGTERM)
    error = run.communicate()[1]
    assert run.returncode == 143, error
    found = kept(store)
    assert found >= 3
    assert f"stopped: {found} of" in error
    assert "the same command resumes" in error
    assert "Traceback" not in error


def test_sigterm_is_as_before_after_a_command(capsys):
    before = signal.getsignal(signal.SIGTERM)
    assert main(["formats", "int4"]) == 0
    assert signal.getsignal(signal.SIGTERM) is before
    capsys.readouterr()
