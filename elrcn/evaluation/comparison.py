"""Two methods on the same clips: the difference of their scores, and how sure its sign is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from elrcn.errors import ElrcnError
from elrcn.evaluation.metrics import get_metric, row_classes
from elrcn.evaluation.statistics import mcnemar, paired, permutation_test, subject_confusions


@dataclass(frozen=True)
class Comparison:
    """Outcome of `compare`: first method against second, on the same clips.

    Attributes
    ----------
    difference : float
        First method's score minus the second's.
    low, high : float
        Interval of the difference, by resampling subjects.
    p_value : float
        Two-sided, from the permutation test over subjects, for one comparison alone.
    subjects : int
        Subjects compared.
    mcnemar_p : float
        Two-sided, from McNemar's exact test over clips (of the answers, whatever the score).
    """

    difference: float
    low: float
    high: float
    p_value: float
    subjects: int
    mcnemar_p: float

    @property
    def half_width(self) -> float:
        """Half the width of the interval: about the smallest difference that could be told."""
        return (self.high - self.low) / 2

    @property
    def sign(self) -> int:
        """1 or -1 if the whole interval lies above or below 0, else 0: not told apart."""
        return int(self.low > 0) - int(self.high < 0)


def subject_pairs(
    rows_a: pd.DataFrame, rows_b: pd.DataFrame, classes=None, per_fold: bool = False
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Confusion matrices of each subject under both methods.

    Parameters
    ----------
    rows_a, rows_b : DataFrame
        Prediction rows of the same clips.
    classes : sequence of str, optional
        Default: those of the columns ``p_<class>`` of `rows_a`.
    per_fold : bool
        One pair of arrays a fold of `rows_a`, else a single one of all clips.

    Returns
    -------
    list of (numpy.ndarray, numpy.ndarray), each of shape (S, C, C)
        Subjects sorted, the same in both.

    Raises
    ------
    ElrcnError
        If there are no rows, or the rows are not of the same clips.
    """
    classes = classes or row_classes(rows_a)
    both = paired(rows_a, rows_b)
    if both.empty:
        raise ElrcnError("There are no prediction rows to compare.")
    parts = [part for _, part in both.groupby("fold", sort=False)] if per_fold else [both]
    return [
        tuple(
            subject_confusions(part.rename(columns={f"predicted_{side}": "predicted"}), classes)[1]
            for side in "ab"
        )
        for part in parts
    ]


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
    """Percentile interval of the difference of two methods' scores, by resampling subjects.

    A drawn subject brings both methods' answers about the same clips, so that what makes a subject
    easy or hard for both cancels. This is why the interval is usually narrower than the two
    methods' own intervals suggest.

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
        Of the first method's score minus the second's.

    Raises
    ------
    ElrcnError
        If the rows are not of the same clips, the score is unknown or `level` is not between 0
        and 1.
    """
    if not 0 < level < 1:
        raise ElrcnError(f"The level of an interval lies between 0 and 1, not at {level}.")
    score, generator = get_metric(metric), np.random.default_rng(seed)
    blocks = subject_pairs(rows_a, rows_b, classes, per_fold)
    total = np.zeros(n)
    for a, b in blocks:
        count, size = len(a), a.shape[1:]
        draws = generator.multinomial(count, np.full(count, 1 / count), size=n)
        first, second = ((draws @ m.reshape(count, -1)).reshape(n, *size) for m in (a, b))
        total += score(first) - score(second)
    low, high = np.nanquantile(total / len(blocks), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


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
    return Comparison(
        test.difference, low, high, test.p_value, test.n, mcnemar(rows_a, rows_b).p_value
    )
