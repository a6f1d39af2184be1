"""Floor 4. The whole job on real input: formats → Verilog → proof → accuracy and area → figure.

Each stage uses all processors by itself, so the stages run one after the other. Nothing depends on
an earlier run: caches only make a second run faster.
"""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hw.design import Design, from_record
from sweeps import workflow
from sweeps.demo_report import Outcome, Row
from sweeps.files import check_writable
from sweeps.progress import Progress, Stages

if TYPE_CHECKING:
    from hw.rtl import Emitted
    from hw.synthesis import Measurement
    from sim.runner import Verdict
    from sweeps.accuracy import Accuracy
    from sweeps.points import Point

TARGET = "xcup"
NETWORK, DATASET = "digits_cnn", "digits"
PAIRS = (
    ("int8", "int8"),
    ("int4", "int4"),
    ("fixed<8,4>", "fixed<8,4>"),
    ("e4m3fn", "e4m3fn"),
    ("e5m2", "e5m2"),
    ("e3m2fn", "e3m2fn"),
    ("e2m3fn", "e2m3fn"),
    ("e2m1fn", "e2m1fn"),
    ("int4", "int8"),
)
SIZES: tuple[dict[str, Any], ...] = (
    {"kind": "mac"},
    {"kind": "dot", "lanes": 16},
    {"kind": "array", "rows": 4, "columns": 4},
)
VECTORS = 10_000
SWEEP = "digits"


def run(folder: Path, simulator: str = "verilator") -> Outcome:
    """Run the demo into a folder.

    Parameters
    ----------
    folder
        Where Verilog, sidecars, CSV and figures go.
    simulator
        "verilator" or "icarus".

    Raises
    ------
    OSError
        If the folder cannot be written.
    hw.errors.MissingTool
        If a tool is missing.

    """
    from sim import toolchain

    check_writable(folder)  # before any work: say at once what is missing
    toolchain.simulator(simulator)
    toolchain.libpython()
    stages = Stages(5)
    with stages("Verilog"):
        emitted = _emit_all(designs())
        for item in emitted:
            workflow.write(item, folder)
    with stages(f"simulation against the golden model ({simulator})"):
        verdicts = _simulate(emitted, simulator)
    with stages(f"sweep of {SWEEP}"):
        _sweep(folder)
        accuracies = [_accuracy(item) for item in _dots(emitted)]
    with stages("synthesis (Yosys)"):
        measured = _synthesize(_dots(emitted))
        points = _sweep(folder, measure=True)
    with stages("table and figure"):
        rows = _rows(emitted, verdicts, accuracies, measured, folder)
        files = _write(folder, emitted, verdicts, measured, points)
    front = tuple(point for point in points if point.on_front)
    return Outcome(tuple(rows), front, len(points), dict(stages.seconds), folder, tuple(files))


def designs() -> list[Design]:
    """Return the designs of the demo, pair by pair in the order of `SIZES`.

    Accumulators hold the largest sum of the network.
    """
    from sweeps.models import load

    accumulator = f"exact:{load(NETWORK).largest_fan_in}"
    return [
        from_record({**size, "weight": w, "activation": a, "accumulator": accumulator})
        for w, a in PAIRS
        for size in SIZES
    ]


def _emit_all(wanted: Sequence[Design]) -> list[Emitted]:
    """Emit designs side by side: most of the time is spent in Yosys, a process of its own."""
    with Progress("emitted", len(wanted)) as progress, ThreadPoolExecutor(os.cpu_count()) as pool:
        emitted = []
        for item in pool.map(lambda design: workflow.emit(design, TARGET), wanted):
            emitted.append(item)
            progress.advance(note=item.top)
    return emitted


def _simulate(emitted: Sequence[Emitted], simulator: str) -> list[Verdict]:
    from sim import runner

    cases = [workflow.case_of(item) for item in emitted]
    # No total: building comes first and takes longest, so what is left cannot be told.
    with Progress(f"simulated, of {len(cases)}:") as progress:
        return runner.simulate(
            cases,
            simulator,
            vectors=VECTORS,
            progress=lambda done, total, note: progress(done, 0, note=note),
        )


def _sweep(folder: Path, measure: bool = False) -> list[Point]:
    """Run the shipped sweep; with `measure` synthesise its front (the rest is in the store)."""
    from dataclasses import replace

    from sweeps import runs
    from sweeps.locks import alone_in
    from sweeps.spec import SPECS, read_spec
    from sweeps.store import Store

    spec = replace(read_spec(SPECS / f"{SWEEP}.yaml"), measure_front=measure)
    with alone_in(folder), Store(folder / runs.STORE_NAME) as store:
        return runs.run(spec, store, reporter=_synthesis_only if measure else Progress)


def _synthesis_only(label: str) -> Progress:
    """Return a progress display that is silent for what is only looked up."""
    shown = label.startswith("synthesis")
    return Progress(label) if shown else Progress(label, stream=io.StringIO())


def _dots(emitted: Sequence[Emitted]) -> list[Emitted]:
    return [item for item in emitted if item.record["design"]["kind"] == "dot"]


def _accuracy(emitted: Emitted) -> Accuracy:
    from sweeps.accuracy import Case, evaluate_case

    design = from_record(emitted.record["design"])
    return evaluate_case(
        Case(
            design.weight.name,
            design.activation.name,
            design.accumulator.name,
            lanes=design.lanes,
            network=NETWORK,
            dataset=DATASET,
        )
    )


def _synthesize(emitted: Sequence[Emitted]) -> list[Measurement]:
    from hw.synthesis import Job, synthesize_many

    with Progress("dot products", len(emitted)) as progress:
        return synthesize_many(
            [Job(item.verilog, item.top, TARGET) for item in emitted],
            progress=lambda done, total, job: progress(done, total, note=job.top),
        )


def _rows(
    emitted: Sequence[Emitted],
    verdicts: Sequence[Verdict],
    accuracies: Sequence[Accuracy],
    measured: Sequence[Measurement],
    folder: Path,
) -> list[Row]:
    """Join what was found, pair by pair."""
    rows = []
    for number, (dot, accuracy, count) in enumerate(
        zip(_dots(emitted), accuracies, measured, strict=True)
    ):
        design = from_record(dot.record["design"])
        found = verdicts[number * len(SIZES) : (number + 1) * len(SIZES)]
        estimate = workflow.estimate(design, TARGET)["lut"]
        low, high = accuracy.interval
        rows.append(
            Row(
                weight=design.weight.name,
                activation=design.activation.name,
                vectors=sum(verdict.vectors for verdict in found),
                mismatches=sum(verdict.mismatches for verdict in found),
                lut_estimate=estimate,
                lut_measured=count.lut,
                error_percent=100 * (estimate - count.lut) / count.lut,
                accuracy_percent=100 * accuracy.accuracy,
                low_percent=100 * low,
                high_percent=100 * high,
                verilog=str(folder / f"{dot.top}.v"),
            )
        )
    return rows


def _write(
    folder: Path,
    emitted: Sequence[Emitted],
    verdicts: Sequence[Verdict],
    measured: Sequence[Measurement],
    points: Sequence[Point],
) -> list[Path]:
    """Write the sidecars with all findings, the points and the figure."""
    from sweeps import runs

    counted = dict(zip((item.top for item in _dots(emitted)), measured, strict=True))
    paths: list[Path] = []
    for item, verdict in zip(emitted, verdicts, strict=True):
        design = from_record(item.record["design"])
        estimate = workflow.estimate(design, TARGET)
        findings: dict[str, Any] = {
            "verdict": workflow.verdict_record(verdict),
            "estimate": {name: estimate[name] for name in workflow.COUNTS},
        }
        if item.top in counted:
            record = counted[item.top].to_record()
            findings["measured"] = {name: record[name] for name in (*workflow.COUNTS, "tool")}
        paths += workflow.write(item, folder, **findings)
    return [*paths, *runs.write_results(points, folder)]
