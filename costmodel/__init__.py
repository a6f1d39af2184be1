"""Floor 2c: what a design costs, in closed form, from the plan that its hardware is built from.

Every primitive of a plan is a module of its own in the hardware, so a design costs the sum of its
parts; each kind of part has one formula here, derived from how the part maps, with the numbers of
a target in ``costmodel/data``. The formulas are loaded when they are first asked for.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from costmodel.model import Estimate, Part, estimate

__all__ = ["Estimate", "Part", "estimate"]


def __getattr__(name: str) -> Any:
    """Load the model with the first name of it that is asked for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from costmodel import model

    found = {known: getattr(model, known) for known in __all__}
    globals().update(found)
    return found[name]
