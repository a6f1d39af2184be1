import contextlib
import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from hw.errors import MissingTool
from sweeps.engine import Interrupted, evaluate_all
from sweeps.progress import Progress, Stages, duration
from sweeps.store import Store, Task

Record = Mapping[str, Any]


def square(record: Record) -> Record:
    """A stand-in for an evaluation; fails, dies or is slow where the record says so."""
    number = record["n"]
    time.sleep(record.get("seconds", 0))
    if record.get("fail") == "value":
        raise ValueError(f"{number} must not be squared")
    if record.get("fail") == "tool":
        raise MissingTool("pyosys", "pip install pyosys")
    died = Path(record.get("dies_once", "/nowhere/at/all"))
    if record.get("fail") == "die" or (died.parent.is_dir() and not died.exists()):
        if record.get("fail") != "die":
            died.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if "log" in record:
        with Path(record["log"]).open("a") as log:
            log.write(f"{number}\n")
    return {"square": number**2, "pair": (number, 0.1 * number)}


def threads(record: Record) -> Record:
    """What a worker's linear algebra may use."""
    return {"threads": os.environ.get("OPENBLAS_NUM_THREADS"), "process": os.getpid()}


def tasks(count: int, **more: Any) -> list[Task]:
    return [Task("square", {"n": number, **more}) for number in range(count)]


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "points.sqlite") as store:
        yield store


def test_results_are_the_same_whoever_computes_them(tmp_path):
    found = []
    for number, workers in enumerate((1, 2, 3)):
        with Store(tmp_path / f"{number}.sqlite") as store:
            found.append(evaluate_all(tasks(40), square, store, workers=workers))
            found.append(evaluate_all(tasks(40), square, store, workers=workers))
    with Store(tmp_path / "threads.sqlite") as store:
        pool = lambda: ThreadPoolExecutor(2)  # noqa: E731 - an executor of the caller's
        found.append(evaluate_all(tasks(40), square, store, executor=pool))
    assert found[0][3] == {"square": 9, "pair": [3, 0.1 * 3]}
    assert all(results == found[0] for results in found)


def test_only_what_is_missing_is_computed(store, tmp_path):
    log = tmp_path / "log"
    evaluate_all(tasks(10, log=str(log)), square, store, workers=1)
    seen = []
    results = evaluate_all(
        tasks(25, log=str(log)), square, store, workers=2, report=lambda *a, **k: seen.append(a)
    )
    assert [r["square"] for r in results] == [n * n for n in range(25)]
    assert sorted(map(int, log.read_text().split())) == list(range(25))
    assert seen[0] == (10, 25, 10, "")
    assert seen[-1] == (25, 25, 10, "")


def test_equal_tasks_are_computed_once(store, tmp_path):
    log = tmp_path / "log"
    results = evaluate_all(tasks(2, log=str(log)) * 3, square, store, workers=1)
    assert [r["square"] for r in results] == [0, 1, 0, 1, 0, 1]
    assert log.read_text() == "0\n1\n"


def test_nothing_to_do(store):
    assert evaluate_all([], square, store) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_ends_the_run_and_loses_nothing(store, workers):
    chosen = tasks(40)
    chosen[20] = Task("square", {"n": 20, "fail": "value"})
    with pytest.raises(ValueError, match="20 must not be squared"):
        evaluate_all(chosen, square, store, workers=workers)
    kept = len(store)
    assert kept >= 20
    assert len(store.get(chosen)) == kept


def test_errors_of_workers_keep_what_they_say(store):
    chosen = [Task("square", {"n": n, "fail": "tool"}) for n in range(2)]
    with pytest.raises((MissingTool, RuntimeError), match="pyosys is not installed"):
        evaluate_all(chosen, square, store, workers=2)


def test_no_workers_are_refused(store):
    with pytest.raises(ValueError, match="workers must be at least 1, not 0"):
        evaluate_all(tasks(2), square, store, workers=0)


def test_a_worker_that_dies_once_is_replaced(store, tmp_path):
    notes = []
    results = evaluate_all(
        tasks(12, dies_once=str(tmp_path / "died")),
        square,
        store,
        workers=2,
        report=lambda done, total, reused=0, note="": notes.append(note),
    )
    assert [r["square"] for r in results] == [n * n for n in range(12)]
    assert any("a worker died" in note for note in notes)


def test_workers_that_die_again_and_again_end_the_run(store):
    chosen = [*tasks(6), Task("square", {"n": 6, "fail": "die"})]
    with pytest.raises(ChildProcessError, match=r"died 3 times in a row .* points are kept"):
        evaluate_all(chosen, square, store, workers=2)
    assert len(store) >= 4


def test_workers_use_one_thread_each_and_the_environment_is_restored(store):
    before = dict(os.environ)
    chosen = [Task("threads", {"n": number}) for number in range(4)]
    results = evaluate_all(chosen, threads, store, workers=2)
    assert {r["threads"] for r in results} == {"1"}
    assert os.getpid() not in {r["process"] for r in results}
    assert dict(os.environ) == before


@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_keeps_what_was_finished_and_the_same_call_resumes(store, workers):
    chosen = tasks(60, seconds=0.03)
    asked = []

    def report(done: int, total: int, reused: int = 0, note: str = "") -> None:
        if done >= 8 and not asked:
            asked.append(done)
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(Interrupted, match=r"stopped: \d+ of 60 points are kept") as caught:
        evaluate_all(chosen, square, store, workers=workers, report=report)
    assert 8 <= caught.value.kept == len(store) < 60
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    results = evaluate_all(chosen, square, store, workers=workers)
    assert [r["square"] for r in results] == [n * n for n in range(60)]


def test_outside_the_main_thread_signals_are_left_alone(tmp_path):
    found = []

    def work() -> None:
        with Store(tmp_path / "other.sqlite") as store:
            found.extend(evaluate_all(tasks(3), square, store, workers=1))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert [r["square"] for r in found] == [0, 1, 4]


RUN = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_sweeps_engine import square, tasks
from sweeps.engine import evaluate_all
from sweeps.store import Store
if __name__ == "__main__":
    with Store(Path(sys.argv[1])) as store:
        def report(done, total, reused=0, note=""):
            print(done, flush=True)
        chosen = tasks(80, seconds=0.03, log=sys.argv[1] + ".log")
        evaluate_all(chosen, square, store, workers=2, report=report)
"""


def test_kill_9_in_mid_run_loses_nothing_and_leaves_no_worker(tmp_path):
    path, script = tmp_path / "points.sqlite", tmp_path / "run.py"
    script.write_text(RUN)
    run = subprocess.Popen(
        [sys.executable, str(script), str(path), str(Path(__file__).parent)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert run.stdout is not None
    done = 0
    while done < 20:
        done = int(run.stdout.readline())
    children = _children(run.pid)
    assert len(children) >= 2
    os.kill(run.pid, signal.SIGKILL)
    run.stdout.close()
    assert run.wait() == -signal.SIGKILL
    deadline = time.monotonic() + 20
    while any(_alive(child) for child in children) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(_alive(child) for child in children)
    log = Path(f"{path}.log")
    with Store(path) as store:
        chosen = tasks(80, seconds=0.03, log=str(log))
        kept = len(store)
        assert kept >= done
        log.unlink()
        results = evaluate_all(chosen, square, store, workers=2)
    assert [r["square"] for r in results] == [n * n for n in range(80)]
    assert len(log.read_text().split()) == 80 - kept


def _children(process: int) -> list[int]:
    listed = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [int(child) for child in listed]


def _alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_without_a_terminal_is_a_line_now_and_then():
    stream, clock = io.StringIO(), Clock()
    with Progress("accuracy", stream=stream, clock=clock) as progress:
        for done in range(101):
            clock.now = 0.3 * done
            progress(done, 100, 20 if done >= 20 else 0)
    lines = stream.getvalue().splitlines()
    assert lines[0] == "accuracy  34/100 (20 already there)  34 %  10 s, 48 s left"
    assert len(lines) == 3
    assert lines[-1] == "accuracy  100/100 (20 already there)  30 s"


def test_progress_on_a_terminal_rewrites_one_line():
    stream, clock = Terminal(), Clock()
    progress = Progress("x", 4, stream, clock)
    with contextlib.suppress(ValueError), progress:
        clock.now = 1.0
        progress.advance(note="int4")
        raise ValueError
    *moving, last = stream.getvalue().split("\r\x1b[K")[1:]
    assert moving == ["x  0/4  0 %  0.0 s", "x  1/4 · int4  25 %  1.0 s, 3.0 s left"]
    assert last == "x  1/4 · int4  1.0 s · stopped\n"


def test_a_broken_stream_does_not_end_the_work():
    stream = io.StringIO()
    stream.isatty = lambda: True
    with Progress("x", 2, stream) as progress:
        stream.write = _broken
        progress.advance(2)
    assert progress.done == 2


def _broken(text: str) -> int:
    raise BrokenPipeError


def test_stages_are_headed_and_timed():
    stream, clock = io.StringIO(), Clock()
    stages = Stages(2, stream, clock)
    with stages("simulate"):
        clock.now = 49.6
    with contextlib.suppress(ValueError), stages("sweep"):
        clock.now = 100.0
        raise ValueError
    assert stream.getvalue() == "[1/2] simulate\n[2/2] sweep\n"
    assert stages.summary() == "simulate 50 s · sweep 50 s · together 1 min 40 s"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0.0 s"), (9.96, "10 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (7265, "2 h 01 min")],
)
def test_durations(seconds, text):
    assert duration(seconds) == text
