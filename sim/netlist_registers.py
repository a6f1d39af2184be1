"""Floor 3: flip-flops of mapped netlists (sources as in `sim.netlist_cells`).

Each function takes the type of a cell, its name, pins and parameters.
"""

from __future__ import annotations

from collections.abc import Iterator

from sim.netlist_parts import Gate, Kind, Net, Parameters, Part, Pins, Register, bits_of, word_of


def xilinx_register(kind: str, name: str, pins: Pins, given: Parameters) -> Iterator[Part]:
    """Return FDRE, FDSE, FDCE and FDPE, and those on the falling edge, which are refused."""
    _no_falling_edge(name, kind.endswith("_1") or bits_of(given, "IS_C_INVERTED"))
    base = kind.removesuffix("_1")
    port = {"FDRE": "R", "FDSE": "S", "FDCE": "CLR", "FDPE": "PRE"}[base]
    data = pins["D"][0]
    if bits_of(given, "IS_D_INVERTED"):
        yield Gate(f"{name}/data", (data,), 0b01, Kind.LOGIC)
        data = f"{name}/data"
    yield Register(
        pins["Q"][0],
        data,
        pins["C"][0],
        bits_of(given, "INIT", int(base in ("FDSE", "FDPE"))),
        (pins["CE"][0], 1),
        (pins[port][0], 1 - bits_of(given, f"IS_{port}_INVERTED")),
        int(base in ("FDSE", "FDPE")),
        asynchronous=base in ("FDCE", "FDPE"),
    )


def trellis_register(kind: str, name: str, pins: Pins, given: Parameters) -> Iterator[Part]:
    """Return TRELLIS_FF."""
    _no_falling_edge(name, word_of(given, "CLKMUX", "CLK") == "INV")
    if word_of(given, "LSRMODE", "LSR") == "PRLD":
        raise ValueError(f"register {name} must not load from M (LSRMODE PRLD)")
    mode = word_of(given, "CEMUX", "1")
    enables: dict[str, tuple[Net, int] | None] = {"1": None, "0": ("0", 1)}
    if mode not in enables:
        enables[mode] = (pins["CE"][0], 0 if mode == "INV" else 1)
    value = int(word_of(given, "REGSET", "RESET") == "SET")
    reset = None
    if pins.get("LSR"):
        reset = (pins["LSR"][0], 0 if word_of(given, "LSRMUX", "LSR") == "INV" else 1)
    yield Register(
        pins["Q"][0],
        pins["DI"][0],
        pins["CLK"][0],
        value,
        enables[mode],
        reset,
        value,
        asynchronous=word_of(given, "SRMODE", "LSR_OVER_CE") == "ASYNC",
    )


def ice_register(kind: str, name: str, pins: Pins, given: Parameters) -> Iterator[Part]:
    """Return SB_DFF and its kin."""
    rest = kind.removeprefix("SB_DFF")
    _no_falling_edge(name, rest.startswith("N"))
    rest = rest.removeprefix("N")
    enabled = rest.startswith("E")
    mode = rest.removeprefix("E")  # "", R, S: at once; SR, SS: at the edge
    port = mode[-1:]
    yield Register(
        pins["Q"][0],
        pins["D"][0],
        pins["C"][0],
        0,
        (pins["E"][0], 1) if enabled else None,
        (pins[port][0], 1) if port else None,
        int(port == "S"),
        reset_needs_enable=len(mode) == 2,
        asynchronous=len(mode) == 1,
    )


def gowin_register(kind: str, name: str, pins: Pins, given: Parameters) -> Iterator[Part]:
    """Return DFF and its kin."""
    rest = kind.removeprefix("DFF")
    _no_falling_edge(name, rest.startswith("N"))
    mode = rest.removeprefix("N").removesuffix("E")
    port = {"": "", "S": "SET", "R": "RESET", "P": "PRESET", "C": "CLEAR"}[mode]
    value = int(mode in ("S", "P"))
    yield Register(
        pins["Q"][0],
        pins["D"][0],
        pins["CLK"][0],
        bits_of(given, "INIT", value),
        (pins["CE"][0], 1) if rest.endswith("E") else None,
        (pins[port][0], 1) if port else None,
        value,
        asynchronous=mode in ("P", "C"),
    )


def plain_register(kind: str, name: str, pins: Pins, given: Parameters) -> Iterator[Part]:
    """Return a flip-flop of Yosys without anything else."""
    yield Register(pins["Q"][0], pins["D"][0], pins["C"][0])


def _no_falling_edge(name: str, falling: object) -> None:
    if falling:
        raise ValueError(f"registers take data on the rising edge, {name} on the falling one")
