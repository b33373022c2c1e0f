"""One look for every figure: colours that survive colour blindness, sizes that survive a phone."""

from __future__ import annotations

import matplotlib as mpl
import seaborn as sns

from elrcn.picture import OKABE_ITO, STYLE

__all__ = ["GREY", "OKABE_ITO", "PALETTE", "WIDTH", "use_style"]

#: Width of a figure in inches: 7.4 are 710 CSS pixels, the column of a page.
WIDTH = 7.4
#: Colours of series in the order they are drawn.
PALETTE = [OKABE_ITO[name] for name in
           ("blue", "vermilion", "green", "purple", "orange", "sky", "black")]  # fmt: skip
#: What is not significant, or stands in the background.
GREY = "0.55"


def use_style() -> None:
    """Set seaborn's theme for all figures drawn from now on."""
    sns.set_theme(context="notebook", style="ticks", palette=PALETTE, rc=STYLE)
    # seaborn sets sizes of its own after the style; these are the book's.
    mpl.rcParams.update(STYLE | {"font.size": 11, "axes.labelsize": 11, "axes.titlesize": 12})
