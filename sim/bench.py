"""Floor 3: the cocotb bench: clocks a design between a driver, a monitor and a scoreboard.

cocotb loads this module in the simulator. It finds its cases in the folder named by the environment
variable ``MACLOOM_BENCH`` (written by `sim.runner`) and leaves one JSON result per case there. The
expected words come from `sim.expected`; nothing here knows any arithmetic.

One turn per clock cycle: the driver gives the word of the next rising edge, and after that edge the
monitor gets the word together with what the outputs showed just before the edge.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import Timer

from sim.drivers import ArrayDriver, ArraySegment, CoreDriver, Driver
from sim.monitors import ArrayMonitor, CoreMonitor, Monitor
from sim.ports import bit_strings, text_bits
from sim.scoreboard import Scoreboard, port_values
from sim.stationary_bench import StationaryDriver, StationaryMonitor, StationarySegment

FOLDER = "MACLOOM_BENCH"
PERIOD_NS = 4
AFTER_EDGE_NS = 3
PATIENCE_CYCLES = 64
"""An array that stands still for this many cycles per row and column is given up."""


async def play(dut: Any, index: int, driver: Driver, monitor: Monitor) -> int:
    """Clock one design until its driver ends; return the number of cycles."""
    stimulus, output = getattr(dut, f"d{index}_stimulus"), getattr(dut, f"d{index}_response")
    clock = Clock(getattr(dut, f"d{index}_clk"), PERIOD_NS, "ns")
    clock.start(start_high=False)
    await Timer(AFTER_EDGE_NS, "ns")
    tick = Timer(PERIOD_NS, "ns")
    response = str(output.value)
    cycles = 0
    while (word := driver.word(response)) is not None:
        stimulus.value = word
        await tick
        response = str(output.value)
        monitor.sample(word, response)
        cycles += 1
    clock.stop()
    return cycles


def _cases() -> list[dict[str, Any]]:
    folder = os.environ.get(FOLDER)
    if folder is None:
        return []
    found: list[dict[str, Any]] = json.loads((Path(folder) / "cases.json").read_text())
    return found


CASES = _cases()


@cocotb.test()  # type: ignore[untyped-decorator]  # cocotb is skipped by mypy
@cocotb.parametrize(index=range(len(CASES)))  # type: ignore[untyped-decorator]
async def check(dut: Any, index: int) -> None:
    """Run one design, write its result, and fail the test if anything differs."""
    case, start = CASES[index], time.perf_counter()
    board = Scoreboard([(name, width) for name, width in case["fields"]])
    folder = Path(os.environ[FOLDER])
    with np.load(folder / f"case{index}.npz") as data:
        checks = {"array": _check_array, "stationary": _check_stationary}
        run = checks.get(case["kind"], _check_core)
        vectors, cycles = await run(dut, index, case, dict(data), board)
    result = {
        "name": case["name"],
        "vectors": vectors,
        "mismatches": board.mismatches,
        "first": board.first,
        "cycles": cycles,
        "seconds": time.perf_counter() - start,
    }
    partial = folder / f"result{index}.json.part"
    partial.write_text(json.dumps(result))
    partial.replace(folder / f"result{index}.json")
    if board.mismatches or not vectors:
        raise AssertionError(f"{case['name']}: {board.mismatches} mismatches in {vectors} vectors")


async def _check_core(
    dut: Any, index: int, case: dict[str, Any], data: dict[str, Any], board: Scoreboard
) -> tuple[int, int]:
    words, expected, latency = data["words"], data["expected"], case["latency_cycles"]
    monitor = CoreMonitor()
    cycles = await play(dut, index, CoreDriver(words, latency), monitor)
    seen = text_bits(monitor.responses, expected.shape[1])[latency:]
    if "care" in data:
        expected, seen = expected * data["care"], seen * data["care"]
    inputs = [(name, width) for name, width in case["inputs"]]
    board.compare(expected, seen, "cycle", lambda row: port_values(inputs, words[row]))
    return case["vectors"], cycles


async def _check_array(
    dut: Any, index: int, case: dict[str, Any], data: dict[str, Any], board: Scoreboard
) -> tuple[int, int]:
    segments = []
    linger = 2 * (case["rows"] + case["columns"]) + 4
    for i in range(case["segments"]):
        words, gaps, ready, due = (data[f"{key}{i}"] for key in ("words", "gap", "ready", "result"))
        texts = bit_strings(words)
        segments.append(ArraySegment(texts, gaps.tolist(), ready.tolist(), len(due), linger))
    monitor = ArrayMonitor(case["latency_cycles"], case["rows"])
    patience = PATIENCE_CYCLES * (case["rows"] + case["columns"])
    cycles = await play(dut, index, ArrayDriver(segments, patience), monitor)
    return _judge(case, data, board, monitor), cycles


async def _check_stationary(
    dut: Any, index: int, case: dict[str, Any], data: dict[str, Any], board: Scoreboard
) -> tuple[int, int]:
    segments = []
    patience = PATIENCE_CYCLES * (case["rows"] + case["columns"])
    for i in range(case["segments"]):
        keys = ("weight_gap", "gap", "ready", "result")
        weight_gaps, gaps, ready, due = (data[f"{key}{i}"].tolist() for key in keys)
        texts = [bit_strings(data[f"{key}{i}"]) for key in ("weights", "words")]
        linger = 2 * case["latency_cycles"] + 4
        segments.append(
            StationarySegment(texts[0], texts[1], weight_gaps, gaps, ready, len(due), linger)
        )
    monitor = StationaryMonitor(case["latency_cycles"], case["rows"])
    cycles = await play(dut, index, StationaryDriver(segments, patience), monitor)
    return _judge(case, data, board, monitor), cycles


def _judge(
    case: dict[str, Any],
    data: dict[str, Any],
    board: Scoreboard,
    monitor: ArrayMonitor | StationaryMonitor,
) -> int:
    """Compare what each segment delivered; return the number of result words."""
    vectors = 0
    width = sum(width for _, width in case["fields"])
    for i, seen in enumerate(monitor.segments):
        compared = text_bits(seen, width)
        board.compare(data[f"result{i}"], compared, f"segment {i} result")
        vectors += min(len(compared), len(data[f"result{i}"])) * case["columns"]
    for fault in monitor.faults:
        board.fault(fault)
    return vectors
