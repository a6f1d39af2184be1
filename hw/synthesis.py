"""Measured cost (floor 3): Verilog through Yosys to a count of cells, cached by content.

The flows are those of `hw.target`; how LUTs and sites are counted is told in `hw.area`. Every
figure is Yosys' (which never packs two functions into one LUT6_2, as a vendor's tool may).
"""

import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hw import yosys
from hw.area import Count, count_netlist
from hw.cache import Cache, content_key
from hw.foreign import reading
from hw.target import ASIC, Target, load

CMOS = "cmos"
"""Another name of the target that counts transistors of static CMOS gates; see `hw.asic`."""
CACHE_VERSION = "1"
MEMORY_BLOCKS = 'ram_style = "block"'
"""What a text says that asks for memory blocks; without it there are none."""
NAMED_BLOCKS = "SB_MAC16 #("
"""What a text says that names blocks of iCE40: where they are asked for, the pass ``ice40_dsp``
turns each that it finds, however it is set, into a product of 16 × 16 bits."""

_TRANSISTORS = {
    "$_NOT_": 2,
    "$_NAND_": 4,
    "$_NOR_": 4,
    "$_AOI3_": 6,
    "$_OAI3_": 6,
    "$_AOI4_": 8,
    "$_OAI4_": 8,
    "$_DFF_P_": 16,
}


@dataclass(frozen=True, slots=True)
class Measurement:
    """What a design costs after mapping.

    Parameters
    ----------
    lut, sites, ff, carry, carry_bits, dsp, bram, lutram, inv, mux
        Numbers of cells over the whole hierarchy, see `hw.area`; `carry` are carry cells,
        `carry_bits` the bits of them in use, `mux` MUXF or PFUMX and L6MUX21.
    transistors
        On target ``cmos`` only, where the others are 0.
    by_cell
        Number of each cell.
    by_module
        For each module whose hierarchy was kept: its ``instances`` and the counts of one of them.
    target, tool, flow
        Where, with what (``Yosys 0.70``), and by which commands.
    seconds
        Time the synthesis took, when it was run.

    """

    lut: int
    sites: int
    ff: int
    carry: int
    carry_bits: int
    dsp: int
    bram: int
    lutram: int
    inv: int
    mux: int
    transistors: int
    by_cell: Mapping[str, int]
    by_module: Mapping[str, Mapping[str, int]]
    target: str
    tool: str
    flow: str
    seconds: float

    def to_record(self) -> dict[str, Any]:
        """Return a JSON-able record with a key per field."""
        return asdict(self)

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "Measurement":
        """Return the measurement of a record; a wrong record raises `TypeError`."""
        return cls(**record)


@dataclass(frozen=True, slots=True)
class Job:
    """One synthesis: the arguments of `synthesize`."""

    verilog: str = field(repr=False)
    top: str
    target: str
    dsp: bool = False
    sources: tuple[Path, ...] = ()
    parameters: tuple[tuple[str, str], ...] = ()


def synthesize(
    verilog: str,
    top: str,
    target: str | Target,
    *,
    dsp: bool = False,
    sources: Sequence[Path | str] = (),
    parameters: Sequence[tuple[str, str]] = (),
    cache: bool = True,
    cancel: threading.Event | None = None,
) -> Measurement:
    """Map a design to a target and count it.

    Parameters
    ----------
    verilog
        Verilog text; may be empty when there are `sources`.
    top
        Name of the top module.
    target
        Name or record of a target of `hw.target`, or ``cmos``.
    dsp
        Whether DSP blocks may be used; LUTs only by default.
    sources
        SystemVerilog files, read through slang; those they include are looked for beside them.
    parameters
        Parameters of the top module in `sources`: (name, value).
    cache
        Whether to use and keep results; sources that include other files are never cached.
    cancel
        Event that gives the run up (`hw.yosys.Cancelled`).

    Raises
    ------
    ValueError
        When the target is unknown, Yosys refuses the design (`hw.yosys.YosysError`), or a cell is
        left that cannot be counted.
    hw.errors.MissingTool
        When pyosys is not installed.

    """
    name = target if isinstance(target, str) else target.name
    files = tuple(Path(file) for file in sources)
    return _synthesize(Job(verilog, top, name, dsp, files, tuple(parameters)), cache, cancel)


def synthesize_many(
    jobs: Iterable[Job],
    workers: int | None = None,
    progress: Callable[[int, int, Job], None] | None = None,
    *,
    cache: bool = True,
) -> list[Measurement]:
    """Run several syntheses side by side, equal ones once.

    Every finished result is in the cache, so that an interrupted call goes on where it was.

    Parameters
    ----------
    jobs
        What to do.
    workers
        How many Yosys processes at a time; the number of processors by default.
    progress
        Called after each job with the number done, the number of all, and the job.
    cache
        As for `synthesize`.

    Returns
    -------
    list of Measurement
        One per job, in the jobs' order.

    Raises
    ------
    Exception
        The first error of a job, or Ctrl-C; the runs under way are ended, none is left behind.

    """
    wanted = list(jobs)
    cancel = threading.Event()
    futures: dict[Job, Future[Measurement]] = {}
    with ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool:
        try:
            for job in wanted:
                if job not in futures:
                    futures[job] = pool.submit(_synthesize, job, cache, cancel)
            _wait(futures, progress)
        except BaseException:
            cancel.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [futures[job].result() for job in wanted]


def _wait(
    futures: Mapping[Job, Future[Measurement]], progress: Callable[[int, int, Job], None] | None
) -> None:
    """Wait for all, raising the first error as soon as it is there."""
    jobs = {future: job for job, future in futures.items()}
    pending = set(jobs)
    while pending:
        done, pending = wait(pending, return_when=FIRST_COMPLETED)
        for number, future in enumerate(done, start=len(jobs) - len(pending) - len(done) + 1):
            future.result()
            if progress is not None:
                progress(number, len(jobs), jobs[future])


def mapping_commands(job: Job) -> list[str]:
    """Return the Yosys commands that read a design as ``design.v`` and map it."""
    return [*_reading(job), *_flow(job)]


def _synthesize(job: Job, cache: bool, cancel: threading.Event | None) -> Measurement:
    """Return a job's measurement from the cache, or make it."""
    flow = _flow(job)
    tool = yosys.version()
    texts = [path.read_text(encoding="utf-8") for path in job.sources]
    store = Cache("synthesis") if cache and not any("`include" in text for text in texts) else None
    given = [f"{name}={value}" for name, value in job.parameters]
    key = content_key(CACHE_VERSION, tool, *flow, *given, _bare(job.verilog), *texts)
    if store is not None:
        found = store.get(key)
        if found is not None:
            return Measurement.from_record(found)
    measurement = _measure(job, texts, flow, tool, cancel)
    if store is not None:
        store.put(key, measurement.to_record())
    return measurement


def _measure(
    job: Job,
    texts: Sequence[str],
    flow: Sequence[str],
    tool: str,
    cancel: threading.Event | None,
) -> Measurement:
    """Run Yosys and count; `texts` are those of the job's sources."""
    started = time.perf_counter()
    script = [*_reading(job), *flow, "delete =A:blackbox =A:whitebox", "write_json netlist.json"]
    files = {f"source{number}.sv": text for number, text in enumerate(texts)}
    files |= {"design.v": job.verilog} if job.verilog else {}
    netlist = yosys.run(script, files, ["netlist.json"], cancel=cancel)["netlist.json"]
    modules = json.loads(netlist)["modules"]
    if job.top not in modules:
        raise ValueError(f"the top module must be in the design, not {job.top!r}")
    total, by_module = count_netlist(modules, job.top)
    return Measurement(
        **_numbers(total),
        transistors=_transistors(total) if job.target in (CMOS, ASIC) else _no_unmapped(total),
        by_cell=dict(total.by_cell),
        by_module={
            name: {"instances": times, **_numbers(count)}
            for name, (times, count) in by_module.items()
        },
        target=job.target,
        tool=tool,
        flow="; ".join(flow),
        seconds=round(time.perf_counter() - started, 3),
    )


def _bare(verilog: str) -> str:
    """Return the text without the comment lines at its head, where records stand."""
    return re.sub(r"\A(?:\s*//[^\n]*\n)+", "", verilog)


def _reading(job: Job) -> list[str]:
    """Return the commands that read the design."""
    commands = ["read_verilog design.v"] if job.verilog else []
    if job.sources:
        commands.append(reading(job.sources, job.top, job.parameters))
    return commands


def _flow(job: Job) -> list[str]:
    """Return the commands that map the design."""
    if job.target in (CMOS, ASIC):
        return [
            "proc",
            "setattr -unset init w:*",
            f"synth -flatten -top {job.top}",
            "dfflegalize -cell $_DFF_P_ x",
            "abc -g cmos4",
            "opt_clean",
        ]
    target = load(job.target)
    asks = job.dsp and NAMED_BLOCKS not in job.verilog
    switch = target.use_dsp if asks else target.no_dsp
    command = " ".join(word for word in (target.synthesis, switch) if word)
    blocks = MEMORY_BLOCKS in job.verilog
    if blocks:
        command = command.replace(" -nobram", "")
    if not command.startswith("synth_xilinx") or job.dsp or job.sources or blocks:
        return [f"{command} -top {job.top}"]
    return _short_xilinx(command, job.top)


def _short_xilinx(command: str, top: str) -> list[str]:
    """Return the same flow without reading what a LUT-only design without memories does not use.

    That is the library of rarer primitives and the rules for memories, which take four fifths of
    the time of a small design; the passes and their order are those of the whole command.
    """
    return [
        "read_verilog -lib -specify +/xilinx/cells_sim.v",
        f"hierarchy -check -top {top}",
        f"{command} -run prepare:map_memory",
        f"when_cells $mem_v2 {command} -run map_memory:map_ffram",
        f"{command} -run map_ffram:check",
    ]


def _numbers(count: Count) -> dict[str, int]:
    """Return the numbers of a count by name."""
    numbers = asdict(count)
    del numbers["by_cell"]
    return numbers


def _no_unmapped(count: Count) -> int:
    """Make sure that all was mapped; return 0, the number of transistors on an FPGA."""
    for cell in count.by_cell:
        if cell.startswith("$"):
            raise ValueError(f"every cell must be mapped to the target, but {cell} was left")
    return 0


def _transistors(count: Count) -> int:
    for cell in count.by_cell:
        if cell not in _TRANSISTORS:
            raise ValueError(f"the number of transistors must be known, but {cell} was left")
    return sum(_TRANSISTORS[cell] * number for cell, number in count.by_cell.items())
