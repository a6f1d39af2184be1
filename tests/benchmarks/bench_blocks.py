"""MX blocks of 32, float32 values to values, against microxcaling with round-to-even; one thread.

microxcaling is not on PyPI and wants PyTorch. It is measured in the same run, turn by turn, where
``import mx`` works here, or in the Python named by MICROXCALING_PYTHON: an environment with
``pip install torch torchvision packaging`` and github.com/microsoft/microxcaling on its path.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np
from measure import Row, median_seconds

from hw.formats import parse
from sim.golden import cast_blocks, quantize

COUNT = 10_000_000
RUNS = 5
PEERS = {
    "mxfp8e4m3": "fp8_e4m3",
    "mxfp8e5m2": "fp8_e5m2",
    "mxfp6e2m3": "fp6_e2m3",
    "mxfp6e3m2": "fp6_e3m2",
    "mxfp4": "fp4_e2m1",
    "mxint8": "int8",
}
OURS_ALONE = ("nvfp4", "bfp<4,16>", "mxfp4<mse>", "dfp16")
SEARCHED = 500_000
"""Values for the formats that try every scale."""
SERVER = f"""
import sys, time
import numpy as np, torch
from mx.mx_ops import quantize_mx_op
from mx.specs import finalize_mx_specs
torch.set_num_threads(1)
specs = finalize_mx_specs({{"scale_bits": 8, "w_elem_format": "fp8_e4m3",
                           "a_elem_format": "fp8_e4m3", "block_size": 32, "custom_cuda": False}})
drawn = np.random.default_rng(1).standard_normal({COUNT}, dtype=np.float32)
values = torch.from_numpy(drawn.reshape(-1, 32))
print("ready", flush=True)
for line in sys.stdin:
    start = time.perf_counter()
    quantize_mx_op(values, specs, elem_format=line.strip(), block_size=32, axes=[-1], round="even")
    print(time.perf_counter() - start, flush=True)
"""


class Peer:
    """microxcaling in a process of its own, or nothing."""

    def __init__(self) -> None:
        python = os.environ.get("MICROXCALING_PYTHON", sys.executable)
        self.process = subprocess.Popen(
            [python, "-c", SERVER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.there = self._answer() == "ready"

    def seconds(self, element: str) -> float:
        """Return the time of one call."""
        assert self.process.stdin is not None
        self.process.stdin.write(element + "\n")
        self.process.stdin.flush()
        return float(self._answer())

    def _answer(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def close(self) -> None:
        """End the process."""
        self.process.communicate()


def rows() -> Iterator[Row]:
    """Millions of values per second, best of some runs; the peer's runs stand between ours."""
    values = np.random.default_rng(1).standard_normal(COUNT, dtype=np.float32)
    peer = Peer()
    try:
        for name, element in PEERS.items():
            format = parse(name)
            yield _row(
                name,
                lambda format=format: cast_blocks(values, format),
                (lambda element=element: peer.seconds(element)) if peer.there else None,
            )
    finally:
        peer.close()
    for name in OURS_ALONE:
        format = parse(name)
        some = values[:SEARCHED] if "mse" in name else values
        best = min(_seconds(lambda f=format, v=some: cast_blocks(v, f)) for _ in range(3))
        yield Row(f"{name} values", some.size / best / 1e6, "M/s")
    weights = values[: 4096 * 2048].reshape(2048, 4096)
    for name in ("mxfp4", "bitmod3", "bitmod4"):
        format = parse(name)
        spent = median_seconds(lambda f=format: quantize(weights, f), runs=1)
        yield Row(f"{name} codes", weights.size / spent / 1e6, "M/s")
    yield from _whole_layers()


def _whole_layers() -> Iterator[Row]:
    """Seconds for a matrix of 4096 × 4096: of normal weights, and of few values, so many ties."""
    rng = np.random.default_rng(2)
    normal = (0.02 * rng.standard_normal((4096, 4096))).astype(np.float32)
    few = (rng.integers(-8, 9, (4096, 4096)) / 64).astype(np.float16)
    matrices = {"float32": normal, "fp16": normal.astype(np.float16), "17 values of fp16": few}
    for bits in (3, 4):
        format = parse(f"bitmod{bits}")
        for what, matrix in matrices.items():
            best = min(_seconds(lambda f=format, m=matrix: quantize(m, f)) for _ in range(2))
            yield Row(f"{format} of 4096 × 4096, {what}", best, "s")


def _row(name: str, ours: Callable[[], object], peer: Callable[[], float] | None) -> Row:
    ours()
    mine, other = [], []
    for _ in range(RUNS):
        mine.append(_seconds(ours))
        if peer is not None:
            other.append(peer())
    figure = COUNT / min(mine) / 1e6
    if peer is None:
        missing = "microxcaling not installed: see bench_blocks.py"
        return Row(f"{name} values", figure, "M/s", None, missing)
    return Row(
        f"{name} values", figure, "M/s", COUNT / min(other) / 1e6, "microxcaling, round even"
    )


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
