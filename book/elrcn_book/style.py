"""One look for every figure: colours that survive colour blindness, sizes that survive a phone."""

from __future__ import annotations

import matplotlib as mpl
import seaborn as sns

from elrcn.picture import OKABE_ITO, STYLE, figure_style

__all__ = [
    "GREY",
    "MARKERS",
    "OKABE_ITO",
    "PALETTE",
    "SERIES",
    "WIDTH",
    "figure_style",
    "series",
    "use_style",
]

#: Width of a figure in inches: 7.4 are 710 CSS pixels, the column of a page.
WIDTH = 7.4
#: Colours of series in the order they are drawn.
PALETTE = [OKABE_ITO[name] for name in
           ("blue", "vermilion", "green", "purple", "orange", "sky", "black")]  # fmt: skip
#: Markers of the same series, which tell them apart in grey.
MARKERS = ["o", "s", "D", "^", "v", "P", "X"]
#: What is not significant, or stands in the background.
GREY = "0.55"


def use_style() -> None:
    """Set seaborn's theme for all figures drawn from now on."""
    sns.set_theme(context="notebook", style="ticks", palette=PALETTE, rc=STYLE)
    # seaborn sets sizes of its own after the style; these are the book's.
    mpl.rcParams.update(STYLE | {"font.size": 11, "axes.labelsize": 11, "axes.titlesize": 12})


# What pages that are not rewritten yet draw with.
SERIES = tuple(zip(PALETTE, MARKERS, strict=True))


def series(index: int) -> tuple[str, str]:
    """Colour and marker of the series at `index` (they repeat after seven)."""
    return SERIES[index % len(SERIES)]
