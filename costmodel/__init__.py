"""Floor 2c: what a design costs, in closed form, from the plan that its hardware is built from.

Every primitive of a plan is a module of its own in the hardware, so a design costs the sum of its
parts; each kind of part has one formula here, derived from how the part maps, with the numbers of
a target in ``costmodel/data``.
"""

from costmodel.model import Estimate, Part, estimate

__all__ = ["Estimate", "Part", "estimate"]
