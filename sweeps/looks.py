"""Floor 4. How figures of sweeps look: Okabe-Ito colours, markers, sizes."""

from __future__ import annotations

from dataclasses import dataclass

BLACK, GREY = "#000000", "#6b6b6b"


@dataclass(frozen=True, slots=True)
class Look:
    """How a family of pairs is drawn: Okabe-Ito colour, marker, and its name in the legend."""

    colour: str
    marker: str
    title: str


LOOKS = {
    "integer × integer": Look("#0072B2", "s", "integer × integer"),
    "minifloat × minifloat": Look("#D55E00", "o", "minifloat × minifloat"),
    "integer × minifloat": Look("#009E73", "^", "integer weight × minifloat"),
    "minifloat × integer": Look("#CC79A7", "v", "minifloat weight × integer"),
    "blocks": Look("#E69F00", "P", "blocks with scales"),
}


@dataclass(frozen=True, slots=True)
class Layout:
    """Sizes of a figure.

    Parameters
    ----------
    width, height
        In inches.
    text, small, marker
        Axis titles, other text and markers, in typographic points.
    legend_columns, title_characters
        Columns of the legend, and where axis titles are wrapped.
    most_labels
        Front points that are named, the best first.
    left_margin
        The area axis begins at the least area divided by this.
    dpi
        Dots per inch of a PNG.

    """

    width: float
    height: float
    text: float
    small: float
    marker: float
    legend_columns: int
    title_characters: int
    most_labels: int
    left_margin: float
    dpi: int


LAYOUTS = {
    "wide": Layout(7.2, 4.7, 9.0, 7.6, 3.4, 4, 90, 20, 1.35, 200),
    "column": Layout(3.5, 3.4, 6.4, 5.8, 2.2, 2, 58, 12, 1.7, 400),
}
"""`wide`: a README, or two columns of a paper; `column`: one column."""

PANEL = Layout(4.3, 3.9, 7.2, 6.8, 2.7, 4, 70, 12, 1.6, 150)
"""One of several panels, each as large as it says, beside each other."""
PANELS_ACROSS = 2
