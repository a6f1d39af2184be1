"""Floor 3: child processes that end when we end, and files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

WATCH_SECONDS = 0.2


class ToolFailed(ValueError):
    """An outside tool failed; the message is one line with the path of its log."""


class Cancelled(RuntimeError):
    """The work was given up because `Children` was closed."""


class Children:
    """The child processes of one piece of work, run from any of its threads.

    Use as a context: leaving it, by Ctrl-C too, ends every child that still runs.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all children and start no more."""
        with self._lock:
            self._closed = True
            running = list(self._running)
        for child in running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)

    def run(
        self,
        what: str,
        command: Sequence[str | Path],
        folder: Path,
        log: Path,
        environment: Mapping[str, str] | None = None,
        watch: Callable[[], None] | None = None,
    ) -> None:
        """Run a command in a folder with all output in a log; call `watch` now and then.

        Raises
        ------
        ToolFailed
            If it ends with an error; the message names the log and its last line of error.
        Cancelled
            If the work was given up meanwhile.

        """
        with log.open("wb") as output:
            child = self._start(command, folder, output.fileno(), environment)
            try:
                code = _wait(child, watch)
            except BaseException:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGKILL)
                child.wait()
                raise
            finally:
                with self._lock:
                    self._running.discard(child)
        if self._closed:
            raise Cancelled(f"{what} was given up")
        if code:
            raise ToolFailed(f"{what} failed with code {code}: {_reason(log)} (log: {log})")

    def _start(
        self,
        command: Sequence[str | Path],
        folder: Path,
        output: int,
        environment: Mapping[str, str] | None,
    ) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._closed:
                raise Cancelled(f"{command[0]} was not started")
            child = subprocess.Popen(
                [str(word) for word in command],
                cwd=folder,
                env=None if environment is None else dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self._running.add(child)
            return child


@contextlib.contextmanager
def work_folder(folder: Path | None, prefix: str) -> Iterator[Path]:
    """Give the folder to work in: the caller's, created if need be, or one removed afterwards.

    A folder of our own stays when a tool failed, because the message names a log in it.
    """
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder.resolve()
        return
    own = Path(tempfile.mkdtemp(prefix=prefix)).resolve()
    keep = False
    try:
        yield own
    except ToolFailed:
        keep = True
        raise
    finally:
        if not keep:
            shutil.rmtree(own, ignore_errors=True)


@contextlib.contextmanager
def appearing(target: Path) -> Iterator[Path]:
    """Give a path to write to that becomes `target` at the end; otherwise nothing remains."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    os.close(handle)
    partial = Path(name)
    try:
        yield partial
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _wait(child: subprocess.Popen[bytes], watch: Callable[[], None] | None) -> int:
    while watch is not None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return child.wait(WATCH_SECONDS)
        watch()
    return child.wait()


def _reason(log: Path) -> str:
    """Return the first line of a log that speaks of an error, else its last line."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower()]
    return (errors or lines[-1:] or ["no output"])[0][:200]
