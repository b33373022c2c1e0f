"""The GRIM test: which whole numbers of right answers give a printed accuracy.

Brown and Heathers 2017, doi 10.1177/1948550616673876. All arithmetic is in exact fractions. The
test is about *pooled* accuracies, right answers out of all clips: the mean of the accuracies of
several folds is no fraction of the number of clips, and the test cannot judge it.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor

import numpy as np


def half_unit(decimals: int) -> Fraction:
    """Return the greatest error of a value rounded to so many decimals, exactly."""
    return Fraction(1, 2 * 10**decimals)


def grim(printed: str, n: int, decimals: int | None = None) -> tuple[int, ...]:
    """Numbers of right answers k out of `n` whose share rounds to the printed value.

    An accuracy pooled over n clips is k/n for a whole k (the GRIM test, Brown and Heathers 2017,
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


def _mean_numerators(n1: int, n2: int) -> tuple[np.ndarray, int]:
    """Return every (k1/n1 + k2/n2) / 2 over one denominator: shape (n1 + 1, n2 + 1), and that."""
    return np.add.outer(np.arange(n1 + 1) * n2, np.arange(n2 + 1) * n1), 2 * n1 * n2


def grim_pairs(printed: str, n1: int, n2: int, decimals: int) -> list[tuple[int, int]]:
    """Pairs of right answers (k1, k2) whose mean accuracy of two folds rounds to `printed`.

    The mean is (k1/n1 + k2/n2) / 2, in exact whole numbers.

    Parameters
    ----------
    printed : str
        Such as ``"0.4345"``.
    n1, n2 : int
        Clips of the two folds.
    decimals : int
        Decimals the value was rounded to.
    """
    means, scale = _mean_numerators(n1, n2)
    value, slack = Fraction(printed), half_unit(decimals)
    fits = (means >= ceil((value - slack) * scale)) & (means <= floor((value + slack) * scale))
    return [(int(k1), int(k2)) for k1, k2 in np.argwhere(fits)]


def grim_pairs_chance(n1: int, n2: int, decimals: int) -> float:
    """Share of all values with so many decimals that the mean of two folds can round to."""
    means, scale = _mean_numerators(n1, n2)
    hits = np.unique((means * 10**decimals + scale // 2) // scale)
    return len(hits) / (10**decimals + 1)


def precisions(printed: str) -> list[int]:
    """Decimals a value may have been rounded to, the most first: 0.5700 may be 0.57 padded."""
    decimals = printed.partition(".")[2]
    kept = decimals.rstrip("0") if decimals.endswith("00") else decimals
    return sorted({len(decimals), max(len(kept), 2)}, reverse=True)
