"""Floor 2c: what pipeline registers cost, once `hw.pipeline` has placed them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from costmodel import coefficients
from costmodel.array import register_chain
from costmodel.cost import Cost, total
from costmodel.model import Estimate, estimate
from hw.design import Design
from hw.plan import plan
from hw.plan.core import plan_unstaged
from hw.target import Target


def staged(design: Design, chains: Mapping[int, int], target: Target) -> Estimate:
    """Return what a design costs with pipeline registers that are already placed.

    Parameters
    ----------
    design
        With its structure settled, with or without stages.
    chains, target
        As for `pipeline_registers`; no chains of a design without stages.

    Raises
    ------
    ValueError
        As `costmodel.model.estimate`.

    """
    if not design.pipeline:
        return estimate(design, target)
    found = unstaged(design, target)
    added = pipeline_registers(chains, target)
    sites = found.sites + round(added.sites)
    return replace(found, sites=sites, ff=found.ff + added.ff, design=design.to_record())


def unstaged(design: Design, target: Target) -> Estimate:
    """Return what a design costs but for its pipeline registers; errors as for `estimate`."""
    return estimate(plan_unstaged(design, target) if design.pipeline else plan(design, target))


def pipeline_registers(chains: Mapping[int, int], target: Target) -> Cost:
    """Return the cost of chains of registers, each one bit wide and without a tap.

    Parameters
    ----------
    chains
        Length to number, as `hw.pipeline.Pipelined.chains` has them.
    target
        Where; Xilinx flows turn a chain of three and more into shift registers in LUTs, each a
        site of its own.

    Raises
    ------
    ValueError
        If the cost model does not know the target.

    """
    known = coefficients.load(target.name)
    return total(register_chain(length, known.family) * count for length, count in chains.items())
