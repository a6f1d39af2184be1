"""Run the benchmarks: each prints ours, a named peer in the same run, and the ratio.

Usage: ``python tests/benchmarks/run.py [NAME …]``; names are those of the files without ``bench_``.
Results also go to ``build/bench.json``. Nothing here passes or fails: machines differ, ratios tell.
"""

import importlib
import json
import os
import sys
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy: one thread on both sides
FOLDER = Path(__file__).parent
RESULTS = Path("build/bench.json")


def main(names: list[str]) -> int:
    sys.path.insert(0, str(FOLDER))
    known = sorted(path.stem.removeprefix("bench_") for path in FOLDER.glob("bench_*.py"))
    unknown = [name for name in names if name not in known]
    if unknown:
        print(f"error: benchmarks are {', '.join(known)}, not {unknown[0]!r}", file=sys.stderr)
        return 2
    found = {}
    for name in names or known:
        print(
            f"\n{name}: {(importlib.import_module(f'bench_{name}').__doc__ or '').splitlines()[0]}"
        )
        print(f"  {'what':<44} {'ours':>12} {'peer':>12} {'ratio':>8}  unit, peer")
        found[name] = []
        for row in importlib.import_module(f"bench_{name}").rows():
            found[name].append(row._asdict())
            ratio = "" if row.peer is None else f"{row.ours / row.peer:.2f}"
            peer = "" if row.peer is None else f"{row.peer:.4g}"
            unit = row.unit + (f", {row.peer_name}" if row.peer_name else "")
            print(f"  {row.what:<44} {row.ours:>12.4g} {peer:>12} {ratio:>8}  {unit}", flush=True)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
