"""Floor 2a: chains of pipeline registers that run on into a register of the design.

A cell of a weight-stationary array may register what comes as it is, with nothing but its enable
before it. Where registers in a row become shift registers (Xilinx), that one joins the chain.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from hw.pipeline.equal import Uses
from hw.pipeline.netlist import ENABLE, REGISTERS, Bit, Module
from hw.pipeline.placing import Placed


def tails(module: Module, placed: Placed, enabled: bool) -> Counter[int]:
    """Return how many chains end in a register of their module, by the length they have before it.

    Parameters
    ----------
    module, placed
        A module and its registers.
    enabled
        Whether these move only when the module's `ENABLE` says so.

    """
    readers = Counter(source for sources in placed.uses.values() for source in sources)
    found: Counter[int] = Counter()
    for bit, cycles in _loaded(module, placed.uses, enabled):
        taps = sorted(placed.delayed.get(bit, ()))
        if taps and taps[-1] == cycles and readers[bit, cycles] == 1:
            found[cycles - (taps[-2] if len(taps) > 1 else 0)] += 1
    return found


def _loaded(module: Module, uses: Uses, enabled: bool) -> Iterator[tuple[Bit, int]]:
    """Give what registers load as it is: the net, and by how many cycles it is delayed."""
    held = {
        d: q
        for cell in module.holding
        if cell.kind in REGISTERS and not {"SRST", "ARST"} & set(cell.ports)
        for d, q in zip(cell.ports["D"], cell.ports["Q"], strict=True)
    }
    if not enabled:
        for cell in module.holding:
            if cell.kind == "$dff":
                yield from uses.get((cell.name, "D"), ())
        return
    enable = module.ports.get(ENABLE)
    for cell in module.plain:
        if cell.kind == "$mux" and cell.ports["S"] == enable:
            sources = uses.get((cell.name, "B"), ())
            for own, source, loaded in zip(cell.ports["A"], sources, cell.ports["Y"], strict=False):
                if held.get(loaded) == own:
                    yield source
