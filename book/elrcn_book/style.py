"""One look for every figure: colours that survive colour blindness, markers for grey."""

from __future__ import annotations

from elrcn.picture import OKABE_ITO, WIDTH, figure_style

__all__ = ["OKABE_ITO", "SERIES", "WIDTH", "figure_style", "series"]

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


def series(index: int) -> tuple[str, str]:
    """Colour and marker of the series at `index` (they repeat after seven)."""
    return SERIES[index % len(SERIES)]
