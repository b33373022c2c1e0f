"""One look for every figure: sizes that survive a phone, colours that survive colour blindness."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib as mpl

#: Okabe and Ito's palette (2008), distinguishable under every common colour blindness.
OKABE_ITO = {
    "black": "#000000",
    "orange": "#E69F00",
    "sky": "#56B4E9",
    "green": "#009E73",
    "yellow": "#F0E442",
    "blue": "#0072B2",
    "vermilion": "#D55E00",
    "purple": "#CC79A7",
}

#: Colours and markers for series in the order they are drawn; the marker tells them apart in grey.
SERIES = (
    (OKABE_ITO["blue"], "o"),
    (OKABE_ITO["vermilion"], "s"),
    (OKABE_ITO["green"], "D"),
    (OKABE_ITO["purple"], "^"),
    (OKABE_ITO["orange"], "v"),
    (OKABE_ITO["sky"], "P"),
    (OKABE_ITO["black"], "X"),
)

#: Width of a figure in inches. 5 inches are 480 CSS pixels: on a phone 340 pixels wide the text
#: below shrinks to about 70% and stays legible, and on a desk it fills two thirds of the column.
WIDTH = 5.0

_RC = {
    "figure.dpi": 96,
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.labelsize": 10,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "figure.constrained_layout.use": True,
    "savefig.facecolor": "white",
    "svg.fonttype": "path",
    # Without a salt, ids in the SVG are random and the same figure gives other bytes.
    "svg.hashsalt": "elrcn",
    "image.interpolation": "none",
}


@contextmanager
def figure_style() -> Iterator[None]:
    """Matplotlib settings of the book's figures, restored on leaving."""
    with mpl.rc_context(_RC):
        yield


def series(index: int) -> tuple[str, str]:
    """Colour and marker of the series at `index` (they repeat after seven)."""
    return SERIES[index % len(SERIES)]
