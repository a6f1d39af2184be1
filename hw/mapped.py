"""Mapped netlists (floor 3): what Yosys leaves after mapping, flat, as JSON; cached by content.

`hw.synthesis` counts the same netlists; here they are kept whole, for simulating them.
"""

from __future__ import annotations

import json
from typing import Any

from hw import yosys
from hw.cache import Cache, content_key
from hw.synthesis import Job, mapping_commands

GATES = "gates"
"""Name of the target of plain two-input gates and flip-flops: no technology at all."""
CACHE_VERSION = "1"

_GATE_FLOW = (
    "setattr -mod -unset keep_hierarchy *",
    "synth -flatten -top {top}",
    "dfflegalize -cell $_DFF_P_ 0",
    "abc -g gates",
    "opt_clean",
)
_FLATTEN = (
    "delete =A:blackbox =A:whitebox",
    "setattr -mod -unset keep_hierarchy *",
    "setattr -unset keep_hierarchy */t:*",
    "flatten -noscopeinfo",
    "opt_clean -purge",
    "write_json netlist.json",
)


def mapped_netlist(verilog: str, top: str, target: str, *, dsp: bool = False) -> dict[str, Any]:
    """Return the flat netlist of a design after mapping, as Yosys' JSON of its top module.

    Parameters
    ----------
    verilog
        Verilog text.
    top
        Name of the top module.
    target
        Name of a target of `hw.target`, ``cmos`` of `hw.synthesis`, or ``gates``.
    dsp
        Whether DSP blocks may be used.

    Raises
    ------
    ValueError
        When the target is unknown or Yosys refuses the design (`hw.yosys.YosysError`).
    hw.errors.MissingTool
        When pyosys is not installed.

    """
    if target == GATES:
        script = ["read_verilog -nosynthesis design.v", *(c.format(top=top) for c in _GATE_FLOW)]
    else:
        script = mapping_commands(Job(verilog, top, target, dsp))
    script += _FLATTEN
    store = Cache("netlists")
    key = content_key(CACHE_VERSION, yosys.version(), *script, verilog.partition("module ")[2])
    found = store.get(key)
    if found is None:
        text = yosys.run(script, {"design.v": verilog}, ["netlist.json"])["netlist.json"]
        found = _bare(json.loads(text)["modules"][top])
        store.put(key, found)
    return found


def _bare(module: dict[str, Any]) -> dict[str, Any]:
    """Return a module without what nothing here reads: attributes and hidden names."""
    kept = ("type", "parameters", "port_directions", "connections")
    return {
        "ports": module["ports"],
        "cells": {
            name: {key: cell.get(key, {}) for key in kept} for name, cell in module["cells"].items()
        },
        "netnames": {name: {"bits": net["bits"]} for name, net in module["netnames"].items()},
    }
