"""Floor 3: runs designs in a simulator against the golden model and gives one verdict each.

All designs go into a few simulators (one per processor), built and run side by side. "No failure"
is never trusted: a verdict comes from the result the bench wrote, its counts and the simulator's
own test report must agree, and a run without vectors is an error.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from hw.design import OutputStationaryArray, SerialDesign, WeightStationaryArray
from sim import cycles, simulators, stationary, toolchain
from sim.expected import Model, array_response, array_words, core_response, core_words
from sim.golden.vector import run_steps
from sim.harness import Case, harness, read_case
from sim.ports import Layout, input_layout, output_layout
from sim.process import Children, ToolFailed, work_folder
from sim.vectors import DEFAULT_VECTORS, array_stimulus, core_stimulus
from sim.verdict import Mismatch, Verdict

__all__ = ["Case", "Mismatch", "Verdict", "read_case", "simulate"]

Progress = Callable[[int, int, str], None]
"""Called with designs done, designs in all, and what is going on."""


def simulate(
    cases: Sequence[Case],
    simulator: str = "verilator",
    *,
    folder: Path | None = None,
    vectors: int = DEFAULT_VECTORS,
    seed: int = 1,
    jobs: int | None = None,
    model: Model = run_steps,
    progress: Progress | None = None,
) -> list[Verdict]:
    """Simulate designs against the golden model; one verdict per case, in their order.

    Parameters
    ----------
    cases
        Designs with their Verilog.
    simulator
        "verilator" or "icarus".
    folder
        Where to build; kept. Without one a temporary folder is used, and kept only if a tool fails.
    vectors
        Vectors per design; a MAC gets every pair of codes if both have at most 16 bits together.
    seed
        Of the random vectors.
    jobs
        Simulators side by side; by default one per processor.
    model
        Golden arithmetic.
    progress
        Told about every design that is done.

    Raises
    ------
    ValueError
        For an unknown simulator, no cases, no vectors, or (as `ToolFailed`) a failing tool.
    hw.errors.MissingTool
        If the simulator, the C++ compiler or libpython is missing.

    """
    if not cases or vectors < 1:
        raise ValueError("a simulation needs at least one design and one vector")
    toolchain.simulator(simulator)
    toolchain.libpython()
    shards = _shards(cases, jobs or os.cpu_count() or 1)
    told = _Told(len(cases), progress)
    with (
        work_folder(folder, "macloom-sim-") as base,
        ThreadPoolExecutor(len(shards)) as pool,
        Children() as children,
    ):
        runs = [
            _Shard(simulator, [cases[i] for i in shard], base / f"shard{n}", vectors, seed, told)
            for n, shard in enumerate(shards)
        ]
        futures = [pool.submit(run.verdicts, children, model) for run in runs]
        found: dict[int, Verdict] = {}
        for shard, future in zip(shards, futures, strict=True):
            found.update(zip(shard, future.result(), strict=True))
    return [found[i] for i in range(len(cases))]


def _shards(cases: Sequence[Case], count: int) -> list[list[int]]:
    """Spread cases over simulators so that each has about as much to do."""
    shards: list[list[int]] = [[] for _ in range(min(count, len(cases)))]
    loads = [0] * len(shards)
    for i in sorted(range(len(cases)), key=lambda i: -len(cases[i].verilog)):
        lightest = loads.index(min(loads))
        shards[lightest].append(i)
        loads[lightest] += len(cases[i].verilog)
    return shards


class _Told:
    """Counts finished designs over all shards and tells about them."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self._total = total
        self._progress = progress
        self._done: set[Path] = set()

    def about(self, bench: Path, cases: Sequence[Case]) -> None:
        """Tell about results that have appeared since the last call."""
        for i, case in enumerate(cases):
            path = bench / f"result{i}.json"
            if path not in self._done and path.is_file():
                self._done.add(path)
                self.say(f"simulated {case.name}")

    def say(self, what: str) -> None:
        """Tell what is going on."""
        if self._progress is not None:
            self._progress(len(self._done), self._total, what)


@dataclass(frozen=True, slots=True)
class _Shard:
    """Designs that share one simulator."""

    simulator: str
    cases: list[Case]
    folder: Path
    vectors: int
    seed: int
    told: _Told

    def verdicts(self, children: Children, model: Model) -> list[Verdict]:
        """Build, run and judge."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for stale in (*self.folder.glob("result*.json"), *self.folder.glob("results.xml")):
            stale.unlink()
        self.told.say(f"building {self.simulator} with {len(self.cases)} designs")
        sources = tuple(dict.fromkeys(path for case in self.cases for path in case.sources))
        program = harness(self.cases)
        command = simulators.build(self.simulator, program, self.folder, children, sources)
        manifest = [self._prepare(i, case, model) for i, case in enumerate(self.cases)]
        (self.folder / "cases.json").write_text(json.dumps(manifest))
        log = self.folder / "simulation.log"
        children.run(
            "the simulation",
            command,
            self.folder,
            log,
            simulators.environment(self.folder),
            lambda: self.told.about(self.folder, self.cases),
        )
        self.told.about(self.folder, self.cases)
        return self._judge(manifest, log)

    def _prepare(self, index: int, case: Case, model: Model) -> dict[str, Any]:
        """Write what one design is driven with and must answer; return its manifest entry."""
        design = case.design
        entry: dict[str, Any] = {
            "name": case.name,
            "kind": design.kind,
            "latency_cycles": case.latency_cycles,
            "exhaustive": False,
        }
        fields = [(field.name, field.width) for field in output_layout(design).fields]
        if isinstance(design, OutputStationaryArray):
            arrays, segments = self._prepare_array(case, design, model)
            entry |= {"segments": segments, "rows": design.rows, "columns": design.columns}
            entry["fields"] = fields[2:]
        elif isinstance(design, WeightStationaryArray):
            arrays, told = stationary.prepared(design, self.vectors, self.seed, model)
            entry |= told | {"fields": fields[3:]}
        else:
            if isinstance(design, SerialDesign):
                arrays, entry["vectors"], entry["exhaustive"] = self._prepare_cycles(design)
                entry["latency_cycles"] = cycles.VISIBLE_AFTER
            else:
                arrays, entry["vectors"], entry["exhaustive"] = self._prepare_core(case, model)
            entry["fields"] = fields
            entry["inputs"] = [(field.name, field.width) for field in input_layout(design).fields]
        np.savez(self.folder / f"case{index}.npz", **arrays)
        return entry

    def _prepare_cycles(self, design: SerialDesign) -> tuple[dict[str, Any], int, bool]:
        run = cycles.stimulus(design, self.vectors, self.seed)
        arrays = {"words": run.words, "expected": run.expected}
        if run.care is not None:
            arrays["care"] = run.care
        return arrays, run.vectors, run.exhaustive

    def _prepare_core(self, case: Case, model: Model) -> tuple[dict[str, Any], int, bool]:
        design = case.design
        stimulus = core_stimulus(design, self.vectors, self.seed)
        if case.sums_alone:
            stimulus.steps.last[:] = True
        if not case.resets:
            stimulus = replace(stimulus, reset=stimulus.reset[:1])
        words = core_words(design, stimulus, self.seed)
        expected = core_response(design, stimulus, model)
        for name in case.unchecked:
            expected[:, output_layout(design).column(name)] = 0
        return {"words": words, "expected": expected}, len(stimulus.steps), stimulus.exhaustive

    def _prepare_array(
        self, case: Case, design: OutputStationaryArray, model: Model
    ) -> tuple[dict[str, Any], int]:
        segments = array_stimulus(design, self.vectors, self.seed)
        arrays: dict[str, Any] = {}
        results = Layout(output_layout(design).fields[2:])
        for i, response in enumerate(array_response(design, segments, model)):
            arrays[f"words{i}"] = array_words(design, segments[i].steps)
            arrays[f"gap{i}"], arrays[f"ready{i}"] = segments[i].gap, segments[i].ready
            for name in case.unchecked:
                response[:, results.column(name)] = 0
            arrays[f"result{i}"] = response
        return arrays, len(segments)

    def _judge(self, manifest: list[dict[str, Any]], log: Path) -> list[Verdict]:
        """Read the results; they must be complete and agree with the simulator's test report."""
        version = toolchain.simulator(self.simulator).version
        verdicts = []
        for i, entry in enumerate(manifest):
            path = self.folder / f"result{i}.json"
            if not path.is_file():
                raise ToolFailed(f"the simulation left no result of {entry['name']} (log: {log})")
            result = json.loads(path.read_text())
            first = Mismatch(**result["first"]) if result["first"] else None
            verdict = Verdict(
                entry["name"],
                result["vectors"],
                result["mismatches"],
                entry["exhaustive"],
                result["cycles"],
                result["seconds"],
                version,
                first,
            )
            if not verdict.vectors and not verdict.mismatches:
                raise ToolFailed(
                    f"the simulation of {verdict.design} compared nothing (log: {log})"
                )
            verdicts.append(verdict)
        self._cross_check(verdicts, log)
        return verdicts

    def _cross_check(self, verdicts: list[Verdict], log: Path) -> None:
        from xml.etree.ElementTree import ParseError

        from cocotb_tools.check_results import get_results

        try:
            tests, failed = get_results(self.folder / "results.xml")
        except (RuntimeError, ParseError):
            raise ToolFailed(f"the simulator left no test report (log: {log})") from None
        wrong = sum(not verdict.passed for verdict in verdicts)
        if (tests, failed) != (len(verdicts), wrong):
            raise ToolFailed(
                f"the simulator reports {failed} of {tests} tests failed, the bench {wrong} of "
                f"{len(verdicts)} (log: {log})"
            )
