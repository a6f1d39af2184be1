"""Floor 4: the structure and the stages of a design of which a clock, or stages, are asked.

Without a clock the cheapest structure is best (`sweeps.autotune`). With one, what is cheap may have
long paths that take many registers, or one that is never cut. So registers are placed in every
structure (`hw.pipeline`), in merged ones with chains of several lengths (`Design.chain`), and their
costs are compared with what these registers take.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from hw.design import Design, SerialDesign, chain_lengths
from hw.pipeline import Unreachable
from sweeps.autotune import UNASKED, worth_planning
from sweeps.choice import Candidate

if TYPE_CHECKING:
    from hw.target import Target

SHORTEST, LONGEST = 2, 16
"""Rows of the chains that are tried beside the plan's own."""
MOST_RATIO = 2
"""Structures of so many times the least places are not tried for stages without a clock."""


@dataclass(frozen=True, slots=True)
class Clocked:
    """A design with its structure and stages, and why.

    Parameters
    ----------
    design
        What was chosen.
    objective
        What was asked, such as ``200 MHz`` or ``3 stages``.
    reason
        Why, in a sentence.
    candidates
        Those in which registers were placed, the chosen one first.
    left_out
        Why others were not chosen, by name.

    """

    design: Design
    objective: str
    reason: str
    candidates: tuple[Candidate, ...]
    left_out: dict[str, str] = field(default_factory=dict)

    def to_record(self) -> dict[str, Any]:
        """Return what a sidecar says of the choice."""
        found: dict[str, Any] = {
            "objective": self.objective,
            "reason": self.reason,
            "candidates": [asdict(candidate) for candidate in self.candidates],
        }
        return found | ({"left_out": self.left_out} if self.left_out else {})


@dataclass(frozen=True, slots=True)
class _Placed:
    """A structure with its registers."""

    name: str
    design: Design
    places: int
    counts: Candidate


def for_clock(design: Design, target: Target, target_mhz: float) -> Clocked:
    """Return a design with the structure that is cheapest at a clock, and its stages.

    Cost is the places for LUTs that the design takes: its sites, or its flip-flops where these need
    more (two stand beside a LUT of six inputs, one beside a smaller one).

    Raises
    ------
    ValueError
        If delays of the target are not known, or no structure reaches the clock; the message tells
        the nearest that one does.
    hw.errors.MissingTool
        If Yosys (pyosys) is missing.

    """
    if not 0 < target_mhz < math.inf:
        raise ValueError(f"a clock in MHz is positive, not {target_mhz:g}")
    if isinstance(design, SerialDesign) and not design.staged:
        raise ValueError(
            f"{design.kind} takes no pipeline stages, its registers stand where its cycles are: "
            f"leave out --target-mhz"
        )
    left_out: dict[str, str] = {}
    unreached: list[tuple[int, str, Unreachable]] = []
    found: list[_Placed] = []
    for least, name, one in _candidates(design, target, left_out):
        best = min((known.places for known in found), default=None)
        if best is not None and least > best:
            left_out[name] = f"{least} places without registers, more than {best} with them"
            continue
        try:
            stages = stages_for_mhz(one, target, target_mhz)
            found.append(_placed(name, replace(one, pipeline=stages), target))
        except Unreachable as error:
            unreached.append((error.most_mhz, name, error))
            left_out[name] = str(error)
        except ValueError as error:
            left_out[name] = str(error)
    if not found:
        raise _nothing(unreached, left_out, design, target_mhz)
    objective = f"{target_mhz:g} MHz"
    return _best(objective, found, left_out, lambda one: one.places, "places")


@cache
def for_stages(design: Design, target: Target) -> Clocked:
    """Return a design with stages in the structure of the least places × longest path.

    That is the hardware per product and second. Errors as for `for_clock`.
    """
    left_out: dict[str, str] = {}
    found: list[_Placed] = []
    most = math.inf
    for least, name, one in _candidates(design, target, left_out):
        if least > most:
            left_out[name] = f"{least} places without registers, more than {most:g}"
            continue
        try:
            found.append(_placed(name, replace(one, pipeline=design.pipeline), target))
        except ValueError as error:
            left_out[name] = str(error)
            continue
        most = min(most, MOST_RATIO * least)
    if not found:
        raise ValueError(next(iter(left_out.values())))

    def price(one: _Placed) -> float:
        return one.places * (one.counts.path_ns or 0)

    return _best(f"{design.pipeline} stages", found, left_out, price, "places × ns")


def _best(
    objective: str,
    found: list[_Placed],
    left_out: dict[str, str],
    price: Callable[[_Placed], float],
    unit: str,
) -> Clocked:
    """Return the candidate of the least price, then of the fewest stages and LUTs."""
    ranked = sorted(found, key=lambda p: (price(p), p.design.pipeline, p.counts.lut, p.name))
    first, *others = ranked
    reason = (
        f"{first.name} with {first.design.pipeline} stages takes {price(first):.6g} {unit}, "
        f"the least for {objective}"
    )
    if others:
        reason += f"; next is {others[0].name} with {price(others[0]):.6g}"
    return Clocked(first.design, objective, reason, tuple(p.counts for p in ranked), left_out)


def _nothing(
    unreached: list[tuple[int, str, Unreachable]],
    left_out: dict[str, str],
    design: Design,
    target_mhz: float,
) -> ValueError:
    """Return why no structure reaches a clock, with the nearest that one does."""
    if not unreached:
        return ValueError(next(iter(left_out.values()), f"{design.slug} has no structure"))
    most, name, error = max(unreached, key=lambda item: item[0])
    if len(left_out) == 1:
        return error
    return Unreachable(
        f"no structure of {design.slug} reaches {target_mhz:g} MHz; the nearest is {most} MHz "
        f"with {name}: {error}",
        most,
    )


def _candidates(
    design: Design, target: Target, left_out: dict[str, str]
) -> list[tuple[int, str, Design]]:
    """Return least places, name and plain design of every structure, cheapest first."""
    import costmodel

    found: list[tuple[int, str, Design]] = []
    for name, one in _variants(replace(design, pipeline=0), target):
        least = min((places for places, _, _ in found), default=None)
        if least is not None and not worth_planning(one, target, least):
            left_out[name] = "a heap of so many bits is not planned unasked"
            continue
        try:
            cost = costmodel.estimate(one, target)
        except ValueError as error:
            left_out[name] = str(error)
            continue
        found.append((_places(cost.sites, cost.ff, target), name, one))
    if not found:
        from sweeps.workflow import settle

        plain = settle(replace(design, pipeline=0), target.label)[0]
        return [(0, plain.structure, plain)]
    return sorted(found, key=lambda item: item[0])


def _variants(design: Design, target: Target) -> Iterator[tuple[str, Design]]:
    """Give a design in its structure, or in every one, with chains of several lengths."""
    from hw.plan import plan, structures

    if isinstance(design, SerialDesign) or design.structure != "auto":
        name = design.kind if isinstance(design, SerialDesign) else design.structure
        yield name, design
        return
    for name in structures(design, target):
        if name in UNASKED:
            continue
        one = design.with_structure(name)
        yield name, one
        if name != "merged":
            continue
        chain = getattr(plan(one, target).core, "chain", None)
        if chain is not None:
            own = len(chain.chains[0])
            for length in chain_lengths(design.lanes):
                if SHORTEST <= length <= LONGEST and length != own:
                    yield f"{name}, chains of {length}", replace(one, chain=length)


def _placed(name: str, design: Design, target: Target) -> _Placed:
    """Return a design with its registers placed, and what it costs with them."""
    from costmodel.pipeline import staged
    from hw.rtl import emit

    record = emit(design, target).record if design.pipeline else {}
    chains = {int(length): n for length, n in record.get("pipeline_chains", {}).items()}
    cost = staged(design, chains, target)
    counts = Candidate(name, cost.lut, cost.sites, cost.ff, cost.dsp, record.get("path_ns"))
    return _Placed(name, design, _places(cost.sites, cost.ff, target), counts)


def _places(sites: int, ff: int, target: Target) -> int:
    """Return the places for LUTs that sites and flip-flops take."""
    return max(sites, -(-ff // (2 if target.lut_inputs >= 6 else 1)))


def stages_for_mhz(design: Design, target: Target, target_mhz: float) -> int:
    """Return the fewest stages with which a settled design reaches a clock; errors as above."""
    from costmodel.timing import CLOCKED, clock, delays
    from hw.pipeline import stages_for
    from hw.pipeline.delays import DELAYS_OF, REGISTER_NS
    from hw.plan import plan
    from hw.plan.core import keeps_ahead
    from hw.rtl.emit import netlist, stages_for_clock

    if target.name not in CLOCKED:
        raise ValueError(
            f"delays are known of {', '.join(CLOCKED)} only, not of {target.name}: "
            f"say how many stages instead (--pipeline)"
        )
    if target.name == DELAYS_OF:
        return stages_for_clock(design, target, 1000 / target_mhz)
    known = delays(target.name)
    path_ns = known.stage_path_ns(1000 / target_mhz)
    if path_ns <= REGISTER_NS:
        most = math.floor(1000 / known.staged_ns(REGISTER_NS))
        raise Unreachable(
            f"registers alone allow at most {most} MHz on {target.name}, not {target_mhz:g}", most
        )
    ahead = keeps_ahead(design)
    if ahead and clock(plan(design, target)).fmax_mhz >= target_mhz:
        return 0
    made, top = netlist(design, target)
    found = stages_for(made, top, path_ns, target.lut_inputs, 1.0, known.staged_ns)
    return max(found, int(ahead))
