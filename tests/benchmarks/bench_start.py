"""How soon a command answers, against an interpreter that only imports NumPy."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial

from measure import Row, least_seconds


def _call(*words: str) -> Callable[[], object]:
    return partial(subprocess.run, [sys.executable, *words], check=True, stdout=subprocess.DEVNULL)


def rows() -> Iterator[Row]:
    """Seconds of whole processes, the least of seven, taking turns."""
    for what, words in {
        "macloom formats": ("formats",),
        "macloom estimate mac --weight int8": ("estimate", "mac", "--weight", "int8"),
    }.items():
        ours, peer = least_seconds(_call("-m", "sweeps.cli", *words), _call("-c", "import numpy"))
        yield Row(what, ours, "s", peer, "python -c 'import numpy'")
