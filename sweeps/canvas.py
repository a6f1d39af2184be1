"""Floor 4. Figures as bytes: matplotlib's defaults whatever the user's are, no dates, no chance."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

KINDS = ("png", "svg", "pdf")
_NOT_OURS = ("backend", "backend_fallback", "interactive", "toolbar", "timezone", "docstring")
_METADATA: dict[str, dict[str, Any]] = {
    "svg": {"Date": None},
    "pdf": {"CreationDate": None},
    "png": {"Software": None},
}


@contextmanager
def settings() -> Iterator[None]:
    """Matplotlib's defaults within, and SVG without random names."""
    own: dict[Any, Any] = {
        "svg.hashsalt": "macloom",
        "svg.fonttype": "path",
        "path.simplify": False,
    }
    usual: dict[Any, Any] = {k: v for k, v in mpl.rcParamsDefault.items() if k not in _NOT_OURS}
    with mpl.rc_context({**usual, **own}):
        yield


def figure_bytes(figure: Figure, kind: str, dpi: int) -> bytes:
    """The figure as a file of a kind in `KINDS`; call it within `settings`."""
    stream = io.BytesIO()
    figure.savefig(stream, format=kind, dpi=dpi, metadata=_METADATA[kind])
    return stream.getvalue()
