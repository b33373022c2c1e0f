"""The LSTMs that Figures 6 to 8 compare: the paper's sizes, and what a profile makes of them."""

from __future__ import annotations

from collections.abc import Sequence

from elrcn.config import Profile
from elrcn.experiments.methods import Method

#: The LSTM of the paper's tables. A profile's own stands for it, and the others scale with it.
PAPER_UNITS = 3000
#: Layers of Figure 8 by method. The text does not list those of Figure 6; it names one and two
#: layers and calls 3000-1024 the best, so the same five stand there.
LSTMS = {
    "lstm_512": (512,),
    "lstm_3000": (3000,),
    "lstm_1024_1024": (1024, 1024),
    "lstm_3000_1024": (3000, 1024),
    "lstm_5000_1024": (5000, 1024),
}
#: The LSTM under the two layers of features that Figure 7 compares.
FIGURE7_UNITS = (3000, 1024)
FIGURE7_LAYERS = ("fc6", "fc7")


def scaled_units(profile: Profile, units: Sequence[int]) -> tuple[int, ...]:
    """Units of the paper's LSTM layers, scaled as the profile's own LSTM is to the paper's 3000.

    Parameters
    ----------
    profile : Profile
        Its ``temporal.units[0]`` is what 3000 becomes.
    units : sequence of int
        Units of each layer in the paper, such as (3000, 1024).

    Returns
    -------
    tuple of int
        At least 4 each; in the profile "paper" the paper's own.
    """
    here = profile.temporal.units[0]
    return tuple(max(4, round(n * here / PAPER_UNITS)) for n in units)


def units_text(units: Sequence[int]) -> str:
    """Units as the paper writes them: "3000-1024"."""
    return "-".join(str(n) for n in units)


def paper_units(method: Method) -> tuple[int, ...] | None:
    """Units of the LSTM of a method of Figures 6 to 8 in the paper; None if it has none."""
    return FIGURE7_UNITS if method.name in FIGURE7_LAYERS else LSTMS.get(method.name)


def lstm_text(units: Sequence[int], profile: Profile | None = None) -> str:
    """Name an LSTM by its units: "LSTM (3000)", and "LSTM (64 for 3000)" where `profile` scales it.

    Parameters
    ----------
    units : sequence of int
        Units of each layer in the paper.
    profile : Profile, optional
        Default: that of the paper's size.
    """
    here, there = units_text(scaled_units(profile, units) if profile else units), units_text(units)
    return f"LSTM ({here})" if here == there else f"LSTM ({here} for {there})"
