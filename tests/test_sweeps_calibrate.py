"""sweeps.calibrate: the drawn designs, their file, and how errors are counted."""

from collections import Counter

import pytest

from costmodel import estimate
from hw.accumulators import AccumulatorKind
from hw.plan import structures
from hw.target import load
from sweeps.calibrate import COLUMNS, draw, errors, read_csv, to_csv


def test_the_same_seed_draws_the_same_designs():
    assert draw(5, 40) == draw(5, 40)
    assert draw(5, 40)[:20] == draw(5, 20)
    assert draw(5, 40) != draw(6, 40)


def test_all_kinds_are_drawn():
    designs = draw(1, 300)
    assert len({design.slug for design in designs}) == 300
    assert Counter(design.kind for design in designs).keys() == {"mac", "dot", "array"}
    kinds = set(AccumulatorKind) - {AccumulatorKind.FLOATING}
    assert {design.accumulator.kind for design in designs} == kinds
    assert {design.structure for design in designs} == {"rows", "table", "behavioural", "dsp"}
    assert {design.specials for design in designs} == {"flag", "ignore"}
    assert sum(design.weight != design.activation for design in designs) > 100
    assert sum(design.has_specials for design in designs) > 50
    assert all(design.structure in structures(design) for design in designs)


def rows(designs, off=0):
    target = load("xcup")
    found = []
    for design in designs:
        numbers = estimate(design, target)
        row = {name: getattr(numbers, name) for name in ("lut", "sites", "ff", "carry", "dsp")}
        row["lut"] += off
        found.append((design, row))
    return found


def test_a_file_is_read_back(tmp_path):
    import json

    designs = draw(2, 5)
    pairs = rows(designs)
    text = to_csv(
        {"design": json.dumps(design.to_record()), **numbers, "tool": "Yosys"}
        for design, numbers in pairs
    )
    assert text.splitlines()[0] == ",".join(COLUMNS)
    file = tmp_path / "some.csv"
    file.write_text(text, encoding="utf-8")
    assert list(read_csv(file)) == pairs


def test_errors_are_those_of_the_estimates():
    designs = draw(3, 20)
    right = errors(rows(designs), load("xcup"), "lut")
    assert (right.designs, right.mean, right.worst, right.exact) == (20, 0, 0, 1)
    wrong = errors(rows(designs, off=1), load("xcup"), "lut")
    assert wrong.exact == 0
    assert wrong.bias == pytest.approx(-wrong.mean)
    assert 0 < wrong.mean <= wrong.percentile_95 <= wrong.worst
