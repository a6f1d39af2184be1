"""Floor 2a: the hardware generators: one Amaranth component per primitive of `hw.plan`."""

from hw.rtl.emit import Emitted, build, emit

__all__ = ["Emitted", "build", "emit"]
