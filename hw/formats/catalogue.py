"""Floor 0: the formats with a name of their own in the literature, and where each is defined."""

from __future__ import annotations

_OFP8 = "OCP 8-bit floating point specification (OFP8) v1.0"
_OCP_MX = "OCP microscaling formats (MX) v1.0"
_ML_DTYPES = "ml_dtypes (fnuz types of Noune et al., arXiv 2206.02915)"
_MINIFLOAT = "Aggarwal et al., arXiv 2311.12359: every code a number"
_APOT = "additive powers of two, arXiv 1909.13144"
_POSIT = "Standard for Posit Arithmetic (2022)"

CATALOGUE: dict[str, str] = {
    **{f"int{bits}": "two's complement" for bits in (2, 3, 4, 5, 6, 7, 8, 16)},
    **{f"uint{bits}": "unsigned binary" for bits in (1, 2, 3, 4, 5, 6, 7, 8, 16)},
    "fixed<8,4>": "ap_fixed, AMD Vitis HLS manual",
    "fixed<16,8>": "ap_fixed, AMD Vitis HLS manual",
    "ufixed<8,4>": "ap_fixed, AMD Vitis HLS manual",
    "e4m3fn": _OFP8,
    "e5m2": _OFP8,
    "e3m2fn": _OCP_MX,
    "e2m3fn": _OCP_MX,
    "e2m1fn": _OCP_MX,
    "e4m3fnuz": _ML_DTYPES,
    "e5m2fnuz": _ML_DTYPES,
    "e4m3b11fnuz": _ML_DTYPES,
    "e3m4": "ml_dtypes float8_e3m4: IEEE-style",
    "e4m3": "ml_dtypes float8_e4m3: IEEE-style",
    "e4m3finite": _MINIFLOAT,
    "e5m2finite": _MINIFLOAT,
    "e3m4finite": _MINIFLOAT,
    "e3m3finite": _MINIFLOAT,
    "e2m2finite": _MINIFLOAT,
    "e1m2finite": _MINIFLOAT,
    "e3m0finite": _MINIFLOAT,
    **{
        f"fp{bits}_{special}": "BitMoD, arXiv 2411.11745"
        for bits in (3, 4)
        for special in ("er_pos", "er_neg", "ea_pos", "ea_neg")
    },
    "nf4": "QLoRA, arXiv 2305.14314: quantiles of a normal distribution",
    "khot<8,4,2>": "QFX, arXiv 2401.17544: at most two ones",
    "csd<8,4,2>": "fixed point of at most two signed digits, Reitwiesner 1960",
    "apot<4>": _APOT,
    "apot<5>": _APOT,
    "uapot<4>": _APOT,
    "power<4,2>": "PowerQuant, arXiv 2301.09858: signed squares",
    "upower<8,2>": "PowerQuant, arXiv 2301.09858: squares",
    "floatsd8": "FloatSD, IEEE JETCAS 9(2), 2019",
    "posit<8,2>": _POSIT,
    "posit<16,2>": _POSIT,
    "posit<8,0>": "Gustafson and Yonemoto, 2017: es 0 for 8 bits",
    "lns<8,3>": "logarithmic, Coleman et al., IEEE TC 49(7), 2000",
    "lns<16,7>": "logarithmic, Coleman et al., IEEE TC 49(7), 2000",
    "fp16": "IEEE 754 binary16",
    "bfloat16": "Google Brain floating point: binary32 with 7 fraction bits",
    "tf32": "NVIDIA TensorFloat-32: 19 bits, in a 32-bit word",
    "fp32": "IEEE 754 binary32",
}
"""Name → source. Every name parses; sweeps may use any other name of the grammar."""
