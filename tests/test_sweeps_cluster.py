"""Sweeps on a Dask cluster: a scheduler and workers as processes, some of them killed."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sweeps.cluster import Cluster
from sweeps.engine import evaluate_all
from sweeps.store import Store, Task

distributed = pytest.importorskip("distributed")

TESTS = Path(__file__).parent
DEAD = "tcp://127.0.0.1:9"


def square(record):
    """A stand-in for an evaluation that tells which process it ran in, in a file."""
    time.sleep(record.get("seconds", 0))
    if "log" in record:
        with Path(record["log"]).open("a") as log:
            log.write(f"{record['n']} {os.getpid()}\n")
    if record.get("fail"):
        raise ValueError(f"{record['n']} must not be squared")
    return {"square": record["n"] ** 2, "pair": (record["n"], 0.1 * record["n"])}


def tasks(count, **more):
    return [Task("square", {"n": number, **more}) for number in range(count)]


class Local:
    """A scheduler and workers on this machine."""

    def __init__(self, folder):
        self.folder = folder
        self.processes = []
        self.file = folder / "scheduler.json"
        ports = ["--port", "0", "--no-dashboard", "--host", "127.0.0.1"]
        self.scheduler = self._start("scheduler", *ports, "--scheduler-file", str(self.file))

    def add_worker(self):
        options = ["--no-nanny", "--nthreads", "2", "--no-dashboard", "--host", "127.0.0.1"]
        folder = ["--local-directory", str(self.folder)]
        return self._start("worker", "--scheduler-file", str(self.file), *options, *folder)

    @property
    def address(self):
        import json

        end = time.monotonic() + 60
        while time.monotonic() < end:
            with contextlib.suppress(OSError, ValueError):
                return json.loads(self.file.read_text())["address"]
            time.sleep(0.05)
        raise AssertionError("the scheduler did not start")

    def _start(self, kind, *options):
        process = subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.dask_{kind}", *options],
            env=os.environ | {"PYTHONPATH": f"{TESTS.parent}{os.pathsep}{TESTS}"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.processes.append(process)
        return process

    def close(self):
        for process in reversed(self.processes):
            process.kill()
            process.wait()


@pytest.fixture
def local(tmp_path):
    cluster = Local(tmp_path)
    yield cluster
    cluster.close()


def wait_until(true, seconds=60):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_an_unreachable_cluster_is_told_in_seconds():
    start = time.monotonic()
    with pytest.raises(
        OSError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9 within 1 s"
    ):
        Cluster(DEAD, seconds=1)
    assert time.monotonic() - start < 8
    wrong = ("10.0.0.1", "http://10.0.0.1:8786", "tcp://10.0.0.1", "tcp://:1", "")
    for address in wrong:
        with pytest.raises(ValueError, match="the address of its scheduler"):
            Cluster(address)
    assert len(wrong) == 5


@pytest.mark.slow
def test_a_cluster_gives_what_local_processes_give_though_a_worker_is_killed(local, tmp_path):
    log, notes = tmp_path / "log", []
    victims = [local.add_worker(), local.add_worker()]
    with Cluster(local.address, seconds=60) as cluster:
        wait_until(lambda: len(cluster._present()) == 2)
        chosen = tasks(60, seconds=0.1, log=str(log))
        seen = []

        def report(done, total, reused=0, note=""):
            notes.append(note)
            seen.append(done)
            if done >= 8 and victims[0].poll() is None:
                victims[0].send_signal(signal.SIGKILL)

        with Store(tmp_path / "cluster.sqlite") as store:
            found = evaluate_all(
                chosen, square, store, workers=2, executor=cluster.executor, report=report
            )
            assert len(store) == 60
            again = evaluate_all(chosen, square, store, workers=1)
    assert seen[-1] == 60
    assert any("a worker of the cluster is gone" in note for note in notes)
    used = {int(line.split()[1]) for line in log.read_text().splitlines()}
    assert used == {worker.pid for worker in victims}
    with Store(tmp_path / "serial.sqlite") as store:
        serial = evaluate_all(tasks(60), square, store, workers=1)
    with Store(tmp_path / "processes.sqlite") as store:
        processes = evaluate_all(tasks(60), square, store, workers=2)
    with Store(tmp_path / "threads.sqlite") as store:
        threads = evaluate_all(tasks(60), square, store, executor=lambda: ThreadPoolExecutor(2))
    assert found == again == serial == processes == threads


@pytest.mark.slow
def test_errors_come_home_and_a_lost_scheduler_loses_nothing(local, tmp_path):
    local.add_worker()
    with Cluster(local.address, seconds=60) as cluster, Store(tmp_path / "s.sqlite") as store:
        assert cluster.width == 1
        chosen = [*tasks(4), Task("square", {"n": 4, "fail": True})]
        with pytest.raises(ValueError, match="4 must not be squared"):
            evaluate_all(chosen, square, store, workers=1, executor=cluster.executor)
        assert len(store) == 4
        cluster._seconds = 2

        def report(done, total, reused=0, note=""):
            if done >= 10 and local.scheduler.poll() is None:
                local.scheduler.kill()
                local.scheduler.wait()

        chosen = tasks(60, seconds=0.05)
        with pytest.raises(OSError, match="is gone; what was finished is kept"):
            evaluate_all(chosen, square, store, workers=2, executor=cluster.executor, report=report)
        assert 10 <= len(store.get(chosen)) < 60
        found = evaluate_all(chosen, square, store, workers=1)
    assert [one["square"] for one in found] == [n * n for n in range(60)]


SPEC = """\
version: 1
network: digits_cnn
weights: [int2, int4]
activations: [uint3]
output: results
"""


def test_the_command_refuses_what_it_cannot_reach_and_keeps_what_there_is(tmp_path, capsys):
    from sweeps.cli import main

    spec = tmp_path / "s.yaml"
    spec.write_text(SPEC)
    folder = tmp_path / "results"
    words = ["sweep", str(spec), "-o", str(folder)]
    refused = [
        ((*words, "--dask", "10.0.0.1:8786"), "the address of its scheduler"),
        ((*words, "--dask", DEAD, "--workers", "2"), "leave it out with --dask"),
        ((*words, "--dask", DEAD), f"no Dask scheduler answers at {DEAD} within 5 s"),
    ]
    for given, expected in refused:
        assert main(given) == 2
        printed = capsys.readouterr()
        assert expected in printed.err
        assert printed.err.count("\n") == 1
    assert len(refused) == 3
    assert (folder / "points.sqlite").exists()


@pytest.mark.slow
def test_a_sweep_on_a_cluster_writes_the_same_file(local, tmp_path):
    from sweeps.cli import main

    spec = tmp_path / "s.yaml"
    spec.write_text(SPEC)
    local.add_worker()
    address = local.address
    with Cluster(address, seconds=60):
        pass
    assert main(["sweep", str(spec), "-o", str(tmp_path / "far"), "--dask", address]) == 0
    assert main(["sweep", str(spec), "-o", str(tmp_path / "near"), "--workers", "1"]) == 0
    far, near = ((tmp_path / name / "points.csv").read_bytes() for name in ("far", "near"))
    assert far == near


GRID = ["--network", "digits_cnn", "--weights", "int2,int4", "--activations", "uint3"]
LAYERS = ["--network", "digits_cnn", "--formats", "int2×uint2,int4×uint4", "--inputs", "10"]
COMMANDS = {
    "recommend": ["recommend", *GRID, "--max-lut", "9000", "-o"],
    "grid": ["grid", *GRID, "--lanes", "4", "--rows", "1..3", "--columns", "1", "-o"],
    "sensitivity": ["sensitivity", *LAYERS, "--losses"],
    "allocate": ["allocate", *LAYERS, "--budget", "memory=20000", "--pairs", "all", "--losses"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_all_commands_say_what_they_cannot_reach(name, tmp_path, capsys, monkeypatch):
    from sweeps.cli import main

    monkeypatch.setattr(Cluster.__init__, "__defaults__", (0.3,))
    words = [*COMMANDS[name], str(tmp_path / "d")]
    for more, expected in (
        (["--dask", DEAD], f"no Dask scheduler answers at {DEAD}"),
        (["--dask", DEAD, "--workers", "2"], "leave it out with --dask"),
    ):
        assert main([*words, *more]) == 2
        printed = capsys.readouterr()
        assert expected in printed.err.splitlines()[-1]
        assert printed.out == ""


@pytest.mark.slow
def test_all_commands_say_the_same_on_a_cluster_in_processes_and_alone(local, tmp_path, capsys):
    import json

    from sweeps.cli import main

    victims = [local.add_worker(), local.add_worker()]
    with Cluster(local.address, seconds=60) as cluster:
        wait_until(lambda: len(cluster._present()) == 2)
    compared = 0
    for name, words in COMMANDS.items():
        found = []
        for number, more in enumerate(
            (["--dask", local.address], ["--workers", "2"], ["--workers", "1"])
        ):
            assert main([*words, str(tmp_path / f"{name}{number}"), *more, "--json"]) == 0
            record = json.loads(capsys.readouterr().out)
            for key in [k for k in record if k.endswith(("seconds", "per_second")) or k == "files"]:
                del record[key]
            found.append(record)
        assert found[0] == found[1] == found[2], name
        compared += 1
        if victims[0].poll() is None:
            victims[0].kill()
            victims[0].wait()
    assert compared == 4


@pytest.mark.slow
def test_losses_survive_a_worker_killed_in_the_middle(local, tmp_path):
    from sweeps.executors import Hands
    from sweeps.layer_costs import parse_pairs
    from sweeps.layer_losses import Study, measure
    from sweeps.loss_tasks import Setting

    victims = [local.add_worker(), local.add_worker()]
    setting = Setting.of("digits_cnn", "digits", "mse", 400)
    pairs = parse_pairs(",".join(f"int{w}×uint{a}" for w in range(2, 7) for a in range(2, 7)))
    with Cluster(local.address, seconds=60) as cluster:
        wait_until(lambda: len(cluster._present()) == 2)
        killer = threading.Timer(2.0, victims[0].kill)
        killer.start()
        far = measure(Study(setting, pairs, tmp_path / "far", Hands(2, cluster.executor)))
        killer.join()
    assert victims[0].wait() != 0
    near = measure(Study(setting, pairs, tmp_path / "near", Hands(1)))
    assert far.loss.shape == (3, 25)
    assert (far.loss == near.loss).all()
