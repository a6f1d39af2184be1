"""Floor 2b: golden arithmetic: the right bits, exactly. Integers decide; floats only carry them.

`GoldenCore` is the specification on Python ints; `run_stream`, `run_dots` and `run_tiles` are the
vectorised paths proven equal to it; `cast`, `encode` and `decode` convert; `matmul` multiplies.
"""

from sim.golden.convert import cast, decode, encode
from sim.golden.scalar import GoldenCore, Output, array_results

__all__ = ["GoldenCore", "Output", "array_results", "cast", "decode", "encode"]
