"""Two methods on the same clips: the difference of their scores, and how sure its sign is."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from elrcn.evaluation.metrics import get_metric, row_classes
from elrcn.evaluation.statistics import (
    interval,
    permutation_test,
    resampled_scores,
    subject_pairs,
)


@dataclass(frozen=True)
class Comparison:
    """Outcome of `compare`: first method against second, on the same clips.

    Attributes
    ----------
    difference : float
        First method's score minus the second's.
    low, high : float
        Interval of the difference, by resampling subjects; NaN where there is none.
    p_value : float
        Two-sided, from the permutation test over subjects, for one comparison alone.
    subjects : int
        Subjects compared.
    """

    difference: float
    low: float
    high: float
    p_value: float
    subjects: int

    @property
    def half_width(self) -> float:
        """Half the width of the interval: about the smallest difference that could be told."""
        return (self.high - self.low) / 2

    @property
    def sign(self) -> int:
        """1 or -1 if the whole interval lies above or below 0, else 0: not told apart."""
        return int(self.low > 0) - int(self.high < 0)


def bootstrap_difference(
    rows_a: pd.DataFrame,
    rows_b: pd.DataFrame,
    metric,
    n: int = 2000,
    seed: int = 0,
    level: float = 0.95,
    classes=None,
    per_fold: bool = False,
) -> tuple[float, float]:
    """Interval of the difference of two methods' scores, by resampling subjects.

    A drawn subject brings both methods' answers about the same clips, so that what makes a subject
    easy or hard for both cancels. This is why the interval is usually narrower than the two
    methods' own intervals suggest. Of several seeds the means of the scores are compared.

    Parameters
    ----------
    rows_a, rows_b : DataFrame
        Prediction rows of the same clips.
    metric : str or callable
        As for `elrcn.evaluation.statistics.bootstrap_interval`, and so are `n`, `seed`, `level`,
        `classes` and `per_fold` (there the folds are those of `rows_a`).

    Returns
    -------
    low, high : float
        Of the first method's score minus the second's; NaN where
        `elrcn.evaluation.statistics.interval` gives none.

    Raises
    ------
    ElrcnError
        If the rows are not of the same clips, the score is unknown or `level` is not between 0
        and 1.
    """
    folds = subject_pairs(rows_a, rows_b, classes, per_fold)
    first, second = resampled_scores(folds, get_metric(metric), n, seed).mean(axis=1)
    return interval(first - second, [pair.shape[2] for pair in folds], level)


def compare(
    rows_a: pd.DataFrame,
    rows_b: pd.DataFrame,
    metric="uar",
    n: int = 2000,
    seed: int = 0,
    level: float = 0.95,
    classes=None,
    per_fold: bool = False,
    swaps: int = 10000,
) -> Comparison:
    """Compare two methods on the same clips.

    Parameters
    ----------
    rows_a, rows_b, metric, n, seed, level, classes, per_fold
        As for `bootstrap_difference`.
    swaps : int
        Swaps of the permutation test.

    Raises
    ------
    ElrcnError
        As `bootstrap_difference`.
    """
    classes = classes or row_classes(rows_a)
    low, high = bootstrap_difference(rows_a, rows_b, metric, n, seed, level, classes, per_fold)
    test = permutation_test(rows_a, rows_b, metric, swaps, seed, classes, per_fold)
    return Comparison(test.difference, low, high, test.p_value, test.n)
