"""Floor 4. Who evaluates: processes of this machine or a Dask cluster, for all commands."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sweeps.arguments import at_least


@dataclass(frozen=True, slots=True)
class Hands:
    """What `sweeps.engine.evaluate_all` works with.

    Parameters
    ----------
    workers
        Processes, or workers of the cluster; None leaves it to the work.
    executor
        Makes the cluster's executor; None for this machine.

    """

    workers: int | None = None
    executor: Callable[[], Executor] | None = None

    def options(self, usual: int | None = None) -> dict[str, Any]:
        """Return them as keywords, with a usual number of processes of this machine."""
        return {"workers": self.workers or usual, "executor": self.executor}


def add_executor(parser: argparse.ArgumentParser, usual: str = "all CPUs") -> None:
    """Add ``--workers`` and ``--dask``."""
    parser.add_argument("--workers", type=at_least(1), metavar="N", help=f"processes ({usual})")
    parser.add_argument(
        "--dask", metavar="ADDRESS", help="workers of a Dask cluster, such as tcp://10.0.0.1:8786"
    )


@contextmanager
def hands_of(arguments: argparse.Namespace) -> Iterator[Hands]:
    """Give what the arguments ask for, connected.

    Raises
    ------
    ValueError
        For both a number of processes and a cluster; and as `sweeps.cluster.Cluster`.
    OSError
        If no cluster answers.
    hw.errors.MissingTool
        If `distributed` is not installed.

    """
    if not arguments.dask:
        yield Hands(arguments.workers)
        return
    if arguments.workers:
        raise ValueError("--workers is for processes of this machine: leave it out with --dask")
    from sweeps.cluster import Cluster

    with Cluster(arguments.dask) as cluster:
        yield Hands(cluster.width, cluster.executor)
