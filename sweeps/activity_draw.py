"""Floor 4: what the draws of designs for the activity formula share."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

import costmodel
from hw.design import Design, from_record
from hw.plan import structures
from hw.target import Target

DATA = Path(costmodel.__file__).parent / "data"
FITTED, LOOKED, JUDGED = "fitted", "looked", "judged"
TRIES = 2000


@cache
def specification(name: str) -> dict[str, Any]:
    """Return a distribution of designs: a YAML file of `DATA`."""
    found: dict[str, Any] = yaml.safe_load((DATA / f"{name}.yaml").read_text(encoding="utf-8"))
    return found


def collected(
    one: Callable[[], Design | None], count: int, taken: Collection[str] = ()
) -> list[Design]:
    """Return so many different designs, or fewer if `TRIES` draws give no more.

    Parameters
    ----------
    one
        Draws a design, or None where the parts drawn do not go together.
    count
        How many.
    taken
        Slugs of designs that are left out.

    """
    found: dict[str, Design] = {}
    for _ in range(TRIES):
        if len(found) == count:
            break
        design = one()
        if design is not None and design.slug not in taken:
            found.setdefault(design.slug, design)
    return list(found.values())


def settled(
    record: dict[str, Any], technology: Target, known: Sequence[str]
) -> tuple[Design, list[str]] | None:
    """Return a design and those of its structures that are known; None where it cannot be."""
    try:
        design = from_record(record)
        return design, [name for name in structures(design, technology) if name in known]
    except ValueError:
        return None


def one_of(
    source: random.Random, record: dict[str, Any], technology: Target, known: Sequence[str]
) -> Design | None:
    """Return a design with one of its known structures, None where it has none."""
    found = settled(record, technology, known)
    if found is None or not found[1]:
        return None
    return found[0].with_structure(source.choice(found[1]))


def weighted(source: random.Random, shares: dict[str, int]) -> str:
    """Return a name, as often as its share says."""
    return source.choices(list(shares), list(shares.values()))[0]
