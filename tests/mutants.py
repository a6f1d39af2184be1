"""Wrong hardware, made from right hardware by one change in its Verilog."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from sim.harness import Case

Change = Callable[[str], str]


@dataclass(frozen=True)
class Mutant:
    name: str
    base: str
    pattern: str
    replacement: str

    def of(self, case: Case) -> Case:
        text, count = re.subn(self.pattern, self.replacement, case.verilog, flags=re.MULTILINE)
        if not count:
            raise LookupError(f"mutant {self.name}: nothing matches {self.pattern}")
        return replace(case, verilog=text)


BASES = {
    "mac": {"kind": "mac", "weight": "int4", "accumulator": "exact:16"},
    "saturate": {"kind": "mac", "weight": "int4", "accumulator": "saturate:9"},
    "special": {"kind": "mac", "weight": "e2m1", "accumulator": "exact:8"},
    "window": {"kind": "mac", "weight": "e3m1", "accumulator": "window:6:8"},
    "dot": {"kind": "dot", "weight": "int4", "activation": "uint3", "lanes": 4},
    "ternary": {
        "kind": "dot",
        "weight": "int4",
        "lanes": 3,
        "structure": "rows",
        "accumulator": "wrap:12",
    },
    "merged": {
        "kind": "dot",
        "weight": "e3m2fn",
        "lanes": 3,
        "structure": "merged",
        "accumulator": "wrap:20",
    },
    "merged window": {
        "kind": "dot",
        "weight": "e3m2fn",
        "lanes": 2,
        "structure": "merged",
        "accumulator": "window:8:8",
    },
    "array": {"kind": "array", "weight": "int4", "rows": 3, "columns": 2},
}

ADDER = r"^(  assign \{ _\d+_\[\d+\], exact \} =) (.*) \+ (\{.*\});"
LIMIT = r"^(  assign limited\[7:0\] = check_fits \? .* : \{ .*), _\d+_ \};"
"""The clamped sum: all ones below the sign, or all zeros."""

CORE_MUTANTS = (
    Mutant("dead output", "mac", r"^    total <= .*;", "    total <= 0;"),
    Mutant("stuck valid", "mac", r"^    total_valid <= .*;", "    total_valid <= 1;"),
    Mutant("valid without last", "mac", r"(= rst \? 1'h0 :) clear;", r"\1 valid;"),
    Mutant(
        "dropped carry",
        "mac",
        ADDER,
        r"\1 ((((\2) >> 8) + ((\3) >> 8)) << 8) | ({8'h0, \2} + \3 & 255);",
    ),
    Mutant("off-by-one shift", "mac", r"= (\$signed\(weight\) \* .*);", r"= (\1) << 1;"),
    Mutant("unsigned product", "mac", r"\$signed\(weight\) \* ", "weight * "),
    Mutant("sum goes on after last", "mac", r"assign clear = rst \| ends;", "assign clear = rst;"),
    Mutant("reset keeps the sum", "mac", r"assign clear = rst \| ends;", "assign clear = ends;"),
    Mutant("adds without valid", "mac", r"= valid \? exact : accumulator;", "= exact;"),
    Mutant("overflow not sticky", "mac", r"= overflow_register \| ", "= "),
    Mutant("overflow never", "mac", r"^    overflow <= .*;", "    overflow <= 0;"),
    Mutant("upper bound", "saturate", LIMIT, r"\1, 1'h0 };"),
    Mutant("lower bound", "saturate", LIMIT, r"\1, 1'h1 };"),
    Mutant(
        "swapped infinities",
        "special",
        r"\.neg_inf\(neg_inf\)([^;]*)\.pos_inf\(pos_inf\)",
        r".neg_inf(pos_inf)\1.pos_inf(neg_inf)",
    ),
    Mutant(
        "wrong tie",
        "window",
        r"(\{ moved_0\[9\], moved_0\[9\], moved_0\[9:2\] \})",
        r"(\1 + moved_0[1])",
    ),
    Mutant(
        "swapped flags",
        "special",
        r"\.nan\(nan\)([^;]*)\.overflow\(overflow\)",
        r".nan(overflow)\1.overflow(nan)",
    ),
    Mutant("lost majority", "ternary", r"64'h000069960000e8e8", "64'h0000699600008080"),
    Mutant("lost pending carry", "ternary", r"\.CYINIT\(carry\)", ".CYINIT(1'h0)"),
    Mutant("lost second carry", "ternary", r"bit0_o5, carry_1 \}", "bit0_o5, 1'h0 }"),
    Mutant("cut chain", "ternary", r"\.CI\(chain_0_carry\)", ".CI(1'h0)"),
    Mutant("wrong digit", "ternary", r"64'h0f33f0ff3355ccff", "64'h0f33f0ff3355ccfe"),
    Mutant("sign not added", "merged", r"\.CYINIT\(negate\)", ".CYINIT(1'h0)"),
    Mutant("wrong place", "merged", r"64'h6666996696966666", "64'h6666666696966666"),
    Mutant("wrong product", "merged", r"64'h67cc983367cc9898", "64'h67cc983367cc9890"),
    Mutant("wrong shift", "merged", r"64'h54ab54ab54ab5454", "64'h54ab54ab54ab5455"),
    Mutant("wrong maximum", "merged window", r"64'hff000f008a8a8a8a", "64'hff000f008a8a8a8b"),
    Mutant("wrong distance", "merged window", r"\.CYINIT\(f0_carry\)", ".CYINIT(1'h0)"),
    Mutant("first lane twice", "dot", r"\.weight\(weight\[7:4\]\)", ".weight(weight[3:0])"),
)

ARRAY_MUTANTS = (
    Mutant(
        "takes no operands", "array", r"assign operands_ready = .*;", "assign operands_ready = 0;"
    ),
    Mutant(
        "always takes operands",
        "array",
        r"assign operands_ready = .*;",
        "assign operands_ready = 1;",
    ),
    Mutant("does not wait", "array", r"= result_valid & result_ready;", "= result_valid;"),
    Mutant("stuck valid", "array", r"^    result_valid <= .*;", "    result_valid <= 1;"),
    Mutant("no result", "array", r"^    result_valid <= .*;", "    result_valid <= 0;"),
    Mutant("dead output", "array", r"^    total <= .*;", "    total <= 0;"),
    Mutant("wrong weight", "array", r"(array_w0_\w+ <=) weight\[3:0\];", r"\1 ~weight[3:0];"),
)
