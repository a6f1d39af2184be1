"""Floor 0: the formats with a name of their own in the literature, and where each is defined."""

from __future__ import annotations

_OFP8 = "OCP 8-bit floating point specification (OFP8) v1.0"
_OCP_MX = "OCP microscaling formats (MX) v1.0"
_ML_DTYPES = "ml_dtypes (fnuz types of Noune et al., arXiv 2206.02915)"
_MINIFLOAT = "Aggarwal et al., arXiv 2311.12359: every code a number"
_APOT = "additive powers of two, arXiv 1909.13144"
_POSIT = "Standard for Posit Arithmetic (2022)"

_P3109 = "IEEE P3109 interim report 4.0 (unapproved draft)"
_SYMMETRIC = "two's complement without its most negative code, as symmetric quantisation uses it"
_BIPOLAR = "bipolar-INT, Ma et al., arXiv 2409.17870: odd integers"

CATALOGUE: dict[str, str] = {
    **{f"int{bits}": "two's complement" for bits in (2, 3, 4, 5, 6, 7, 8, 16)},
    **{f"uint{bits}": "unsigned binary" for bits in (1, 2, 3, 4, 5, 6, 7, 8, 16)},
    **{f"int{bits}s": _SYMMETRIC for bits in (3, 4, 6, 8, 16)},
    "ternary": "-1, 0, 1; TBT, arXiv 2306.01841",
    "binary": "-1 and +1, sign(0) = +1; TBT, arXiv 2306.01841",
    **{f"bipolar{bits}": _BIPOLAR for bits in (2, 3, 4, 8)},
    **{f"sm{bits}": "sign and magnitude, two zeros" for bits in (4, 8)},
    "fixed<8,2>": "MXINT8, OCP microscaling formats (MX) v1.0: i/64",
    "fixed<8,2>s": "MXINT8 without -2, which OCP MX v1.0 allows to leave unused",
    "e0m7finite": "MXINT8 in sign and magnitude, as the microxcaling library has it",
    "fixed<8,4>": "ap_fixed, AMD Vitis HLS manual",
    "fixed<16,8>": "ap_fixed, AMD Vitis HLS manual",
    "ufixed<8,4>": "ap_fixed, AMD Vitis HLS manual",
    "e4m3fn": _OFP8,
    "e5m2": _OFP8,
    "e3m2fn": _OCP_MX,
    "e2m3fn": _OCP_MX,
    "e2m1fn": _OCP_MX,
    "e8m0fnu": f"{_OCP_MX}: block scale E8M0",
    "ue4m3fn": "E4M3 without its sign: the block scales of NVFP4 (UE4M3 of NVIDIA PTX)",
    "ue5m3fn": "unsigned E5M3 block scales; bias and NaN read as in OFP8 E4M3",
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
    "e4m3b4finite": "HFP8 forward, 1-4-3 with bias 4, Sun et al., NeurIPS 2019; no code reserved",
    "radix4e3": "radix-4 FP4, 1-3-0, Sun et al., NeurIPS 2020",
    **{f"binary8p{precision}se": _P3109 for precision in range(1, 8)},
    **{f"binary8p{precision}ue": _P3109 for precision in (1, 2, 3, 4, 5)},
    **{f"binary8p{precision}uf": _P3109 for precision in (1, 2, 3, 4, 5)},
    **dict.fromkeys(("binary6p3se", "binary6p4se", "binary4p2se", "binary16p11se"), _P3109),
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
    "s2fp8<1,0>": "shifted and squeezed FP8, arXiv 2001.05674; here without either",
    "fp16": "IEEE 754 binary16",
    "bfloat16": "Google Brain floating point: binary32 with 7 fraction bits",
    "tf32": "NVIDIA TensorFloat-32: 19 bits, in a 32-bit word",
    "fp32": "IEEE 754 binary32",
    **dict.fromkeys(("mxfp8e4m3", "mxfp8e5m2", "mxfp6e3m2", "mxfp6e2m3", "mxfp4"), _OCP_MX),
    "mxint8": _OCP_MX,
    "nvfp4": "NVIDIA: E2M1 in blocks of 16, E4M3 scales, one binary32 number per tensor",
    "bfp<4,16>": "MSFP-12, Darvish Rouhani et al., NeurIPS 2020",
    "bfp<8,16>": "MSFP-16, Darvish Rouhani et al., NeurIPS 2020",
    "dfp16": "dynamic fixed point, Das et al., arXiv 1802.00930",
    "shift<4,4,64>": "ShiftQuant, Guo et al., arXiv 2411.10948",
    "vsq<4,4,16>": "VS-Quant, Dai et al., MLSys 2021",
    "bitmod3": "BitMoD, arXiv 2411.11745",
    "bitmod4": "BitMoD, arXiv 2411.11745",
}
"""Name → source. Every name parses; sweeps may use any other name of the grammar."""
