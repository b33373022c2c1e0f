"""The GRIM test: which whole numbers of right answers give a printed accuracy.

Brown and Heathers 2017, doi 10.1177/1948550616673876. All arithmetic is in exact fractions.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor


def half_unit(decimals: int) -> Fraction:
    """Return the greatest error of a value rounded to so many decimals, exactly."""
    return Fraction(1, 2 * 10**decimals)


def grim(printed: str, n: int, decimals: int | None = None) -> tuple[int, ...]:
    """Numbers of right answers k out of `n` whose share rounds to the printed value.

    An accuracy over n clips is k/n for a whole k (the GRIM test, Brown and Heathers 2017,
    doi 10.1177/1948550616673876). Exact fractions; a share half-way between two printed values
    fits both.

    Parameters
    ----------
    printed : str
        Such as ``"0.4715"``.
    n : int
        Clips.
    decimals : int, optional
        Decimals the value was rounded to; default: as many as are printed.
    """
    decimals = len(printed.partition(".")[2]) if decimals is None else decimals
    value, slack = Fraction(printed), half_unit(decimals)
    first, last = ceil((value - slack) * n), floor((value + slack) * n)
    return tuple(range(max(first, 0), min(last, n) + 1))


def grim_chance(n: int, decimals: int) -> float:
    """Share of all values with so many decimals that some k/n rounds to: what luck would pass."""
    hits = {floor(Fraction(k, n) * 10**decimals + Fraction(1, 2)) for k in range(n + 1)}
    return len(hits) / (10**decimals + 1)


def precisions(printed: str) -> list[int]:
    """Decimals a value may have been rounded to, the most first: 0.5700 may be 0.57 padded."""
    decimals = printed.partition(".")[2]
    kept = decimals.rstrip("0") if decimals.endswith("00") else decimals
    return sorted({len(decimals), max(len(kept), 2)}, reverse=True)
