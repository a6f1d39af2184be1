"""Floor 4. One design through all of macloom: emitted, written, simulated, estimated, measured.

The commands, the demo and the public API (`macloom.py`) call these; nothing here prints.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweeps.files import write_json, write_whole

if TYPE_CHECKING:
    from hw.design import Design
    from hw.rtl import Emitted
    from hw.target import Target

DEFAULT_TARGET = "xcup"


def settle(design: Design, target: str = DEFAULT_TARGET) -> tuple[Design, Target]:
    """Return a design with its structure settled, and the target's record.

    Raises
    ------
    ValueError
        If there is no such target, or no structure can build the design.

    """
    from hw import target as targets
    from sweeps.autotune import resolve

    technology = targets.load(target)
    return resolve(design, technology), technology


def emit(design: Design, target: str = DEFAULT_TARGET) -> Emitted:
    """Return the Verilog of a design; errors as for `settle` and `hw.rtl.emit`."""
    from hw import rtl

    return rtl.emit(*settle(design, target))


def write(emitted: Emitted, folder: Path, **findings: Any) -> list[Path]:
    """Write the Verilog and its sidecar; return their paths.

    Parameters
    ----------
    emitted
        What to write.
    folder
        Where to; it is made if it is not there.
    findings
        What else the sidecar says: `verdict`, `estimate`, `measured`.

    Raises
    ------
    OSError
        If a file cannot be written.

    """
    verilog, sidecar = (folder / f"{emitted.top}{suffix}" for suffix in (".v", ".json"))
    write_whole(verilog, emitted.verilog)
    write_json(sidecar, {**emitted.record, **findings})
    return [verilog, sidecar]
