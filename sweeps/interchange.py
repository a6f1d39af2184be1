"""Floor 4. Estimates as other tools read them: CSV, Accelergy's tables, ZigZag's operational array.

Field names are those of the tools' own files: Accelergy 0.3 (component classes, area and energy
reference tables: ``primitive_component_lib.yaml``, ``ART.yaml``, ``ERT.yaml`` of its repository)
and ZigZag 3 (the schema of ``zigzag/parser/accelerator_validator.py``). FPGA fabric has no µm²:
areas are sites (transistors on asic), and the class says so. Energy stands there only where the
estimate has one; it is left out otherwise, never 0.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

from hw.design import Design, from_record

FORMATS = ("text", "json", "csv", "accelergy", "zigzag")
WITH_ENERGY = ("csv", "accelergy", "zigzag")
"""Formats with a place for an energy."""
ACCELERGY_VERSION = 0.3
CLASSES_VERSION = 1.0
COUNTS = ("lut", "sites", "ff", "carry", "dsp", "transistors", "gates")
DIMENSIONS = ("D1", "D2", "D3")
"""ZigZag's dimensions of an array: rows, columns, lanes."""

Found = Mapping[str, Any]
"""What `sweeps.workflow.estimate` returns."""


def document(found: Found, format: str) -> str:
    """Return an estimate as the text of a file, in one of `FORMATS` but "text" and "json".

    Raises
    ------
    ValueError
        If there is no such format.

    """
    if format == "csv":
        return to_csv(found)
    if format not in ("accelergy", "zigzag"):
        raise ValueError(f"a document is csv, accelergy or zigzag, not {format!r}")
    import yaml

    record = accelergy(found) if format == "accelergy" else zigzag(found)
    unit = area(found)[1]
    head = f"# {record_name(found)}, estimated by macloom; areas are {unit}\n"
    head += _energy_head(found)
    text: str = yaml.safe_dump(record, sort_keys=False, width=100)
    return head + text


def _energy_head(found: Found) -> str:
    """Return what a file says of its energy: of which operands, and how far it may be off."""
    energy = found.get("energy") or {}
    if "error_percent" not in energy:
        return ""
    return (
        f"# energy is pJ, {energy['stream']} operands: toggles by formula, mean error "
        f"{energy['error_percent']:g} %;\n"
        f"# all pJ of a target may be off together by a factor of {energy['factor']:g}\n"
    )


def record_name(found: Found) -> str:
    """Return the name of the design of an estimate."""
    return from_record(found["design"]).slug


def area(found: Found) -> tuple[int, str]:
    """Return the area of an estimate and its unit."""
    if "transistors" in found:
        return found["transistors"], "transistors"
    return found["sites"], "sites"


def energy_pj_per_mac(found: Found) -> float | None:
    """Return the energy of a product and its sum, None where the estimate has none."""
    energy = found.get("energy")
    return None if energy is None else float(energy["energy_pj_per_mac"])


def missing_energy(found: Found, format: str) -> str:
    """Return what to say of an energy that a format has a field for and the estimate lacks."""
    if format not in ("accelergy", "zigzag") or energy_pj_per_mac(found) is not None:
        return ""
    reason = found.get("energy_left_out", f"the estimate on {found['target']} has none")
    return f"energy is left out: {reason}"


def to_csv(found: Found) -> str:
    """Return a head and a row: the design, its sizes and counts, and the energy if there is one."""
    design = from_record(found["design"])
    row = {**_attributes(design, found), **_counts(found)}
    energy = energy_pj_per_mac(found)
    if energy is not None:
        row["energy_pj_per_mac"] = energy
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(row), lineterminator="\n")
    writer.writeheader()
    writer.writerow(row)
    return stream.getvalue()


def accelergy(found: Found) -> dict[str, Any]:
    """Return a component class, its row of the area table and, with an energy, of the energy table.

    The one action, ``compute``, is a step of the whole design: all its products.
    """
    design = from_record(found["design"])
    amount, unit = area(found)
    component = {
        "name": design.slug,
        "attributes": {**_attributes(design, found), **_counts(found), "area_unit": unit},
        "actions": [{"name": "compute"}],
    }
    result: dict[str, Any] = {
        "version": CLASSES_VERSION,
        "classes": [component],
        "ART": {
            "version": ACCELERGY_VERSION,
            "tables": [{"name": design.slug, "area": amount}],
        },
    }
    energy = energy_pj_per_mac(found)
    if energy is not None:
        action = {"name": "compute", "arguments": None, "energy": energy * products(design)}
        table = {"name": design.slug, "actions": [action]}
        result["ERT"] = {"version": ACCELERGY_VERSION, "tables": [table]}
    return result


def zigzag(found: Found) -> dict[str, Any]:
    """Return an accelerator whose operational array is the design; memories are the user's to add.

    A unit is one product with its share of everything. Precisions are those of activation and
    weight, ZigZag's operands I1 and I2.
    """
    design = from_record(found["design"])
    sizes = _sides(design)
    amount, _ = area(found)
    array: dict[str, Any] = {"input_precision": [design.activation.bits, design.weight.bits]}
    energy = energy_pj_per_mac(found)
    if energy is not None:
        array["unit_energy"] = energy
    array |= {
        "unit_area": amount / products(design),
        "dimensions": list(DIMENSIONS[: len(sizes)]),
        "sizes": sizes,
    }
    return {"name": design.slug, "memories": {}, "operational_array": array}


def products(design: Design) -> int:
    """Return the products of one step."""
    return design.lanes * design.cores


def _sides(design: Design) -> list[int]:
    """Return rows, columns and lanes; of a design without sides the lanes alone."""
    rows, columns = getattr(design, "rows", None), getattr(design, "columns", None)
    if rows is None or columns is None:
        return [design.lanes]
    return [rows, columns, design.lanes] if design.lanes > 1 else [rows, columns]


def _attributes(design: Design, found: Found) -> dict[str, Any]:
    """Return what tells a design apart, in plain values."""
    return {
        "technology": found["target"],
        "kind": design.kind,
        "weight": design.weight.name,
        "activation": design.activation.name,
        "weight_bits": design.weight.bits,
        "activation_bits": design.activation.bits,
        "accumulator": design.accumulator.name,
        "accumulator_bits": design.accumulator_bits,
        "structure": design.structure,
        "rows": getattr(design, "rows", 1),
        "columns": getattr(design, "columns", 1),
        "lanes": design.lanes,
        "products_per_compute": products(design),
    }


def _counts(found: Found) -> dict[str, int]:
    return {name: found[name] for name in COUNTS if name in found}
