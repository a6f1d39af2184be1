"""Floor 2b: golden arithmetic: the right bits, exactly. Integers decide; floats only carry them.

`GoldenCore` is the specification on Python ints; `run_steps` and its kin are the vectorised paths
proven equal to it; `cast`, `encode` and `decode` convert between values and codes,
`cast_blocks` and `quantize` to formats of blocks;
`matmul` gives the sums of whole matrices of values;
`requantise` takes sums to integers by dyadic ratios, and `lmul_codes` approximates products.
"""

from sim.golden.blocks import BlockTensor, cast_blocks, quantize
from sim.golden.convert import cast, decode, encode
from sim.golden.lmul import lmul_codes
from sim.golden.matrix import matmul
from sim.golden.mixtures import MixtureTensor
from sim.golden.operand import Operand
from sim.golden.outputs import Outputs
from sim.golden.requantise import Dyadic, requantise
from sim.golden.scalar import GoldenCore, Output, array_results
from sim.golden.tiles import run_tiles
from sim.golden.vector import run_dots, run_steps, run_stream

__all__ = [
    "BlockTensor",
    "Dyadic",
    "GoldenCore",
    "MixtureTensor",
    "Operand",
    "Output",
    "Outputs",
    "array_results",
    "cast",
    "cast_blocks",
    "decode",
    "encode",
    "lmul_codes",
    "matmul",
    "quantize",
    "requantise",
    "run_dots",
    "run_steps",
    "run_stream",
    "run_tiles",
]
