"""Which right answers a printed score can stand for, in exact fractions and whole numbers.

The GRIM test (Brown and Heathers 2017, doi 10.1177/1948550616673876) asks which whole numbers of
right answers give a printed accuracy. It is about *pooled* accuracies, right answers out of all
clips: the mean of the accuracies of several folds is no fraction of the number of clips, and the
test cannot judge it; pairs of folds can be.

A UAR depends on the diagonal of the confusion matrix alone: right answers t_i out of the n_i clips
of class i, UAR = (t_1/n_1 + ... + t_C/n_C) / C. Where the sizes of the classes and the number of
right answers are known, all diagonals can be listed and a printed UAR held against each.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import ceil, floor, lcm

import numpy as np

#: Sizes of the classes of one fold, and its number of right answers.
Fold = tuple[Sequence[int], int]


def half_unit(decimals: int) -> Fraction:
    """Return the greatest error of a value rounded to so many decimals, exactly."""
    return Fraction(1, 2 * 10**decimals)


def precisions(printed: str) -> list[int]:
    """Decimals a value may have been rounded to, the most first: 0.5700 may be 0.57 padded."""
    decimals = printed.partition(".")[2]
    kept = decimals.rstrip("0") if decimals.endswith("00") else decimals
    return sorted({len(decimals), max(len(kept), 2)}, reverse=True)


def grim(printed: str, n: int, decimals: int | None = None) -> tuple[int, ...]:
    """Numbers of right answers k out of `n` whose share rounds to the printed value.

    An accuracy pooled over n clips is k/n for a whole k. A share half-way between two printed
    values fits both.

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


def _tallies(sizes: Sequence[int], common: int) -> tuple[np.ndarray, np.ndarray]:
    """Right answers, and `common` times the sum of t_i/n_i, of every (t_1, ..., t_C)."""
    hits = sums = np.zeros(1, np.int64)
    for n in sizes:
        hits = np.add.outer(hits, np.arange(n + 1)).ravel()
        sums = np.add.outer(sums, np.arange(n + 1) * (common // n)).ravel()
    return hits, sums


def _diagonals(sizes: Sequence[int], right: int, common: int) -> tuple[np.ndarray, np.ndarray]:
    """Tallies of the diagonals with `right` answers, these counted as 0 (they are all alike)."""
    *rest, largest = sorted(sizes)
    hits, sums = _tallies(rest, common)
    last = right - hits  # what is left for the largest class
    kept = (last >= 0) & (last <= largest)
    sums = sums[kept] + last[kept] * (common // largest)
    return np.zeros_like(sums), sums


def _count(first, second, hits: int, low: int, high: int) -> int:
    """Count pairs of tallies whose right answers add up to `hits`, their sums to `low`..`high`.

    Meets in the middle: one key a tally of `second`, ordered by right answers and then by sum.
    """
    width = int(second[1].max()) + 1
    keys = np.sort(second[0] * width + second[1])
    place = (hits - first[0]) * width
    start = place + np.clip(low - first[1], 0, width)
    stop = place + np.clip(high - first[1], -1, width - 1)
    return int((np.searchsorted(keys, stop, "right") - np.searchsorted(keys, start)).sum())


def count_diagonals(folds: Sequence[Fold], low: Fraction, high: Fraction) -> int:
    """Count diagonals whose UAR lies from `low` to `high`; of two folds, pairs and their mean.

    Parameters
    ----------
    folds : sequence of (sizes, right)
        One or two: clips of each class (above 0), as many classes in each, and right answers.
    low, high : Fraction
        Both ends belong to the range.
    """
    common = lcm(*(n for sizes, _ in folds for n in sizes))
    if len(folds) == 1:
        ((sizes, hits),) = folds
        ordered = sorted(sizes, reverse=True)
        parts = _tallies(ordered[:2], common), _tallies(ordered[2:], common)
    else:
        hits, parts = 0, [_diagonals(*fold, common) for fold in folds]
        if not all(len(sums) for _, sums in parts):
            return 0
    scale = common * len(folds[0][0]) * len(folds)
    return _count(*parts, hits, ceil(low * scale), floor(high * scale))


def uar_range(folds: Sequence[Fold]) -> tuple[Fraction, Fraction]:
    """Least and greatest UAR with these right answers; of several folds, of their mean.

    A right answer adds least in the largest class, so that the least UAR fills classes from the
    largest, the greatest from the smallest.
    """
    ends = []
    for largest_first in (True, False):
        total = Fraction(0)
        for sizes, right in folds:
            for n in sorted(sizes, reverse=largest_first):
                total += Fraction(min(n, right), n) / len(sizes)
                right -= min(n, right)
        ends.append(total / len(folds))
    return ends[0], ends[1]
