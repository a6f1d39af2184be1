"""Floor 4. A Dask cluster as an executor of `sweeps.engine`: workers elsewhere, the store here.

Results do not depend on who computes them, so a cluster's are those of local processes; its workers
must have the same code, which is checked when it is connected to, and must reach files that are
named by their path. A worker evaluates one chunk at a time, whatever its number of threads. Where a
worker dies the scheduler gives its points to another one; where the scheduler itself is gone,
everything that came back is in the store and the same command resumes.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar

from hw.errors import MissingTool

P = ParamSpec("P")
T = TypeVar("T")

CONNECT_SECONDS = 5.0
"""How long a scheduler may take to answer, and a first worker to be there."""
_ADDRESS = re.compile(r"(tcp|tls|ws|wss|ucx)://(\[[0-9a-fA-F:]+\]|[\w.-]+):\d{1,5}/?")
_POLL_SECONDS = 0.5
_ALONE = threading.Lock()


def code_salt() -> str:
    """Return a digest of the code that results depend on, as it is in this process."""
    from sweeps.evaluators import loss_salt, standard

    return f"{standard().accuracy_salt} {standard().estimate_salt} {loss_salt()}"


class Cluster:
    """A connection to a Dask scheduler; a context manager.

    Parameters
    ----------
    address
        Such as ``tcp://10.0.0.1:8786``.
    seconds
        How long it may take to answer.

    Raises
    ------
    ValueError
        If that is no address, or a worker has other code than this process.
    hw.errors.MissingTool
        If `distributed` is not installed.
    OSError
        If no scheduler answers, or it has no workers.

    """

    def __init__(self, address: str, seconds: float = CONNECT_SECONDS) -> None:
        if not _ADDRESS.fullmatch(address):
            raise ValueError(
                f"a Dask cluster is given by the address of its scheduler, "
                f"such as tcp://10.0.0.1:8786, not {address!r}"
            )
        self.address = address
        self._seconds = seconds
        self._log = logging.getLogger("distributed")
        self._level = self._log.level
        self._log.setLevel(logging.CRITICAL)  # what it would say, our errors say
        try:
            self._client = self._connect()
        except BaseException:
            self._log.setLevel(self._level)
            raise
        try:
            self._workers = self._wait_for_workers()
            self._check_code()
        except BaseException:
            self.close()
            raise
        self._asked = time.monotonic()

    def _connect(self) -> Any:
        try:
            from distributed import Client
        except ImportError:
            raise MissingTool(
                "distributed, which speaks to Dask clusters", "pip install 'macloom[dask]'"
            ) from None
        try:
            return Client(self.address, timeout=self._seconds, set_as_default=False)
        except (OSError, TimeoutError):
            raise OSError(
                f"no Dask scheduler answers at {self.address} within {self._seconds:g} s"
            ) from None

    def _wait_for_workers(self) -> frozenset[str]:
        end = time.monotonic() + self._seconds
        while not (found := self._present()):
            if time.monotonic() > end:
                raise OSError(f"the Dask cluster at {self.address} has no workers")
            time.sleep(0.1)
        return found

    def _check_code(self) -> None:
        try:
            salts = self._client.run(code_salt)
        except ImportError as error:
            raise ValueError(f"a worker of {self.address} lacks macloom: {error}") from None
        other = [worker for worker, salt in salts.items() if salt != code_salt()]
        if other:
            raise ValueError(
                f"the worker {other[0]} of {self.address} has another version of macloom than "
                f"this process: results would not be comparable"
            )

    def _present(self) -> frozenset[str]:
        found = self._client.sync(self._client.scheduler.ncores, callback_timeout=self._seconds)
        return frozenset(found)

    @property
    def width(self) -> int:
        """How many workers there were when it was last looked."""
        return max(len(self._workers), 1)

    def executor(self) -> Executor:
        """Return a new executor on this connection: a factory for `sweeps.engine.evaluate_all`.

        Raises
        ------
        OSError
            If the scheduler is gone.

        """
        end = time.monotonic() + self._seconds
        while self._client.status != "running":
            if time.monotonic() > end or self._client.status == "closed":
                raise OSError(
                    f"the Dask scheduler at {self.address} is gone; what was finished is kept"
                )
            time.sleep(0.1)
        return _ClusterExecutor(self)

    def news(self) -> str:
        """Say if workers are gone since it was last asked; looks every half second at most."""
        if time.monotonic() - self._asked < _POLL_SECONDS:
            return ""
        self._asked = time.monotonic()
        try:
            now = self._present()
        except (OSError, TimeoutError, RuntimeError):
            return ""
        gone = len(self._workers - now)
        self._workers = now
        if not gone:
            return ""
        who = "a worker of the cluster is" if gone == 1 else f"{gone} workers of the cluster are"
        return f"{who} gone, their points are evaluated again"

    def submit(self, call: Callable[[], T]) -> Any:
        """Return Dask's future of a call."""
        return self._client.submit(call, pure=False)

    def cancel(self, futures: list[Any]) -> None:
        """Have the scheduler forget futures."""
        if self._client.status == "running":
            self._client.cancel(futures, force=True)

    def close(self) -> None:
        """End the connection."""
        self._client.close(timeout=self._seconds)
        self._log.setLevel(self._level)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class _Alone:
    """A call that waits until no other runs in its process."""

    def __init__(self, call: Callable[..., Any], words: tuple[Any, ...]) -> None:
        self.call, self.words = call, words

    def __call__(self) -> Any:
        with _ALONE:
            return self.call(*self.words)


class _ClusterExecutor(Executor):
    """Futures that the engine waits for, each following one of Dask's.

    What a dead worker or scheduler took with it is `BrokenProcessPool`, as of local processes.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._remote: list[Any] = []

    def news(self) -> str:
        """See `Cluster.news`."""
        return self._cluster.news()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Have a worker call a function; positional arguments only."""
        if kwargs:
            raise TypeError("calls in a cluster have positional arguments only")
        local: Future[T] = Future()
        local.set_running_or_notify_cancel()
        remote = self._cluster.submit(_Alone(fn, args))
        self._remote.append(remote)
        remote.add_done_callback(lambda done: _follow(local, done))
        return local

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Forget what is not done if asked; the engine has waited for the rest."""
        pending = [future for future in self._remote if not future.done()]
        if pending and cancel_futures:
            self._cluster.cancel(pending)
        self._remote.clear()


def _follow(local: Future[Any], remote: Any) -> None:
    """Give a local future the outcome of Dask's."""
    if remote.status == "finished":
        try:
            local.set_result(remote.result())
        except Exception as error:  # its result died with the worker that held it
            local.set_exception(BrokenProcessPool(f"a result is lost: {error}"))
        return
    cause = remote.exception() if remote.status == "error" else None
    if cause is None or type(cause).__name__ == "KilledWorker":
        local.set_exception(BrokenProcessPool(str(cause or "the Dask scheduler is gone")))
    else:
        local.set_exception(cause)
