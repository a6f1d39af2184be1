"""Floor 2a: one module of an emitted design by itself, its control held still.

Published figures of arithmetic units know no valid, no clear and no reset. Held at ``valid = 1,
last = rst = 0``, an accumulator of ours is its adder and its register, and nothing else.
"""

from __future__ import annotations

import re

HELD = {"valid": "1'b1", "last": "1'b0", "rst": "1'b0"}
TOP = "alone"
_PORT = re.compile(r"^  (input|output)\s+(\[\d+:0\] )?(\w+);$", re.MULTILINE)


def alone(verilog: str, module: str) -> str:
    """Return Verilog whose top module `TOP` holds one module of a design and nothing else.

    The module is no longer kept apart from what is around it, so that held inputs go into it;
    the modules in it stay as they are.

    Parameters
    ----------
    verilog
        Text of `hw.rtl.emit`.
    module
        Name of a module in it.

    Raises
    ------
    ValueError
        If there is no such module.

    """
    found = re.search(rf"^module {module}\(.*?^endmodule", verilog, re.MULTILINE | re.DOTALL)
    if found is None:
        raise ValueError(f"the design has no module {module!r}")
    ports = _PORT.findall(found[0])
    free = [(side, size, name) for side, size, name in ports if name not in HELD]
    declared = "\n".join(f"  {side} {size}{name};" for side, size, name in free)
    pins = ", ".join(f".{name}({HELD.get(name, name)})" for _, _, name in ports)
    names = ", ".join(name for _, _, name in free)
    text = verilog.replace(f"(* keep_hierarchy *)\nmodule {module}(", f"module {module}(")
    return f"{text}\nmodule {TOP}({names});\n{declared}\n  {module} held ({pins});\nendmodule\n"
