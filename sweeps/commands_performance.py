"""Floor 4. The command ``performance``: whole networks on accelerators, by formula."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweeps.arguments import add_json, at_least, word
from sweeps.files import json_text, read_record

if TYPE_CHECKING:
    from costmodel.accelerator import Accelerator
    from costmodel.performance import Cost, Run
    from costmodel.workload import Transformer

FINE = 0
DEFAULTS = ("fp16", "bitmod:lossless", "bitmod:lossy")
_READINGS = ("per-head", "published")
_PJ_PER_MJ = 1e9


def declare(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``macloom performance``."""
    parser.add_argument(
        "network", nargs="?", metavar="NETWORK", help="such as llama-2-7b, or a YAML file"
    )
    parser.add_argument(
        "accelerators",
        nargs="*",
        metavar="ACCELERATOR[:SCHEME]",
        help="such as fp16, bitmod:lossy, bitmod:bitmod3 (a format of weights), or a YAML file; "
        f"speeds are relative to the first ({' '.join(DEFAULTS)})",
    )
    parser.add_argument(
        "--context", type=at_least(1), default=256, metavar="N", help="tokens of the prompt (256)"
    )
    parser.add_argument(
        "--generated", type=at_least(0), default=20, metavar="N", help="tokens after it (20)"
    )
    parser.add_argument("--batch", type=at_least(1), default=1, metavar="N", help="sequences (1)")
    parser.add_argument(
        "--reading",
        type=word(*_READINGS),
        default=_READINGS[0],
        metavar="NAME",
        help="of the attention: per-head, or published, as behind the BitMoD paper's figures",
    )
    parser.add_argument("--layers", action="store_true", help="each layer of the network")
    add_json(parser)


def performance(arguments: argparse.Namespace) -> int:
    """``macloom performance [NETWORK [ACCELERATOR …]]``."""
    from costmodel.performance import run

    if arguments.network is None:
        return _catalogue(arguments)
    network = _network(arguments.network)
    runs: list[tuple[str, Accelerator, Run]] = []
    for text in arguments.accelerators or DEFAULTS:
        accelerator, scheme = _accelerator(text)
        found = run(
            network,
            accelerator,
            scheme,
            arguments.context,
            arguments.generated,
            arguments.batch,
            arguments.reading.replace("-", "_"),
        )
        runs.append((f"{accelerator.name}:{scheme}", accelerator, found))
    if arguments.json:
        records = [_record(*each, runs[0]) for each in runs]
        print(json_text({"network": network.name, **_conditions(arguments), "runs": records}))
    else:
        print("\n".join(_lines(arguments, network, runs)))
    return FINE


def _network(text: str) -> Transformer:
    from costmodel.records import nearest
    from costmodel.workload import network_of, networks

    if text in networks():
        return networks()[text]
    if Path(text).suffix in (".yaml", ".yml", ".json"):
        return network_of(Path(text).stem, read_record(Path(text)))
    raise ValueError(f"there is no network {text!r}; {nearest(text, networks())}")


def _accelerator(text: str) -> tuple[Accelerator, str]:
    """Return an accelerator and the name of its scheme: the first one unless another is named."""
    from costmodel.accelerator import accelerator_of, find

    name, _, scheme = text.partition(":")
    path = Path(name)
    is_file = path.suffix in (".yaml", ".yml", ".json")
    found = accelerator_of(path.stem, read_record(path)) if is_file else find(name)
    return found, scheme or next(iter(found.schemes))


def _conditions(arguments: argparse.Namespace) -> dict[str, Any]:
    return {name: getattr(arguments, name) for name in ("context", "generated", "batch", "reading")}


def _catalogue(arguments: argparse.Namespace) -> int:
    """List what there is."""
    from costmodel.accelerator import accelerators
    from costmodel.workload import networks
    from sweeps.commands_sweep import table

    if arguments.json:
        schemes = {name: list(each.schemes) for name, each in accelerators().items()}
        print(json_text({"networks": list(networks()), "accelerators": schemes}))
        return FINE
    shapes: list[tuple[str, ...]] = [("network", "layers", "hidden", "heads", "source")]
    for network in networks().values():
        numbers = (network.layers, network.hidden, network.heads)
        shapes.append((network.name, *map(str, numbers), network.source))
    arrays = [("accelerator", "schemes", "source")]
    for each in accelerators().values():
        arrays.append((each.name, ", ".join(each.schemes), each.source))
    print(f"{table(shapes)}\n\n{table(arrays)}")
    return FINE


def _lines(
    arguments: argparse.Namespace,
    network: Transformer,
    runs: list[tuple[str, Accelerator, Run]],
) -> list[str]:
    from sweeps.commands_sweep import table

    then = f", then {arguments.generated} tokens" if arguments.generated else ""
    lines = [
        f"{network.title}: a prompt of {arguments.context} tokens{then}, batch {arguments.batch}, "
        f"attention {arguments.reading}",
        table([_HEAD, *(_row(*each, runs[0]) for each in runs)]),
    ]
    if arguments.layers:
        for name, _, found in runs:
            lines += ["", f"{name}, prompt", table(_layer_rows(found.prefill))]
            if found.generate is not None:
                lines += ["", f"{name}, one token", table(_layer_rows(found.generate))]
    return lines


_HEAD = ("accelerator", "prompt ms", "token ms", "all ms", "speed", "DRAM GB", "mJ", "energy")


def _row(
    name: str, accelerator: Accelerator, found: Run, first: tuple[str, Accelerator, Run]
) -> tuple[str, ...]:
    record = _record(name, accelerator, found, first)
    energy, ratio = record["energy_mj"], record["energy_ratio"]
    token = record["token_ms"]
    return (
        name,
        f"{record['prompt_ms']:.1f}",
        "-" if token is None else f"{token:.2f}",
        f"{record['total_ms']:.1f}",
        f"{record['speedup']:.2f}",
        f"{record['dram_bytes'] / 1e9:.1f}",
        "-" if energy is None else f"{energy['total']:.0f}",
        "-" if ratio is None else f"{ratio:.2f}",
    )


def _record(
    name: str, accelerator: Accelerator, found: Run, first: tuple[str, Accelerator, Run]
) -> dict[str, Any]:
    """Return one run as a record; speed and energy against the first one."""
    per_ms = accelerator.clock_mhz * 1000
    first_ms = first[2].cycles / (first[1].clock_mhz * 1000)
    energy, first_energy = found.energy, first[2].energy
    return {
        "accelerator": name,
        "prompt_cycles": found.prefill.cycles,
        "token_cycles": found.generate.cycles if found.generate else None,
        "total_cycles": found.cycles,
        "prompt_ms": found.prefill.cycles / per_ms,
        "token_ms": found.generate.cycles / per_ms if found.generate else None,
        "total_ms": found.cycles / per_ms,
        "speedup": first_ms / (found.cycles / per_ms),
        "dram_bytes": found.dram_bytes,
        "prompt_utilisation": found.prefill.utilisation,
        "energy_mj": energy
        and {
            "on_chip": energy.on_chip_pj / _PJ_PER_MJ,
            "dram": energy.dram_pj / _PJ_PER_MJ,
            "total": energy.total_pj / _PJ_PER_MJ,
        },
        "energy_ratio": energy and first_energy and first_energy.total_pj / energy.total_pj,
        "layers": _layer_records(found),
    }


def _layer_records(found: Run) -> dict[str, Any]:
    names = ("passes", "compute_cycles", "dram_cycles", "cycles", "dram_bytes", "bound")
    phases = {"prompt": found.prefill, "token": found.generate}
    return {
        phase: [
            {"layer": each.product.name, "count": each.product.count}
            | {name: getattr(each, name) for name in names}
            for each in cost.layers
        ]
        for phase, cost in phases.items()
        if cost is not None
    }


def _layer_rows(cost: Cost) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [
        ("layer", "count", "outputs × inputs", "tokens", "computing", "DRAM", "waits for")
    ]
    for each in cost.layers:
        product = each.product
        shape = f"{product.outputs} × {product.inputs}"
        tokens = f"{product.batch} × {product.tokens}"
        numbers = (each.compute_cycles, each.dram_cycles)
        count = str(product.count)
        rows.append((product.name, count, shape, tokens, *map(str, numbers), each.bound))
    return rows
